/** @module __tests__/mongo/arguments: wrong arguments are refused by name before any I/O; what is used after its end says so; what is late is counted. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  connectDB,
  disconnectDB,
  ensureDBConnection,
  getSessionStats,
  isMooringError,
  MongoClient,
  withSession,
  withTransaction,
} from '../../dist/index.js';
import { createDriver } from '../../dist/mongo/mongoose.js';
import { connected, failureOf, recorder, until, uriFor } from './fixture';

let client: MongoClient;

beforeAll(async () => {
  client = await connected('mooring_arguments');
  await client.db().createCollection('items');
});
afterAll(() => client.close());

async function refusedArgument(run: () => unknown): Promise<unknown> {
  const error = await failureOf(run);
  expect(isMooringError(error, 'MOORING_INVALID_ARGUMENT')).toBe(true);
  return (error['details'] as { argument?: unknown }).argument;
}

describe('are refused by name', () => {
  test.each([
    ['readConcern', [1, [], true]],
    ['writeConcern', [[], true, 'majority']],
    ['readPreference', [1, [], true, {}]],
  ])('%s of a transaction', async (name, values) => {
    for (const value of values) {
      const options = { [name]: value } as never;
      expect(await refusedArgument(() => withTransaction(async () => 1, { client, logger: recorder(), ...(options as object) }))).toBe(
        name,
      );
      await withSession(async (session) => expect(await refusedArgument(() => session.startTransaction(options))).toBe(name), { client });
    }
  });

  test('timeoutMS of session.withTransaction, which leaves no transaction open', async () => {
    await withSession(
      async (session) => {
        for (const timeoutMS of [Number.NaN, -1, '5' as never])
          expect(await refusedArgument(() => session.withTransaction(async () => 1, { timeoutMS }))).toBe('timeoutMS');
        expect(await session.withTransaction(async () => 2, { timeoutMS: 5_000 })).toBe(2);
      },
      { client },
    );
  });

  test.each([
    ['causalConsistency', [1, 'x', {}]],
    ['snapshot', [1, 'x', {}]],
    ['defaultTransactionOptions', [1, 'x', true, []]],
  ])('%s of a session', async (name, values) => {
    for (const value of values) expect(await refusedArgument(() => client.startSession({ [name]: value }))).toBe(name);
  });

  test('defaultTimeoutMS of a session', async () => {
    for (const defaultTimeoutMS of [Number.NaN, -1, 'x' as never])
      expect(await refusedArgument(() => client.startSession({ defaultTimeoutMS }))).toBe('defaultTimeoutMS');
  });

  test('deadlineMs of close, and the client stays open', async () => {
    const other = await new MongoClient(uriFor('mooring_arguments')).connect();
    for (const deadlineMs of [Number.NaN, -1, 'x' as never, null as never])
      expect(await refusedArgument(() => other.close({ deadlineMs }))).toBe('deadlineMs');
    expect(other.isConnected()).toBe(true);
    await other.close();
  });

  test('force of close, and the client stays open', async () => {
    for (const force of [null, 'x', 5] as never[]) expect(await refusedArgument(() => client.close(force))).toBe('force');
    expect(client.isConnected()).toBe(true);
  });

  test('options of connectDB and ensureDBConnection, also while connected', async () => {
    await connectDB({ uri: uriFor('mooring_arguments'), mongoose: false });
    for (const options of [1, 'x', null, [], () => {}] as never[]) {
      expect(await refusedArgument(() => connectDB(options))).toBe('options');
      expect(await refusedArgument(() => ensureDBConnection(options))).toBe('options');
    }
    await disconnectDB();
  });

  test('what is no Mongoose', async () => {
    for (const mongoose of [1, 'x', null, {}, undefined] as never[])
      expect(await refusedArgument(() => createDriver(mongoose))).toBe('mongoose');
  });
});

describe('of an operation', () => {
  type Run = (collection: ReturnType<ReturnType<MongoClient['db']>['collection']>, value: never) => unknown;
  const OPTIONS: Record<string, Run> = {
    insertOne: (c, options) => c.insertOne({}, options),
    insertMany: (c, options) => c.insertMany([{}], options),
    bulkWrite: (c, options) => c.bulkWrite([{ insertOne: { document: {} } }], options),
    updateOne: (c, options) => c.updateOne({}, { $set: { a: 1 } }, options),
    replaceOne: (c, options) => c.replaceOne({}, { a: 1 }, options),
    deleteOne: (c, options) => c.deleteOne({}, options),
    findOneAndUpdate: (c, options) => c.findOneAndUpdate({}, { $set: { a: 1 } }, options),
    find: (c, options) => c.find({}, options).toArray(),
    findOne: (c, options) => c.findOne({}, options),
    aggregate: (c, options) => c.aggregate([], options).toArray(),
    countDocuments: (c, options) => c.countDocuments({}, options),
    estimatedDocumentCount: (c, options) => c.estimatedDocumentCount(options),
    distinct: (c, options) => c.distinct('a', {}, options),
    createIndex: (c, options) => c.createIndex({ a: 1 }, options),
    dropIndex: (c, options) => c.dropIndex('a_1', options),
    watch: (c, options) => c.watch([], options),
    command: (c, options) => c.db.command({ ping: 1 }, options),
    'db.aggregate': (c, options) => c.db.aggregate([], options).toArray(),
    collections: (c, options) => c.db.collections(options),
    listCollections: (c, options) => c.db.listCollections({}, options).toArray(),
    dropCollection: (c, options) => c.db.dropCollection('none', options),
    collection: (c, options) => c.db.collection('x', options),
    ping: (c, options) => c.db.admin().ping(options),
    startSession: (c, options) => c.client.startSession(options),
  };

  test.each(Object.entries(OPTIONS))('options of %s that are none, or a session in their place', async (_name, run) => {
    const session = client.startSession();
    for (const options of [null, 'x', 5, true, [], session] as never[])
      expect(await refusedArgument(() => run(client.db().collection('items') as never, options))).toBe('options');
    await session.endSession();
    expect(await client.db().collection('items').countDocuments({})).toBe(0);
  });

  /** BSON leaves functions and symbols out: the filter would be gone, and match everything. */
  test.each<[string, Run]>([
    ['find', (c, filter) => c.find(filter).toArray()],
    ['findOne', (c, filter) => c.findOne(filter)],
    ['countDocuments', (c, filter) => c.countDocuments(filter)],
    ['count', (c, filter) => c.count(filter)],
    ['distinct', (c, filter) => c.distinct('a', filter)],
    ['deleteMany', (c, filter) => c.deleteMany(filter)],
  ])('a filter of %s that is none', async (_name, run) => {
    for (const filter of [null, () => {}, Symbol('s'), 'x', 5, []] as never[])
      expect(await refusedArgument(() => run(client.db().collection('items') as never, filter))).toBe('filter');
  });

  test.each<[string, Run]>([
    ['transform', (c, value) => c.find({}).map(value)],
    ['names', (c, value) => c.indexExists(value)],
    ['pipeline', (c, value) => c.db.aggregate(value)],
    ['indexes', (c, value) => c.createIndexes([value])],
    ['returnDocument', (c) => c.findOneAndUpdate({}, { $set: { a: 1 } }, { returnDocument: (() => 1) as never })],
    ['maxTimeMS', (c) => c.find({}, { maxTimeMS: Symbol('s') as never }).toArray()],
    ['maxCommitTimeMS', (c) => withSession(async (s) => s.startTransaction({ maxCommitTimeMS: 1e21 }), { client: c.client })],
    ['retryDelayMs', () => connectDB({ uri: uriFor('x'), retryDelayMs: 1e21 })],
  ])('%s', async (name, run) => {
    expect(await refusedArgument(() => run(client.db().collection('items') as never, null as never))).toBe(name);
  });
});

