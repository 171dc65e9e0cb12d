/** @module __tests__/mongo/bulk: bulk writes with the counts, ids and errors of the Node driver. */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import * as mongodb from 'mongodb';
import { BulkWriteResult, type Collection, isMooringError, type MongoClient } from '../../dist/index.js';
import { connected, failCommand, failureOf } from './fixture';

let client: MongoClient;
let items: Collection;

beforeAll(async () => {
  client = await connected('mooring_bulk');
});
beforeEach(async () => {
  items = client.db().collection('items');
  await items.drop();
});
afterAll(() => client.close());

test('runs mixed operations in order and counts them', async () => {
  const result = await items.bulkWrite([
    { insertOne: { document: { _id: 1, n: 1 } } },
    { insertOne: { document: { _id: 2, n: 1 } } },
    { updateOne: { filter: { _id: 1 }, update: { $inc: { n: 1 } } } },
    { updateMany: { filter: {}, update: { $inc: { n: 1 } } } },
    { replaceOne: { filter: { _id: 3 }, replacement: { n: 9 }, upsert: true } },
    { deleteOne: { filter: { _id: 2 } } },
    { deleteMany: { filter: { n: 100 } } },
  ]);
  expect(result).toBeInstanceOf(BulkWriteResult);
  expect(result).toMatchObject({
    insertedCount: 2,
    matchedCount: 3,
    modifiedCount: 3,
    upsertedCount: 1,
    deletedCount: 1,
    upsertedIds: { 4: 3 },
    insertedIds: { 0: 1, 1: 2 },
  });
  expect(await items.find().sort({ _id: 1 }).toArray()).toEqual([{ _id: 1, n: 3 }, { _id: 3, n: 9 }]); // prettier-ignore
});

test('stops at the first error when ordered, and runs on when not', async () => {
  const operations = [1, 1, 2, 2, 3].map((_id) => ({ insertOne: { document: { _id } } }));
  const ordered = await failureOf(() => items.bulkWrite(operations));
  expect(ordered).toBeInstanceOf(mongodb.MongoBulkWriteError);
  expect(ordered).toMatchObject({ code: 11_000, insertedCount: 1, insertedIds: { 0: 1 } });
  expect(ordered['writeErrors']).toHaveLength(1);
  expect(await items.countDocuments()).toBe(1);
  await items.deleteMany({});
  const unordered = await failureOf(() => items.bulkWrite(operations, { ordered: false }));
  expect(unordered).toMatchObject({ insertedCount: 3, insertedIds: { 0: 1, 2: 2, 4: 3 } });
  expect((unordered['writeErrors'] as { index: number }[]).map(({ index }) => index)).toEqual([1, 3]);
});

test('names the operation that failed, as the command says it', async () => {
  await items.createIndex({ n: 1 }, { unique: true });
  await items.insertMany([{ _id: 1, n: 1 }, { _id: 2, n: 2 }]); // prettier-ignore
  const failed = async (operation: object): Promise<unknown> => {
    const { writeErrors } = await failureOf(() => items.bulkWrite([operation]));
    const [error] = writeErrors as { err: { op: object }; getOperation(): object }[];
    expect(error?.getOperation()).toBe(error?.err.op);
    return error?.err.op;
  };
  const taken = { _id: 2 };
  expect(await failed({ insertOne: { document: { _id: 1 } } })).toEqual({ _id: 1 });
  expect(await failed({ updateOne: { filter: taken, update: { $set: { n: 1 } }, upsert: true } })).toEqual({ q: taken, u: { $set: { n: 1 } }, upsert: true, multi: false }); // prettier-ignore
  expect(await failed({ replaceOne: { filter: taken, replacement: { n: 1 } } })).toEqual({ q: taken, u: { n: 1 }, multi: false });
  expect(await failed({ deleteOne: { filter: { $bad: 1 } } })).toEqual({ q: { $bad: 1 }, limit: 1 });
  await items.dropIndexes();
});

test('gives insertMany the same errors', async () => {
  const error = await failureOf(() => items.insertMany([{ _id: 1 }, { _id: 1 }, { _id: 2 }], { ordered: false }));
  expect(error).toMatchObject({ name: 'MongoBulkWriteError', code: 11_000, insertedCount: 2 });
  expect((error['writeErrors'] as { index: number; err: object }[])[0]).toMatchObject({ index: 1, err: { keyValue: { _id: 1 } } });
  expect(await items.countDocuments()).toBe(2);
});

test('splits what exceeds one message', async () => {
  const text = 'x'.repeat(100_000);
  const result = await items.bulkWrite(Array.from({ length: 400 }, (_, n) => ({ insertOne: { document: { _id: n, text } } })));
  expect(result.insertedCount).toBe(400);
  expect(await items.countDocuments()).toBe(400);
});

test('says what was done before a command of it failed as a whole', async () => {
  const operations = [{ insertOne: { document: { _id: 1 } } }, { updateOne: { filter: { _id: 1 }, update: { $set: { a: 1 } } } }];
  const faults = [
    { closeConnection: true, code: 'MOORING_DISCONNECTED' },
    { errorCode: 13, code: 13 },
  ];
  for (const { code, ...fault } of faults) {
    await items.deleteMany({});
    await failCommand(client, { times: 2 }, { failCommands: ['update'], ...fault });
    const cut = await failureOf(() => items.bulkWrite(operations));
    await failCommand(client, 'off');
    expect(cut).toBeInstanceOf(mongodb.MongoBulkWriteError);
    expect(cut).toMatchObject({ code, insertedCount: 1, modifiedCount: 0, insertedIds: { 0: 1 }, writeErrors: [] });
    expect(isMooringError(cut.cause)).toBe(true);
  }
});

test('is put together step by step, once', async () => {
  const bulk = items.initializeOrderedBulkOp();
  bulk.insert({ _id: 1 }).insert({ _id: 2 });
  bulk.find({ _id: 1 }).updateOne({ $set: { a: 1 } });
  bulk.find({ _id: 5 }).upsert().replaceOne({ b: 1 });
  bulk.find({ _id: 2 }).deleteOne();
  expect(bulk.length).toBe(5);
  expect(await bulk.execute()).toMatchObject({ insertedCount: 2, modifiedCount: 1, upsertedCount: 1, deletedCount: 1 });
  expect((await failureOf(() => bulk.execute())).name).toBe('MongoBatchReExecutionError');
  expect(() => items.initializeUnorderedBulkOp().find({}).updateOne({ a: 1 })).toThrow('Update document requires atomic operators');
});

test('takes part in a transaction', async () => {
  await client.db().createCollection('items');
  await client.withSession(async (session) => {
    session.startTransaction();
    await items.bulkWrite([{ insertOne: { document: { _id: 1 } } }, { updateOne: { filter: { _id: 1 }, update: { $set: { a: 1 } } } }], {
      session,
    });
    expect(await items.countDocuments()).toBe(0);
    await session.abortTransaction();
  });
  expect(await items.countDocuments()).toBe(0);
});
