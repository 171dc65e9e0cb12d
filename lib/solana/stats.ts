/**
 * @module solana/stats
 *
 * The shape of `getPoolStats()`; the numbers are Rust's.
 */

/** One endpoint of a pool. */
export interface EndpointStats {
  readonly name: string;
  /** Whether normal traffic goes there. */
  readonly healthy: boolean;
  /** Smoothed; null before the first answer. */
  readonly latencyMs: number | null;
  readonly inFlight: number;
  readonly requests: number;
  readonly failures: number;
  /** The last processed slot it reported. */
  readonly slot: number | null;
  /** How far behind the best one it was then. */
  readonly slotLag: number | null;
}

/** What a pool is doing. */
export interface PoolStats {
  /** Endpoints. */
  readonly connections: number;
  /** Reads that wait for the limiter. */
  readonly requestQueueLength: number;
  /** Sends that wait for the limiter. */
  readonly transactionQueueLength: number;
  /** Read attempts begun in the last second. */
  readonly requestCount: number;
  /** Send attempts begun in the last second. */
  readonly transactionCount: number;
  readonly cacheSize: number;
  /** Hits per lookup since the start. */
  readonly cacheHitRate: number;
  readonly inFlight: number;
  /** Retries the budget still allows. */
  readonly retryBudget: number;
  /** Subscriptions that have not ended. */
  readonly subscriptions: number;
  /** Websockets open or being opened. */
  readonly websockets: number;
  /** Notifications dropped because nobody fetched them. */
  readonly feedDropped: number;
  readonly rateLimits: { readonly maxRequestsPerSecond: number; readonly maxTransactionsPerSecond: number };
  readonly endpoints: readonly EndpointStats[];
}
