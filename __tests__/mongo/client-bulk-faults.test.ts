/** @module __tests__/mongo/client-bulk-faults: batches, failures and sessions of bulk writes of the client, on a server that is the tests' own. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import * as mongodb from 'mongodb';
import { type Document, isMooringError, withTransaction } from '../../dist/index.js';
import { done, duplicate, hex, insert, inserted, long, MIXED, NS, type Stage, staged } from './client-bulk-fixture';
import { failureOf, recorder } from './fixture';

let stage: Stage;
const held = staged();
beforeEach(() => {
  stage = held.current;
});

describe('batches', () => {
  test('follow maxWriteBatchSize, each with a number of its own, and keep the indexes of the models', async () => {
    await stage.open({}, { maxWriteBatchSize: 2 });
    stage.replies = [({ ops }) => done({ nInserted: (ops as unknown[]).length }, (ops as unknown[]).map((_op, idx) => ({ ok: 1, idx, n: 1 })))]; // prettier-ignore
    const models = [insert(1), insert(2, 'a.b'), insert(3, 'a.b'), insert(4), insert(5)];
    const result = await stage.client.bulkWrite(models, { verboseResults: true });
    expect(result.insertedCount).toBe(5);
    expect([...(result.insertResults ?? [])].map(([index, { insertedId }]) => [index, insertedId])).toEqual([0, 1, 2, 3, 4].map((n) => [n, n + 1])); // prettier-ignore
    expect(stage.bulks().map(({ ops, nsInfo }) => [(ops as Document[]).map((op) => op['insert']), nsInfo])).toEqual([
      [
        [0, 1],
        [{ ns: NS }, { ns: 'a.b' }],
      ],
      [
        [0, 1],
        [{ ns: 'a.b' }, { ns: NS }],
      ],
      [[0], [{ ns: NS }]],
    ]);
    expect(stage.bulks().map(({ txnNumber }) => Number(txnNumber))).toEqual([1, 2, 3]);
  });

  test('that may touch many documents have no number, the others do', async () => {
    await stage.open({}, { maxWriteBatchSize: 2 });
    stage.replies = [done({})];
    await stage.client.bulkWrite([insert(1), insert(2), { name: 'deleteMany', namespace: NS, filter: {} }, insert(3), insert(4)]);
    expect(stage.bulks().map((command) => 'txnNumber' in command)).toEqual([true, false, true]);
  });

  test("follow the size that a command may have, which is a document's", async () => {
    const text = 'x'.repeat(6 * 1024 * 1024);
    const models = [1, 2, 3, 4, 5].map((_id) => ({ name: 'insertOne', namespace: NS, document: { _id, text } }) as const);
    expect(await stage.client.bulkWrite(models)).toMatchObject({ insertedCount: 5 });
    expect(stage.bulks().map(({ ops }) => (ops as unknown[]).length)).toEqual([2, 2, 1]);
    const large = { name: 'insertOne', namespace: NS, document: { text: 'x'.repeat(16 * 1024 * 1024) } } as const;
    const error = await failureOf(() => stage.client.bulkWrite([insert(1), large]));
    expect(error).toMatchObject({ name: 'MongoInvalidArgumentError', details: { argument: 'models', maybeExecuted: false } });
    expect(error.message).toMatch(/^model 1 has \d+ bytes, more than the 16777216 that a document may have$/);
    expect(stage.bulks()).toHaveLength(3);
  });

  test('stop at a write error when ordered, and run on when not', async () => {
    await stage.open({}, { maxWriteBatchSize: 2 });
    const models = [insert(1), insert(1), insert(2), insert(2), insert(3)];
    const both = [
      done({ nInserted: 1, nErrors: 1 }, [{ ok: 1, idx: 0, n: 1 }, duplicate(1)]),
      done({ nInserted: 1 }, [{ ok: 1, idx: 0, n: 1 }]),
    ];
    stage.replies = [...both];
    const ordered = await failureOf(() => stage.client.bulkWrite(models, { verboseResults: true }));
    expect(ordered).toBeInstanceOf(mongodb.MongoClientBulkWriteError);
    expect(ordered).toMatchObject({
      message: 'Mongo client ordered bulk write encountered a write error.',
      writeErrors: new Map([[1, { code: 11_000, message: 'E11000 duplicate key' }]]),
      writeConcernErrors: [],
      partialResult: { acknowledged: true, insertedCount: 1, insertResults: new Map([[0, { insertedId: 1 }]]), updateResults: new Map() },
    });
    expect(stage.bulks()).toHaveLength(1);
    stage.replies = [both[0] as Document, both[0] as Document, both[1] as Document];
    const unordered = await failureOf(() => stage.client.bulkWrite(models, { ordered: false }));
    expect(unordered).toMatchObject({
      message: 'Mongo client bulk write encountered errors during execution.',
      partialResult: { insertedCount: 3 },
    });
    expect([...(unordered['writeErrors'] as Map<number, object>).keys()]).toEqual([1, 3]);
    expect(unordered['partialResult']).not.toHaveProperty('insertResults');
    expect(isMooringError(unordered, 'MOORING_SERVER_ERROR')).toBe(true);
    expect(isMooringError(unordered.cause)).toBe(true);
  });

  test('run on after a write concern error, which is told at the end with everything else', async () => {
    await stage.open({}, { maxWriteBatchSize: 1 });
    const writeConcernError = { code: 64, codeName: 'WriteConcernTimeout', errmsg: 'waiting for replication timed out' };
    stage.replies = [done({ nInserted: 1 }, [], { writeConcernError }), done({ nErrors: 1 }, [duplicate(0)], { writeConcernError })];
    const error = await failureOf(() => stage.client.bulkWrite([insert(1), insert(1), insert(2)]));
    const told = { code: 64, message: writeConcernError.errmsg };
    expect(error).toMatchObject({
      name: 'MongoClientBulkWriteError',
      writeConcernErrors: [told, told],
      partialResult: { insertedCount: 1 },
    });
    expect([...(error['writeErrors'] as Map<number, object>).keys()]).toEqual([1]);
    expect(stage.bulks()).toHaveLength(2);
  });
});

describe('failures', () => {
  test('a lost connection is followed by one more try with the same number', async () => {
    stage.replies = ['lose', inserted];
    expect(await stage.client.bulkWrite([insert(4)])).toMatchObject({ insertedCount: 1 });
    const [first, second] = stage.bulks();
    expect(Number(second?.['txnNumber'])).toBe(Number(first?.['txnNumber']));
    expect(hex(second?.['lsid'])).toBe(hex(first?.['lsid']));
    expect(second?.['ops']).toEqual(first?.['ops']);
  });

  test('a label asks for the second try as well, also beside a write concern error', async () => {
    const labels = { errorLabels: ['RetryableWriteError'] };
    stage.replies = [{ ok: 0, code: 189, errmsg: 'stepped down', ...labels }, inserted];
    expect(await stage.client.bulkWrite([insert(4)])).toMatchObject({ insertedCount: 1 });
    stage.replies = [done({ nInserted: 1 }, [], { writeConcernError: { code: 91, errmsg: 'shutting down' }, ...labels }), inserted];
    expect(await stage.client.bulkWrite([insert(5)])).toMatchObject({ insertedCount: 1 });
    expect(stage.bulks().map(({ txnNumber }) => Number(txnNumber))).toEqual([1, 1, 2, 2]);
  });

  test('no second try for what may touch many documents, nor without retryWrites', async () => {
    stage.replies = ['lose'];
    await failureOf(() => stage.client.bulkWrite([{ name: 'updateMany', namespace: NS, filter: {}, update: { $set: { a: 1 } } }]));
    await stage.open({ retryWrites: false });
    await failureOf(() => stage.client.bulkWrite([insert(1)]));
    expect(stage.bulks()).toHaveLength(2);
  });

  test('a connection that stays lost is a network error, as in the Node driver, and says what was done', async () => {
    await stage.open({}, { maxWriteBatchSize: 1 });
    stage.replies = [inserted, 'lose', 'lose', inserted];
    const error = await failureOf(() => stage.client.bulkWrite([insert(1), insert(2)], { verboseResults: true }));
    expect(error).toBeInstanceOf(mongodb.MongoNetworkError);
    expect(isMooringError(error, 'MOORING_DISCONNECTED')).toBe(true);
    expect(isMooringError(error.cause)).toBe(true);
    expect(error).toMatchObject({ errorLabels: ['RetryableWriteError'], partialResult: { insertedCount: 1 } });
    expect(stage.bulks()).toHaveLength(3);
  });

  test("a command that the server refuses is a MongoClientBulkWriteError, whose cause is the server's error and whose cause is ours", async () => {
    await stage.open({}, { maxWriteBatchSize: 1 });
    stage.replies = [inserted, { ok: 0, code: 8, codeName: 'UnknownError', errmsg: 'no', errorLabels: ['Some'] }];
    const error = await failureOf(() => stage.client.bulkWrite([insert(1), insert(2)]));
    expect(error).toBeInstanceOf(mongodb.MongoClientBulkWriteError);
    expect(error).toMatchObject({
      message: 'Mongo client bulk write encountered an error during execution',
      code: 8,
      errorLabels: ['Some'],
      partialResult: { insertedCount: 1 },
      writeErrors: new Map(),
      writeConcernErrors: [],
    });
    const { cause } = error;
    expect(cause).toBeInstanceOf(mongodb.MongoServerError);
    expect(cause).toMatchObject({
      code: 8,
      codeName: 'UnknownError',
      message: 'no',
      errorLabels: ['Some'],
      errorResponse: { code: 8, errmsg: 'no' },
    });
    expect(cause).not.toHaveProperty('result');
    expect(isMooringError((cause as Error).cause, 'MOORING_SERVER_ERROR')).toBe(true);
  });

  test('a cursor that is lost keeps what its first batch told', async () => {
    stage.replies = [
      { ...done({ nInserted: 2, nErrors: 1 }), cursor: { id: long(9), firstBatch: [duplicate(1)], ns: 'admin.$cmd.bulkWrite' } },
    ];
    const error = await failureOf(() => stage.client.bulkWrite([insert(1), insert(1), insert(2)], { ordered: false }));
    expect(error).toBeInstanceOf(mongodb.MongoClientBulkWriteError);
    expect(error).toMatchObject({ code: 43, partialResult: { insertedCount: 2 }, cause: { code: 43, codeName: 'CursorNotFound' } });
    expect([...(error['writeErrors'] as Map<number, object>).keys()]).toEqual([1]);
  });

  test('a reply that is none is typed, and so is a result of an operation that was not sent', async () => {
    for (const reply of [{}, { cursor: 1 }, done({}, [{ ok: 1, idx: 7, n: 1 }]), done({ nInserted: 'x' }, [{}])]) {
      stage.replies = [reply];
      const error = await failureOf(() => stage.client.bulkWrite([insert(1)], { verboseResults: true }));
      expect([/^(Mongo|BSON)/.test(error.name), isMooringError(error)]).toEqual([true, true]);
    }
  });

  test('timeoutMS and a signal end it', async () => {
    await stage.open({}, { maxWriteBatchSize: 1 });
    stage.replies = [inserted, { ok: 0, code: 50, codeName: 'MaxTimeMSExpired', errmsg: 'time limit' }];
    const late = await failureOf(() => stage.client.bulkWrite([insert(1), insert(2)], { timeoutMS: 5_000 }));
    expect(late).toMatchObject({ name: 'MongoOperationTimeoutError', code: 'MOORING_TIMEOUT', partialResult: { insertedCount: 1 } });
    const signal = AbortSignal.abort();
    expect(isMooringError(await failureOf(() => stage.client.bulkWrite([insert(1)], { signal })), 'MOORING_ABORTED')).toBe(true);
    expect(stage.bulks()).toHaveLength(2);
  });
});

describe('sessions', () => {
  test('an explicit one gives its id and its next number, which a transaction follows', async () => {
    const coll = stage.client.db('crud-tests').collection('coll0');
    await stage.client.withSession(async (session) => {
      await stage.client.bulkWrite([insert(1)], { session });
      await coll.insertOne({ _id: 2 }, { session });
      await stage.client.bulkWrite([insert(3)], { session });
      session.startTransaction();
      await stage.client.bulkWrite([insert(4)], { session });
      await stage.client.bulkWrite(MIXED, { session, writeConcern: { w: 1 } });
      await session.commitTransaction();
      await stage.client.bulkWrite([insert(5)], { session });
      const commands = stage.server.received
        .filter(({ name }) => /^(bulkWrite|insert|commitTransaction)$/.test(name))
        .map(({ command }) => command);
      expect(commands.map(({ txnNumber }) => Number(txnNumber))).toEqual([1, 2, 3, 4, 4, 4, 5]);
      expect(new Set(commands.map(({ lsid }) => hex(lsid)))).toEqual(
        new Set([Buffer.from(session.id?.id['buffer'] ?? '').toString('hex')]),
      );
      const [, , , begins, goesOn] = commands;
      expect(begins).toMatchObject({ startTransaction: true, autocommit: false });
      expect(goesOn).toMatchObject({ autocommit: false });
      for (const name of ['startTransaction', 'writeConcern']) expect(goesOn).not.toHaveProperty(name);
    });
  });

  test('the cursor of a transaction is read inside of it', async () => {
    stage.replies = [{ ...done({ nInserted: 1 }), cursor: { id: long(5), firstBatch: [], ns: 'admin.$cmd.bulkWrite' } }];
    stage.more = () => ({ cursor: { id: long(0), nextBatch: [{ ok: 1, idx: 0, n: 1 }], ns: 'admin.$cmd.bulkWrite' } });
    await stage.client.withSession(async (session) => {
      session.startTransaction();
      const { insertResults } = await stage.client.bulkWrite([insert(1)], { session, verboseResults: true });
      expect(insertResults?.size).toBe(1);
      await session.abortTransaction();
    });
    expect(stage.server.sent('getMore')[0]).toMatchObject({ autocommit: false, txnNumber: expect.anything() });
    expect(stage.server.sent('getMore')[0]).not.toHaveProperty('startTransaction');
  });

  test('an ambient transaction takes it in, and runs again by the label of its error', async () => {
    const transient = { ok: 0, code: 112, codeName: 'WriteConflict', errmsg: 'conflict', errorLabels: ['TransientTransactionError'] };
    stage.replies = [transient, inserted];
    const result = await withTransaction(() => stage.client.bulkWrite([insert(1)]), {
      client: stage.client,
      session: 'ambient',
      retryDelayMs: 1,
    });
    expect(result.insertedCount).toBe(1);
    expect(stage.bulks().map(({ txnNumber, startTransaction }) => [Number(txnNumber), startTransaction])).toEqual([[1, true], [2, true]]); // prettier-ignore
    expect(stage.server.sent('commitTransaction')).toHaveLength(1);
    const forgotten = await failureOf(() =>
      withTransaction(() => stage.client.bulkWrite([insert(1)]), { client: stage.client, forgottenSession: 'throw', logger: recorder() }),
    );
    expect(forgotten.message).toMatch(/^client\.bulkWrite at /);
  });

  test('one that is no session, and an unacknowledged write in one, are refused', async () => {
    expect(await failureOf(() => stage.client.bulkWrite([insert(1)], { session: {} as never }))).toMatchObject({
      details: { argument: 'session' },
    });
    await stage.client.withSession(async (session) => {
      const error = await failureOf(() => stage.client.bulkWrite([insert(1)], { session, ordered: false, writeConcern: { w: 0 } }));
      expect(error).toMatchObject({ name: 'MongoInvalidArgumentError', details: { argument: 'writeConcern' } });
    });
    expect(stage.bulks()).toEqual([]);
  });
});
