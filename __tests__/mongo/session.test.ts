/** @module __tests__/mongo/session: transactions by hand: start, commit, abort and end, with the Node driver's errors, against a real replica set. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Collection, getSessionStats, type MongoClient, SessionManager, withSession, withTransaction } from '../../dist/index.js';
import { connected, failCommand, failureOf, openTransactions } from './fixture';

let client: MongoClient;
let items: Collection;

beforeAll(async () => {
  client = await connected('mooring_session');
});
beforeEach(async () => {
  items = client.db().collection('items');
  await items.drop();
  await client.db().createCollection('items');
});
afterEach(() => failCommand(client, 'off'));
afterAll(() => client.close());

describe('the manual way', () => {
  test('bears endSession in catch and again in finally, inside and outside of withTransaction', async () => {
    const manual = async (): Promise<string> => {
      const session = client.startSession();
      try {
        session.startTransaction();
        await items.insertOne({ _id: 1 }, { session });
        throw new Error('launch failed');
      } catch (error) {
        await session.endSession();
        return (error as Error).message;
      } finally {
        await session.endSession();
      }
    };
    expect(await manual()).toBe('launch failed');
    const inside = await withTransaction(
      async (session) => {
        try {
          await items.insertOne({ _id: 2 }, { session });
          return 'done';
        } finally {
          await session.endSession();
          await session.endSession();
        }
      },
      { client },
    );
    expect(inside).toBe('done');
    expect(await items.find().toArray()).toEqual([{ _id: 2 }]);
    expect(await openTransactions(client)).toBe(0);
    expect(getSessionStats(client).open).toBe(0);
  });

  test('keeps the rules of the Node driver about the order of calls', async () => {
    const session = client.startSession();
    await expect(session.commitTransaction()).rejects.toThrow('No transaction started');
    await expect(session.abortTransaction()).rejects.toThrow('No transaction started');
    session.startTransaction();
    expect(session.inTransaction()).toBe(true);
    expect(() => session.startTransaction()).toThrow('Transaction already in progress');
    await session.abortTransaction();
    await expect(session.abortTransaction()).rejects.toThrow('Cannot call abortTransaction twice');
    await expect(session.commitTransaction()).rejects.toThrow('Cannot call commitTransaction after calling abortTransaction');
    session.startTransaction();
    await items.insertOne({ _id: 1 }, { session });
    await session.commitTransaction();
    await session.commitTransaction();
    await expect(session.abortTransaction()).rejects.toThrow('Cannot call abortTransaction after calling commitTransaction');
    await session.endSession();
    expect(session.hasEnded).toBe(true);
    expect(() => session.startTransaction()).toThrow('Cannot use a session that has ended');
    expect((await failureOf(() => items.findOne({}, { session }))).name).toBe('MongoExpiredSessionError');
  });

  test('works with session.withTransaction, which keeps the session open', async () => {
    await withSession(
      async (session) => {
        const value = await session.withTransaction(async (same) => {
          expect(same).toBe(session);
          return (await items.insertOne({ _id: 1 }, { session })).insertedId;
        });
        expect(value).toBe(1);
        expect(await session.withTransaction(async () => Promise.reject(new Error('no'))).catch((error: Error) => error.message)).toBe(
          'no',
        );
        expect(session.hasEnded).toBe(false);
      },
      { client },
    );
    expect(getSessionStats(client).open).toBe(0);
  });

  test('lets writes and transactions take turns in one session, whose server session others have used before', async () => {
    const watched = await connected('mooring_transaction_turns', { monitorCommands: true });
    const sent: { name: string; lsid: string; number: unknown }[] = [];
    watched.on(
      'commandStarted',
      ({ commandName, command }: { commandName: string; command: { lsid?: { id: object }; txnNumber?: unknown } }) => {
        const { lsid, txnNumber } = command;
        if (txnNumber !== undefined) sent.push({ name: commandName, lsid: JSON.stringify(lsid?.id), number: Number(txnNumber) });
      },
    );
    const turns = watched.db().collection('turns');
    await watched.db().createCollection('turns');
    let _id = 0;
    for (let round = 0; round < 3; round++) {
      await watched.withSession(async (session) => {
        await turns.insertOne({ _id: _id++ }, { session });
        await session.withTransaction(() => turns.insertOne({ _id: _id++ }, { session }));
        await turns.updateOne({ _id: 0 }, { $inc: { n: 1 } }, { session });
        session.startTransaction();
        await turns.insertOne({ _id: 'never' }, { session });
        await session.abortTransaction();
        await turns.deleteOne({ _id: 'never' }, { session });
      });
      // The server session goes back in the background.
      await delay(50);
    }
    expect(new Set(sent.map(({ lsid }) => lsid)).size).toBe(1);
    // A commit and an abort have the number of their transaction.
    expect(sent.map(({ number }) => number)).toEqual([0, 5, 10].flatMap((base) => [1, 2, 2, 3, 4, 4, 5].map((number) => base + number)));
    expect(await turns.countDocuments()).toBe(6);
    expect(await turns.findOne({ _id: 0 })).toMatchObject({ n: 3 });
    await watched.close();
  });

  test('is over for the session with the next operation without a transaction, and again when nothing was in it', async () => {
    await client.withSession(async (session) => {
      session.startTransaction();
      await session.commitTransaction();
      await session.commitTransaction();
      session.startTransaction();
      await items.insertOne({ _id: 1 }, { session });
      await session.commitTransaction();
      await items.insertOne({ _id: 2 }, { session });
      expect(session.transaction.state).toBe('NO_TRANSACTION');
      expect((await failureOf(() => session.commitTransaction())).message).toBe('No transaction started');
      const unacknowledged = await failureOf(() => session.startTransaction({ writeConcern: { w: 0 } }));
      expect(unacknowledged.message).toContain('do not support unacknowledged write concerns');
      session.startTransaction();
      await items.insertOne({ _id: 3 }, { session });
      await session.abortTransaction();
      expect(session.id).toBeDefined();
    });
    expect(await items.countDocuments()).toBe(2);
  });

  test('has sessions that read one point in time, also one that another session has read', async () => {
    const majority = client.db().collection('items', { writeConcern: { w: 'majority' } });
    await majority.insertOne({ _id: 1 });
    await client.withSession({ snapshot: true }, async (session) => {
      expect(session.snapshotTime).toBeUndefined();
      expect(await items.countDocuments({}, { session })).toBe(1);
      await majority.insertOne({ _id: 2 });
      expect(await items.countDocuments({}, { session })).toBe(1);
      const { snapshotTime } = session;
      await client.withSession({ snapshot: true, snapshotTime }, async (later) => {
        expect(await items.find({}, { session: later }).toArray()).toEqual([{ _id: 1 }]);
      });
      expect((await failureOf(() => items.insertOne({ _id: 3 }, { session }))).name).toBe('MongoServerError');
      expect(() => client.startSession({ snapshotTime })).toThrow('snapshotTime needs a session with snapshot');
    });
  });

  test('is offered as SessionManager too', async () => {
    expect(
      await SessionManager.withTransaction(async (session) => (await items.insertOne({ _id: 1 }, { session })).insertedId, { client }),
    ).toBe(1);
    expect(SessionManager.getSessionStats(client).open).toBe(0);
  });
});
