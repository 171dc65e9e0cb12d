/**
 * @module __tests__/mongo/fuzz
 *
 * Random options, documents, URIs, and replies with damaged bytes: every call settles, in time, and what it throws is a typed error. Runs are seeded.
 */
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { BSON } from 'mongodb';
import { type Db, type Document, isMooringError, MongoClient } from '../../dist/index.js';
import { random, rounds, seed } from '../support/chaos';
import { optionNames } from '../support/driver-types';
import { connected, uriFor } from './fixture';
import { OPERATIONS } from './operations';

const next = random(seed);
const below = (count: number): number => Math.floor(next() * count);
const oneOf = <T>(list: readonly T[]): T => list[below(list.length)] as T;
const text = (): string =>
  Array.from({ length: below(6) }, () => oneOf(['a', '$', '.', '\0', 'é', '\ud800', '_id', '0', ' ', '%'])).join('');

const ATOMS: readonly (() => unknown)[] = [
  () => undefined, () => null, () => true, () => false, () => below(10), () => -below(10), () => next() * 1e9, () => Number.NaN, () => Number.POSITIVE_INFINITY,
  () => -0, () => 2 ** 53, () => 12_345_678_901_234n, text, () => Buffer.from(text()), () => new Date(below(1e9)), () => new Date(Number.NaN), () => 'a(b',
  () => /x/gi, () => Symbol.iterator, () => new BSON.ObjectId(), () => BSON.Long.MAX_VALUE, () => BSON.Decimal128.fromString('1.5'), () => new BSON.MinKey(),
  () => new BSON.Timestamp({ t: 1, i: 2 }), () => new BSON.Code('x', { a: 1 }), () => new BSON.DBRef('c', new BSON.ObjectId()), () => new Map([['a', 1]]),
  () => new Set([1]), () => ({ $oid: '65f000000000000000000000' }), () => ({ $code: 'x', other: 1 }), () => [], () => ({}), () => '1', () => 'primary',
]; // prettier-ignore

function value(depth = 0): unknown {
  if (depth < 4 && next() < 0.3) return next() < 0.5 ? document(depth + 1) : Array.from({ length: below(4) }, () => value(depth + 1));
  return oneOf(ATOMS)();
}

function document(depth = 0): Document {
  const keys = ['a', '_id', '$set', '$inc', '$match', '$or', '$expr', '', 'a.b', '__proto__', 'length', text()];
  return Object.fromEntries(Array.from({ length: below(5) }, () => [oneOf(keys), value(depth)]));
}

/** What may be thrown at a caller: ours, the driver's, or the BSON library's. */
function isTyped(error: unknown): boolean {
  const { name } = error as Error;
  return isMooringError(error) || /^(Mongo|BSON)/.test(name) || error instanceof BSON.BSONError;
}

/** How a call ends: `''` when it is well, else what is wrong with it. */
async function ending(run: () => unknown, limitMs = 5_000): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`did not settle within ${limitMs} ms`), limitMs);
  });
  const settled = (async () => {
    try {
      await run();
      return '';
    } catch (error) {
      return isTyped(error) ? '' : `threw ${(error as Error)?.stack ?? String(error)}`;
    }
  })();
  const found = await Promise.race([settled, late]);
  clearTimeout(timer);
  return found;
}

