/** @module __tests__/mongo/transaction: the loop of `withTransaction` against a real replica set with fail points. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  type ClientSession,
  type Collection,
  getSessionStats,
  isMooringError,
  type MongoClient,
  MooringError,
  withSession,
  withTransaction,
} from '../../dist/index.js';
import { connected, failCommand, failureOf, openTransactions, recorder, until } from './fixture';

let client: MongoClient;
let items: Collection;

beforeAll(async () => {
  client = await connected('mooring_transaction');
});
beforeEach(async () => {
  items = client.db().collection('items');
  await items.drop();
  await client.db().createCollection('items');
});
afterEach(() => failCommand(client, 'off'));
afterAll(() => client.close());

/** Ways in which a commit fails for a moment: the first did not commit, of the others nobody knows. */
const COMMIT_FAULTS = [
  { errorCode: 112, errorLabels: ['TransientTransactionError'] },
  { errorCode: 262, errorLabels: ['UnknownTransactionCommitResult', 'RetryableWriteError'] },
  { errorCode: 64, errorLabels: ['UnknownTransactionCommitResult'] },
];

describe('withTransaction', () => {
  test('leaves nothing open after 1,000 calls of which every third throws and every fifth commit fails', async () => {
    const logger = recorder();
    const errors: unknown[] = [];
    let succeeded = 0;
    const call = async (index: number): Promise<void> => {
      try {
        await withTransaction(
          async (session) => {
            await items.insertOne({ _id: index }, { session });
            if (index % 3 === 0) throw new Error(`callback ${index}`);
          },
          { client, logger, maxRetries: 10 },
        );
        succeeded += 1;
      } catch (error) {
        errors.push(error);
      }
    };
    for (let first = 0, group = 0; first < 1_000; first += 15, group++) {
      // Of 15 calls 10 commit: two of those fail.
      await failCommand(client, { times: 2 }, { failCommands: ['commitTransaction'], ...COMMIT_FAULTS[group % COMMIT_FAULTS.length] });
      await Promise.all(Array.from({ length: Math.min(15, 1_000 - first) }, (_, offset) => call(first + offset)));
    }
    expect(errors.map(String).filter((text) => !/callback \d+/.test(text))).toEqual([]);
    expect(errors).toHaveLength(334);
    expect(succeeded).toBe(666);
    expect(await items.countDocuments()).toBe(succeeded);
    expect(logger.lines).toHaveLength(334);
    expect(logger.lines.join('\n')).not.toMatch(/session already ended|expired session|session that has ended/i);
    await until(async () => (await openTransactions(client)) === 0);
    expect(getSessionStats(client)).toMatchObject({ open: 0, started: 1_000, ended: 1_000 });
  }, 120_000);

  test('rejects 20 late calls within 600 ms, aborts them on the server and refuses what their callbacks still ask for', async () => {
    const before = getSessionStats(client);
    const late: unknown[] = [];
    const signals: AbortSignal[] = [];
    const callback = async (session: ClientSession, index: number): Promise<void> => {
      signals.push(session.signal);
      await items.insertOne({ _id: `early ${index}` }, { session });
      await delay(700);
      late.push(await failureOf(() => items.insertOne({ _id: `late ${index}` }, { session })));
    };
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const started = performance.now();
        const error = await failureOf(() =>
          withTransaction((session) => callback(session, index), { client, timeoutMs: 300, logger: recorder() }),
        );
        return { error, elapsedMs: performance.now() - started };
      }),
    );
    for (const { error, elapsedMs } of outcomes) {
      expect(elapsedMs).toBeLessThan(600);
      expect(isMooringError(error, 'MOORING_TIMEOUT')).toBe(true);
      expect(error).toMatchObject({ details: { phase: 'transaction' } });
    }
    expect(signals).toHaveLength(20);
    expect(signals.every(({ aborted, reason }) => aborted && isMooringError(reason, 'MOORING_TIMEOUT'))).toBe(true);
    await until(async () => (await openTransactions(client)) === 0, 400);
    await until(() => late.length === 20);
    expect(late.every((error) => isMooringError(error, 'MOORING_CLOSED'))).toBe(true);
    expect(await items.countDocuments()).toBe(0);
    await until(() => getSessionStats(client).open === 0);
    const { transactions } = getSessionStats(client);
    expect(transactions.timedOut - before.transactions.timedOut).toBe(20);
  });

  test('stops an operation that the server still runs when the deadline passes', async () => {
    await failCommand(client, { times: 1 }, { failCommands: ['insert'], blockConnection: true, blockTimeMS: 2_000 });
    const started = performance.now();
    const error = await failureOf(() =>
      withTransaction((session) => items.insertOne({ _id: 1 }, { session }), { client, timeoutMs: 300, logger: recorder() }),
    );
    expect(isMooringError(error, 'MOORING_TIMEOUT')).toBe(true);
    expect(performance.now() - started).toBeLessThan(600);
    await until(async () => (await openTransactions(client)) === 0);
    await until(() => getSessionStats(client).open === 0);
    expect(await items.countDocuments()).toBe(0);
  });

  test('returns the callback value and rethrows what it throws by identity', async () => {
    expect(await withTransaction(async (session) => (await items.insertOne({ _id: 1 }, { session })).insertedId, { client })).toBe(1);
    const thrown = { not: 'an error' };
    const logger = recorder();
    // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- what is thrown must leave as it is
    expect(await failureOf(() => withTransaction(async () => Promise.reject(thrown), { client, logger }))).toBe(thrown);
    expect(logger.lines).toEqual(['Session transaction failed after 1 attempts']);
  });

  test('runs the callback again for a transient error and gives up after maxRetries', async () => {
    const logger = recorder();
    let calls = 0;
    await failCommand(client, { times: 2 }, { failCommands: ['insert'], errorCode: 112, errorLabels: ['TransientTransactionError'] });
    await withTransaction(
      async (session) => {
        calls += 1;
        expect(session.attempt).toBe(calls);
        await items.insertOne({ _id: 1 }, { session });
      },
      { client, logger },
    );
    expect(calls).toBe(3);
    await failCommand(client, 'alwaysOn', { failCommands: ['insert'], errorCode: 112, errorLabels: ['TransientTransactionError'] });
    calls = 0;
    const error = await failureOf(() =>
      withTransaction(
        async (session) => {
          calls += 1;
          await items.insertOne({ _id: 2 }, { session });
        },
        { client, logger, maxRetries: 2 },
      ),
    );
    expect(error['code']).toBe(112);
    expect(calls).toBe(3);
    expect(logger.lines).toEqual(['Session transaction failed after 3 attempts']);
  });

  test('reports a server error that the callback swallowed instead of retrying it for ever', async () => {
    await items.insertOne({ _id: 1 });
    let calls = 0;
    const error = await failureOf(() =>
      withTransaction(
        async (session) => {
          calls += 1;
          await items.insertOne({ _id: 1 }, { session }).catch(() => {});
        },
        { client, logger: recorder() },
      ),
    );
    expect(calls).toBe(1);
    expect([error['code'], (error.cause as (Error & { code?: unknown }) | undefined)?.code]).toContain('MOORING_SERVER_ERROR');
  });

  test('never calls a commit failed whose outcome nobody knows, and runs no hook for it', async () => {
    const ran: string[] = [];
    await failCommand(client, 'alwaysOn', {
      failCommands: ['commitTransaction'],
      errorCode: 64,
      errorLabels: ['UnknownTransactionCommitResult'],
    });
    const error = await failureOf(() =>
      withTransaction(
        async (session) => {
          session.afterCommit(() => ran.push('committed'));
          session.afterRollback(() => ran.push('rolled back'));
          await items.insertOne({ _id: 1 }, { session });
        },
        { client, timeoutMs: 800, logger: recorder() },
      ),
    );
    expect(isMooringError(error, 'MOORING_UNKNOWN_COMMIT')).toBe(true);
    expect(error).toMatchObject({ details: { commitToken: expect.any(String), maybeExecuted: true } });
    expect(ran).toEqual([]);
    await failCommand(client, 'off');
    const { commitToken } = error['details'] as { commitToken: string };
    expect(await client.commitOutcome(commitToken)).toBe('committed');
    expect(await items.countDocuments()).toBe(1);
    expect(isMooringError(await failureOf(() => client.commitOutcome('no such token')), 'MOORING_INVALID_ARGUMENT')).toBe(true);
    await until(() => getSessionStats(client).open === 0);
    expect(await openTransactions(client)).toBe(0);
  });

  test('rejects with MOORING_CLOSED when its client closes, and leaves nothing open on the server', async () => {
    const other = await connected('mooring_transaction_closed');
    await other.db().createCollection('items');
    let signal: AbortSignal | undefined;
    const running = failureOf(() =>
      withTransaction(
        async (session) => {
          ({ signal } = session);
          await other.db().collection('items').insertOne({ _id: 1 }, { session });
          await delay(3_000);
        },
        { client: other, logger: recorder() },
      ),
    );
    await until(async () => (await openTransactions(client)) === 1);
    await other.close(true);
    expect(isMooringError(await running, 'MOORING_CLOSED')).toBe(true);
    expect(signal?.aborted).toBe(true);
    await until(async () => (await openTransactions(client)) === 0);
  });

  test('queues operations that start side by side, in the order of the calls', async () => {
    await withTransaction(
      async (session) => {
        await items.insertOne({ _id: 1, n: [] }, { session });
        await Promise.all(Array.from({ length: 20 }, (_, n) => items.updateOne({ _id: 1 }, { $push: { n } }, { session })));
      },
      { client },
    );
    expect(await items.findOne({ _id: 1 })).toEqual({ _id: 1, n: Array.from({ length: 20 }, (_, n) => n) });
  });

  test('ends by the signal of the caller', async () => {
    const controller = new AbortController();
    const reason = new Error('user went away');
    const running = failureOf(() =>
      withTransaction(
        async (session) => {
          await items.insertOne({ _id: 1 }, { session });
          controller.abort(reason);
          await delay(300);
          return failureOf(() => items.insertOne({ _id: 2 }, { session }));
        },
        { client, signal: controller.signal, logger: recorder() },
      ),
    );
    const error = await running;
    expect(isMooringError(error, 'MOORING_ABORTED')).toBe(true);
    expect(error.cause).toBe(reason);
    await until(async () => (await openTransactions(client)) === 0);
    expect(await items.countDocuments()).toBe(0);
  });

  test('passes read concern, write concern and the time for the commit to the server', async () => {
    const seen: Record<string, Record<string, unknown>> = {};
    const watched = await connected('mooring_transaction_watched', { monitorCommands: true });
    watched.on(
      'commandStarted',
      ({ commandName, command }: { commandName: string; command: Record<string, unknown> }) => (seen[commandName] = command),
    );
    await watched.db().createCollection('x');
    await withTransaction(async (session) => watched.db().collection('x').insertOne({ _id: 1 }, { session }), {
      client: watched,
      readConcern: { level: 'snapshot' },
      writeConcern: { w: 'majority' },
      readPreference: 'primary',
      maxCommitTimeMS: 4_321,
    });
    await until(() => seen['commitTransaction'] !== undefined);
    expect(seen['insert']?.['readConcern']).toMatchObject({ level: 'snapshot' });
    expect(seen['commitTransaction']).toMatchObject({ writeConcern: { w: 'majority' } });
    expect(Number(seen['commitTransaction']?.['maxTimeMS'])).toBe(4_321);
    await watched.close();
  });

  test.each([
    ['fn', undefined, {}],
    ['fn', null, {}],
    ['options', async () => {}, null],
    ['maxRetries', async () => {}, { maxRetries: -1 }],
    ['maxRetries', async () => {}, { maxRetries: Number.NaN }],
    ['timeoutMs', async () => {}, { timeoutMs: Number.NaN }],
    ['timeoutMs', async () => {}, { timeoutMs: -300 }],
    ['timeoutMs', async () => {}, { timeoutMs: '300' }],
    ['timeoutMs', async () => {}, { timeoutMs: null }],
    ['retryDelayMs', async () => {}, { retryDelayMs: -1 }],
    ['signal', async () => {}, { signal: {} }],
    ['client', async () => {}, { client: {} }],
    ['onHookError', async () => {}, { onHookError: 1 }],
    ['logger', async () => {}, { logger: {} }],
    ['maxCommitTimeMS', async () => {}, { maxCommitTimeMS: Number.NaN }],
    ['timeoutMS', async () => {}, { timeoutMS: 300 }],
    ['nesting', async () => {}, { nesting: 'requiresNew' }],
  ])('refuses a bad %s before any I/O (%#)', async (argument, fn, options) => {
    const { started } = getSessionStats(client);
    const error = await failureOf(() => withTransaction(fn as never, (options === null ? null : { client, ...options }) as never));
    expect(error).toBeInstanceOf(MooringError);
    expect(error).toMatchObject({ code: 'MOORING_INVALID_ARGUMENT', details: { argument } });
    expect(getSessionStats(client).started).toBe(started);
  });
});

