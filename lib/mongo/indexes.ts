/**
 * @module mongo/indexes
 *
 * Index operations of a collection, as commands: the typed index list of the Rust driver loses fields.
 */
import type { AnyCollection } from './collection.js';
import type { OperationOptions } from './collection-options.js';
import type { CursorOptions } from './cursor.js';
import { type AggregationCursor, RunCommandCursor } from './cursors.js';
import type { Document } from './host.js';
import { pick } from './operation.js';
import { REFUSED, refuseKnown } from './refused.js';
import { indexKeys, type IndexSpecification } from './sort.js';

/** One index to create. */
export interface IndexDescription {
  key: IndexSpecification;
  name?: string;
  [option: string]: unknown;
}

/** Options of `createIndex` and `createIndexes`. */
export interface CreateIndexesOptions extends OperationOptions {
  commitQuorum?: number | string;
  name?: string;
  unique?: boolean;
  sparse?: boolean;
  expireAfterSeconds?: number;
  partialFilterExpression?: object;
  [option: string]: unknown;
}

const INDEX_OPTIONS = [
  'background', 'unique', 'name', 'partialFilterExpression', 'sparse', 'hidden', 'expireAfterSeconds', 'storageEngine', 'collation', 'weights',
  'default_language', 'language_override', 'textIndexVersion', '2dsphereIndexVersion', 'bits', 'min', 'max', 'bucketSize', 'wildcardProjection',
  'prepareUnique', 'clustered',
] as const; // prettier-ignore
/** The server's answer for a collection that does not exist. */
const NAMESPACE_NOT_FOUND = 26;

/** Options of an index mean nothing beside a list of several. */
export function refuseBeside(collection: AnyCollection, options: CreateIndexesOptions): void {
  const table = Object.fromEntries([...INDEX_OPTIONS, 'version', 'v'].map((name) => [name, 'give it to the index']));
  refuseKnown(table, options, (name, message) => collection.refuse(name, message));
}

/** Creates indexes; returns their names. */
export async function create(
  collection: AnyCollection,
  descriptions: readonly IndexDescription[],
  options: CreateIndexesOptions,
): Promise<string[]> {
  // `isArray` of a readonly array would make its items `any`.
  const given: unknown = descriptions;
  if (!Array.isArray(given) || given.length === 0) throw collection.refuse('indexes', 'indexes must be a non-empty array');
  const indexes = descriptions.map((description: IndexDescription | null) => {
    if (typeof description !== 'object' || description === null) throw collection.refuse('indexes', 'each index must be an object');
    const key = indexKeys(description.key, (message) => collection.refuse('indexSpec', message));
    const known = pick(description, INDEX_OPTIONS);
    const version = description['version'] ?? description['v'];
    if (version !== undefined) known['v'] = version;
    return { ...known, name: description.name ?? [...key].flat().map(String).join('_'), key };
  });
  refuseKnown(REFUSED.index, options, (name, message) => collection.refuse(name, message));
  // The rest of the options are those of the index.
  const { session, signal } = options;
  await collection.command(
    { createIndexes: collection.collectionName, indexes, ...pick(options, ['commitQuorum']) },
    {
      ...pick(options, ['writeConcern', 'timeoutMS', 'maxTimeMS', 'comment']),
      ...(signal === undefined ? {} : { signal }),
      ...(session === undefined ? {} : { session }),
    },
  );
  return indexes.map(({ name }) => name);
}

/** Drops one index. */
export async function drop(collection: AnyCollection, index: string | object, options: OperationOptions): Promise<Document> {
  refuseKnown(REFUSED.command, options, (name, message) => collection.refuse(name, message));
  return collection.command({ dropIndexes: collection.collectionName, index }, options);
}

/** Drops all indexes but that of `_id`; false when there is no such collection. */
export async function dropAll(collection: AnyCollection, options: OperationOptions): Promise<boolean> {
  try {
    await drop(collection, '*', options);
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code === NAMESPACE_NOT_FOUND) return false;
    throw error;
  }
}

/** The indexes as the server describes them. */
export function list(collection: AnyCollection, options: CursorOptions): RunCommandCursor {
  const cursor = pick(options, ['batchSize']);
  const command = { listIndexes: collection.collectionName, cursor, ...pick(options, ['maxTimeMS', 'comment']) };
  return new RunCommandCursor(collection.cursorSource(options), command, { ...options, retried: true });
}

/** The indexes: in full, or their keys by name. */
export async function information(collection: AnyCollection, options: CursorOptions & { full: boolean }): Promise<Document[] | Document> {
  const { full, ...others } = options;
  const found = await list(collection, others).toArray();
  if (full) return found;
  return Object.fromEntries(found.map(({ name, key }) => [String(name), Object.entries(key as Document)]));
}

/** Creates search indexes; returns their names. */
export async function createSearch(collection: AnyCollection, indexes: readonly object[]): Promise<string[]> {
  const reply = await collection.command({ createSearchIndexes: collection.collectionName, indexes });
  return ((reply['indexesCreated'] ?? []) as { name: string }[]).map(({ name }) => name);
}

/** The search indexes. */
export function listSearch(collection: AnyCollection, name: string | CursorOptions | undefined, options: CursorOptions): AggregationCursor {
  const named = typeof name === 'string' ? { name } : {};
  return collection.aggregate([{ $listSearchIndexes: named }], typeof name === 'object' ? name : options);
}
