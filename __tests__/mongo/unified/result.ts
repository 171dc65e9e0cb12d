/** @module __tests__/mongo/unified/result: results of operations as plain documents, as the format compares them. */
import { BulkWriteResult } from '../../../dist/index.js';
import { isDocument } from './match';

/** A result object's fields; other values as they are. */
export function resultDocument(result: unknown): unknown {
  if (result instanceof BulkWriteResult) {
    const { insertedCount, matchedCount, modifiedCount, deletedCount, upsertedCount, upsertedIds, insertedIds } = result;
    return { insertedCount, matchedCount, modifiedCount, deletedCount, upsertedCount, upsertedIds, insertedIds };
  }
  if (!isDocument(result) || !('upsertedCount' in result)) return result;
  // No id of an upsert is `null` in this API and absent in the format.
  const { upsertedId, ...others } = result;
  return upsertedId === null ? others : { ...others, upsertedId };
}
