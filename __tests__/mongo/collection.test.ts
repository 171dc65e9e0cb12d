/** @module __tests__/mongo/collection: documents in and out, with the results and errors of the Node driver. */
// oxlint-disable eslint/no-underscore-dangle -- MongoDB's name of the key
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import * as mongodb from 'mongodb';
import { type Collection, type MongoClient } from '../../dist/index.js';
import { connected, failCommand, failureOf } from './fixture';

let client: MongoClient;
let items: Collection;

beforeAll(async () => {
  client = await connected('mooring_collection');
});
beforeEach(async () => {
  items = client.db().collection('items');
  await items.drop();
});
afterEach(() => failCommand(client, 'off'));
afterAll(() => client.close());

describe('writes', () => {
  test('make an _id in the document and return it', async () => {
    const document: { _id?: unknown; a: number } = { a: 1 };
    const { acknowledged, insertedId } = await items.insertOne(document);
    expect(acknowledged).toBe(true);
    expect(insertedId).toBeInstanceOf(mongodb.ObjectId);
    expect(document._id).toBe(insertedId);
    const many = await items.insertMany([{ _id: 'x' }, { b: 2 }]);
    expect(many).toMatchObject({ acknowledged: true, insertedCount: 2, insertedIds: { 0: 'x', 1: expect.any(mongodb.ObjectId) } });
  });

  test('report what an update, a replacement and a delete did', async () => {
    await items.insertMany([{ _id: 1, a: 1 }, { _id: 2, a: 1 }, { _id: 3, a: 2 }]); // prettier-ignore
    const nothing = { acknowledged: true, upsertedId: null, upsertedCount: 0 };
    expect(await items.updateOne({ a: 1 }, { $set: { b: 1 } })).toEqual({ ...nothing, matchedCount: 1, modifiedCount: 1 });
    expect(await items.updateMany({ a: 1 }, { $set: { b: 1 } })).toEqual({ ...nothing, matchedCount: 2, modifiedCount: 1 });
    expect(await items.updateOne({ a: 9 }, [{ $set: { c: 1 } }], { upsert: true })).toMatchObject({
      matchedCount: 0,
      upsertedCount: 1,
      upsertedId: expect.anything(),
    });
    expect(await items.replaceOne({ _id: 3 }, { z: 1 })).toEqual({ ...nothing, matchedCount: 1, modifiedCount: 1 });
    expect(await items.findOne({ _id: 3 })).toEqual({ _id: 3, z: 1 });
    expect(await items.deleteOne({ a: 1 })).toEqual({ acknowledged: true, deletedCount: 1 });
    expect(await items.deleteMany({})).toEqual({ acknowledged: true, deletedCount: 3 });
  });

  test('return the document before or after, or the whole reply', async () => {
    await items.insertOne({ _id: 1, n: 1 });
    expect(await items.findOneAndUpdate({ _id: 1 }, { $inc: { n: 1 } })).toEqual({ _id: 1, n: 1 });
    expect(await items.findOneAndUpdate({ _id: 1 }, { $inc: { n: 1 } }, { returnDocument: 'after', projection: { _id: 0 } })).toEqual({
      n: 3,
    });
    expect(await items.findOneAndUpdate({ _id: 7 }, { $inc: { n: 1 } })).toBeNull();
    const reply = await items.findOneAndUpdate(
      { _id: 8 },
      { $set: { n: 0 } },
      { upsert: true, returnDocument: 'after', includeResultMetadata: true },
    );
    expect(reply).toMatchObject({ ok: 1, value: { _id: 8, n: 0 }, lastErrorObject: { n: 1, updatedExisting: false, upserted: 8 } });
    expect(await items.findOneAndReplace({ _id: 1 }, { r: 1 }, { returnDocument: 'after' })).toEqual({ _id: 1, r: 1 });
    expect(await items.findOneAndDelete({}, { sort: { _id: -1 } })).toEqual({ _id: 8, n: 0 });
  });

  test('fail on a duplicate key with key pattern, value and the class of the host', async () => {
    await items.createIndex({ email: 1 }, { unique: true });
    await items.insertOne({ email: 'a@example.org' });
    const error = await failureOf(() => items.insertOne({ email: 'a@example.org' }));
    expect(error).toBeInstanceOf(mongodb.MongoServerError);
    expect(error).toMatchObject({ code: 11_000, keyPattern: { email: 1 }, keyValue: { email: 'a@example.org' }, index: 0 });
    expect(error.stack).toContain('collection.test.ts');
    const updated = await failureOf(() => items.updateOne({ email: 'b' }, { $set: { email: 'a@example.org' } }, { upsert: true }));
    expect(updated).toMatchObject({ name: 'MongoServerError', code: 11_000, keyValue: { email: 'a@example.org' } });
    const found = await failureOf(() => items.findOneAndUpdate({ email: 'b' }, { $set: { email: 'a@example.org' } }, { upsert: true }));
    expect(found).toMatchObject({ name: 'MongoServerError', code: 11_000, keyValue: { email: 'a@example.org' } });
  });

  test('are sent once more after a retryable error and applied once', async () => {
    const labelled = { errorCode: 262, errorLabels: ['RetryableWriteError'] };
    for (const [name, write] of Object.entries({
      insert: () => items.insertOne({ _id: 1 }),
      update: () => items.updateOne({ _id: 1 }, { $inc: { n: 1 } }),
      findAndModify: () => items.findOneAndUpdate({ _id: 1 }, { $inc: { n: 1 } }),
      delete: () => items.deleteOne({ _id: 1, n: 2 }),
    })) {
      await failCommand(client, { times: 1 }, { failCommands: [name], ...labelled });
      await write();
    }
    expect(await items.countDocuments()).toBe(0);
    await failCommand(client, { times: 1 }, { failCommands: ['insert'], closeConnection: true });
    await items.insertOne({ _id: 2 });
    expect(await items.countDocuments()).toBe(1);
  });

  test('carry the labels of the server', async () => {
    await failCommand(client, { times: 1 }, { failCommands: ['update'], errorCode: 8_000, errorLabels: ['PlantedLabel'] });
    const error = (await failureOf(() => items.updateOne({}, { $set: { a: 1 } }))) as unknown as mongodb.MongoServerError;
    expect(error.hasErrorLabel('PlantedLabel')).toBe(true);
    expect(error.code).toBe(8_000);
  });

  test('that the server stops at their deadline have timed out, like those that are stopped here', async () => {
    for (const [command, run] of [
      ['insert', () => items.insertOne({ a: 1 }, { timeoutMS: 20_000 })],
      ['find', () => items.findOne({}, { timeoutMS: 20_000 })],
    ] as const) {
      await failCommand(client, { times: 1 }, { failCommands: [command], errorCode: 50 });
      const error = await failureOf(run);
      expect(error).toBeInstanceOf(mongodb.MongoOperationTimeoutError);
      expect(error).toMatchObject({ code: 'MOORING_TIMEOUT', details: { maybeExecuted: true } });
    }
    await failCommand(client, { times: 1 }, { failCommands: ['find'], errorCode: 50 });
    // A limit of the server's own is its error.
    expect(await failureOf(() => items.findOne({}, { maxTimeMS: 20_000 }))).toMatchObject({ name: 'MongoServerError', code: 50 });
  });

  test('report a write concern that was not met', async () => {
    const error = await failureOf(() => items.insertOne({ a: 1 }, { writeConcern: { w: 5, wtimeoutMS: 50 } }));
    expect(error).toBeInstanceOf(mongodb.MongoWriteConcernError);
    expect(error['code']).toBe(100);
    expect(await items.countDocuments()).toBe(1);
  });
});

