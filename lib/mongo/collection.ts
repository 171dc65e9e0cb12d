/**
 * @module mongo/collection
 *
 * `Collection`, shaped as the Node driver's: the operations on documents. Index operations are in `indexes.ts`, bulk writes in `bulk.ts`.
 * Guarantees: `_id` is made here and put into the document, as the Node driver does; an option that an operation does not know never reaches the server.
 */
import {
  type AnyBulkWriteOperation,
  bulkOperations,
  type BulkWriteOptions,
  OrderedBulkOperation,
  statementOf,
  UnorderedBulkOperation,
} from './bulk.js';
import { ChangeStream, type ChangeStreamOptions, watchArguments } from './change-stream.js';
import {
  type CollectionOptions,
  COUNT_OPTIONS,
  type CountOptions,
  DELETE_OPTIONS,
  type DeleteResult,
  FIND_ONE_AND_OPTIONS,
  type FindOneAndOptions,
  INSERT_OPTIONS,
  type InsertOptions,
  type OperationOptions,
  type UpdateResult,
  type WithId,
  WRITE_OPTIONS,
  type WriteOptions,
} from './collection-options.js';
import { concerns, type ConcernOptions, concernsOf } from './concern.js';
import { type CursorOptions, type CursorSource } from './cursor.js';
import { AggregationCursor, type AggregateOptions, FindCursor, findOptions, type FindOptions, type RunCommandCursor } from './cursors.js';
import type { Db } from './db.js';
import { giveId, hasOperators } from './document.js';
import { BulkWriteResult } from './bulk-result.js';
import { BSON_OPTION_NAMES, type BsonOptions, type Document } from './host.js';
import { explainCount, explainDistinct, explainFindAndModify, explainWrite, isExplained } from './explain.js';
import * as indexes from './indexes.js';
import { type Call, hasAny, Opcode, type Operations, pick, type Value } from './operation.js';
import { checkGiven } from './given.js';
import { refuseKnown } from './refused.js';
import { type IndexSpecification, sortDocument } from './sort.js';

/** One operation as this file hands it on. */
interface Request {
  readonly opcode: number;
  readonly body: object;
  /** The options that Rust knows. */
  readonly known: Document;
  readonly options: OperationOptions;
  readonly bulk?: Call['bulk'];
}

/** What index operations and bulk writes use of a collection, whatever its documents. */
export type AnyCollection = Pick<
  Collection,
  | 'collectionName'
  | 'db'
  | 'operations'
  | 'aggregate'
  | 'bsonFor'
  | 'bulkWrite'
  | 'command'
  | 'cursorSource'
  | 'refuse'
  | 'refuseOperators'
  | 'requireOperators'
  | 'withId'
>;

/** A collection of a database. */
export class Collection<T extends object = Document> {
  readonly db: Db;
  readonly collectionName: string;
  readonly bsonOptions: BsonOptions;
  /** Used by find when the operation gives none. */
  hint: string | object | undefined;
  readonly #concerns: ConcernOptions;
  readonly #timeoutMS: number | undefined;

  /** @internal */
  constructor(db: Db, name: string, options: CollectionOptions = {}) {
    this.db = db;
    this.collectionName = name;
    this.bsonOptions = { ...db.bsonOptions, ...(pick(options, BSON_OPTION_NAMES) as BsonOptions) };
    this.#concerns = concernsOf(options, db.concerns);
    this.#timeoutMS = options.timeoutMS ?? db.options.timeoutMS;
    Object.defineProperty(this, 'db', { enumerable: false });
  }

  get client(): Db['client'] {
    return this.db.client;
  }
  get dbName(): string {
    return this.db.databaseName;
  }
  get namespace(): string {
    return `${this.dbName}.${this.collectionName}`;
  }
  get readConcern(): ConcernOptions['readConcern'] {
    return this.#concerns.readConcern;
  }
  get writeConcern(): ConcernOptions['writeConcern'] {
    return this.#concerns.writeConcern;
  }
  get readPreference(): ConcernOptions['readPreference'] {
    return this.#concerns.readPreference;
  }
  get timeoutMS(): number | undefined {
    return this.#timeoutMS ?? this.db.timeoutMS;
  }

