/**
 * @module solana
 *
 * Front door of the feature; every public name of it is exported here.
 */
export type { Confirmation, ConfirmationStrategy, ConfirmOptions, Tracked, TrackOptions } from './confirm.js';
export type { PoolEvents, TransactionEvent } from './events.js';
export type { PoolFetch, PoolResponse } from './fetch.js';
export type { CallOptions, Priority } from './operation.js';
export type {
  CacheConfig,
  Commitment,
  ConnectionPoolOptions,
  EndpointLimits,
  EndpointOptions,
  HedgeOptions,
  PoolLogger,
  Web3Module,
} from './options.js';
export type { PublicKeyLike } from './peer.js';
export { type CloseReport, ConnectionPool, type SendTransactionOptions, SolanaConnectionPool } from './pool.js';
export { isRetryable, type RetryOptions } from './retry.js';
export type { AccountInfo, BlockhashInfo, ParsedTokenAccount, SignatureStatus, TokenAmount, WithContext } from './shape.js';
export type { SharedLimitsClient, SharedLimitsOptions } from './shared-limits.js';
export type { EndpointRates, EndpointStats, PoolStats, SharedLimitStats } from './stats.js';
export type { NotifiedAccount, SubscriptionNotifications } from './notification.js';
export type { Gap, SubscribeOptions, Subscription, SubscriptionGap, SubscriptionKind } from './subscription.js';
export type { SendableTransaction, SendOptions, Signer } from './transaction.js';
export type { ProxyRules, WireOptions } from './wire.js';
