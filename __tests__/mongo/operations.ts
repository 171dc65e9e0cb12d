/**
 * @module __tests__/mongo/operations
 *
 * Every operation that takes options, the Node driver's type of its options, and what becomes of each option here: the table that `options.test.ts` checks
 * against the types, the commands that reach the server, and the errors.
 */
import type { Db, Document } from '../../dist/index.js';

/** What becomes of an option: these fields are in the command; it is refused by name; the command stays what it is. */
export type Fate = { readonly sent: Document } | 'refused' | 'same' | 'explained' | 'session' | 'limited';

/** An option: the value it is tried with, and what becomes of it. */
export type Options = Readonly<Record<string, readonly [unknown, Fate]>>;

/** An operation. */
export interface Tried {
  /** The Node driver's type of its options. */
  readonly type: string;
  readonly options: Options;
  /** The command that is looked at. */
  readonly command: string;
  run(db: Db, options: never): Promise<unknown>;
}

const sent = (name: string, value: unknown, fields: Document = { [name]: value }): Options => ({ [name]: [value, { sent: fields }] });
const all = (names: string, value: unknown, fate: Fate): Options =>
  Object.fromEntries(names.split(' ').map((name) => [name, [value, fate] as const]));

/** Flags of the BSON library have tests of their own; `raw` is about replies. */
const FLAGS: Options = {
  ...all('bsonRegExp ignoreUndefined promoteBuffers promoteLongs promoteValues serializeFunctions useBigInt64 raw', true, 'same'),
  ...all('checkKeys enableUtf8Validation', false, 'same'),
  fieldsAsRaw: [{}, 'same'],
};
const EVERY: Options = {
  ...FLAGS,
  ...all('dbName authdb willRetryWrite', 'x', 'refused'),
  session: [undefined, 'session'],
  timeoutMS: [60_000, 'limited'],
  comment: ['why', { sent: { comment: 'why' } }],
  maxTimeMS: [5_000, { sent: { maxTimeMS: 5_000 } }],
};
const CONCERN = { w: 1, wtimeout: 700 };
const READ: Options = {
  ...EVERY,
  ...sent('readConcern', { level: 'majority' }),
  ...sent('collation', { locale: 'fr' }),
  readPreference: ['secondaryPreferred', { sent: { $readPreference: { mode: 'secondaryPreferred' } } }],
  explain: ['queryPlanner', 'explained'],
  writeConcern: [CONCERN, 'same'],
};
/** Reads and preferences mean nothing to a write: it runs on the primary, and reads nothing for the caller. */
const WRITE: Options = {
  ...EVERY,
  ...sent('writeConcern', CONCERN),
  readConcern: [{ level: 'majority' }, 'same'],
  readPreference: ['secondaryPreferred', 'same'],
  explain: ['queryPlanner', 'explained'],
};
const NO_PLAN = all('explain', 'queryPlanner', 'refused');
const NO_COLLATION = all('collation', { locale: 'fr' }, 'refused');
/** Commands that change collections, indexes, databases. */
const CHANGE: Options = { ...WRITE, ...NO_PLAN, ...NO_COLLATION };
/** Commands that tell something. */
const TELL: Options = { ...READ, ...NO_PLAN, ...NO_COLLATION, readConcern: [{ level: 'local' }, 'same'] };
const CURSOR: Options = { ...sent('batchSize', 5), maxAwaitTimeMS: [100, 'same'], timeoutMode: ['cursorLifetime', 'same'] };
const FIND: Options = {
  ...READ,
  ...CURSOR,
  ...['allowDiskUse', 'allowPartialResults', 'noCursorTimeout', 'oplogReplay', 'returnKey', 'showRecordId', 'singleBatch']
    .map((name) => sent(name, true)).reduce((one, other) => ({ ...one, ...other })),
  ...sent('hint', { _id: 1 }), ...sent('let', { x: 1 }), ...sent('limit', 2), ...sent('skip', 1), ...sent('sort', { a: -1 }), ...sent('projection', { a: 1 }),
  // A bound needs the index that it is of.
  min: [{ _id: 1 }, { sent: { min: { _id: 1 } } }], max: [{ _id: 9 }, { sent: { max: { _id: 9 } } }],
  tailable: [true, { sent: { tailable: true } }], awaitData: [true, { sent: { awaitData: true } }],
  timeout: [false, { sent: { noCursorTimeout: true } }],
}; // prettier-ignore
const AGGREGATE: Options = {
  ...READ,
  ...sent('allowDiskUse', true),
  ...sent('bypassDocumentValidation', true),
  ...sent('hint', { _id: 1 }),
  ...sent('let', { x: 1 }),
  batchSize: [5, { sent: { cursor: { batchSize: 5 } } }],
  cursor: [{ batchSize: 5 }, { sent: { cursor: { batchSize: 5 } } }],
  maxAwaitTimeMS: [100, 'same'],
  out: ['copy', { sent: { pipeline: [{ $match: { a: 1 } }, { $out: 'copy' }] } }],
};
const INSERT: Options = {
  ...CHANGE,
  ...sent('bypassDocumentValidation', true),
  forceServerObjectId: [true, { sent: { documents: [{ a: 1 }] } }],
};
const statement = (list: string, name: string, value: unknown): Options => ({ [name]: [value, { sent: { [list]: [{ [name]: value }] } }] });
const BULK: Options = { ...INSERT, ...sent('ordered', false), ...sent('let', { x: 1 }), forceServerObjectId: [true, 'same'] };
const UPDATE: Options = {
  ...WRITE,
  ...sent('bypassDocumentValidation', true),
  ...sent('let', { x: 1 }),
  ...statement('updates', 'upsert', true),
  ...statement('updates', 'hint', { _id: 1 }),
  ...statement('updates', 'collation', { locale: 'fr' }),
  ...statement('updates', 'arrayFilters', []),
};
// Servers from 8.0 know `sort` of an update; one that does not says so.
const REPLACE: Options = { ...UPDATE, ...statement('updates', 'sort', { a: 1 }) };
const DELETE: Options = {
  ...WRITE,
  ...sent('let', { x: 1 }),
  ...sent('ordered', false),
  ...statement('deletes', 'hint', { _id: 1 }),
  ...statement('deletes', 'collation', { locale: 'fr' }),
};
const MODIFY: Options = {
  ...WRITE,
  ...sent('collation', { locale: 'fr' }),
  ...sent('hint', { _id: 1 }),
  ...sent('let', { x: 1 }),
  ...sent('sort', { a: 1 }),
  projection: [{ a: 1 }, { sent: { fields: { a: 1 } } }],
  includeResultMetadata: [true, 'same'],
};
const MODIFY_UPDATE: Options = {
  ...MODIFY,
  ...sent('bypassDocumentValidation', true),
  ...sent('upsert', true),
  ...sent('arrayFilters', []),
  returnDocument: ['after', { sent: { new: true } }],
};
const index = (name: string, value: unknown, field = name): Options => ({ [name]: [value, { sent: { indexes: [{ [field]: value }] } }] });
const INDEX: Options = {
  ...CHANGE, ...sent('commitQuorum', 1),
  ...index('2dsphereIndexVersion', 3), ...index('background', true), ...index('bits', 26), ...index('bucketSize', 1), ...index('collation', { locale: 'fr' }),
  ...index('default_language', 'english'), ...index('expireAfterSeconds', 9), ...index('hidden', true), ...index('language_override', 'l'),
  ...index('max', 9), ...index('min', 1), ...index('name', 'mine'), ...index('partialFilterExpression', { a: 1 }), ...index('sparse', true),
  ...index('storageEngine', { wiredTiger: {} }), ...index('textIndexVersion', 3), ...index('unique', true), ...index('version', 2, 'v'), ...index('weights', { a: 1 }),
  ...index('wildcardProjection', { a: 1 }),
}; // prettier-ignore
const BESIDE = all(
  '2dsphereIndexVersion collation background bits bucketSize default_language expireAfterSeconds hidden language_override max min name partialFilterExpression sparse ' +
    'storageEngine textIndexVersion unique version weights wildcardProjection',
  1,
  'refused',
);
const LIST: Options = {
  ...TELL,
  ...all('tailable awaitData noCursorTimeout', true, 'refused'),
  maxAwaitTimeMS: [100, 'same'],
  timeoutMode: ['iteration', 'same'],
  batchSize: [5, { sent: { cursor: { batchSize: 5 } } }],
};
const CREATE: Options = {
  ...CHANGE, pkFactory: [{ createPk: () => 1 }, 'same'], encryptedFields: [{ fields: [] }, 'refused'],
  ...['autoIndexId', 'capped', 'changeStreamPreAndPostImages', 'clusteredIndex', 'collation', 'expireAfterSeconds', 'flags', 'indexOptionDefaults', 'max', 'pipeline',
    'size', 'storageEngine', 'timeseries', 'validationAction', 'validationLevel', 'validator', 'viewOn']
    .map((name) => sent(name, { x: 1 })).reduce((one, other) => ({ ...one, ...other })),
}; // prettier-ignore

