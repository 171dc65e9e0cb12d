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
import { CORE, type Place } from './core.js';
import { CHANNELS, traced, tracedServer } from './tracing.js';
import { type Argument, asText, byteLength, pairs, type RedisValue } from './transformers.js';
import { invalidArgument } from '../error/index.js';

/** `[error]` or `[null, result]` of one member. */
export type MemberResult = [Error | null, unknown];

/** One collected command. */
export interface Member {
  readonly spec: CommandSpec;
  readonly args: RedisValue[];
  readonly buffers: boolean;
  /** Tells the callback of the call, in the async context of the call. */
  readonly tell: ((result: MemberResult) => void) | undefined;
}

/** Runs a pipeline: the method of a client with several connections, which looks for the one to use. */
export const BATCH = Symbol('mooring.redis.batch');

/** How an attempt is made on one connection. */
export interface AttemptOptions {
  /** ASKING goes before every command, or before the whole transaction. */
  readonly asking: boolean;
  /** Milliseconds for each command; 0 for no limit. */
  readonly deadlineMs: number;
}

/** A pipeline that may be sent more than once. */
export interface Batch {
  readonly members: readonly Member[];
  /** Sends everything to one connection; resolves with the outcome of each member. */
  attempt(node: Redis, options: AttemptOptions): Promise<MemberResult[]>;
}

/** What pipelines are made for: a client, or a cluster. */
export type PipelineHost = Redis | (Pick<Redis, 'addedBuiltinSet' | 'scriptsSet'> & PipelineCluster);

interface PipelineCluster {
  readonly options: Pick<Redis['options'], 'keyPrefix'>;
  [BATCH](batch: Batch): Promise<MemberResult[]>;
}

/** A pipeline as its users see it: command methods that return the pipeline itself. */
export interface ChainableCommander extends Omit<Pipeline, 'multi' | 'addBatch'>, ChainableCommands<ChainableCommander> {
  multi(): ChainableCommander;
  addBatch(commands?: readonly (readonly Argument[])[]): ChainableCommander;
}

/** Arguments of a member: as much as a server takes by default, and as text three times as long still one command of the wire. */
const MOST_BYTES = 512 * 1024 * 1024;

const ASKING: Omit<Member, 'tell'> = { spec: specOf('asking'), args: [], buffers: false };

/** Collects commands until `exec()`. */
export class Pipeline implements Commander {
  readonly isPipeline = true;
  readonly redis: PipelineHost;
  readonly options: PipelineHost['options'];
  readonly addedBuiltinSet = new Set<string>();
  readonly #members: Member[] = [];
  readonly #transaction: boolean;
  #open = 0;
  #promise: Promise<unknown> | undefined;

  /** `transaction` starts with MULTI and ends with EXEC. */
  constructor(redis: PipelineHost, transaction = false) {
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
    // What cannot be encoded must not leave a transaction without one of its members.
    if (byteLength(prepared) > MOST_BYTES) throw invalidArgument('args', `command is larger than ${MOST_BYTES} bytes`);
    const values = keyPrefix ? spec.prefixKeys(prepared, keyPrefix) : prepared;
    this.#members.push({ spec, args: values, buffers, tell: callback && teller(callback) });
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
    const { redis } = this;
    if (this.#members.length === 0) return Promise.resolve([]);
    if (BATCH in redis) return this.#runOnCluster(redis);
    const tell = (index: number, result: MemberResult): void => this.#members[index]?.tell?.(result);
    const send = (): Promise<MemberResult[]> => this.#attempt(redis, { asking: false }, tell);
    if (!this.#transaction) return send();
    const { condition, options } = redis;
    return traced(CHANNELS.batch, send, () => ({
      batchMode: 'MULTI',
      batchSize: this.#members.length - 2,
      database: condition.select,
      ...tracedServer(options),
    }));
  }

  /** Members hear of their outcomes when no further attempt is made. */
  async #runOnCluster(cluster: PipelineCluster): Promise<MemberResult[]> {
    const attempt: Batch['attempt'] = (node, options) => this.#attempt(node, options, () => {});
    const results = await cluster[BATCH]({ members: this.#members, attempt });
    results.forEach((result, index) => this.#members[index]?.tell?.(result));
    return results;
  }

  /** Sends everything to one connection, as one group. */
  #attempt(
    node: Redis,
    { asking, deadlineMs }: { asking: boolean; deadlineMs?: number },
    told: (index: number, result: MemberResult) => void,
  ): Promise<MemberResult[]> {
    const members = this.#members;
    const group = node[CORE].nextGroup();
    // EXEC's reply is decoded once for all members.
    const anyBuffers = members.some((member) => member.buffers);
    const results: MemberResult[] = [];
    return new Promise((resolve) => {
      let pending = members.length;
      let place = 0;
      let open = false;
      for (const [index, member] of members.entries()) {
        if (asking && !open) this.#send(node, ASKING, { group, index: place++ }, () => {});
        open = (open || member.spec.key === 'multi') && member.spec.key !== 'exec';
        const outgoing = member.spec.key === 'exec' ? { ...member, buffers: anyBuffers } : member;
        this.#send(node, outgoing, { group, index: place++, deadlineMs }, ([error, value]) => {
          const result = error === null && outgoing !== member ? this.#execReply(value, index, anyBuffers) : value;
          results[index] = error === null ? [null, result] : ([error] as unknown as MemberResult);
          told(index, results[index]);
          if (--pending === 0) resolve(results);
        });
      }
    });
  }

  #send(node: Redis, member: Omit<Member, 'tell'>, place: Place, settle: (result: MemberResult) => void): void {
    const { spec, args, buffers } = member;
    const resolve = (value: unknown): void => settle([null, value]);
    const reject = (error: Error): void => {
      // Somebody flushed the server's scripts: this one did not run. As with the peer it is sent again by itself, with its text.
      if (spec.script !== 0 && place.group !== 0 && error.message.startsWith('NOSCRIPT')) {
        this.#send(node, member, { group: 0, index: 0, deadlineMs: place.deadlineMs }, settle);
      } else settle([error, undefined]);
    };
    if (!node[CORE].isPatched) {
      node[CORE].send({ spec, args, buffers, resolve, reject, transform: spec.reply, stack: undefined }, place);
      return;
    }
    const command = new Command(spec, args, { replyEncoding: buffers ? null : 'utf8', prepared: true });
    command.place = place;
    command.promise.then(resolve, reject);
    void node.sendCommand(command)?.catch?.(() => {});
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

/**
 * What tells `callback` of its member's outcome, before the callback of `exec`. The promise is made in the call: what is bound to it (`AsyncLocalStorage`, traces) holds in
 * the callback, which the reply alone would run in the context of the client.
 */
function teller(callback: Callback): (result: MemberResult) => void {
  let tell!: (result: MemberResult) => void;
  const promise = new Promise<unknown>((resolve, reject) => {
    tell = ([error, value]) => (error ? reject(error) : resolve(value));
  });
  asCallback(promise, callback).catch(() => {});
  return tell;
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