describe('hooks', () => {
  test('run once, in order, after the commit of the attempt that registered them', async () => {
    const ran: string[] = [];
    await failCommand(
      client,
      { times: 1 },
      { failCommands: ['commitTransaction'], errorCode: 112, errorLabels: ['TransientTransactionError'] },
    );
    await withTransaction(
      async (session) => {
        const { attempt } = session;
        await items.insertOne({ _id: 1 }, { session });
        session.afterCommit(async () => ran.push(`first ${attempt}, ${await items.countDocuments()} stored`));
        session.afterCommit(() => ran.push(`second ${attempt}`));
        session.afterRollback(() => ran.push(`rolled back ${attempt}`));
      },
      { client },
    );
    expect(ran).toEqual(['rolled back 1', 'first 2, 1 stored', 'second 2']);
  });

  test('report their errors to onHookError and change nothing', async () => {
    const heard: unknown[] = [];
    const fault = new Error('queue is down');
    const value = await withTransaction(
      async (session) => {
        session.afterCommit(() => Promise.reject(fault));
        return (await items.insertOne({ _id: 1 }, { session })).insertedId;
      },
      { client, onHookError: (error) => heard.push(error) },
    );
    expect(value).toBe(1);
    expect(heard).toEqual([fault]);
  });

  test('run after a manual commit and a manual abort, and need an open transaction', async () => {
    const ran: string[] = [];
    await withSession(
      async (session) => {
        expect(() => session.afterCommit(() => {})).toThrow(MooringError);
        for (const end of ['commit', 'abort'] as const) {
          session.startTransaction();
          session.afterCommit(() => ran.push('committed'));
          session.afterRollback(() => ran.push('rolled back'));
          await items.insertOne({ _id: end }, { session });
          await (end === 'commit' ? session.commitTransaction() : session.abortTransaction());
        }
      },
      { client },
    );
    expect(ran).toEqual(['committed', 'rolled back']);
    expect(await items.countDocuments()).toBe(1);
  });
});

