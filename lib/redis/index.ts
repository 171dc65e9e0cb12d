/**
 * @module redis
 *
 * Front door of the feature; every public name of it is exported here.
 */
export type { Callback } from './callback.js';
export { Redis } from './client.js';
export type { RedisCommands, RedisKey } from './command-types.js';
export type { Status as RedisStatus } from './connection.js';
export { Cluster } from './cluster/index.js';
export type { ClusterNode, ClusterOptions, NodeRole, ScaleReads } from './cluster/options.js';
export type { ClusterStatus } from './cluster/routes.js';
export { AbortError, ClusterAllFailedError, MaxRetriesPerRequestError, ParserError, RedisError, ReplyError } from './errors.js';
export type { RedisOptions } from './options.js';
export type { ChainableCommander } from './pipeline.js';
export type { ScriptDefinition } from './script.js';
export type { NatMap, PreferredReplica, PreferredSlaves, SentinelAddress, SentinelConnectionOptions, SentinelReplica } from './sentinel.js';
export type { ScanStreamOptions } from './stream.js';
export type { TlsOptions } from '../tls.js';
export type { Argument, RedisValue } from './transformers.js';
export {
  closeRedis,
  type CloseRedisOptions,
  connectRedis,
  createRedisClient,
  getRedisStatus,
  type ManagedRedisOptions,
  redisClient,
  type RedisLogger,
  type RedisStatusReport,
} from './managed.js';
