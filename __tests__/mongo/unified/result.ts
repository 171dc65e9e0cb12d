/** @module __tests__/mongo/unified/result: results of operations as plain documents, as the format compares them. */
import { BulkWriteResult, type Document } from '../../../dist/index.js';
import { isDocument } from './match';

/** A result object's fields; other values as they are. */
export function resultDocument(result: unknown): unknown {
  if (result instanceof BulkWriteResult) {
    const { insertedCount, matchedCount, modifiedCount, deletedCount, upsertedCount, upsertedIds, insertedIds } = result;
    return { insertedCount, matchedCount, modifiedCount, deletedCount, upsertedCount, upsertedIds, insertedIds };
  }
  if (!isDocument(result) || !('upsertedCount' in result)) return result;
  // A bulk write of the client: its maps, by the place of the model.
  if (!('upsertedId' in result)) return Object.fromEntries(Object.entries(result).map(([name, value]) => [name, mapDocument(value)]));
  // No id of an upsert is `null` in this API and absent in the format.
  const { upsertedId, ...others } = result;
  return upsertedId === null ? others : { ...others, upsertedId };
}

/** `didUpsert` is beside the format, as in the Node driver. */
function mapDocument(value: unknown): unknown {
  if (!(value instanceof Map)) return value;
  const entries = [...(value as Map<number, Document>)].map(([index, { didUpsert: _did, ...one }]) => [String(index), one] as const);
  return Object.fromEntries(entries);
}