describe('operations that are still pending when the callback returns', () => {
  test('are part of the transaction', async () => {
    const pending: Promise<unknown>[] = [];
    await withTransaction(
      async (session) => {
        for (let _id = 0; _id < 20; _id++) pending.push(items.insertOne({ _id }, { session }));
      },
      { client },
    );
    // Settled before the commit: each tells what became of it.
    expect((await Promise.all(pending)).length).toBe(20);
    expect(await items.countDocuments()).toBe(20);
  });

  test('abort it when one of them fails', async () => {
    const pending: Promise<unknown>[] = [];
    const run = withTransaction(
      async (session) => {
        await items.insertOne({ _id: 1 }, { session });
        pending.push(failureOf(() => items.insertOne({ _id: 1 }, { session })));
      },
      { client, logger: recorder() },
    );
    expect(await failureOf(() => run)).toMatchObject({ code: 11000, cause: { code: 'MOORING_SERVER_ERROR' } });
    expect(await pending[0]).toMatchObject({ code: 11000 });
    expect(await items.countDocuments()).toBe(0);
  });

  test.each(['withTransaction', 'session.withTransaction'])('are refused when they come after it: %s', async (how) => {
    const late: Promise<Error>[] = [];
    const session = client.startSession();
    await failCommand(client, { times: 1 }, { failCommands: ['commitTransaction'], blockConnection: true, blockTimeMS: 300 });
    const work = async (own: ClientSession): Promise<void> => {
      await items.insertOne({ _id: how }, { session: own });
      // Nobody waits for it: it comes while the commit is under way.
      setTimeout(() => late.push(failureOf(() => items.insertOne({ _id: `late ${how}` }, { session: own }))), 100);
    };
    await (how === 'withTransaction' ? withTransaction(work, { client }) : session.withTransaction(work));
    await session.endSession();
    expect(late).toHaveLength(1);
    expect(isMooringError(await late[0], 'MOORING_CLOSED')).toBe(true);
    expect(await items.find().toArray()).toEqual([{ _id: how }]);
  });
});
