/** @module mongo/document: what an insert and an update must know of a document that is the caller's. */
import type { Document } from './host.js';

/** The `_id` of a document that is to be inserted; one that has none gets what `create` makes, unless the server is to make it. */
export function giveId(document: object, create: (() => unknown) | undefined): unknown {
  if (document instanceof Map) {
    if (document.get('_id') === undefined && create !== undefined) document.set('_id', create());
    return document.get('_id');
  }
  const target = document as Document;
  if ((target['_id'] === undefined || target['_id'] === null) && create !== undefined) target['_id'] = create();
  return target['_id'];
}

/** Whether an update consists of operators: a pipeline, or a document whose first key begins with `$`. */
export function hasOperators(update: unknown): boolean {
  if (Array.isArray(update)) return update.length > 0 && update.every((stage) => hasOperators(stage));
  if (typeof update !== 'object' || update === null) return false;
  const first: unknown = update instanceof Map ? [...update.keys()][0] : Object.keys(update)[0];
  return typeof first === 'string' && first.startsWith('$');
}
