/**
 * @module redis/pipeline
 *
 * Commands collected and sent together, and transactions. The promise of a pipeline resolves even when every member failed.
 */
import { asCallback, type Callback } from './callback.js';
import type { Redis } from './client.js';
import { Command } from './command.js';
import type { ChainableCommands } from './command-types.js';
import { type Call, type Commander, installCommands, RUN } from './commander.js';
import { type CommandSpec, specOf } from './commands.js';
import { CORE } from './core.js';
import { CHANNELS, traced, tracedServer } from './tracing.js';
import { type Argument, asText, pairs, type RedisValue } from './transformers.js';

/** `[error]` or `[null, result]` of one member. */
export type MemberResult = [Error | null, unknown];

interface Member {
  readonly spec: CommandSpec;
  readonly args: RedisValue[];
  readonly buffers: boolean;
  readonly callback: Callback | undefined;
}

/** A pipeline as its users see it: command methods that return the pipeline itself. */
export interface ChainableCommander extends Omit<Pipeline, 'multi' | 'addBatch'>, ChainableCommands<ChainableCommander> {
  multi(): ChainableCommander;
  addBatch(commands?: readonly (readonly Argument[])[]): ChainableCommander;
}

/** Collects commands until `exec()`. */
export class Pipeline implements Commander {
  readonly isPipeline = true;
  readonly redis: Redis;
  readonly options: Redis['options'];
  readonly addedBuiltinSet = new Set<string>();
  readonly #members: Member[] = [];
  readonly #transaction: boolean;
  #results: MemberResult[] = [];
  #open = 0;
  #promise: Promise<unknown> | undefined;

  /** `transaction` starts with MULTI and ends with EXEC. */
  constructor(redis: Redis, transaction: boolean) {
    this.redis = redis;
    this.options = redis.options;
    this.#transaction = transaction;
    if (transaction) this.multi();
  }

  /** Commands collected. */
  get length(): number {
    return this.#members.length;
  }

  /** Collects one command. */
  [RUN]({ spec, args, buffers, callback }: Call): this {
    const { keyPrefix } = this.options;
    const prepared = spec.prepare(args);
    this.#members.push({ spec, args: keyPrefix ? spec.prefixKeys(prepared, keyPrefix) : prepared, buffers, callback });
    return this;
  }

  /** Collects `[name, ...args]` lists. */
  addBatch(commands: readonly (readonly Argument[])[] = []): this {
    for (const [name, ...args] of commands) {
      (this as unknown as Record<string, (...list: Argument[]) => unknown>)[name as string]!(...args);
    }
    return this;
  }

  /** Begins a transaction inside the pipeline. */
  multi(): this {
    this.#open += 1;
    return this[RUN]({ spec: specOf('multi'), args: [], buffers: false, callback: undefined });
  }

  /** Ends a transaction inside a pipeline, or sends everything. */
  exec(callback?: Callback<MemberResult[] | null>): Promise<MemberResult[] | null> {
    if (this.#open > 0) {
      this.#open -= 1;
      this[RUN]({ spec: specOf('exec'), args: [], buffers: false, callback: undefined });
      // As with the peer: `pipeline().multi()...exec().exec()`.
      if (!this.#transaction) return this as unknown as Promise<MemberResult[] | null>;
    }
    this.#promise ??= this.#transaction ? this.#run().then(unwrapped) : this.#run();
    return asCallback(this.#promise as Promise<MemberResult[] | null>, callback);
  }

  /** The old form of `exec` with Buffers. */
  execBuffer(callback?: Callback<MemberResult[] | null>): Promise<MemberResult[] | null> {
    return this.exec(callback);
  }

  #run(): Promise<MemberResult[]> {
    const members = this.#members;
    if (members.length === 0) return Promise.resolve([]);
    const core = this.redis[CORE];
    const group = core.nextGroup();
    // EXEC's reply is decoded once for all members.
    const buffers = members.some((member) => member.buffers);
    let pending = members.length;
    const send = (): Promise<MemberResult[]> =>
      new Promise((resolve) => {
        const settle = (index: number, result: MemberResult): void => {
          this.#results[index] = result;
          if (--pending === 0) resolve(this.#results);
        };
        members.forEach((member, index) => this.#sendMember(member, { group, index }, buffers, settle));
      });
    if (!this.#transaction) return send();
    const { condition } = this.redis;
    return traced(CHANNELS.batch, send, () => ({
      batchMode: 'MULTI',
      batchSize: members.length - 2,
      database: condition.select,
      ...tracedServer(this.options),
    }));
  }

  #sendMember(
    member: Member,
    place: { group: number; index: number },
    anyBuffers: boolean,
    settle: (index: number, result: MemberResult) => void,
  ): void {
    const { spec, args, callback } = member;
    const isExec = spec.key === 'exec';
    const { index } = place;
    const resolve = (value: unknown): void => {
      const result = isExec ? this.#execReply(value, index, anyBuffers) : value;
      // The callback of a member comes before that of `exec`.
      if (callback !== undefined) void asCallback(Promise.resolve(result), callback);
      settle(index, [null, result]);
    };
    const reject = (error: Error): void => {
      if (callback !== undefined) asCallback(Promise.reject(error), callback).catch(() => {});
      settle(index, [error] as unknown as MemberResult);
    };
    const buffers = isExec ? anyBuffers : member.buffers;
    if (!this.redis[CORE].isPatched) {
      this.redis[CORE].send({ spec, args, buffers, resolve, reject, transform: spec.reply, stack: undefined }, place);
      return;
    }
    const command = new Command(spec, args, { replyEncoding: buffers ? null : 'utf8' });
    command.place = place;
    command.promise.then(resolve, reject);
    void this.redis.sendCommand(command)?.catch?.(() => {});
  }

  /** EXEC's list, each item as its own command would have answered. */
  #execReply(reply: unknown, position: number, decodedAsBuffers: boolean): unknown {
    if (!Array.isArray(reply)) return reply;
    return reply.map((item: unknown, index) => {
      const member = this.#members[position - (reply.length - index)];
      if (item instanceof Error || member === undefined) return item;
      const value = decodedAsBuffers && !member.buffers ? asText(item) : item;
      return member.spec.reply === undefined ? value : transformed(member.spec.reply, value);
    });
  }
}

/** A transformer's error is the member's outcome. */
function transformed(reply: (value: unknown) => unknown, value: unknown): unknown {
  try {
    return reply(value);
  } catch (error) {
    return error;
  }
}

/** The result of a transaction: what EXEC answered, or its error with those of the members. */
function unwrapped(results: MemberResult[]): MemberResult[] | null {
  const last = results[results.length - 1];
  if (last === undefined) throw new Error('Pipeline cannot be used to send any commands when the `exec()` has been called on it.');
  const [error, reply] = last;
  if (error === null) return pairs(reply);
  const previousErrors = results.slice(0, -1).flatMap(([failed]) => failed ?? []);
  throw Object.assign(error, { previousErrors });
}

installCommands(Pipeline.prototype);
