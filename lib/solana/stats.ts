/**
 * @module solana/stats
 *
 * The shape of `getPoolStats()`; the numbers are Rust's.
 */

/** Starts per second in force on one endpoint, configured or learnt from 429s; null: unlimited. */
export interface EndpointRates {
  readonly read: number | null;
  readonly send: number | null;
  readonly heavy: number | null;
  /** Milliseconds until it wants reads again, after a 429 with `Retry-After`; 0: now. */
  readonly readPausedMs: number;
  /** The same for sends. */
  readonly sendPausedMs: number;
}

/** One endpoint of a pool. What is known about the node (breaker, latency, slot, limits) is shared by all pools of the process that use it. */
export interface EndpointStats {
  readonly name: string;
  /** Whether normal traffic goes there. */
  readonly healthy: boolean;
  /** Whether it is taken out (`open`) after failures or silence. */
  readonly breaker: 'closed' | 'open';
  /** Smoothed; null before the first answer. */
  readonly latencyMs: number | null;
  /** Attempts running, those of other pools included. */
  readonly inFlight: number;
  /** Attempts of this pool, probes included. */
  readonly requests: number;
  readonly failures: number;
  /** Attempts answered with 429. */
  readonly limited: number;
  /** Attempts that were hedges. */
  readonly hedges: number;
  /** The last processed slot it reported. */
  readonly slot: number | null;
  /** How far behind the best one it was then. */
  readonly slotLag: number | null;
  /** Whether it reports the same slot for ten seconds while others move on. */
  readonly frozen: boolean;
  readonly limits: EndpointRates;
}

/** Limits shared with other processes. */
export interface SharedLimitStats {
  /** Processes that share the limit of reads, this one included; null before Redis first answered. */
  readonly processes: number | null;
  /** Whether this process keeps to its own share of the reads, because Redis is away or slow or was until a moment ago. */
  readonly local: boolean;
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
  /** How full the fullest queue is, 0 to 1. */
  readonly pressure: number;
  /** Heavy reads that wait for one to end. */
  readonly heavyQueueLength: number;
  /** Second attempts of slow reads, and how many of them answered first. */
  readonly hedges: { readonly begun: number; readonly won: number };
  readonly rateLimits: {
    readonly maxRequestsPerSecond: number;
    readonly maxTransactionsPerSecond: number;
    readonly shared: SharedLimitStats | null;
  };
  readonly endpoints: readonly EndpointStats[];
}
