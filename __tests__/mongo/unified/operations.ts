/**
 * @module __tests__/mongo/unified/operations
 *
 * The operations of entities, each by the call of the public API that a user would write. Iterables are read to their end.
 */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { finished } from 'node:stream/promises';
import { GridFSBucket, type ObjectId } from 'mongodb';
import {
  AbstractCursor,
  type AnyClientBulkWriteModel,
  ChangeStream,
  ClientSession,
  Collection,
  Db,
  type Document,
  MongoClient,
} from '../../../dist/index.js';
import { hexBytes } from './match';

/** Arguments of an operation: those that the API takes by position, and its options. `session` is a session here. */
export type Arguments = Document;

/** What an operation is carried out by, where it needs more than its object. */
export interface Operator {
  /** Runs the operations of a callback; what one of them throws leaves it. */
  callback(operations: unknown): Promise<void>;
}

type Run<T> = (on: T, given: Arguments, by: Operator) => unknown;
type Table<T> = Readonly<Record<string, Run<T>>>;

const document = (value: unknown): Document => (value ?? {}) as Document;
const list = (value: unknown): Document[] => value as Document[];

const CLIENT: Table<MongoClient> = {
  listDatabases: async (client, given) => (await client.db().admin().listDatabases(given))['databases'],
  listDatabaseNames: async (client, given) => {
    const { databases } = (await client
      .db()
      .admin()
      .listDatabases({ ...given, nameOnly: true })) as { databases: { name: string }[] };
    return databases.map(({ name }) => name);
  },
  createChangeStream: async (client, { pipeline, ...options }) => opened(client.watch(list(pipeline), options)),
  clientBulkWrite: (client, { models, ...options }) => client.bulkWrite(list(models).map(modelOf), options),
  close: (client) => client.close(),
};

const DATABASE: Table<Db> = {
  aggregate: (db, { pipeline, ...options }) => db.aggregate(list(pipeline), options).toArray(),
  createChangeStream: async (db, { pipeline, ...options }) => opened(db.watch(list(pipeline), options)),
  createCollection: async (db, { collection, ...options }) => void (await db.createCollection(String(collection), options)),
  dropCollection: (db, { collection, ...options }) => db.dropCollection(String(collection), options),
  listCollections: (db, { filter, ...options }) => db.listCollections(document(filter), options).toArray(),
  listCollectionNames: async (db, { filter, ...options }) =>
    (await db.listCollections(document(filter), { ...options, nameOnly: true }).toArray()).map(({ name }) => name),
  modifyCollection: (db, { collection, ...options }) => db.command({ collMod: collection, ...options }),
  runCommand: (db, { command, commandName: _name, ...options }) => db.command(document(command), options),
  runCursorCommand: (db, given) => commandCursor(db, given).toArray(),
  createCommandCursor: async (db, given) => started(commandCursor(db, given)),
};

const COLLECTION: Table<Collection> = {
  aggregate: (coll, { pipeline, ...options }) => coll.aggregate(list(pipeline), options).toArray(),
  bulkWrite: (coll, { requests, ...options }) => coll.bulkWrite(list(requests), options),
  count: (coll, { filter, ...options }) => coll.count(document(filter), options),
  countDocuments: (coll, { filter, ...options }) => coll.countDocuments(document(filter), options),
  createChangeStream: async (coll, { pipeline, ...options }) => opened(coll.watch(list(pipeline), options)),
  createFindCursor: async (coll, { filter, ...options }) => started(coll.find(document(filter), options)),
  createIndex: (coll, { keys, ...options }) => coll.createIndex(document(keys), options),
  deleteMany: (coll, { filter, ...options }) => coll.deleteMany(document(filter), options),
  deleteOne: (coll, { filter, ...options }) => coll.deleteOne(document(filter), options),
  distinct: (coll, { fieldName, filter, ...options }) => coll.distinct(String(fieldName), document(filter), options),
  dropIndex: (coll, { name, ...options }) => coll.dropIndex(String(name), options),
  dropIndexes: (coll, options) => coll.dropIndexes(options),
  estimatedDocumentCount: (coll, options) => coll.estimatedDocumentCount(options),
  find: (coll, { filter, ...options }) => coll.find(document(filter), options).toArray(),
  findOne: (coll, { filter, ...options }) => coll.findOne(document(filter), options),
  findOneAndDelete: (coll, { filter, ...options }) => coll.findOneAndDelete(document(filter), options),
  findOneAndReplace: (coll, { filter, replacement, ...options }) =>
    coll.findOneAndReplace(document(filter), document(replacement), returning(options)),
  findOneAndUpdate: (coll, { filter, update, ...options }) => coll.findOneAndUpdate(document(filter), document(update), returning(options)),
  insertMany: (coll, { documents, ...options }) => coll.insertMany(list(documents), options),
  insertOne: (coll, given) => coll.insertOne(document(given['document']), without(given, 'document')),
  listIndexes: (coll, options) => coll.listIndexes(options).toArray(),
  listIndexNames: async (coll, options) => (await coll.listIndexes(options).toArray()).map(({ name }) => name),
  rename: async (coll, { to, ...options }) => void (await coll.rename(String(to), options)),
  replaceOne: (coll, { filter, replacement, ...options }) => coll.replaceOne(document(filter), document(replacement), options),
  updateMany: (coll, { filter, update, ...options }) => coll.updateMany(document(filter), document(update), options),
  updateOne: (coll, { filter, update, ...options }) => coll.updateOne(document(filter), document(update), options),
};

