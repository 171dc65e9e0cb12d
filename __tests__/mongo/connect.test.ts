/** @module __tests__/mongo/connect: connecting a backend once, however often and from wherever it is asked for. */
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import {
  connectDB,
  type ConnectOptions,
  disconnectDB,
  ensureDBConnection,
  getSessionStats,
  gracefulShutdown,
  isDBConnected,
  isMooringError,
  MongoClient,
  MooringError,
  openThings,
  withTransaction,
} from '../../dist/index.js';
import { failureOf, uriFor } from './fixture';

const uri = uriFor('mooring_connect');
const plain = { uri, mongoose: false } as const;
afterEach(() => disconnectDB());

describe('connectDB', () => {
  beforeAll(async () => {
    const client = await new MongoClient(uri).connect();
    await client.db().dropDatabase();
    await client.db().createCollection('items');
    await client.close();
  });

  test('shares one attempt and one client between its callers', async () => {
    const [first, second] = await Promise.all([connectDB(plain), connectDB(plain)]);
    expect(first).toBe(second);
    expect(await connectDB(plain)).toBe(first);
    expect(await ensureDBConnection()).toBe(first);
    expect(isDBConnected()).toBe(true);
    expect(openThings().filter(({ kind }) => kind === 'mongo')).toHaveLength(1);
    await Promise.all([disconnectDB(), disconnectDB()]);
    expect(isDBConnected()).toBe(false);
    expect(openThings()).toEqual([]);
  });

  test('connects Mongoose, whose models and withTransaction then work without naming a client', async () => {
    const Item = mongoose.model('Item', new mongoose.Schema({ _id: Number, a: Number }, { autoCreate: false, autoIndex: false }));
    const client = await connectDB({ uri, mongoose });
    expect(mongoose.connection.readyState).toBe(1);
    expect(mongoose.connection.getClient()).toBe(client);
    await withTransaction(async (session) => {
      await Item.create([{ _id: 1, a: 1 }], { session });
    });
    expect(await Item.countDocuments({})).toBe(1);
    expect(getSessionStats()).toMatchObject({ open: 0 });
    await disconnectDB();
    expect(mongoose.connection.readyState).toBe(0);
    await ensureDBConnection({ uri, mongoose });
    expect(await Item.countDocuments({})).toBe(1);
  });

  test('takes the URI from MONGODB_URI and refuses to go without', async () => {
    const { MONGODB_URI: given } = process.env;
    try {
      process.env['MONGODB_URI'] = uri;
      expect((await connectDB({ mongoose: false })).db().databaseName).toBe('mooring_connect');
      await disconnectDB();
      delete process.env['MONGODB_URI'];
      const error = await failureOf(() => connectDB({ mongoose: false }));
      expect(error).toBeInstanceOf(MooringError);
      expect(error).toMatchObject({ code: 'MOORING_INVALID_CONFIG', details: { option: 'MONGODB_URI', argument: 'uri' } });
    } finally {
      process.env['MONGODB_URI'] = given;
    }
  });

  test('tries again, and gives up with the last error', async () => {
    const started = performance.now();
    const error = await failureOf(() =>
      connectDB({ uri: 'mongodb://127.0.0.1:1/', mongoose: false, serverSelectionTimeoutMS: 100, tries: 3, retryDelayMs: 100 }),
    );
    expect(isMooringError(error, 'MOORING_CONNECT_FAILED')).toBe(true);
    expect(performance.now() - started).toBeGreaterThan(450);
    expect(openThings()).toEqual([]);
  });

  test('is stopped by disconnectDB while it connects', async () => {
    const connecting = failureOf(() =>
      connectDB({ uri: 'mongodb://127.0.0.1:1/', mongoose: false, serverSelectionTimeoutMS: 100, retryDelayMs: 60_000 }),
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    await disconnectDB();
    expect(isMooringError(await connecting, 'MOORING_ABORTED')).toBe(true);
    expect(openThings()).toEqual([]);
  });

  test('connects again after a shutdown closed everything', async () => {
    const first = await connectDB(plain);
    await gracefulShutdown({ logger: { info: () => {}, error: () => {} } });
    expect(isDBConnected()).toBe(false);
    const second = await connectDB(plain);
    expect(second).not.toBe(first);
    expect(isDBConnected()).toBe(true);
  });

  test.each<[string, unknown]>([
    ['uri', { uri: 42 }],
    ['uri', { uri: null }],
    ['uri', { uri: 'nonsense' }],
    ['tries', { tries: 0 }],
    ['tries', { tries: Number.NaN }],
    ['retryDelayMs', { retryDelayMs: -1 }],
    ['mongoose', { mongoose: {} }],
    ['mongoose', { mongoose: null }],
    ['noSuchOption', { noSuchOption: true }],
    ['maxPoolSize', { maxPoolSize: -1 }],
    ['options', null],
  ])('refuses a bad %s before any I/O (%#)', async (name, options) => {
    const error = await failureOf(() => connectDB((options === null ? null : { ...plain, ...(options as object) }) as ConnectOptions));
    expect(error).toBeInstanceOf(MooringError);
    const { argument, option } = error['details'] as { argument?: string; option?: string };
    expect(argument ?? option).toBe(name);
    expect(openThings()).toEqual([]);
  });
});

describe('without a connection', () => {
  test('withTransaction says what is missing', async () => {
    const error = await failureOf(() => withTransaction(async () => 1, { logger: { error: () => {} } }));
    expect(error).toMatchObject({ code: 'MOORING_CLOSED', details: { argument: 'client' } });
    expect(isDBConnected()).toBe(false);
    await disconnectDB();
  });

  test('withTransaction uses the only open client and asks when there are two', async () => {
    const one = await new MongoClient(uri).connect();
    expect(await withTransaction(async (session) => session.client === one)).toBe(true);
    const two = await new MongoClient(uri).connect();
    const error = await failureOf(() => withTransaction(async () => 1, { logger: { error: () => {} } }));
    expect(error).toMatchObject({ code: 'MOORING_INVALID_ARGUMENT', details: { argument: 'client' } });
    await Promise.all([one.close(), two.close()]);
  });
});
