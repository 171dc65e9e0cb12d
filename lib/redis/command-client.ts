/**
 * @module redis/command-client
 *
 * What a client of one server and one of a cluster have in common: the command methods, scripts, pipelines, scan streams, and the way of a call to
 * `sendCommand` where that was replaced, else straight to `START`. Where a command goes is the client's own.
 */
import { EventEmitter } from 'node:events';
import { asCallback } from './callback.js';
import { Command } from './command.js';
import {
  builtinCommand,
  builtinCommands,
  type Call,
  type CommandMethod,
  commandMethod,
  define,
  installCommands,
  RUN,
} from './commander.js';
import { type CommandSpec, specOf } from './commands.js';
import type { Entry } from './connection.js';
import { LockWatch, PLACES, type WatchedClient } from './lock-watch.js';
import type { RedisOptions } from './options.js';
import { type ChainableCommander, Pipeline, type PipelineHost } from './pipeline.js';
import { checkDefinition, type Script, type ScriptDefinition } from './script.js';
import { ScanStream, type ScanStreamOptions } from './stream.js';
import type { Argument, RedisValue } from './transformers.js';

// Symbols: users name scripts, which become methods, as they like.
/** Takes a command whose arguments are ready. */
export const START = Symbol('mooring.redis.start');
/** Whether `sendCommand` was replaced: then every command must come by there. */
export const PATCHED = Symbol('mooring.redis.patched');
/** Makes a script that the client's connections know. */
export const MAKE_SCRIPT = Symbol('mooring.redis.makeScript');

/** A client that runs commands. */
export abstract class CommandClient extends EventEmitter {
  abstract status: string;
  abstract readonly options: Pick<RedisOptions, 'keyPrefix' | 'showFriendlyErrorStack'>;
  readonly scriptsSet: Record<string, Script> = {};
  readonly addedBuiltinSet = new Set<string>();
  #pipelineClass: typeof Pipeline | undefined;
  readonly #locks = new LockWatch(this as unknown as WatchedClient);

  /** Ends the connections at once. */
  abstract disconnect(reconnect?: boolean): void;
  /** Sends a command object. Tracing code patches this; then every single command comes by here. */
  abstract sendCommand(command: Command): Promise<unknown>;
  abstract get [PATCHED](): boolean;
  abstract [MAKE_SCRIPT](name: string, definition: ScriptDefinition): Script;
  abstract [START](entry: Entry): void;

  /** Where the application made clients of these names, as far as it is known. @internal */
  [PLACES](_isNamed: (name: string) => boolean): string[] {
    return [];
  }

  /** The old name of `disconnect`. */
  end(): void {
    this.disconnect();
  }

  /** Makes a Lua script a method of this client and its pipelines. */
  defineCommand(name: string, definition: ScriptDefinition): void {
    checkDefinition(name, definition);
    const script = this[MAKE_SCRIPT](name, definition);
    this.scriptsSet[name] = script;
    this.#locks.watch(name, script);
    this.#defineBoth(name, script);
  }

  /** Adds a method for a command that the table does not know. */
  addBuiltinCommand(name: string): void {
    this.addedBuiltinSet.add(name);
    this.#defineBoth(name, specOf(name));
  }

  getBuiltinCommands(): string[] {
    return builtinCommands();
  }

  createBuiltinCommand(name: string): { string: CommandMethod; buffer: CommandMethod } {
    return builtinCommand(name);
  }

  /** What pipelines and transactions are made of. */
  protected get pipelineBase(): typeof Pipeline {
    return Pipeline;
  }

  /** Commands that go out together; `exec()` answers `[error, result]` pairs. On a cluster their keys must live in slots of the same nodes. */
  pipeline(commands?: readonly (readonly Argument[])[]): ChainableCommander {
    return this.#newPipeline(false).addBatch(commands) as unknown as ChainableCommander;
  }