const one = (options: Options, type: string, command: string, run: Tried['run']): Tried => ({ options, type, command, run });
const c = (db: Db) => db.collection('c');

/** The operations. */
export const OPERATIONS: Readonly<Record<string, Tried>> = {
  find: one(FIND, 'FindOptions', 'find', (db, o) => c(db).find({ a: 1 }, o).next()),
  findOne: one({ ...FIND, ...all('tailable awaitData', true, 'refused') }, 'FindOneOptions', 'find', (db, o) => c(db).findOne({ a: 1 }, o)),
  aggregate: one(AGGREGATE, 'AggregateOptions', 'aggregate', (db, o) => c(db).aggregate([{ $match: { a: 1 } }], o).toArray()),
  countDocuments: one(
    { ...AGGREGATE, ...all('limit skip', 1, 'same'), batchSize: [5, 'same'], cursor: [{ batchSize: 5 }, 'same'], out: ['copy', 'refused'],
      limit: [2, { sent: { pipeline: [{ $match: {} }, { $limit: 2 }, { $group: { _id: 1 } }] } }],
      skip: [2, { sent: { pipeline: [{ $match: {} }, { $skip: 2 }, { $group: { _id: 1 } }] } }] },
    'CountDocumentsOptions', 'aggregate', (db, o) => c(db).countDocuments({}, o),
  ),
  estimatedDocumentCount: one({ ...READ, ...NO_PLAN }, 'EstimatedDocumentCountOptions', 'count', (db, o) => c(db).estimatedDocumentCount(o)),
  distinct: one({ ...READ, ...sent('hint', { _id: 1 }) }, 'DistinctOptions', 'distinct', (db, o) => c(db).distinct('a', {}, o)),
  insertOne: one(INSERT, 'InsertOneOptions', 'insert', (db, o) => c(db).insertOne({ a: 1 }, o)),
  insertMany: one({ ...BULK, ...INSERT, ...sent('ordered', false), let: [{ x: 1 }, 'same'] }, 'BulkWriteOptions', 'insert', (db, o) => c(db).insertMany([{ a: 1 }], o)),
  bulkWrite: one(BULK, 'BulkWriteOptions', 'update', (db, o) => c(db).bulkWrite([{ updateOne: { filter: { a: 7 }, update: { $set: { b: 1 } } } }], o)),
  updateOne: one(UPDATE, 'UpdateOptions', 'update', (db, o) => c(db).updateOne({ a: 7 }, { $set: { b: 1 } }, o)),
  updateMany: one(UPDATE, 'UpdateOptions', 'update', (db, o) => c(db).updateMany({ a: 7 }, { $set: { b: 1 } }, o)),
  replaceOne: one({ ...REPLACE, arrayFilters: UPDATE['arrayFilters'] as never }, 'ReplaceOptions', 'update', (db, o) => c(db).replaceOne({ a: 7 }, { b: 1 }, o)),
  deleteOne: one(DELETE, 'DeleteOptions', 'delete', (db, o) => c(db).deleteOne({ a: 7 }, o)),
  deleteMany: one(DELETE, 'DeleteOptions', 'delete', (db, o) => c(db).deleteMany({ a: 7 }, o)),
  findOneAndUpdate: one(MODIFY_UPDATE, 'FindOneAndUpdateOptions', 'findAndModify', (db, o) => c(db).findOneAndUpdate({ a: 7 }, { $set: { b: 1 } }, o)),
  findOneAndReplace: one(MODIFY_UPDATE, 'FindOneAndReplaceOptions', 'findAndModify', (db, o) => c(db).findOneAndReplace({ a: 7 }, { b: 1 }, o)),
  findOneAndDelete: one(MODIFY, 'FindOneAndDeleteOptions', 'findAndModify', (db, o) => c(db).findOneAndDelete({ a: 7 }, o)),
  createIndex: one(INDEX, 'CreateIndexesOptions', 'createIndexes', (db, o) => c(db).createIndex({ a: 1 }, o)),
  createIndexes: one({ ...INDEX, ...BESIDE }, 'CreateIndexesOptions', 'createIndexes', (db, o) => c(db).createIndexes([{ key: { a: 1 } }], o)),
  dropIndex: one(CHANGE, 'DropIndexesOptions', 'dropIndexes', (db, o) => c(db).dropIndex('none', o)),
  dropIndexes: one(CHANGE, 'DropIndexesOptions', 'dropIndexes', (db, o) => c(db).dropIndexes(o)),
  listIndexes: one(LIST, 'ListIndexesOptions', 'listIndexes', (db, o) => c(db).listIndexes(o).toArray()),
  indexes: one({ ...LIST, full: [true, 'same'] }, 'IndexInformationOptions', 'listIndexes', (db, o) => c(db).indexes(o)),
  rename: one({ ...CHANGE, new_collection: [true, 'same'], ...sent('dropTarget', true) }, 'RenameOptions', 'renameCollection', (db, o) => c(db).rename('d', o)),
  drop: one({ ...CHANGE, encryptedFields: [{ fields: [] }, 'refused'] }, 'DropCollectionOptions', 'drop', (db, o) => db.collection('none').drop(o)),
  createCollection: one(CREATE, 'CreateCollectionOptions', 'create', (db, o) => db.createCollection('none', o)),
  dropDatabase: one(CHANGE, 'DropDatabaseOptions', 'dropDatabase', (db, o) => db.client.db('mooring_options_empty').dropDatabase(o)),
  listCollections: one({ ...LIST, ...sent('nameOnly', true), ...sent('authorizedCollections', true), signal: [new AbortController().signal, 'same'] },
    'ListCollectionsOptions', 'listCollections', (db, o) => db.listCollections({}, o).toArray()),
  listDatabases: one({ ...TELL, ...sent('nameOnly', true), ...sent('authorizedDatabases', true), ...sent('filter', { name: 'x' }) },
    'ListDatabasesOptions', 'listDatabases', (db, o) => db.admin().listDatabases(o)),
  stats: one({ ...TELL, ...sent('scale', 1024) }, 'DbStatsOptions', 'dbStats', (db, o) => db.stats(o)),
  ping: one(TELL, 'CommandOperationOptions', 'ping', (db, o) => db.admin().ping(o)),
  validateCollection: one({ ...TELL, ...sent('background', false) }, 'ValidateCollectionOptions', 'validate', (db, o) => db.admin().validateCollection('c', o)),
  removeUser: one(CHANGE, 'RemoveUserOptions', 'dropUser', (db, o) => db.removeUser('none', o)),
  profilingLevel: one(TELL, 'ProfilingLevelOptions', 'profile', (db, o) => db.profilingLevel(o)),
  setProfilingLevel: one(TELL, 'SetProfilingLevelOptions', 'profile', (db, o) => db.setProfilingLevel('off', o)),
  command: one({ ...TELL, signal: [new AbortController().signal, 'same'] }, 'RunCommandOptions', 'ping', (db, o) => db.command({ ping: 1 }, o)),
  runCursorCommand: one({ ...READ, ...all('tailable awaitData', true, 'same'), timeoutMode: ['iteration', 'same'] },
    'RunCursorCommandOptions', 'find', (db, o) => db.runCursorCommand({ find: 'c', filter: { a: 1 } }, o).toArray()),
}; // prettier-ignore
