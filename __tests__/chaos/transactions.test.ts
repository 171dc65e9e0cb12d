/** @module __tests__/chaos/transactions: money is moved while commands and commits fail at random; none is lost, made or moved twice. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { isMooringError, MongoClient, withTransaction } from '../../dist/index.js';
import { limitMs, random, rounds, seed } from '../support/chaos';

const ACCOUNTS = 6;
const START = 1000;
/** What a fault does: before, within and after the commit. Codes that the driver takes for a change of the primary are left out: they stop it for seconds. */
const FAULTS = [
  { failCommands: ['commitTransaction'], errorCode: 64, errorLabels: ['UnknownTransactionCommitResult'] },
  { failCommands: ['commitTransaction'], closeConnection: true },
  { failCommands: ['update'], errorCode: 112, errorLabels: ['TransientTransactionError'] },
  { failCommands: ['update'], closeConnection: true },
];

describe(`transfers under faults (seed ${seed})`, () => {
  const client = new MongoClient(process.env['MONGODB_URI'] as string);
  const database = client.db(`chaos_${process.pid}`);
  const accounts = database.collection<{ _id: number; balance: number }>('accounts');
  const transfers = database.collection<{ _id: number; from: number; to: number }>('transfers');

  beforeAll(async () => {
    await client.connect();
    await accounts.insertMany(Array.from({ length: ACCOUNTS }, (_, _id) => ({ _id, balance: START })));
    await database.createCollection('transfers');
  });
  afterAll(async () => {
    await client.db('admin').command({ configureFailPoint: 'failCommand', mode: 'off' });
    await database.dropDatabase();
    await client.close();
  });

  test(
    'keep the sum, and every answer is true',
    async () => {
      const next = random(seed);
      const count = rounds(120);
      const told = { done: new Set<number>(), failed: new Set<number>(), unknown: new Set<number>() };
      const transfer = async (id: number): Promise<void> => {
        const [from, to] = [id % ACCOUNTS, (id * 7 + 1) % ACCOUNTS];
        try {
          const move = async (session: never): Promise<void> => {
            await accounts.updateOne({ _id: from }, { $inc: { balance: -1 } }, { session });
            await accounts.updateOne({ _id: to }, { $inc: { balance: 1 } }, { session });
            await transfers.insertOne({ _id: id, from, to }, { session });
          };
          await withTransaction(move as never, { client, maxRetries: 20, logger: { warn: () => {}, error: () => {} } } as never);
          told.done.add(id);
        } catch (error) {
          (isMooringError(error, 'MOORING_UNKNOWN_COMMIT') ? told.unknown : told.failed).add(id);
        }
      };
      for (let id = 1; id <= count; id += 4) {
        if (next() < 0.6) {
          const data = FAULTS[Math.floor(next() * FAULTS.length)];
          await client.db('admin').command({ configureFailPoint: 'failCommand', mode: { times: 1 + Math.floor(next() * 3) }, data });
        }
        await Promise.all([transfer(id), transfer(id + 1), transfer(id + 2), transfer(id + 3)]);
      }
      await client.db('admin').command({ configureFailPoint: 'failCommand', mode: 'off' });
      const stored = new Set((await transfers.find({}).toArray()).map((row) => row._id));
      const sum = (await accounts.find({}).toArray()).reduce((total, account) => total + account.balance, 0);
      expect(sum).toBe(ACCOUNTS * START);
      expect([...told.done].filter((id) => !stored.has(id))).toEqual([]);
      expect([...told.failed].filter((id) => stored.has(id))).toEqual([]);
      expect(told.done.size).toBeGreaterThan(count / 2);
    },
    limitMs(60_000),
  );
});