  /** A transaction: a pipeline between MULTI and EXEC, or command by command with `{ pipeline: false }`. */
  multi(options: { pipeline: false }): Promise<'OK'>;
  multi(commands?: readonly (readonly Argument[])[] | { pipeline: true }): ChainableCommander;
  multi(commands?: unknown, options: unknown = commands): unknown {
    if ((options as { pipeline?: boolean } | undefined)?.pipeline === false) {
      return this[RUN]({ spec: specOf('multi'), args: [], buffers: false, callback: undefined });
    }
    return this.#newPipeline(true).addBatch(Array.isArray(commands) ? (commands as Argument[][]) : undefined);
  }

  sscanStream(key: RedisValue, options?: ScanStreamOptions): ScanStream {
    return scanned(this, 'sscan', key, options);
  }
  sscanBufferStream(key: RedisValue, options?: ScanStreamOptions): ScanStream {
    return scanned(this, 'sscanBuffer', key, options);
  }
  hscanStream(key: RedisValue, options?: ScanStreamOptions): ScanStream {
    return scanned(this, 'hscan', key, options);
  }
  hscanBufferStream(key: RedisValue, options?: ScanStreamOptions): ScanStream {
    return scanned(this, 'hscanBuffer', key, options);
  }
  zscanStream(key: RedisValue, options?: ScanStreamOptions): ScanStream {
    return scanned(this, 'zscan', key, options);
  }
  zscanBufferStream(key: RedisValue, options?: ScanStreamOptions): ScanStream {
    return scanned(this, 'zscanBuffer', key, options);
  }

  /** Emits `error` when somebody listens, prints it otherwise; connection errors are silent while closing by hand and after `end`. */
  silentEmit(event: string, argument?: unknown): boolean {
    if (event === 'error' && this.status === 'end') return false;
    if (this.listenerCount(event) > 0) return this.emit(event, argument);
    // oxlint-disable-next-line no-console -- an error without a listener must not be lost, and must not end the process
    if (event === 'error' && argument instanceof Error) console.error('[ioredis] Unhandled error event:', argument.stack);
    return false;
  }

  /** Runs one call of a command method. */
  [RUN]({ spec, args, buffers, callback }: Call): unknown {
    try {
      const { keyPrefix, showFriendlyErrorStack } = this.options;
      const stack = showFriendlyErrorStack === true ? new Error() : undefined;
      if (this[PATCHED]) {
        const options = { replyEncoding: buffers ? null : ('utf8' as const), keyPrefix, errorStack: stack };
        return this.sendCommand(new Command(spec, args, options, callback));
      }
      const prepared = spec.prepare(args);
      const values = keyPrefix ? spec.prefixKeys(prepared, keyPrefix) : prepared;
      const promise = new Promise<unknown>((resolve, reject) => {
        this[START]({ spec, args: values, buffers, resolve, reject, transform: spec.replyOf(prepared), stack });
      });
      return callback === undefined ? promise : asCallback(promise, callback);
    } catch (error) {
      // Arguments that cannot be turned into text: a function that returns a promise does not throw.
      return asCallback(Promise.reject(error as Error), callback);
    }
  }

  #newPipeline(transaction: boolean): Pipeline {
    return new (this.#pipelineClass ?? this.pipelineBase)(this as unknown as PipelineHost, transaction);
  }

  #defineBoth(name: string, spec: CommandSpec): void {
    const Base: typeof Pipeline = this.pipelineBase;
    const pipelines: typeof Pipeline = (this.#pipelineClass ??= class extends Base {});
    const method = (buffers: boolean): CommandMethod => commandMethod(spec, buffers);
    define(this, name, method);
    define(pipelines.prototype, name, method);
  }
}

/** A stream of what a scanning command finds. */
export function scanned(client: object, command: string, key: RedisValue | undefined, options?: ScanStreamOptions): ScanStream {
  const step = (args: RedisValue[]): Promise<unknown> =>
    (client as Record<string, (list: RedisValue[]) => Promise<unknown>>)[command]!(args);
  return new ScanStream({ step, key }, options);
}

installCommands(CommandClient.prototype);
