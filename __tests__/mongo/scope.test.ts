/** @module __tests__/mongo/scope: ambient sessions, nested transactions and the detector of forgotten sessions. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { type ClientSession, type Collection, isMooringError, MongoClient, withSession, withTransaction } from '../../dist/index.js';
import { connected, failureOf, recorder, until, uriFor } from './fixture';

let client: MongoClient;
let items: Collection;
const logger = recorder();

beforeAll(async () => {
  client = await connected('mooring_scope');
  await client.db().createCollection('items');
});
beforeEach(async () => {
  items = client.db().collection('items');
  await items.deleteMany({});
});
afterAll(() => client.close());

/** Texts of the warnings with our code that come while `run` runs. */
async function warningsOf(run: () => Promise<unknown>): Promise<string[]> {
  const spy = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
  try {
    await run();
    return spy.mock.calls.map(([text]) => String(text));
  } finally {
    spy.mockRestore();
  }
}

describe('session: ambient', () => {
  test('operations in the callback take part without being told, cursors to their end, and roll back together', async () => {
    await items.insertMany(Array.from({ length: 10 }, (_, n) => ({ _id: n })));
    const failing = withTransaction(
      async () => {
        await items.insertOne({ _id: 'a' });
        await Promise.all([items.updateOne({ _id: 1 }, { $set: { x: 1 } }), items.deleteOne({ _id: 2 })]);
        expect(await items.find({}, { batchSize: 2 }).toArray()).toHaveLength(10);
        expect(await items.countDocuments({})).toBe(10);
        throw new Error('no');
      },
      { client, session: 'ambient', logger },
    );
    expect((await failureOf(() => failing)).message).toBe('no');
    expect(await items.find({ _id: { $in: ['a', 1, 2] } }).toArray()).toEqual([{ _id: 1 }, { _id: 2 }]);
  });

  test('`session: null` opts out, another client and what the callback left running are not concerned', async () => {
    const other = await connected('mooring_scope_other');
    let left: Promise<unknown> | undefined;
    const failing = withTransaction(
      async () => {
        await items.insertOne({ _id: 'inside' });
        await items.insertOne({ _id: 'outside' }, { session: null });
        await other.db().collection('items').insertOne({ _id: 'elsewhere' });
        left = delay(200).then(() => items.insertOne({ _id: 'left' }));
        throw new Error('no');
      },
      { client, session: 'ambient', logger },
    );
    await failureOf(() => failing);
    await left;
    expect((await items.find().sort({ _id: 1 }).toArray()).map(({ _id }) => _id)).toEqual(['left', 'outside']);
    expect(await other.db().collection('items').countDocuments()).toBe(1);
    await other.close();
  });

  test('after the deadline the callback writes nothing any more', async () => {
    let late: unknown;
    const failing = withTransaction(
      async () => {
        await items.insertOne({ _id: 'early' });
        await delay(300);
        late = await failureOf(() => items.insertOne({ _id: 'late' }));
      },
      { client, session: 'ambient', timeoutMs: 100, logger },
    );
    expect(await failureOf(() => failing)).toMatchObject({ code: 'MOORING_TIMEOUT' });
    await until(() => late !== undefined);
    expect(isMooringError(late, 'MOORING_CLOSED')).toBe(true);
    expect(await items.countDocuments()).toBe(0);
  });

  test('works for withSession as well', async () => {
    await withSession(
      async (session) => {
        await items.insertOne({ _id: 1 });
        expect(session.operationTime).toBeDefined();
      },
      { client, session: 'ambient' },
    );
  });
});

describe('nested calls', () => {
  test('join: one transaction, rolled back as a whole, hooks of both after it', async () => {
    const calls: string[] = [];
    const inner = (outer: ClientSession): Promise<void> =>
      withTransaction(
        async (session) => {
          expect(session).toBe(outer);
          session.afterRollback(() => calls.push('inner'));
          await items.insertOne({ _id: 'inner' }, { session });
        },
        { client },
      );
    const failing = withTransaction(
      async (session) => {
        session.afterRollback(() => calls.push('outer'));
        await inner(session);
        throw new Error('no');
      },
      { client, logger },
    );
    await failureOf(() => failing);
    expect(await items.countDocuments()).toBe(0);
    expect(calls).toEqual(['outer', 'inner']);
  });

  test('requiresNew: a transaction of its own, which stays', async () => {
    const failing = withTransaction(
      async (outer) => {
        await items.insertOne({ _id: 'outer' }, { session: outer });
        await withTransaction(
          async (session) => {
            expect(session).not.toBe(outer);
            await items.insertOne({ _id: 'inner' }, { session });
          },
          { client, nested: 'requiresNew' },
        );
        throw new Error('no');
      },
      { client, logger },
    );
    await failureOf(() => failing);
    expect(await items.find().toArray()).toEqual([{ _id: 'inner' }]);
  });
});

