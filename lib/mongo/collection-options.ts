/** @module mongo/collection-options: what the operations of a collection take and answer, and which of it is sent. */
import type { ConcernOptions } from './concern.js';
import type { Explain } from './explain.js';
import type { BsonOptions } from './host.js';
import type { ClientSession } from './session.js';
import type { Sort } from './sort.js';

/** Options that every operation knows. */
export interface OperationOptions extends ConcernOptions, BsonOptions {
  session?: ClientSession | null;
  signal?: AbortSignal;
  maxTimeMS?: number;
  timeoutMS?: number;
  comment?: unknown;
  /** The server's plan instead of the result. */
  explain?: Explain;
}
/** Options of a collection; what it does not say its database does. */
export interface CollectionOptions extends ConcernOptions, BsonOptions {
  timeoutMS?: number;
}
/** Options of inserts. */
export interface InsertOptions extends OperationOptions {
  ordered?: boolean;
  bypassDocumentValidation?: boolean;
  forceServerObjectId?: boolean;
}
/** Options of updates, replacements and deletes. */
export interface WriteOptions extends OperationOptions {
  upsert?: boolean;
  arrayFilters?: readonly object[];
  collation?: object;
  hint?: string | object;
  let?: object;
  bypassDocumentValidation?: boolean;
  sort?: Sort;
  ordered?: boolean;
}
/** Options of the findOneAnd operations. */
export interface FindOneAndOptions extends WriteOptions {
  projection?: object;
  returnDocument?: 'before' | 'after';
  /** The server's whole reply instead of the document. */
  includeResultMetadata?: boolean;
}
/** Options of counts. */
export interface CountOptions extends OperationOptions {
  skip?: number;
  limit?: number;
  hint?: string | object;
  collation?: object;
  allowDiskUse?: boolean;
  bypassDocumentValidation?: boolean;
  let?: object;
}
/** What a delete did. */
export interface DeleteResult {
  acknowledged: boolean;
  deletedCount: number;
}
/** A document as it is stored. */
export type WithId<T> = T & { _id: unknown };
/** What an update did. */
export interface UpdateResult {
  acknowledged: boolean;
  matchedCount: number;
  modifiedCount: number;
  upsertedCount: number;
  upsertedId: unknown;
}

export const WRITE_OPTIONS = [
  'upsert',
  'arrayFilters',
  'collation',
  'hint',
  'let',
  'comment',
  'bypassDocumentValidation',
  'maxTimeMS',
] as const;
export const DELETE_OPTIONS = ['collation', 'hint', 'let', 'comment', 'maxTimeMS', 'ordered'] as const;
export const FIND_ONE_AND_OPTIONS = [...WRITE_OPTIONS, 'projection', 'returnDocument', 'includeResultMetadata'] as const;
export const INSERT_OPTIONS = ['ordered', 'bypassDocumentValidation', 'comment', 'maxTimeMS'] as const;
export const COUNT_OPTIONS = [
  'skip',
  'limit',
  'hint',
  'collation',
  'maxTimeMS',
  'comment',
  'allowDiskUse',
  'bypassDocumentValidation',
  'let',
] as const;
