/** @module __tests__/mongo/client: opening, naming, observing and closing a client; what is refused before any I/O; what never shows. */
import { inspect } from 'node:util';
import { afterEach, describe, expect, test } from '@jest/globals';
import { isMooringError, MongoClient, type MongoClientOptions, MooringError, openThings } from '../../dist/index.js';
import { connected, failCommand, failureOf, until, uriFor } from './fixture';

const open: MongoClient[] = [];
const kept = <C extends MongoClient>(client: C): C => {
  open.push(client);
  return client;
};
afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.close(true)));
});

describe('a client', () => {
  test('connects, serves and closes, and can be opened again', async () => {
    const client = kept(await connected('mooring_client'));
    expect(client.isConnected()).toBe(true);
    expect(client.topology?.description.type).toBe('ReplicaSetWithPrimary');
    expect(client.s.options).toMatchObject({ dbName: 'mooring_client', hosts: [{ port: expect.any(Number) }] });
    expect((await client.db('admin').command({ ping: 1 }))['ok']).toBe(1);
    await client.close();
    await client.close();
    expect(client.isConnected()).toBe(false);
    expect((await failureOf(() => client.db().collection('x').findOne({}))).name).toBe('MongoClientClosedError');
    await client.connect();
    expect(await client.db().collection('x').countDocuments()).toBe(0);
  });

  test('serves without connect, and concurrent connects share one attempt', async () => {
    const lazy = kept(new MongoClient(uriFor('mooring_client')));
    expect(await lazy.db().collection('x').countDocuments()).toBe(0);
    const client = kept(new MongoClient(uriFor('mooring_client')));
    expect(await Promise.all([client.connect(), client.connect()])).toEqual([client, client]);
  });

  test('is listed among the open things until it is closed, without its credentials', async () => {
    const before = openThings().length;
    const client = new MongoClient('mongodb://someone:S3CR3T-planted@127.0.0.1:1/?serverSelectionTimeoutMS=200');
    expect(openThings()).toHaveLength(before + 1);
    expect(inspect(openThings())).not.toContain('S3CR3T');
    await client.close();
    expect(openThings()).toHaveLength(before);
  });

  test('rejects within the selection timeout when no server answers, and closes', async () => {
    const client = kept(new MongoClient('mongodb://127.0.0.1:1/', { serverSelectionTimeoutMS: 300 }));
    const started = performance.now();
    const error = await failureOf(() => client.connect());
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(error.name).toBe('MongoServerSelectionError');
    expect(isMooringError(error, 'MOORING_CONNECT_FAILED')).toBe(true);
    await client.close();
  });

  test('settles what is in flight when it is closed by force', async () => {
    const client = kept(await connected('mooring_client'));
    const admin = kept(await connected('mooring_client_admin'));
    await failCommand(admin, { times: 1 }, { failCommands: ['find'], blockConnection: true, blockTimeMS: 1_500 });
    const pending = failureOf(() => client.db().collection('x').findOne({}));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const started = performance.now();
    await client.close(true);
    expect(performance.now() - started).toBeLessThan(1_000);
    expect([(await pending)['code'], ((await pending).cause as { code?: unknown }).code]).toContain('MOORING_CLOSED');
    await failCommand(admin, 'off');
  });

  test('tells listeners of topology, heartbeats and commands', async () => {
    const events: string[] = [];
    const client = kept(new MongoClient(uriFor('mooring_client'), { monitorCommands: true, heartbeatFrequencyMS: 500 }));
    for (const event of ['topologyDescriptionChanged', 'serverHeartbeatSucceeded', 'commandStarted', 'commandSucceeded', 'commandFailed']) {
      client.on(event, () => events.push(event));
    }
    const started: { commandName: string; command: object }[] = [];
    client.on('commandStarted', (event: { commandName: string; command: object }) => started.push(event));
    const ended: { commandName: string }[] = [];
    client.on('commandSucceeded', (event: { commandName: string }) => ended.push(event));
    await client.connect();
    await client.db().collection('x').findOne({ a: 1 });
    await failureOf(() => client.db().command({ noSuchCommand: 1 }));
    await until(() => new Set(events).size === 5);
    expect(started.find(({ commandName }) => commandName === 'find')?.command).toMatchObject({ find: 'x', filter: { a: 1 } });
    const [succeeded] = ended.filter(({ commandName }) => commandName === 'find');
    expect(succeeded).toMatchObject({ databaseName: 'mooring_client', serverConnectionId: expect.any(BigInt) });
  });

  test('cancels an operation by its signal', async () => {
    const client = kept(await connected('mooring_client'));
    await failCommand(client, { times: 1 }, { failCommands: ['find'], blockConnection: true, blockTimeMS: 1_000 });
    const controller = new AbortController();
    const pending = failureOf(() => client.db().collection('x').findOne({}, { signal: controller.signal }));
    setTimeout(() => controller.abort(), 100);
    expect(isMooringError(await pending, 'MOORING_ABORTED')).toBe(true);
    await failCommand(client, 'off');
  });

  test('ends an operation at its own deadline and says whether it may have run', async () => {
    const client = kept(await connected('mooring_client'));
    await failCommand(client, { times: 1 }, { failCommands: ['insert'], blockConnection: true, blockTimeMS: 1_000 });
    const error = await failureOf(() => client.db().collection('x').insertOne({ a: 1 }, { timeoutMS: 200 }));
    expect([error['code'], (error.cause as { code?: unknown }).code]).toContain('MOORING_TIMEOUT');
    expect((error.cause as MooringError).details['maybeExecuted']).toBe(true);
    await failCommand(client, 'off');
  });
});