describe('a forgotten session', () => {
  const forget = (options: object): Promise<void> =>
    withTransaction(
      async (session) => {
        await items.insertOne({ _id: 'given' }, { session });
        await items.findOne({ _id: 'given' });
        await items.find({}).toArray();
        await items.findOne({}, { session: null });
      },
      { client, logger, ...options },
    );

  test('warns once a call site, naming operation, its place and that of the transaction', async () => {
    const texts = await warningsOf(async () => {
      await forget({});
      await items.deleteMany({});
      await forget({});
    });
    expect(texts).toHaveLength(2);
    expect(texts[0]).toMatch(/^items\.findOne at .*scope\.test\.ts:\d+:\d+.* opened at .*scope\.test\.ts:\d+:\d+/u);
    expect(texts[1]).toMatch(/^items\.find at .*scope\.test\.ts/u);
  });

  test('takes no stack in every transaction of a process that has had many without a fault, and in each one after a fault', async () => {
    const { [Symbol.for('mooring.mongo')]: state } = globalThis as unknown as Record<symbol, { scopesOpened: number; placesUntil: number }>;
    Object.assign(state as object, { scopesOpened: 1_001, placesUntil: 0 });
    const [first] = await warningsOf(() => withTransaction(async () => items.countDocuments(), { client, logger }));
    expect(first).toMatch(/^items\.countDocuments at .*scope\.test\.ts:\d+:\d+.* of the transaction around it: pass/u);
    const [second] = await warningsOf(() => withTransaction(async () => items.distinct('_id'), { client, logger }));
    expect(second).toMatch(/^items\.distinct at .*scope\.test\.ts:\d+:\d+.* opened at .*scope\.test\.ts:\d+:\d+/u);
  });

  test('is found in session.withTransaction too', async () => {
    const session = client.startSession();
    const run = (options: object): Promise<void> =>
      session.withTransaction(async () => {
        await items.insertOne({ _id: 'mine' }, { session });
        await items.findOne({ _id: 'mine' });
      }, options);
    const texts = await warningsOf(() => run({}));
    expect(texts).toHaveLength(1);
    expect(texts[0]).toMatch(/^items\.findOne at .*scope\.test\.ts:\d+:\d+.* opened at .*scope\.test\.ts:\d+:\d+/u);
    await items.deleteMany({});
    expect(isMooringError(await failureOf(() => run({ forgottenSession: 'throw' })), 'MOORING_INVALID_ARGUMENT')).toBe(true);
    expect(await items.countDocuments()).toBe(0);
    expect(await warningsOf(() => run({ forgottenSession: 'off' }))).toEqual([]);
    expect((await failureOf(() => run({ forgottenSession: 'never' }))).message).toContain('forgottenSession must be one of');
    await session.endSession();
  });

  test('throws or says nothing, as it is told', async () => {
    const error = await failureOf(() => forget({ forgottenSession: 'throw' }));
    expect(isMooringError(error, 'MOORING_INVALID_ARGUMENT')).toBe(true);
    expect(error.message).toContain('items.findOne at ');
    expect(await items.countDocuments()).toBe(0);
    expect(await warningsOf(() => forget({ forgottenSession: 'off' }))).toEqual([]);
  });

  test.each([
    ['session', 'sometimes'],
    ['forgottenSession', true],
    ['nested', 'never'],
  ])('option %s is checked before any I/O', async (name, value) => {
    const error = await failureOf(() => withTransaction(async () => {}, { client, [name]: value }));
    expect(error).toMatchObject({ code: 'MOORING_INVALID_ARGUMENT' });
    expect(error.message).toContain(`${name} must be one of`);
  });
});

describe('leakThresholdMs', () => {
  test('names where a session was started that is held too long, once, and no other', async () => {
    const strict = await connected('mooring_scope_leak', { leakThresholdMs: 100 });
    const spy = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const held = strict.startSession();
    await strict.startSession().endSession();
    await withSession(async () => delay(1), { client: strict });
    await delay(300);
    const texts = spy.mock.calls.map(([text]) => String(text));
    spy.mockRestore();
    expect(texts).toHaveLength(1);
    expect(texts[0]).toMatch(/^session started at .*scope\.test\.ts:\d+:\d+.* is held for more than 100 ms/u);
    await held.endSession();
    await strict.close();
  });

  test.each([0, -1, 'soon', Number.NaN])('%s is refused before any I/O', (leakThresholdMs) => {
    expect(() => new MongoClient(uriFor('x'), { leakThresholdMs: leakThresholdMs as number })).toThrow('leakThresholdMs');
  });
});
