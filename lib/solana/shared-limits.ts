/**
 * @module solana/shared-limits
 *
 * The option `sharedLimits`: several processes keep to one limit through a Redis client of this package. Rust asks for the slots, on a connection of its own;
 * here the option is checked.
 */
import type { MooringError } from '../error/index.js';
import { native, type RedisWire, type SolanaPool, WIRE } from '../native.js';
import { invalid } from './check.js';

/** A Redis client of this package: of `createRedisClient`, `redisClient`, or a `Redis`. */
export interface SharedLimitsClient {
  readonly status: string;
  closeFamily(deadlineMs?: number): Promise<void>;
}

/** How limits are shared. */
export interface SharedLimitsOptions {
  /** Where the limits are kept. Processes share what has the same endpoints (URLs and headers) on the same Redis, in the same database. */
  readonly redis: SharedLimitsClient;
  /**
   * The part of each limit, above 0 and up to 1, that this process uses while Redis is away or takes longer than 20 ms. Default: one part per process that Redis
   * last knew of; the whole limit when it never answered.
   */
  readonly localShare?: number;
}

/** What the pool needs of it. */
export interface SharedLimits {
  readonly redis: SharedLimitsClient;
  readonly wire: RedisWire;
  readonly keyPrefix: string;
  readonly localShare: number | undefined;
}

interface Inside {
  readonly [WIRE]?: RedisWire | undefined;
  readonly options?: { readonly keyPrefix?: string | undefined };
}

/** Checks the option; undefined when limits are not shared. @throws MooringError `MOORING_INVALID_CONFIG` naming the option. */
export function sharedLimits(given: SharedLimitsClient | SharedLimitsOptions | null | undefined): SharedLimits | undefined {
  if (given === undefined || given === null) return undefined;
  if (typeof given !== 'object') throw notAClient('sharedLimits');
  if (WIRE in given) return of(given as SharedLimitsClient, 'sharedLimits', undefined);
  if (!('redis' in given)) throw notAClient('sharedLimits');
  const { redis, localShare, ...rest } = given;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw invalid(`sharedLimits.${unknown}`, `unknown option sharedLimits.${unknown}`);
  if (localShare !== undefined && !(typeof localShare === 'number' && localShare > 0 && localShare <= 1)) {
    throw invalid('sharedLimits.localShare', 'sharedLimits.localShare must be a number above 0 and up to 1');
  }
  return of(redis, 'sharedLimits.redis', localShare);
}

/** Makes a pool that has made no call yet share its limits. */
export function share(pool: SolanaPool, limits: SharedLimits | undefined): SolanaPool {
  if (limits === undefined) return pool;
  pool.shareLimits(limits.wire, limits.keyPrefix, limits.localShare);
  return pool;
}

function of(redis: SharedLimitsClient, option: string, localShare: number | undefined): SharedLimits {
  if (typeof redis !== 'object' || redis === null || !(WIRE in redis)) throw notAClient(option);
  const { [WIRE]: wire, options } = redis as Inside;
  if (wire === undefined) throw invalid(option, `${option} must be a Redis client that was not closed`);
  // A client of another copy of the package has another addon behind it.
  if (!(wire instanceof native.RedisWire)) throw notAClient(option);
  return { redis, wire, keyPrefix: options?.keyPrefix ?? '', localShare };
}

function notAClient(option: string): MooringError {
  return invalid(option, `${option} must be a Redis client of mooring, such as createRedisClient() returns`);
}
