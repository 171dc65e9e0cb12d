/**
 * @module redis/tracing
 *
 * The diagnostics channels that APM vendors listen to, with the peer's names and fields: `tracing:ioredis:command`, `:batch` and `:connect`.
 *
 * Guarantees: one trace per command, batch and connection attempt, never one per resend; values and credentials appear as `?`; with nobody listening
 * one property is read.
 */
import { tracingChannel } from 'node:diagnostics_channel';
import { exists, hasFlag } from '@ioredis/commands';
import type { ResolvedOptions } from './options.js';
import type { RedisValue } from './transformers.js';

/** Where the traced server is. */
export interface TracedServer {
  /** Host, or the path of a unix socket. */
  readonly serverAddress: string;
  readonly serverPort: number | undefined;
}

/** What `tracing:ioredis:command` carries. */
export interface CommandTraceContext extends TracedServer {
  readonly command: string;
  readonly args: string[];
  readonly database: number;
}

/** What `tracing:ioredis:batch` carries. */
export interface BatchOperationContext extends TracedServer {
  readonly batchMode: 'MULTI';
  /** Without MULTI and EXEC. */
  readonly batchSize: number;
  readonly database: number;
}

/** What `tracing:ioredis:connect` carries. */
export interface ConnectTraceContext extends TracedServer {
  /** Attempts of this client before this one. */
  readonly connectionEpoch: number;
}

interface Channel<Context> {
  readonly hasSubscribers: boolean | undefined;
  tracePromise<T>(run: () => Promise<T>, context: Context): Promise<T>;
}

function channel<Context>(name: string): Channel<Context> {
  return tracingChannel(`ioredis:${name}`) as unknown as Channel<Context>;
}

/** The three channels. */
export const CHANNELS = {
  command: channel<CommandTraceContext>('command'),
  batch: channel<BatchOperationContext>('batch'),
  connect: channel<ConnectTraceContext>('connect'),
};

/** Runs `run` as one trace when somebody listens. A failure is the caller's to handle: the trace itself is never an unhandled rejection. */
export function traced<T, Context>(on: Channel<Context>, run: () => Promise<T>, context: () => Context): Promise<T> {
  if (on.hasSubscribers === false) return run();
  const promise = on.tracePromise(run, context());
  promise.catch(() => {});
  return promise;
}

/** The server that a client's options name. */
export function tracedServer({ path, host, port }: ResolvedOptions): TracedServer {
  return path ? { serverAddress: path, serverPort: undefined } : { serverAddress: host, serverPort: port };
}

/** The trace of one client's connection attempts, one after another. */
export class ConnectTrace {
  #epoch = 0;
  #settle: { resolve: () => void; reject: (error: Error) => void } | undefined;

  /** An attempt begins. */
  begin(options: ResolvedOptions): void {
    const connectionEpoch = this.#epoch++;
    if (CHANNELS.connect.hasSubscribers === false) return;
    const attempt = new Promise<void>((resolve, reject) => (this.#settle = { resolve, reject }));
    void traced(
      CHANNELS.connect,
      () => attempt,
      () => ({ ...tracedServer(options), connectionEpoch }),
    );
  }

  /** The connection is ready. */
  succeeded(): void {
    this.#settle?.resolve();
    this.#settle = undefined;
  }

  /** The attempt ended before it was ready. */
  failed(error: Error): void {
    this.#settle?.reject(error);
    this.#settle = undefined;
  }
}

const EVERYTHING = Number.POSITIVE_INFINITY;
/** Writes: the key is shown, what is written is not. */
const KEY_ONLY = [
  ...['set', 'setex', 'setnx', 'setbit', 'setrange', 'psetex', 'getset', 'append', 'mset', 'msetnx', 'msetex', 'publish', 'spublish'],
  ...['lpush', 'lpushx', 'rpush', 'rpushx', 'sadd', 'zadd', 'xadd', 'pfadd', 'pfmerge', 'pfcount', 'hsetex'],
];
const KEY_AND_FIELD = ['hset', 'hmset', 'hsetnx', 'lset', 'linsert'];
/** Shown whole although they write or run something: names, counters and options, no stored values. */
const WHOLE = `
  del unlink expire pexpire expireat pexpireat persist rename renamenx move copy getdel getex incr incrby incrbyfloat decr decrby hincrby hincrbyfloat
  hdel zincrby bitop bitfield lpop rpop lmpop lrem ltrim lmove rpoplpush blpop brpop brpoplpush blmove blmpop spop srem smove sdiffstore sinterstore
  sunionstore zpopmin zpopmax bzpopmin bzpopmax bzmpop zmpop zrem zrangestore zremrangebyscore zremrangebyrank zremrangebylex zdiffstore zinterstore
  zunionstore xack xdel xtrim xclaim xautoclaim xgroup xread xreadgroup subscribe unsubscribe psubscribe punsubscribe ssubscribe sunsubscribe eval
  eval_ro evalsha evalsha_ro fcall fcall_ro script function select ping client cluster command exec multi discard watch unwatch info memory object
  pubsub slowlog wait geoadd geosearchstore sort
`;
const SHOWN: ReadonlyMap<string, number> = new Map([
  ...WHOLE.trim()
    .split(/\s+/)
    .map((name): [string, number] => [name, EVERYTHING]),
  ...KEY_ONLY.map((name): [string, number] => [name, 1]),
  ...KEY_AND_FIELD.map((name): [string, number] => [name, 2]),
  // Their arguments may be text that a user keeps private; the server only repeats it.
  ['echo', 0],
]);

function shownArguments(name: string, args: readonly RedisValue[]): number {
  // Reading a setting is harmless; writing one may name a password.
  if (name === 'config') return String(args[0]).toLowerCase() === 'get' ? EVERYTHING : 1;
  const shown = SHOWN.get(name);
  if (shown !== undefined) return shown;
  return exists(name) && hasFlag(name, 'readonly') ? EVERYTHING : 0;
}

/** Arguments as traces show them: whole for reads, keys and fields for writes, nothing for credentials and commands that are not known. */
export function sanitizeArgs(name: string, args: readonly RedisValue[]): string[] {
  const shown = shownArguments(name.toLowerCase(), args);
  return args.map((argument, index) => (index < shown ? String(argument) : '?'));
}
