/** @module __tests__/mongo/cursor: iteration, batches, early ends and what the server keeps open. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Collection, type MongoClient, withSession } from '../../dist/index.js';
import { connected, failCommand, failureOf, until } from './fixture';

let client: MongoClient;
let items: Collection;
const TOTAL = 1_000;

beforeAll(async () => {
  client = await connected('mooring_cursor');
  items = client.db().collection('items');
  await items.insertMany(Array.from({ length: TOTAL }, (_, n) => ({ _id: n, even: n % 2 === 0 })));
});
afterAll(() => client.close());

const openCursors = async (): Promise<number> => {
  const { metrics } = (await client.db('admin').command({ serverStatus: 1 })) as { metrics: { cursor: { open: { total: number } } } };
  return metrics.cursor.open.total;
};

describe('a find cursor', () => {
  test('delivers every document once over many batches', async () => {
    const found = await items.find({}, { batchSize: 7 }).sort({ _id: 1 }).toArray();
    expect(found.map(({ _id }) => _id)).toEqual(Array.from({ length: TOTAL }, (_, n) => n));
    const seen: unknown[] = [];
    for await (const { _id } of items.find({ even: true }).batchSize(11).sort('_id', 'desc').limit(30).skip(5).project({ _id: 1 }))
      seen.push(_id);
    expect(seen).toEqual(Array.from({ length: 30 }, (_, n) => 988 - 2 * n));
  });

  test('closes on the server when iteration ends early', async () => {
    const before = await openCursors();
    const cursor = items.find({}, { batchSize: 5 });
    let closed = 0;
    cursor.on('close', () => (closed += 1));
    for await (const { _id } of cursor) if (_id === 7) break;
    expect(closed).toBe(1);
    expect(cursor.killed).toBe(true);
    await until(async () => (await openCursors()) <= before);
    await cursor.close();
    expect(closed).toBe(1);
    expect((await failureOf(() => cursor.next())).name).toBe('MongoCursorExhaustedError');
  });

  test('knows hasNext, tryNext, buffered documents, map, forEach, stream, clone and rewind', async () => {
    const cursor = items.find({ _id: { $lt: 5 } }, { batchSize: 2 }).sort({ _id: 1 });
    expect(await cursor.hasNext()).toBe(true);
    expect(cursor.bufferedCount()).toBe(2);
    expect(await cursor.tryNext()).toMatchObject({ _id: 0 });
    expect(cursor.readBufferedDocuments().map(({ _id }) => _id)).toEqual([1]);
    expect(await cursor.toArray()).toHaveLength(3);
    expect(await cursor.next()).toBeNull();
    expect(await cursor.hasNext()).toBe(false);
    cursor.rewind();
    expect(await cursor.toArray()).toHaveLength(5);
    expect(() => cursor.limit(1)).toThrow('Cursor is already initialized');
    expect(await cursor.clone().limit(2).map(({ _id }) => Number(_id) * 10).toArray()).toEqual([0, 10]); // prettier-ignore
    const each: unknown[] = [];
    await items.find({ _id: { $lt: 5 } }).forEach(({ _id }) => each.push(_id) < 3);
    expect(each).toHaveLength(3);
    const streamed: unknown[] = [];
    for await (const document of items.find({ _id: { $lt: 5 } }).stream()) streamed.push(document);
    expect(streamed).toHaveLength(5);
    expect(await items.find({ even: true }).count()).toBe(500);
    expect(await items.find({ _id: 3 }).explain('queryPlanner')).toHaveProperty('queryPlanner');
  });

  test('hands on the error of the server and closes', async () => {
    const cursor = items.find({ $nonsense: 1 });
    expect(await failureOf(() => cursor.toArray())).toMatchObject({ name: 'MongoServerError', codeName: 'BadValue' });
    expect(cursor.closed).toBe(true);
    await failCommand(client, { times: 1 }, { failCommands: ['getMore'], errorCode: 8_000 });
    const broken = items.find({}, { batchSize: 2 });
    expect(await failureOf(() => broken.toArray())).toMatchObject({ code: 8_000 });
  });

  test('ends by its signal', async () => {
    const controller = new AbortController();
    const cursor = items.find({}, { batchSize: 2, signal: controller.signal });
    await cursor.next();
    controller.abort(new Error('enough'));
    await expect(cursor.next()).rejects.toThrow('enough');
    await cursor.close();
  });

  test('reads inside a transaction what the transaction wrote', async () => {
    await withSession(
      async (session) => {
        session.startTransaction();
        await items.insertOne({ _id: 'in the transaction' }, { session });
        const found = await items.find({}, { session, batchSize: 100 }).toArray();
        expect(found).toHaveLength(TOTAL + 1);
        expect(await items.countDocuments({}, { session: null })).toBe(TOTAL);
        await session.abortTransaction();
      },
      { client },
    );
  });
});

describe('an aggregation cursor', () => {
  test('runs stages given at once or one by one', async () => {
    expect(await items.aggregate([{ $match: { even: true } }, { $count: 'n' }]).toArray()).toEqual([{ n: 500 }]);
    const built = items.aggregate().match({ _id: { $lt: 10 } }).group({ _id: '$even', n: { $sum: 1 } }).sort({ _id: 1 }); // prettier-ignore
    expect(await built.toArray()).toEqual([{ _id: false, n: 5 }, { _id: true, n: 5 }]); // prettier-ignore
    expect(await items.aggregate([{ $match: {} }], { batchSize: 100 }).toArray()).toHaveLength(TOTAL);
    await items.aggregate([{ $match: { even: true } }, { $out: 'evens' }]).toArray();
    expect(await client.db().collection('evens').countDocuments()).toBe(500);
  });
});

describe('stream', () => {
  test('hands each document through transform, and closes its cursor when it is destroyed', async () => {
    const before = await openCursors();
    const seen: unknown[] = [];
    for await (const number of items
      .find({}, { batchSize: 3 })
      .sort({ _id: 1 })
      .limit(5)
      .stream({ transform: ({ _id }) => Number(_id) * 2 }))
      seen.push(number);
    expect(seen).toEqual([0, 2, 4, 6, 8]);
    const stream = items.find({}, { batchSize: 3 }).stream({ transform: ({ _id }) => ({ id: _id }) });
    for await (const one of stream) {
      expect(one).toEqual({ id: expect.any(Number) });
      break;
    }
    await until(async () => (await openCursors()) <= before);
  });

  test('fails with what transform throws, and refuses what is no function', async () => {
    const failing = items.find({}).stream({
      transform: () => {
        throw new Error('not this one');
      },
    });
    expect((await failureOf(() => failing.toArray())).message).toBe('not this one');
    expect((await failureOf(() => items.find({}).stream({ transform: 1 as never }))).message).toContain('transform');
  });
});

describe('flags of a cursor', () => {
  test('reach the server, and an exhaust cursor is refused', async () => {
    const commands: { find?: string; noCursorTimeout?: boolean; allowPartialResults?: boolean }[] = [];
    const monitored = await connected('mooring_cursor_flags', { monitorCommands: true });
    monitored.on('commandStarted', ({ command }: { command: object }) => commands.push(command));
    const cursor = monitored.db().collection('x').find({});
    await cursor.addCursorFlag('noCursorTimeout', true).addCursorFlag('partial', true).toArray();
    expect(commands.find(({ find }) => find === 'x')).toMatchObject({ noCursorTimeout: true, allowPartialResults: true });
    expect((await failureOf(() => items.find({}).addCursorFlag('exhaust', true))).message).toContain('exhaust');
    await monitored.close();
  });
});
