/**
 * @module mongo/bulk
 *
 * Bulk writes of a collection: checks and shapes the operations; batching, retries and merging of results are Rust's.
 */
import type { BulkWriteResult } from './bulk-result.js';
import type { AnyCollection } from './collection.js';
import type { InsertOptions } from './collection-options.js';
import { refuse } from './errors.js';
import type { Document } from './host.js';
import { pick } from './operation.js';

/** One operation of a bulk write: an object with one of `insertOne`, `updateOne`, `updateMany`, `replaceOne`, `deleteOne`, `deleteMany`. */
export type AnyBulkWriteOperation = object;

/** Options of a bulk write. */
export interface BulkWriteOptions extends InsertOptions {
  let?: object;
}

type Shape = (collection: AnyCollection, statement: Document) => Document;

const UPDATE_FIELDS = ['filter', 'update', 'upsert', 'arrayFilters', 'collation', 'hint', 'sort'] as const;
const REPLACE_FIELDS = ['filter', 'replacement', 'upsert', 'collation', 'hint', 'sort'] as const;
const DELETE_FIELDS = ['filter', 'collation', 'hint'] as const;

const update: Shape = (collection, statement) => {
  collection.requireOperators(statement['update']);
  return pick(statement, UPDATE_FIELDS);
};
const SHAPES: Readonly<Record<string, Shape>> = {
  updateOne: update,
  updateMany: update,
  replaceOne: (collection, statement) => {
    collection.refuseOperators(statement['replacement']);
    return pick(statement, REPLACE_FIELDS);
  },
  deleteOne: (_collection, statement) => pick(statement, DELETE_FIELDS),
  deleteMany: (_collection, statement) => pick(statement, DELETE_FIELDS),
};

/** The operations as Rust takes them, and the ids of the documents that they insert. */
export function bulkOperations(
  collection: AnyCollection,
  operations: readonly AnyBulkWriteOperation[],
  options: BulkWriteOptions,
): { ops: Document[]; insertedIds: { index: number; _id: unknown }[] } {
  if (operations.length === 0) throw collection.refuse('operations', 'Invalid BulkOperation, Batch cannot be empty');
  const insertedIds: { index: number; _id: unknown }[] = [];
  const ops = operations.map((operation, index) => {
    if (typeof operation !== 'object' || operation === null)
      throw collection.refuse('operations', 'Operation must be an object with an operation key');
    if ('insertOne' in operation) {
      const { insertOne } = operation as { insertOne?: { document?: object } };
      // The Node driver also takes the document itself.
      const document = insertOne?.document ?? insertOne;
      if (typeof document !== 'object' || document === null) throw collection.refuse('operations', 'insertOne needs a document');
      insertedIds.push({ index, _id: collection.withId(document, options) });
      // The body of the operation holds filters and updates too: documents are checked by themselves.
      if (collection.bsonFor(options).checkKeys === true) collection.operations.host.bson.serialize(document, { checkKeys: true });
      return { insertOne: { document } };
    }
    for (const [name, shape] of Object.entries(SHAPES)) {
      const statement = (operation as Document)[name];
      if (statement === undefined) continue;
      if (typeof statement !== 'object' || statement === null) throw collection.refuse('operations', `${name} must be an object`);
      if ('q' in statement) throw collection.refuse('operations', 'Raw operations are not allowed');
      return { [name]: shape(collection, statement as Document) };
    }
    throw collection.refuse('operations', 'bulkWrite only supports insertOne, updateOne, updateMany, deleteOne, deleteMany, replaceOne');
  });
  return { ops, insertedIds };
}

/** An operation as the server's command says it: what `WriteError.err.op` shows. */
export function statementOf(operation: Document): object {
  const [[name, given] = ['', {}]] = Object.entries(operation) as [string, Document][];
  if (name === 'insertOne') return given['document'] as object;
  const { filter, update: changes, replacement, ...others } = given;
  if (name.startsWith('delete')) return { q: filter, ...others, limit: name === 'deleteOne' ? 1 : 0 };
  return { q: filter, u: changes ?? replacement, ...others, multi: name === 'updateMany' };
}

/** Modifiers and operations for the documents that `find` named. */
export class FindOperators {
  readonly #bulk: BulkOperation;
  readonly #statement: Document;

  /** @internal */
  constructor(bulk: BulkOperation, filter: object) {
    this.#bulk = bulk;
    this.#statement = { filter };
  }

  upsert(): this {
    this.#statement['upsert'] = true;
    return this;
  }
  collation(value: object): this {
    this.#statement['collation'] = value;
    return this;
  }
  arrayFilters(value: readonly object[]): this {
    this.#statement['arrayFilters'] = value;
    return this;
  }
  hint(value: string | object): this {
    this.#statement['hint'] = value;
    return this;
  }
  update(value: object): BulkOperation {
    return this.#bulk.raw({ updateMany: { ...this.#statement, update: value } });
  }
  updateOne(value: object): BulkOperation {
    return this.#bulk.raw({ updateOne: { ...this.#statement, update: value } });
  }
  replaceOne(replacement: object): BulkOperation {
    return this.#bulk.raw({ replaceOne: { ...this.#statement, replacement } });
  }
  deleteOne(): BulkOperation {
    return this.#bulk.raw({ deleteOne: this.#statement });
  }
  delete(): BulkOperation {
    return this.#bulk.raw({ deleteMany: this.#statement });
  }
}

/** A bulk write that is put together step by step. */
export class BulkOperation {
  readonly isOrdered: boolean;
  readonly #collection: AnyCollection;
  readonly #options: BulkWriteOptions;
  readonly #operations: AnyBulkWriteOperation[] = [];
  #executed = false;

  /** @internal */
  constructor(collection: AnyCollection, options: BulkWriteOptions, ordered: boolean) {
    this.#collection = collection;
    this.#options = options;
    this.isOrdered = ordered;
  }

  get length(): number {
    return this.#operations.length;
  }

  insert(document: object): this {
    return this.raw({ insertOne: { document } });
  }
  find(filter: object): FindOperators {
    if (typeof filter !== 'object' || filter === null)
      throw this.#collection.refuse('selector', 'Bulk find operation must specify a selector');
    return new FindOperators(this, filter);
  }
  raw(operation: AnyBulkWriteOperation): this {
    // Checked when it is added, as in the Node driver.
    bulkOperations(this.#collection, [operation], this.#options);
    this.#operations.push(operation);
    return this;
  }

  async execute(options: BulkWriteOptions = {}): Promise<BulkWriteResult> {
    if (this.#executed) {
      const message = 'This batch has already been executed, create new batch to execute';
      throw refuse(this.#collection.operations.host, 'bulk', message, 'MongoBatchReExecutionError');
    }
    this.#executed = true;
    return this.#collection.bulkWrite(this.#operations, { ...this.#options, ...options, ordered: this.isOrdered });
  }
}

/** Stops at the first error. */
export class OrderedBulkOperation extends BulkOperation {
  /** @internal */
  constructor(collection: AnyCollection, options: BulkWriteOptions) {
    super(collection, options, true);
  }
}

/** Runs everything, in any order. */
export class UnorderedBulkOperation extends BulkOperation {
  /** @internal */
  constructor(collection: AnyCollection, options: BulkWriteOptions) {
    super(collection, options, false);
  }
}
