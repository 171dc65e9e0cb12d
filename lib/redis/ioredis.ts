/**
 * @module redis/ioredis
 *
 * Entry `mooring/ioredis`: the names that ioredis exports, ours behind them.
 */
import { Redis } from './client.js';
import { Cluster } from './cluster/index.js';
import { AbortError, MaxRetriesPerRequestError } from './errors.js';
import { sanitizeArgs } from './tracing.js';

// oxlint-disable-next-line import/no-default-export -- `import Redis from 'mooring/ioredis'` is how the peer is imported
export { Redis, Redis as default } from './client.js';
export type { Callback } from './callback.js';
export { Cluster } from './cluster/index.js';
export type { ClusterNode, ClusterOptions } from './cluster/options.js';
export { Command } from './command.js';
export type { RedisKey } from './command-types.js';
export { AbortError, MaxRetriesPerRequestError, ReplyError } from './errors.js';
export type { RedisOptions } from './options.js';
export { type ChainableCommander, Pipeline } from './pipeline.js';
export type { NatMap, SentinelAddress, SentinelConnectionOptions } from './sentinel.js';
export { ScanStream } from './stream.js';
export { type BatchOperationContext, type CommandTraceContext, type ConnectTraceContext, sanitizeArgs } from './tracing.js';

/** Prints an outcome; a callback for trying things out. */
export function print(error: Error | null, reply?: unknown): void {
  // oxlint-disable-next-line no-console -- printing is what it is for
  console.log(error === null ? `Reply: ${String(reply)}` : `Error: ${String(error)}`);
}

// `require()` of the entry is the class itself, as with the peer; the names above hang on it.
Object.assign(Redis, { Redis, Cluster, default: Redis, AbortError, MaxRetriesPerRequestError, print, sanitizeArgs, __esModule: true });
module.exports = Redis;