test('withSession takes every option of a session', async () => {
  await withSession(async (session) => expect(session.defaultTimeoutMS).toBe(1_000), { client, defaultTimeoutMS: 1_000 });
  await withSession(async (session) => expect(session.snapshotEnabled).toBe(true), { client, snapshot: true, snapshotTime: undefined });
});

describe('after the end', () => {
  test('a client, and a change stream of one, are MOORING_CLOSED', async () => {
    const other = await new MongoClient(uriFor('mooring_arguments')).connect();
    const items = other.db().collection('items');
    const stream = items.watch();
    const waiting = failureOf(() => stream.next());
    await delay(100);
    await other.close();
    await stream.close();
    expect(isMooringError(await waiting, 'MOORING_CLOSED')).toBe(true);
    expect(await failureOf(() => stream.next())).toMatchObject({
      name: 'MongoAPIError',
      code: 'MOORING_CLOSED',
      details: { state: 'closed' },
    });
    expect(await failureOf(() => items.findOne({}))).toMatchObject({ name: 'MongoClientClosedError', code: 'MOORING_CLOSED' });
  });

  test('operations of a transaction are counted', async () => {
    const items = client.db().collection('items');
    const { lateOperations } = getSessionStats(client);
    let late: Error | undefined;
    const work = withTransaction(
      async (session) => {
        await items.insertOne({ n: 1 }, { session });
        await delay(300);
        late = await failureOf(() => items.insertOne({ n: 2 }, { session }));
      },
      { client, timeoutMs: 100, logger: recorder() },
    );
    expect(isMooringError(await failureOf(() => work), 'MOORING_TIMEOUT')).toBe(true);
    await until(() => late !== undefined);
    expect(isMooringError(late, 'MOORING_CLOSED')).toBe(true);
    expect(getSessionStats(client).lateOperations).toBe(lateOperations + 1);
    expect(await items.countDocuments({})).toBe(0);
  });
});
