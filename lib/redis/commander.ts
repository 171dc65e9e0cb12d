/**
 * @module redis/commander
 *
 * The methods that clients and pipelines have in common: one per command and its Buffer form, `call`, builtins. They only shape the call;
 * `RUN` decides what becomes of it.
 */
import type { Callback } from './callback.js';
import { COMMAND_NAMES, type CommandSpec, specOf } from './commands.js';
import { type Argument, encodable } from './transformers.js';

/** Takes a shaped call. */
export const RUN = Symbol('mooring.redis.run');

/** One call of a command method. */
export interface Call {
  readonly spec: CommandSpec;
  readonly args: Argument[];
  /** Bulk strings as Buffers. */
  readonly buffers: boolean;
  readonly callback: Callback | undefined;
}

/** What can run commands: a client, which answers promises, or a pipeline, which answers itself. */
export interface Commander {
  /** Commands added by `addBuiltinCommand`. */
  readonly addedBuiltinSet: Set<string>;
  [RUN](call: Call): unknown;
}

/** A command's method. */
export type CommandMethod = (this: Commander, ...args: Argument[]) => unknown;

/** The trailing callback, removed from the arguments. */
export function takeCallback(args: Argument[]): Callback | undefined {
  return typeof args[args.length - 1] === 'function' ? (args.pop() as Callback) : undefined;
}

/** The method of one command. */
export function commandMethod(spec: CommandSpec, buffers: boolean): CommandMethod {
  return function command(this: Commander, ...args: Argument[]): unknown {
    return this[RUN]({ spec, args, buffers, callback: takeCallback(args) });
  };
}

/** Any command by name: `call('GET', 'k')`, `call('GET', ['k'])`, `call(['GET', 'k'])`. */
function callMethod(buffers: boolean): CommandMethod {
  return function call(this: Commander, ...args: Argument[]): unknown {
    const callback = takeCallback(args);
    // Only a list that holds the name is opened here: what follows the name is flattened once, like the arguments of any command.
    const [name, ...rest] = Array.isArray(args[0]) ? args.flat<Argument[]>() : args;
    return this[RUN]({ spec: specOf(encodable(name).toString()), args: rest, buffers, callback });
  };
}

/** Adds both forms of a method to `target`. */
export function define(target: object, name: string, method: (buffers: boolean) => CommandMethod): void {
  const attributes = { writable: true, configurable: true, enumerable: true };
  Object.defineProperty(target, name, { value: method(false), ...attributes });
  Object.defineProperty(target, `${name}Buffer`, { value: method(true), ...attributes });
}

/** Adds the command methods to the prototype of a client or a pipeline; what the class defines itself stays. */
export function installCommands(prototype: object): void {
  const own = new Set(Object.getOwnPropertyNames(prototype));
  const defined = Object.getOwnPropertyDescriptors(prototype);
  for (const name of COMMAND_NAMES) define(prototype, name, (buffers) => commandMethod(specOf(name), buffers));
  define(prototype, 'call', callMethod);
  Object.defineProperty(prototype, 'send_command', { value: callMethod(false), writable: true, configurable: true });
  for (const name of own) Object.defineProperty(prototype, name, defined[name] as PropertyDescriptor);
}

/** Names of all built-in commands. */
export function builtinCommands(): string[] {
  return [...COMMAND_NAMES];
}

/** The two forms of a command method, for attaching elsewhere. */
export function builtinCommand(name: string): { string: CommandMethod; buffer: CommandMethod } {
  return { string: commandMethod(specOf(name), false), buffer: commandMethod(specOf(name), true) };
}