const SESSION: Table<ClientSession> = {
  abortTransaction: (session) => session.abortTransaction(),
  commitTransaction: (session) => session.commitTransaction(),
  endSession: (session) => session.endSession(),
  getSnapshotTime: (session) => (session as unknown as { snapshotTime: unknown }).snapshotTime,
  startTransaction: (session, options) => session.startTransaction(options),
  withTransaction: (session, { callback, ...options }, by) => session.withTransaction(() => by.callback(callback), options),
};

const BUCKET: Table<GridFSBucket> = {
  delete: (bucket, { id }) => bucket.delete(id as ObjectId),
  download: (bucket, { id, ...options }) => buffer(bucket.openDownloadStream(id as ObjectId, options)),
  downloadByName: (bucket, { filename, ...options }) => buffer(bucket.openDownloadStreamByName(String(filename), options)),
  drop: (bucket) => bucket.drop(),
  rename: (bucket, { id, newFilename }) => bucket.rename(id as ObjectId, String(newFilename)),
  upload: async (bucket, { filename, source, ...options }) => {
    const upload = bucket.openUploadStream(String(filename), options);
    Readable.from([hexBytes(document(source)['$$hexBytes'])]).pipe(upload);
    await finished(upload);
    return upload.id;
  },
};

const STREAM: Table<ChangeStream> = {
  iterateUntilDocumentOrError: (stream) => stream.next(),
  iterateOnce: (stream) => stream.tryNext(),
  close: (stream) => stream.close(),
};

/** First documents that a cursor was started with: a cursor is lazy, the format's is not. */
const firsts = new WeakMap<AbstractCursor, { document: unknown }>();

const CURSOR: Table<AbstractCursor> = {
  iterateUntilDocumentOrError: async (cursor) => taken(cursor) ?? (await cursor.next()),
  iterateOnce: async (cursor) => taken(cursor) ?? (await cursor.tryNext()),
  close: (cursor) => cursor.close(),
};

/** Runs an operation on its entity. */
export async function operate(on: unknown, name: string, given: Arguments, by: Operator): Promise<unknown> {
  for (const [kind, table] of TABLES) {
    if (!(on instanceof kind)) continue;
    const run = table[name];
    if (run === undefined) throw new Error(`${kind.name}.${name} is not supported by this runner`);
    return run(on, given, by);
  }
  throw new Error(`an entity of this kind has no operations: ${name}`);
}

const TABLES = [
  [MongoClient, CLIENT],
  [Db, DATABASE],
  [Collection, COLLECTION],
  [ClientSession, SESSION],
  [GridFSBucket, BUCKET],
  [ChangeStream, STREAM],
  [AbstractCursor, CURSOR],
] as unknown as [abstract new () => object, Table<unknown>][];

/** Operations whose result is an array of documents out of a cursor: each of them is a root document. */
export const ITERABLES = new Set(['aggregate', 'find', 'listCollections', 'listDatabases', 'listIndexes', 'runCursorCommand']);

/** Opens a stream on the server now: by itself it waits for the first event that is asked for. */
async function opened(stream: ChangeStream): Promise<ChangeStream> {
  const early = await stream.tryNext();
  if (early !== null) throw new Error('a change stream had an event before it was opened');
  return stream;
}

/** Sends the command of a cursor now; what that takes out is the first iteration's. */
async function started<T>(cursor: AbstractCursor<T>): Promise<AbstractCursor<T>> {
  firsts.set(cursor as AbstractCursor, { document: await cursor.tryNext() });
  return cursor;
}

function taken(cursor: AbstractCursor): unknown {
  const first = firsts.get(cursor);
  firsts.delete(cursor);
  return first?.document ?? undefined;
}

function commandCursor(db: Db, { command, commandName: _name, ...options }: Arguments): AbstractCursor {
  return db.runCursorCommand(document(command), options);
}

/** The format names a model by its key, the API by a field. */
function modelOf(given: Document): AnyClientBulkWriteModel {
  const [[name, model] = ['', {}]] = Object.entries(given) as [string, Document][];
  return { name, ...model } as AnyClientBulkWriteModel;
}

function returning(options: Arguments): Arguments {
  const { returnDocument } = options;
  if (returnDocument === undefined) return options;
  const value = String(returnDocument).toLowerCase();
  if (value !== 'before' && value !== 'after') throw new Error(`returnDocument ${String(returnDocument)} is neither Before nor After`);
  return { ...options, returnDocument: value };
}

function without(given: Arguments, name: string): Arguments {
  return Object.fromEntries(Object.entries(given).filter(([key]) => key !== name));
}