  async insertOne(document: T, options: InsertOptions = {}): Promise<{ acknowledged: boolean; insertedId: unknown }> {
    this.#checkOptions(Opcode.insert, options);
    this.#checkDocument('document', document);
    const insertedId = this.withId(document, options);
    await this.write({
      opcode: Opcode.insert,
      body: { docs: [document] },
      known: { ...pick(options, INSERT_OPTIONS), single: true },
      options,
    });
    return { acknowledged: this.#acknowledged(options), insertedId };
  }

  async insertMany(
    documents: readonly T[],
    options: InsertOptions = {},
  ): Promise<{ acknowledged: boolean; insertedCount: number; insertedIds: Record<number, unknown> }> {
    this.#checkOptions(Opcode.insert, options);
    if (!Array.isArray(documents)) throw this.refuse('docs', 'Argument "docs" must be an array of documents');
    if (documents.length === 0) throw this.refuse('docs', 'Invalid BulkOperation, Batch cannot be empty');
    for (const document of documents) this.#checkDocument('docs', document);
    const insertedIds = documents.map((document, index) => ({ index, _id: this.withId(document as T, options) }));
    const bulk = { ordered: options.ordered !== false, insertedIds, operation: (index: number) => documents[index] as object };
    const inserted = await this.write({
      opcode: Opcode.insert,
      body: { docs: documents },
      known: pick(options, INSERT_OPTIONS),
      options,
      bulk,
    });
    return {
      acknowledged: this.#acknowledged(options),
      insertedCount: Number(inserted ?? documents.length),
      insertedIds: Object.fromEntries(insertedIds.map(({ index, _id }) => [index, _id])),
    };
  }

  async bulkWrite(operations: readonly AnyBulkWriteOperation[], options: BulkWriteOptions = {}): Promise<BulkWriteResult> {
    this.#checkOptions(Opcode.bulkWrite, options);
    if (!Array.isArray(operations)) throw this.refuse('operations', 'Argument "operations" must be an array of documents');
    const { ops, insertedIds } = bulkOperations(this, operations, options);
    const bulk = { ordered: options.ordered !== false, insertedIds, operation: (index: number) => statementOf(ops[index] ?? {}) };
    const known = pick(options, ['ordered', 'bypassDocumentValidation', 'comment', 'let', 'maxTimeMS']);
    const reply = await this.write({ opcode: Opcode.bulkWrite, body: { ops }, known, options, bulk });
    const counts = reply === undefined ? {} : this.operations.decode(reply as Buffer);
    return new BulkWriteResult(counts, bulk);
  }

  async updateOne(filter: object, update: object | readonly object[], options: WriteOptions = {}): Promise<UpdateResult> {
    this.requireOperators(update);
    return this.#update('updateOne', { filter, update }, options);
  }
  async updateMany(filter: object, update: object | readonly object[], options: WriteOptions = {}): Promise<UpdateResult> {
    this.requireOperators(update);
    return this.#update('updateMany', { filter, update }, options);
  }
  async replaceOne(filter: object, replacement: object, options: WriteOptions = {}): Promise<UpdateResult> {
    this.refuseOperators(replacement);
    return this.#update('replaceOne', { filter, update: replacement }, options);
  }
  async deleteOne(filter: object = {}, options: WriteOptions = {}): Promise<DeleteResult> {
    return this.#delete('deleteOne', filter, options);
  }
  async deleteMany(filter: object = {}, options: WriteOptions = {}): Promise<DeleteResult> {
    return this.#delete('deleteMany', filter, options);
  }

  async findOneAndUpdate(filter: object, update: object | readonly object[], options: FindOneAndOptions = {}): Promise<WithId<T> | null> {
    this.requireOperators(update);
    return this.#findOneAnd(Opcode.findOneAndUpdate, { filter, update }, options);
  }
  async findOneAndReplace(filter: object, replacement: object, options: FindOneAndOptions = {}): Promise<WithId<T> | null> {
    this.refuseOperators(replacement);
    return this.#findOneAnd(Opcode.findOneAndReplace, { filter, update: replacement }, options);
  }
  async findOneAndDelete(filter: object, options: FindOneAndOptions = {}): Promise<WithId<T> | null> {
    return this.#findOneAnd(Opcode.findOneAndDelete, { filter }, options);
  }

  find(filter: object = {}, options: FindOptions = {}): FindCursor<WithId<T>> {
    const hinted = this.hint === undefined || options.hint !== undefined ? options : { ...options, hint: this.hint };
    return new FindCursor<WithId<T>>(this.cursorSource(options), filter, hinted);
  }

  async findOne(filter: object = {}, options: FindOptions = {}): Promise<WithId<T> | null> {
    if (isExplained(options)) {
      const { explain, ...others } = options;
      return (await this.find(filter, { ...others, limit: 1, singleBatch: true }).explain(explain)) as WithId<T>;
    }
    const known = findOptions(options);
    const sort = sortDocument(options.sort, undefined, (message) => this.refuse('sort', message));
    if (sort !== undefined) known['sort'] = sort;
    const read = concerns(options, this.#concerns, ['readConcern', 'readPreference']);
    const reply = await this.#run({ opcode: Opcode.findOne, body: { filter }, known: { ...known, ...read }, options });
    return reply === undefined ? null : (this.#document(reply, options) as WithId<T>);
  }

  aggregate<U = Document>(pipeline: readonly object[] = [], options: AggregateOptions = {}): AggregationCursor<U> {
    if (!Array.isArray(pipeline)) throw this.refuse('pipeline', 'Argument "pipeline" must be an array of aggregation stages');
    return new AggregationCursor<U>(this.cursorSource(options), pipeline, options);
  }

  async countDocuments(filter: object = {}, options: CountOptions = {}): Promise<number> {
    return this.#count(Opcode.count, { filter }, options);
  }
  /** The old `count` command, which may be wrong after an unclean shutdown and cannot run in a transaction: `countDocuments` is better. */
  async count(filter: object = {}, options: CountOptions = {}): Promise<number> {
    this.#checkDocument('filter', filter);
    return this.#count(Opcode.estimatedCount, { filter }, options);
  }
  async estimatedDocumentCount(options: OperationOptions = {}): Promise<number> {
    checkGiven(options);
    // What only `count` knows must not reach the server.
    const { skip: _skip, limit: _limit, hint: _hint, ...known } = options as CountOptions;
    return this.#count(Opcode.estimatedCount, {}, known);
  }
  async distinct(key: string, filter: object = {}, options: CountOptions = {}): Promise<unknown[]> {
    if (isExplained(options)) return (await explainDistinct(this, { key, filter }, options)) as unknown as unknown[];
    const read = concerns(options, this.#concerns, ['readConcern', 'readPreference']);
    const reply = await this.#run({
      opcode: Opcode.distinct,
      body: { key, filter },
      known: { ...pick(options, COUNT_OPTIONS), ...read },
      options,
    });
    return this.#document(reply, options)['values'] as unknown[];
  }

  initializeOrderedBulkOp(options: BulkWriteOptions = {}): OrderedBulkOperation {
    return new OrderedBulkOperation(this, options);
  }
  initializeUnorderedBulkOp(options: BulkWriteOptions = {}): UnorderedBulkOperation {
    return new UnorderedBulkOperation(this, options);
  }

  async createIndex(specification: IndexSpecification, options: indexes.CreateIndexesOptions = {}): Promise<string> {
    const [name] = await indexes.create(this, [{ ...options, key: specification }], options);
    return name ?? '';
  }
  async createIndexes(descriptions: readonly indexes.IndexDescription[], options: indexes.CreateIndexesOptions = {}): Promise<string[]> {
    indexes.refuseBeside(this, options);
    return indexes.create(this, descriptions, options);
  }
  async dropIndex(name: string | object, options: OperationOptions = {}): Promise<Document> {
    return indexes.drop(this, name, options);
  }
  async dropIndexes(options: OperationOptions = {}): Promise<boolean> {
    return indexes.dropAll(this, options);
  }
  listIndexes(options: CursorOptions = {}): RunCommandCursor {
    return indexes.list(this, options);
  }
  async indexes(options: CursorOptions & { full?: boolean } = {}): Promise<Document[] | Document> {
    return indexes.information(this, { full: true, ...options });
  }
  async indexInformation(options: CursorOptions & { full?: boolean } = {}): Promise<Document[] | Document> {
    return indexes.information(this, { full: false, ...options });
  }
  async indexExists(names: string | readonly string[], options: CursorOptions = {}): Promise<boolean> {
    if (typeof names !== 'string' && !Array.isArray(names)) throw this.refuse('names', 'names must be a string or an array of strings');
    const known = new Set((await indexes.list(this, options).toArray()).map(({ name }) => name));
    return (typeof names === 'string' ? [names] : names).every((name) => known.has(name));
  }
  listSearchIndexes(name?: string | CursorOptions, options: CursorOptions = {}): AggregationCursor {
    return indexes.listSearch(this, name, options);
  }
  async createSearchIndex(description: object): Promise<string> {
    const [name] = await indexes.createSearch(this, [description]);
    return name ?? '';
  }
  async createSearchIndexes(descriptions: readonly object[]): Promise<string[]> {
    return indexes.createSearch(this, descriptions);
  }
  async dropSearchIndex(name: string): Promise<void> {
    await this.command({ dropSearchIndex: this.collectionName, name });
  }
  async updateSearchIndex(name: string, definition: object): Promise<void> {
    await this.command({ updateSearchIndex: this.collectionName, name, definition });
  }

  async rename(name: string, options: OperationOptions & { dropTarget?: boolean } = {}): Promise<Collection> {
    return this.db.renameCollection(this.collectionName, name, options);
  }
  async drop(options: OperationOptions = {}): Promise<boolean> {
    return this.db.dropCollection(this.collectionName, options);
  }
  async options(options: CursorOptions = {}): Promise<Document> {
    const [found] = await this.db.listCollections({ name: this.collectionName }, options).toArray();
    if (found?.['options'] === undefined) throw this.refuse('collection', `collection ${this.namespace} not found`);
    return found['options'] as Document;
  }
  async isCapped(options: CursorOptions = {}): Promise<boolean> {
    return Boolean((await this.options(options))['capped']);
  }
  /** The changes of the collection's documents, from now on or from where the options say. */
  watch<U = Document>(pipeline: readonly object[] = [], options: ChangeStreamOptions = {}): ChangeStream<U> {
    return new ChangeStream<U>(this.cursorSource(options), ...watchArguments(pipeline, options));
  }

  /** @internal */
  get operations(): Operations {
    return this.db.operations;
  }
  /** @internal Where a cursor of this collection reads. */
  cursorSource(options?: object): CursorSource {
    const { operations, dbName: db, collectionName: coll } = this;
    return { operations, db, coll, bson: this.bsonFor(options), timeoutMS: this.#timeoutMS, ...this.#concerns };
  }
  /** @internal Runs a command on the collection's database, with the write concern of the nearest level. */
  async command(command: object, options: OperationOptions = {}): Promise<Document> {
    return this.db.write(command, this.#timed(options), this.#concerns);
  }
  /** @internal The BSON flags of an operation. */
  bsonFor(options: object = {}): BsonOptions {
    return hasAny(options, BSON_OPTION_NAMES) ? { ...this.bsonOptions, ...pick(options, BSON_OPTION_NAMES) } : this.bsonOptions;
  }
  /** @internal */
  refuse(argument: string, message: string): Error {
    return this.operations.refuse(argument, message);
  }
  /** @internal The document's `_id`, made when it has none. */
  withId(document: object, options: InsertOptions): unknown {
    const byServer = (options.forceServerObjectId ?? this.db.forceServerObjectId) === true;
    return giveId(document, byServer ? undefined : () => this.db.createId());
  }
  /** @internal */
  requireOperators(update: unknown): void {
    if (!hasOperators(update)) throw this.refuse('update', 'Update document requires atomic operators');
  }
  /** @internal */
  refuseOperators(replacement: unknown): void {
    if (typeof replacement !== 'object' || replacement === null || Array.isArray(replacement) || hasOperators(replacement)) {
      throw this.refuse('replacement', 'Replacement document must not use atomic operators');
    }
  }
  /** @internal A write: the write concern of the nearest level is added. */
  write(request: Request): Promise<Value> {
    const known = { ...request.known, ...concerns(request.options, this.#concerns, ['writeConcern']) };
    return this.#run({ ...request, known });
  }

  async #update(kind: 'updateOne' | 'updateMany' | 'replaceOne', body: object, options: WriteOptions): Promise<UpdateResult> {
    if (isExplained(options)) return (await explainWrite(this, { [kind]: body }, options)) as unknown as UpdateResult;
    const known = this.#sorted(pick(options, WRITE_OPTIONS), options);
    return this.#updated(await this.write({ opcode: Opcode[kind], body, known, options }), options);
  }

  async #delete(kind: 'deleteOne' | 'deleteMany', filter: object, options: WriteOptions): Promise<DeleteResult> {
    if (isExplained(options)) return (await explainWrite(this, { [kind]: { filter } }, options)) as unknown as DeleteResult;
    const deleted = await this.write({ opcode: Opcode[kind], body: { filter }, known: pick(options, DELETE_OPTIONS), options });
    return { acknowledged: this.#acknowledged(options), deletedCount: Number(deleted ?? 0) };
  }

  async #findOneAnd(opcode: number, body: object, options: FindOneAndOptions): Promise<WithId<T> | null> {
    if (isExplained(options)) return (await explainFindAndModify(this, body as Document, options)) as WithId<T>;
    const reply = await this.write({ opcode, body, known: this.#sorted(pick(options, FIND_ONE_AND_OPTIONS), options), options });
    return reply === undefined ? null : (this.#document(reply, options) as WithId<T>);
  }

  async #count(opcode: number, body: object, options: CountOptions): Promise<number> {
    if (isExplained(options)) return (await explainCount(this, body, options)) as unknown as number;
    const read = concerns(options, this.#concerns, ['readConcern', 'readPreference']);
    return Number(await this.#run({ opcode, body, known: { ...pick(options, COUNT_OPTIONS), ...read }, options }));
  }

  #checkOptions(opcode: number, options: object): void {
    refuseKnown(opcode, options, (name, message) => this.refuse(name, message));
  }

  #timed<O extends OperationOptions>(options: O): O {
    return this.#timeoutMS === undefined ? options : { timeoutMS: this.#timeoutMS, ...options };
  }

  /** Not async, like `write`: callers are, and a promise fewer for each operation is felt. */
  #run({ opcode, body, known, options, bulk }: Request): Promise<Value> {
    this.#checkOptions(opcode, options);
    const { session, signal, timeoutMS = this.#timeoutMS } = options;
    return this.operations.run({
      opcode,
      body: { db: this.dbName, coll: this.collectionName, ...body, options: known },
      session,
      signal,
      timeoutMS,
      bson: this.bsonFor(options),
      ...(bulk === undefined ? {} : { bulk }),
    });
  }

  #document(reply: Value, options: object): Document {
    const bson = this.bsonFor(options);
    return bson.raw === true ? (reply as unknown as Document) : this.operations.decode(reply as Buffer, bson);
  }

  #sorted(known: Document, options: WriteOptions): Document {
    const sort = sortDocument(options.sort, undefined, (message) => this.refuse('sort', message));
    if (sort !== undefined) known['sort'] = sort;
    return known;
  }

  #updated(reply: Value, options: WriteOptions): UpdateResult {
    const bytes = reply as Buffer;
    const upserted = bytes.length > 8 ? this.operations.decode(bytes.subarray(8), this.bsonFor(options)) : undefined;
    return {
      acknowledged: this.#acknowledged(options),
      modifiedCount: bytes.readUInt32LE(4),
      upsertedId: upserted?.['_id'] ?? null,
      upsertedCount: upserted === undefined ? 0 : 1,
      matchedCount: bytes.readUInt32LE(0),
    };
  }

  #acknowledged(options: OperationOptions): boolean {
    const concern = concerns(options, this.#concerns, ['writeConcern'])['writeConcern'] as Document | undefined;
    return concern?.['w'] !== 0;
  }

  #checkDocument(argument: string, document: unknown): void {
    if (typeof document !== 'object' || document === null)
      throw this.refuse(argument, `${argument} must be an object, got ${document === null ? 'null' : typeof document}`);
  }
}
