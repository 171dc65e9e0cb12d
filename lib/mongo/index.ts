/**
 * @module mongo
 *
 * Front door of the feature; every public name of it is exported here.
 */
export { Admin } from './admin.js';
export {
  type AnyBulkWriteOperation,
  BulkOperation,
  type BulkWriteOptions,
  FindOperators,
  OrderedBulkOperation,
  UnorderedBulkOperation,
} from './bulk.js';
export { BulkWriteResult, WriteError } from './bulk-result.js';
export { ChangeStream, type ChangeStreamOptions } from './change-stream.js';
export { type ClientStats, MongoClient } from './client.js';
export type {
  AnyClientBulkWriteModel,
  ClientBulkWriteOptions,
  ClientDeleteManyModel,
  ClientDeleteOneModel,
  ClientInsertOneModel,
  ClientReplaceOneModel,
  ClientUpdateManyModel,
  ClientUpdateOneModel,
  ClientWriteModel,
} from './client-bulk.js';
export type {
  ClientBulkWriteError,
  ClientBulkWriteResult,
  ClientDeleteResult,
  ClientInsertOneResult,
  ClientUpdateResult,
} from './client-bulk-result.js';
export { Collection } from './collection.js';
export type {
  CollectionOptions,
  CountOptions,
  DeleteResult,
  FindOneAndOptions,
  InsertOptions,
  OperationOptions,
  UpdateResult,
  WithId,
  WriteOptions,
} from './collection-options.js';
export type {
  ConcernOptions,
  ReadConcernLevel,
  ReadConcernLike,
  ReadPreferenceLike,
  ReadPreferenceMode,
  WriteConcernLike,
} from './concern.js';
export { connectDB, type ConnectOptions, disconnectDB, ensureDBConnection, isDBConnected } from './connect.js';
export { AbstractCursor, type CursorOptions } from './cursor.js';
export { type AggregateOptions, AggregationCursor, FindCursor, type FindOptions, RunCommandCursor } from './cursors.js';
export { Db, type DbOptions, type ProfilingLevel } from './db.js';
export type { Explain, Verbosity } from './explain.js';
export type { Hook } from './hook.js';
export type { BsonOptions, Document } from './host.js';
export type { CreateIndexesOptions, IndexDescription } from './indexes.js';
export type { MongooseLike } from './mongoose.js';
export type { MongoClientOptions } from './options.js';
export type { ForgottenSession, SessionMode } from './scope.js';
export { ClientSession, type ClientSessionOptions } from './session.js';
export type { IndexSpecification, Sort, SortDirection } from './sort.js';
export { Topology, type TopologyDescription } from './topology.js';
export { Transaction, type TransactionOptions, type TransactionState } from './transaction-options.js';
export {
  getSessionStats,
  SessionManager,
  type SessionStats,
  type TransactionLogger,
  withSession,
  type WithSessionOptions,
  withTransaction,
  type WithTransactionOptions,
} from './with-transaction.js';