describe('reads', () => {
  test('count, list distinct values and find one', async () => {
    await items.insertMany(Array.from({ length: 10 }, (_, n) => ({ _id: n, even: n % 2 === 0 })));
    expect(await items.countDocuments({ even: true })).toBe(5);
    expect(await items.countDocuments({}, { skip: 2, limit: 3 })).toBe(3);
    expect(await items.estimatedDocumentCount()).toBe(10);
    expect(await items.count({ even: true }, { skip: 1, limit: 3 })).toBe(3);
    expect(await items.distinct('even', { _id: { $lt: 1 } })).toEqual([true]);
    expect(await items.findOne({ even: true }, { sort: [['_id', 'desc']], projection: { even: 0 } })).toEqual({ _id: 8 });
    expect(await items.findOne({ _id: 99 })).toBeNull();
  });

  test('keep every BSON type, and decode by the flags that are given', async () => {
    const { Binary, Decimal128, Int32, Long, ObjectId, Timestamp, UUID } = mongodb;
    const document = {
      _id: new ObjectId(), long: Long.fromString('9007199254740993'), int: new Int32(7), double: 1.5, minusZero: -0, nan: Number.NaN, date: new Date(0),
      decimal: Decimal128.fromString('1.10'), binary: new Binary(Buffer.from('abc')), uuid: new UUID(), stamp: new Timestamp({ t: 1, i: 2 }), regex: /a.b/i,
      nested: { $odd: 1, array: [null, true, 'ü€😀'] }, extended: { $oid: '0123456789abcdef01234567', more: 1 },
    }; // prettier-ignore
    await items.insertOne(document);
    const found = (await items.findOne({ _id: document._id })) as typeof document;
    expect(found.long.toString()).toBe('9007199254740993');
    expect(Object.is(found.minusZero, -0)).toBe(true);
    expect(found).toMatchObject({
      nan: Number.NaN,
      date: document.date,
      regex: document.regex,
      nested: document.nested,
      extended: document.extended,
    });
    expect(found.decimal.toString()).toBe('1.10');
    expect(found.uuid.toString()).toBe(document.uuid.toString());
    const big = (await items.findOne({ _id: document._id }, { useBigInt64: true })) as unknown as { long: bigint };
    expect(big.long).toBe(9_007_199_254_740_993n);
    const raw = await items.findOne({ _id: document._id }, { raw: true });
    expect(Buffer.isBuffer(raw)).toBe(true);
    expect(await items.countDocuments({ 'extended.$oid': '0123456789abcdef01234567' })).toBe(1);
  });

  test('carry documents up to the limit of the server, and refuse larger ones', async () => {
    const text = 'x'.repeat(16 * 1024 * 1024 - 1024);
    await items.insertOne({ _id: 1, text });
    expect(((await items.findOne({ _id: 1 })) as unknown as { text: string }).text).toHaveLength(text.length);
    const error = await failureOf(() => items.insertOne({ _id: 2, text: text + text }));
    expect(error.message).toMatch(/large|size|exceed/i);
    await items.deleteMany({});
    const chunk = 'y'.repeat(5 * 1024 * 1024);
    expect((await items.insertMany(Array.from({ length: 6 }, (_, n) => ({ _id: n, chunk })))).insertedCount).toBe(6);
  });
});