describe(`random calls (seed ${seed})`, () => {
  let client: MongoClient;
  let db: Db;

  beforeAll(async () => {
    client = await connected('mooring_fuzz', { timeoutMS: 4_000 });
    db = client.db();
  });
  afterAll(async () => {
    await db.dropDatabase();
    await client.close(true);
  });

  test('options of every operation', async () => {
    const names = optionNames(Object.values(OPERATIONS).map(({ type }) => type));
    const wrong: string[] = [];
    for (let round = 0; round < rounds(12); round++) {
      for (const [operation, tried] of Object.entries(OPERATIONS)) {
        const { type } = tried;
        const options = Object.fromEntries(Array.from({ length: 1 + below(3) }, () => [oneOf(names[type] as string[]), value()]));
        const found = await ending(() => tried.run(db, options as never));
        if (found !== '') wrong.push(`${operation} ${Object.keys(options).join(' ')}: ${found}`);
      }
    }
    expect(wrong).toEqual([]);
    expect((await db.command({ ping: 1 }))['ok']).toBe(1);
  });

  test('documents of every kind', async () => {
    const collection = db.collection('documents');
    const calls: Record<string, () => unknown> = {
      insertOne: () => collection.insertOne(value() as Document),
      insertMany: () => collection.insertMany(value() as Document[]),
      find: () => collection.find(value() as Document).toArray(),
      updateOne: () => collection.updateOne(value() as Document, value() as Document),
      replaceOne: () => collection.replaceOne(document(), value() as Document, { upsert: true }),
      bulkWrite: () => collection.bulkWrite([{ [oneOf(['insertOne', 'updateMany', 'deleteOne', 'x'])]: value() }]),
      aggregate: () => collection.aggregate([document(), value() as Document]).toArray(),
      distinct: () => collection.distinct(value() as string, document()),
      createIndex: () => collection.createIndex(value() as never, { name: value() as never }),
      command: () => db.command(value() as Document),
      collection: () => db.collection(value() as string).findOne({}),
      findOneAndUpdate: () => collection.findOneAndUpdate(document(), value() as Document),
      session: () => collection.findOne({}, { session: value() as never }),
      db: () => client.db(value() as string),
    };
    const wrong: string[] = [];
    for (let round = 0; round < rounds(30); round++) {
      for (const [name, call] of Object.entries(calls)) {
        const found = await ending(call);
        if (found !== '') wrong.push(`${name}: ${found}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(await collection.insertOne({ fine: 1 })).toMatchObject({ acknowledged: true });
  });

  test('whatever BSON can say comes back as it went', async () => {
    const collection = db.collection('round_trips');
    for (let round = 0; round < rounds(150); round++) {
      const sent = { v: JSON.parse(BSON.EJSON.stringify(kept(value()), { relaxed: false })) as unknown };
      const restored = BSON.EJSON.deserialize(sent, { relaxed: false }) as Document;
      const bytes = BSON.serialize(restored);
      const { insertedId } = await collection.insertOne(restored);
      const { _id, ...back } = (await collection.findOne({ _id: insertedId }, { promoteValues: false })) as Document;
      expect(Buffer.from(BSON.serialize(back)).equals(Buffer.from(bytes))).toBe(true);
    }
  });
});

/** A value without what BSON or the server does not take: symbols, big integers, names with dollars and dots at the top. */
function kept(given: unknown): unknown {
  if (typeof given === 'symbol' || typeof given === 'bigint' || given instanceof Map || given instanceof Set) return null;
  if (typeof given === 'string') return Buffer.from(given).toString();
  if (Array.isArray(given)) return given.map((item) => kept(item));
  if (given instanceof RegExp || (given instanceof Date && Number.isNaN(given.getTime()))) return 'x';
  if (typeof given !== 'object' || given === null || Object.getPrototypeOf(given) !== Object.prototype) return given;
  const entries = Object.entries(given).filter(([key]) => !/[$.\0\ud800]|^__proto__$/.test(key));
  return Object.fromEntries(entries.map(([key, item]) => [key, kept(item)]));
}

describe(`random URIs (seed ${seed})`, () => {
  const parts = [
    'mongodb',
    '://',
    '+srv',
    'user:S3CR3T',
    '@',
    'h',
    ',',
    ':27017',
    '/',
    'db',
    '?',
    '&',
    '=',
    'replicaSet',
    'w',
    'tls',
    'maxPoolSize',
    '1',
    '-1',
    'true',
    '%',
    '%zz',
    '[::1]',
    'authSource',
    'compressors',
    'zlib',
    '\0',
    'é',
    'readPreferenceTags',
    'dc:a',
  ];

  test('are taken or refused, and show no secret', async () => {
    const wrong: string[] = [];
    for (let round = 0; round < rounds(1_500); round++) {
      const whole = 'mongodb://user:S3CR3T@h:27017/db?replicaSet=a&tls=true&maxPoolSize=5&w=majority';
      const at = below(whole.length);
      const uri =
        next() < 0.5
          ? Array.from({ length: 1 + below(12) }, () => oneOf(parts)).join('')
          : whole.slice(0, at) + oneOf(parts) + whole.slice(at + below(3));
      const options = next() < 0.3 ? { [oneOf(['maxPoolSize', 'w', 'auth', 'readPreference', 'compressors', 'x', text()])]: value() } : {};
      try {
        await new MongoClient(uri, options).close(true);
      } catch (error) {
        if (!isTyped(error)) wrong.push(`${JSON.stringify(uri)}: ${(error as Error).stack}`);
        const { message, cause } = error as Error;
        if (/S3CR3T/.test(`${message} ${String((cause as Error | undefined)?.message)}`) && uri.startsWith('mongodb'))
          wrong.push(`secret of ${uri}: ${message}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});

describe(`replies with damaged bytes (seed ${seed})`, () => {
  let server: Server;
  let uri: string;
  let damage = 0;
  let client: MongoClient;
  const sockets = new Set<Socket>();

  beforeAll(async () => {
    const { port, hostname } = new URL(
      uriFor('x')
        .replace('mongodb:', 'http:')
        .replace(/,[^/]*/, ''),
    );
    server = createServer((socket) => {
      const upstream = connect(Number(port), hostname);
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('error', () => upstream.destroy()).on('close', () => upstream.destroy());
      upstream.on('error', () => socket.destroy()).on('close', () => socket.destroy());
      socket.pipe(upstream);
      upstream.on('data', (chunk: Buffer) => {
        if (next() < damage) chunk[below(chunk.length)] = below(256);
        socket.write(chunk);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    uri = `mongodb://127.0.0.1:${(server.address() as AddressInfo).port}/mooring_fuzz?directConnection=true`;
    client = await new MongoClient(uri, {
      timeoutMS: 700,
      maxPoolSize: 4,
      serverSelectionTimeoutMS: 600,
      heartbeatFrequencyMS: 500,
    }).connect();
    await client
      .db()
      .collection('rows')
      .insertMany(Array.from({ length: 30 }, (_, n) => ({ n, text: 'x'.repeat(n) })));
  });
  afterAll(async () => {
    damage = 0;
    await client.close(true);
    // What a damaged length left waiting for more bytes, a kill of a cursor say, waits until its connection ends. After that nobody may come back.
    for (const socket of sockets) socket.destroy();
    await delay(1_500);
    if (sockets.size > 0) throw new Error(`${sockets.size} connections were opened after close()`);
    await new Promise((resolve) => server.close(resolve));
  });

  test('settle every call with a typed error, and leave the process well', async () => {
    const rows = client.db().collection('rows');
    damage = 0.4;
    const wrong: string[] = [];
    for (let round = 0; round < rounds(20); round++) {
      const calls = [
        () => rows.find({}, { batchSize: 7 }).toArray(),
        () => rows.findOne({ n: below(30) }),
        () => rows.updateOne({ n: 1 }, { $inc: { c: 1 } }),
        () => rows.distinct('n'),
        () => client.db().command({ buildInfo: 1 }),
        () => rows.bulkWrite([{ insertOne: { document: {} } }, { deleteOne: { filter: { n: -1 } } }]),
      ];
      for (const found of await Promise.all(calls.map((call) => ending(call)))) if (found !== '') wrong.push(found);
    }
    expect(wrong).toEqual([]);
    damage = 0;
    // A client that was told a wrong cluster time passes it on for ever, as every driver does: a new one knows nothing of it.
    const fresh = await new MongoClient(uri, { timeoutMS: 5_000 }).connect();
    expect(await fresh.db().collection('rows').findOne({ n: 3 })).toMatchObject({ n: 3 });
    await fresh.close();
  });
});
