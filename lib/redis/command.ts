/**
 * @module redis/command
 *
 * A command as an object, for callers that build one themselves or patch `sendCommand`. Ordinary calls make none.
 */
import { asCallback, type Callback } from './callback.js';
import { commandInfo } from './errors.js';
import { type ArgumentTransformer, type CommandSpec, type ReplyTransformer, sharedSpec, specOf } from './commands.js';
import type { Place } from './core.js';
import { type Argument, asText, type KeyPrefix, type RedisValue } from './transformers.js';

/** Options of a command. */
export interface CommandOptions {
  /** 'utf8' for text; `null` for Buffers. Default Buffers, as with the peer. */
  replyEncoding?: BufferEncoding | null | undefined;
  keyPrefix?: KeyPrefix | undefined;
  /** The call's stack. */
  errorStack?: Error | undefined;
  readOnly?: boolean | undefined;
  /** The arguments are those of a call that was prepared: transformers have seen them. @internal */
  prepared?: boolean | undefined;
}

/** One command and its promise. */
export class Command {
  /** The name as it is sent. */
  name: string;
  /** Arguments as they reach the server: flattened, numbers as text, those of a script with its sha and number of keys before them. */
  args: RedisValue[];
  /** Settles with the outcome. */
  readonly promise: Promise<unknown>;
  readonly replyEncoding: BufferEncoding | null | undefined;
  readonly callback: Callback | undefined;
  readonly errorStack: Error | undefined;
  readonly isReadOnly: boolean;
  /** Settles the promise with a reply, after decoding and transforming it. */
  resolve!: (reply: unknown) => void;
  reject!: (error: Error) => void;
  isResolved = false;
  readonly spec: CommandSpec;
  /** Where a pipeline puts it. */
  place: Place | undefined;

  constructor(name: string | CommandSpec, args: Argument[] = [], options: CommandOptions = {}, callback?: Callback) {
    this.spec = typeof name === 'string' ? specOf(name) : name;
    this.name = this.spec.name;
    const prepared = options.prepared === true ? (args as RedisValue[]) : this.spec.prepare([...args]);
    const values = options.keyPrefix ? this.spec.prefixKeys(prepared, options.keyPrefix) : prepared;
    this.args = this.spec.shown(values).map((value) => (typeof value === 'number' ? String(value) : value));
    this.replyEncoding = options.replyEncoding;
    this.errorStack = options.errorStack;
    this.isReadOnly = options.readOnly === true;
    this.callback = callback;
    const promise = new Promise<unknown>((resolve, reject) => {
      this.resolve = (reply) => {
        this.isResolved = true;
        try {
          resolve(this.transformReply(reply));
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error), { cause: error }));
        }
      };
      this.reject = reject;
    });
    this.promise = asCallback(promise, callback);
  }

  /** Replaces how the arguments of the command `name` (lower case) are made, for every client. */
  static setArgumentTransformer(name: string, transformer: ArgumentTransformer): void {
    sharedSpec(name).argument = transformer;
  }

  /** Replaces how the replies of the command `name` (lower case) are shaped, for every client. */
  static setReplyTransformer(name: string, transformer: ReplyTransformer): void {
    sharedSpec(name).reply = transformer;
  }

  /** The transformers as the peer keeps them: writing to it, or deleting from it, is `setArgumentTransformer` and `setReplyTransformer`. */
  static get _transformer(): { readonly argument: Record<string, ArgumentTransformer>; readonly reply: Record<string, ReplyTransformer> } {
    return { argument: transformers('argument'), reply: transformers('reply') };
  }

  /** Whether the command is of a group that the peer names, such as `VALID_IN_SUBSCRIBER_MODE`. */
  static checkFlag(flag: string, name: string): boolean {
    const spec = specOf(name);
    if (flag === 'VALID_IN_SUBSCRIBER_MODE') return spec.inSubscriberMode;
    if (flag === 'VALID_IN_MONITOR_MODE') return spec.inMonitorMode;
    if (flag === 'WILL_DISCONNECT') return spec.key === 'quit';
    return false;
  }

  /** The arguments of the call: without what a script puts before them. */
  get values(): RedisValue[] {
    return this.args.slice(this.spec.shown([]).length);
  }

  /** Keys among the arguments. */
  getKeys(): RedisValue[] {
    return this.spec.keys(this.values);
  }

  /** The reply as the caller gets it. */
  transformReply(reply: unknown): unknown {
    const decoded = this.replyEncoding ? asText(reply) : reply;
    const transform = this.spec.replyOf(this.values);
    return transform === undefined ? decoded : transform(decoded);
  }

  /** Name and arguments, without credentials. */
  toJSON(): object {
    return commandInfo(this.name, this.args);
  }
}

/** The transformers of one kind by command, as an object that may be written to. */
function transformers<K extends 'argument' | 'reply'>(kind: K): Record<string, NonNullable<CommandSpec[K]>> {
  const nothing: Record<string, NonNullable<CommandSpec[K]>> = {};
  return new Proxy(nothing, {
    get: (_target, name) => specOf(String(name))[kind],
    has: (_target, name) => specOf(String(name))[kind] !== undefined,
    set: (_target, name, transformer: NonNullable<CommandSpec[K]>) => {
      sharedSpec(String(name))[kind] = transformer;
      return true;
    },
    deleteProperty: (_target, name) => {
      sharedSpec(String(name))[kind] = undefined as CommandSpec[K];
      return true;
    },
  });
}