describe('indexes', () => {
  test('are created, listed and dropped', async () => {
    expect(await items.createIndex({ a: 1, b: -1 }, { sparse: true })).toBe('a_1_b_-1');
    expect(await items.createIndexes([{ key: { c: 1 }, name: 'named', expireAfterSeconds: 60 }, { key: { d: 'text' } }])).toEqual([
      'named',
      'd_text',
    ]);
    expect(await items.indexInformation()).toMatchObject({ 'a_1_b_-1': [['a', 1], ['b', -1]] }); // prettier-ignore
    expect(await items.indexes()).toContainEqual({ v: 2, key: { c: 1 }, name: 'named', expireAfterSeconds: 60 });
    expect(await items.indexExists(['named', '_id_'])).toBe(true);
    await items.dropIndex('named');
    expect(await items.indexExists('named')).toBe(false);
    expect(await items.dropIndexes()).toBe(true);
    expect((await items.listIndexes().toArray()).map(({ name }) => name)).toEqual(['_id_']);
    const conflict = await failureOf(async () => {
      await items.createIndex({ e: 1 }, { name: 'e' });
      await items.createIndex({ e: 1 }, { name: 'e', unique: true });
    });
    expect(conflict).toMatchObject({ name: 'MongoServerError', codeName: 'IndexKeySpecsConflict' });
  });
});

describe('a database', () => {
  test('creates, lists, renames and drops collections', async () => {
    const db = client.db();
    const capped = await db.createCollection('capped', { capped: true, size: 4_096 });
    expect(await capped.isCapped()).toBe(true);
    expect((await failureOf(() => db.createCollection('capped')))['codeName']).toBe('NamespaceExists');
    await capped.rename('renamed');
    expect((await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name)).toContain('renamed');
    expect((await db.collections()).map(({ collectionName }) => collectionName)).toContain('renamed');
    expect(await db.dropCollection('renamed')).toBe(true);
    expect(await db.dropCollection('never was')).toBe(true);
    expect((await db.admin().listDatabases())['databases']).toEqual(expect.arrayContaining([expect.objectContaining({ name: 'admin' })]));
    expect((await db.stats())['ok']).toBe(1);
    expect(await db.aggregate([{ $documents: [{ a: 1 }] }]).toArray()).toEqual([{ a: 1 }]);
  });
});