describe('bad input', () => {
  test.each<[string, unknown, unknown]>([
    ['uri', undefined, {}],
    ['uri', null, {}],
    ['uri', 42, {}],
    ['uri', '', {}],
    ['uri', 'nonsense', {}],
    ['uri', 'redis://127.0.0.1:6379', {}],
    ['uri', 'mongodb://127.0.0.1:99999/', {}],
    ['options', 'mongodb://127.0.0.1/', null],
    ['options', 'mongodb://127.0.0.1/', []],
    ['noSuchOption', 'mongodb://127.0.0.1/', { noSuchOption: 1 }],
    ['maxPoolSize', 'mongodb://127.0.0.1/', { maxPoolSize: -1 }],
    ['maxPoolSize', 'mongodb://127.0.0.1/', { maxPoolSize: 'ten' }],
    ['maxPoolSize', 'mongodb://127.0.0.1/', { maxPoolSize: Number.NaN }],
    ['maxPoolSize', 'mongodb://127.0.0.1/', { maxPoolSize: null }],
    ['serverSelectionTimeoutMS', 'mongodb://127.0.0.1/', { serverSelectionTimeoutMS: -5 }],
    ['socketTimeoutMS', 'mongodb://127.0.0.1/', { socketTimeoutMS: 'soon' }],
    ['heartbeatFrequencyMS', 'mongodb://127.0.0.1/', { heartbeatFrequencyMS: () => 5 }],
    ['autoEncryption', 'mongodb://127.0.0.1/', { autoEncryption: {} }],
    ['driver', 'mongodb://127.0.0.1/', { driver: {} }],
  ])('is refused with the name %s before any I/O (%#)', async (name, uri, options) => {
    const before = openThings().length;
    const error = await failureOf(() => new MongoClient(uri as string, options as MongoClientOptions));
    expect(error).toBeInstanceOf(MooringError);
    expect(['MOORING_INVALID_ARGUMENT', 'MOORING_INVALID_CONFIG']).toContain(error['code']);
    const { argument, option } = error['details'] as { argument?: string; option?: string };
    expect(argument ?? option).toBe(name);
    expect(openThings()).toHaveLength(before);
  });

  test('of an operation is refused with the class of the Node driver and our code', async () => {
    const client = kept(new MongoClient('mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100'));
    const items = client.db('x').collection('items');
    for (const bad of [
      () => items.insertOne(null as never),
      () => items.insertMany({} as never),
      () => items.insertMany([]),
      () => items.insertMany([null] as never),
      () => items.updateOne({}, { a: 1 }),
      () => items.replaceOne({}, { $set: { a: 1 } }),
      () => items.bulkWrite([]),
      () => items.bulkWrite([{ nonsense: {} }]),
      () => items.find({}, { sort: { a: 'sideways' } as never }),
      () => items.aggregate({} as never),
      () => client.db('has.dot'),
      () => client.db('x').collection(''),
      () => client.withSession(undefined as never),
      () => client.db('x').command(null as never),
    ]) {
      const error = await failureOf(bad);
      expect(error.name).toBe('MongoInvalidArgumentError');
      expect(isMooringError(error, 'MOORING_INVALID_ARGUMENT')).toBe(true);
      expect((error['details'] as { argument?: string }).argument).toEqual(expect.any(String));
    }
  });
});

describe('credentials', () => {
  const SECRET = 'S3CR3T-sentinel';

  test('show in no error and no inspection', async () => {
    const seen: unknown[] = [];
    for (const uri of [
      `mongodb://user:${SECRET}@`,
      `nonsense://user:${SECRET}@h`,
      `mongodb://user:${SECRET}@h:99999999/`,
      `mongodb://user:${SECRET}@h/?noSuch=1`,
    ]) {
      seen.push(await failureOf(() => new MongoClient(uri)));
    }
    const client = kept(new MongoClient(`mongodb://user:${SECRET}@127.0.0.1:1/?serverSelectionTimeoutMS=200`));
    seen.push(
      client,
      client.s,
      client.options,
      client.db('x'),
      client.db('x').collection('y'),
      client.startSession(),
      await failureOf(() => client.connect()),
    );
    const other = kept(
      new MongoClient('mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200', { auth: { username: 'user', password: SECRET } }),
    );
    seen.push(other, await failureOf(() => other.connect()));
    for (const value of seen) {
      expect(inspect(value, { depth: 12, showHidden: true })).not.toContain(SECRET);
      expect((value as Error).stack ?? '').not.toContain(SECRET);
    }
  });
});

test('close does not wait for an operation that finds no server', async () => {
  const client = await connected('mooring_client_selection');
  const looking = failureOf(() =>
    client
      .db()
      .collection('x')
      .findOne({}, { readPreference: { mode: 'secondary', tags: [{ rack: 'none' }] } }),
  );
  await new Promise((resolve) => setTimeout(resolve, 50));
  const started = Date.now();
  await client.close();
  expect(Date.now() - started).toBeLessThan(5_000);
  expect(await looking).toMatchObject({ name: 'MongoClientClosedError', code: 'MOORING_CLOSED', details: { maybeExecuted: false } });
});
