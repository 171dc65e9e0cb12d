/**
 * @module __tests__/mongo/client-bulk
 *
 * Bulk writes of the client: what is sent, what comes back, what is refused. No server 8.0 is at hand: commands and replies are those of MongoDB's specification, on a
 * server that is the tests' own. Batches, failures and sessions are in `client-bulk-faults.test.ts`.
 */
import { beforeEach, describe, expect, test } from '@jest/globals';
import * as mongodb from 'mongodb';
import { type AnyClientBulkWriteModel, type Document, MongoClient } from '../../dist/index.js';
import { optionNames } from '../support/driver-types';
import {
  done,
  hex,
  insert,
  inserted,
  long,
  MIXED,
  MIXED_COUNTS,
  MIXED_OPS,
  MIXED_RESULTS,
  NS,
  type Stage,
  staged,
} from './client-bulk-fixture';
import { connected, failureOf, uriFor } from './fixture';

let stage: Stage;
const held = staged();
beforeEach(() => {
  stage = held.current;
});

describe('what is sent', () => {
  test('is the command of the specification, on admin, numbered unless it may touch many documents', async () => {
    stage.replies = [done(MIXED_COUNTS), done({ nInserted: 1 })];
    await stage.client.bulkWrite(MIXED);
    await stage.client.bulkWrite([insert(1)]);
    const [first, second] = stage.bulks();
    const { lsid, $clusterTime: _time, ...plain } = first as Document;
    expect(plain).toEqual({ bulkWrite: 1, errorsOnly: true, ordered: true, ops: MIXED_OPS, nsInfo: [{ ns: NS }], $db: 'admin' });
    expect(lsid).toBeDefined();
    expect(second).toMatchObject({ txnNumber: expect.anything(), lsid: { id: expect.anything() } });
  });

  test('names each namespace once', async () => {
    await stage.client.bulkWrite([
      insert(1, 'db0.coll0'),
      insert(2, 'db0.coll0'),
      { name: 'updateOne', namespace: 'db0.coll1', filter: { _id: 1 }, update: [{ $set: { x: 1 } }] },
      { name: 'deleteOne', namespace: 'db1.coll2.with.dots', filter: { _id: 3 } },
      { name: 'deleteOne', namespace: 'db0.coll1', filter: { _id: 2 } },
    ]);
    expect(stage.bulks()[0]).toMatchObject({
      ops: [{ insert: 0 }, { insert: 0 }, { update: 1, updateMods: [{ $set: { x: 1 } }] }, { delete: 2 }, { delete: 1 }],
      nsInfo: [{ ns: 'db0.coll0' }, { ns: 'db0.coll1' }, { ns: 'db1.coll2.with.dots' }],
    });
  });

  test('has the options of the models', async () => {
    const filter = { _id: 1 };
    const change = { collation: { locale: 'simple' }, hint: '_id_', upsert: true };
    const update = { $set: { 'a.$[i]': 4 } };
    const arrayFilters = [{ i: { $gte: 2 } }];
    await stage.client.bulkWrite([
      { name: 'updateOne', namespace: NS, filter, update, arrayFilters, sort: { x: -1 }, ...change },
      { name: 'updateMany', namespace: NS, filter, update, arrayFilters, ...change },
      { name: 'replaceOne', namespace: NS, filter, replacement: {}, sort: [['x', 'desc']], ...change },
      { name: 'deleteOne', namespace: NS, filter, collation: change.collation, hint: { _id: 1 } },
      { name: 'deleteMany', namespace: NS, filter, collation: change.collation, hint: '_id_' },
    ] as AnyClientBulkWriteModel[]);
    expect(stage.bulks()[0]?.['ops']).toEqual([
      { update: 0, multi: false, filter, updateMods: update, arrayFilters, sort: { x: -1 }, ...change },
      { update: 0, multi: true, filter, updateMods: update, arrayFilters, ...change },
      { update: 0, multi: false, filter, updateMods: {}, sort: { x: -1 }, ...change },
      { delete: 0, multi: false, filter, collation: change.collation, hint: { _id: 1 } },
      { delete: 0, multi: true, filter, collation: change.collation, hint: '_id_' },
    ]);
  });

  test('has ids that the client makes', async () => {
    let next = 0;
    await stage.open({ pkFactory: { createPk: () => (next += 1) } });
    stage.replies = [done({ nInserted: 4 }, [0, 1, 2, 3].map((idx) => ({ ok: 1, idx, n: 1 })))]; // prettier-ignore
    const documents = [{ a: 1 }, { _id: 'mine' }, new Map([['b', 1]]), { _id: null }];
    const models = documents.map((document) => ({ name: 'insertOne', namespace: NS, document }) as const);
    const { insertResults } = await stage.client.bulkWrite(models, { verboseResults: true });
    expect([...(insertResults ?? [])]).toEqual([[0, { insertedId: 1 }], [1, { insertedId: 'mine' }], [2, { insertedId: 2 }], [3, { insertedId: 3 }]]); // prettier-ignore
    expect(documents[0]).toEqual({ a: 1, _id: 1 });
    const sent = stage.ops(0).map((op) => (op['document'] as Document)['_id']);
    expect(sent).toEqual([1, 'mine', 2, 3]);
    stage.replies = [inserted];
    await stage.open();
    await stage.client.bulkWrite([{ name: 'insertOne', namespace: NS, document: {} }]);
    expect(stage.ops(1)[0]).toMatchObject({ document: { _id: { _bsontype: 'ObjectId' } } });
    await stage.open({ forceServerObjectId: true });
    await stage.client.bulkWrite([{ name: 'insertOne', namespace: NS, document: {} }]);
    expect(stage.bulks()[2]?.['ops']).toEqual([{ insert: 0, document: {} }]);
  });

  test.each([
    ['comment', { bulk: 'write' }, { comment: { bulk: 'write' } }],
    ['comment', 0, { comment: 0 }],
    ['bypassDocumentValidation', true, { bypassDocumentValidation: true }],
    ['bypassDocumentValidation', false, { bypassDocumentValidation: false }],
    ['let', { id1: 1 }, { let: { id1: 1 } }],
    ['ordered', false, { ordered: false }],
    ['ordered', true, { ordered: true }],
    ['verboseResults', true, { errorsOnly: false }],
    ['verboseResults', false, { errorsOnly: true }],
    ['writeConcern', { w: 'majority' }, { writeConcern: { w: 'majority' } }],
    ['w', 1, { writeConcern: { w: 1 } }],
    ['maxTimeMS', 700, { maxTimeMS: 700 }],
  ])('has the option %s: %j', async (name, value, fields) => {
    await stage.client.bulkWrite([insert(3)], { [name]: value });
    expect(stage.bulks()[0]).toMatchObject(fields);
  });

  test("has the client's write concern, and the time that is left", async () => {
    await stage.open({ timeoutMS: 9_000 }, {}, '&w=1');
    await stage.client.bulkWrite([insert(3)]);
    await stage.client.bulkWrite([insert(3)], { writeConcern: { w: 'majority', wtimeoutMS: 100 }, timeoutMS: 500 });
    expect(stage.bulks()[0]).toMatchObject({ writeConcern: { w: 1 } });
    expect(Number(stage.bulks()[0]?.['maxTimeMS'])).toBeGreaterThan(5_000);
    expect(stage.bulks()[1]).toMatchObject({ writeConcern: { w: 'majority', wtimeout: 100 } });
    expect(Number(stage.bulks()[1]?.['maxTimeMS'])).toBeLessThanOrEqual(500);
  });

  test('is encoded by the flags of the BSON library', async () => {
    const document = (): Document => ({ _id: 1, gone: undefined, code: () => 1 });
    const model = (): AnyClientBulkWriteModel => ({ name: 'insertOne', namespace: NS, document: document() });
    await stage.client.bulkWrite([model()], { serializeFunctions: true, ignoreUndefined: true });
    expect(stage.ops(0)[0]?.['document']).toEqual({ _id: 1, code: expect.objectContaining({ _bsontype: 'Code' }) });
    const dotted: AnyClientBulkWriteModel = { name: 'insertOne', namespace: NS, document: { 'a.b': 1 } };
    expect((await failureOf(() => stage.client.bulkWrite([dotted], { checkKeys: true }))).message).toContain("must not contain '.'");
    expect(stage.bulks()).toHaveLength(1);
  });

  test('every option of the Node driver is known, and what cannot be honoured is refused by name', async () => {
    const refused = ['authdb', 'collation', 'dbName', 'explain', 'willRetryWrite'];
    const honoured = [
      'bypassDocumentValidation',
      'comment',
      'let',
      'maxTimeMS',
      'ordered',
      'session',
      'timeoutMS',
      'verboseResults',
      'writeConcern',
    ];
    // Of documents that go out, of ids that come back, and of reads.
    const flags = [
      'bsonRegExp', 'checkKeys', 'enableUtf8Validation', 'fieldsAsRaw', 'ignoreUndefined', 'promoteBuffers', 'promoteLongs', 'promoteValues', 'raw', 'serializeFunctions',
      'useBigInt64', 'readConcern', 'readPreference',
    ]; // prettier-ignore
    const { ClientBulkWriteOptions: names } = optionNames(['ClientBulkWriteOptions']);
    expect(names).toEqual([...refused, ...honoured, ...flags].toSorted());
    for (const argument of refused) {
      const error = await failureOf(() => stage.client.bulkWrite([insert(1)], { [argument]: 'x' }));
      expect(error).toMatchObject({ name: 'MongoInvalidArgumentError', details: { argument, maybeExecuted: false } });
    }
    expect(stage.server.received).toEqual([]);
  });
});

describe('what comes back', () => {
  test('counts, and with verboseResults what each model did', async () => {
    stage.replies = [done(MIXED_COUNTS, MIXED_RESULTS)];
    const counts = { acknowledged: true, insertedCount: 1, upsertedCount: 1, matchedCount: 3, modifiedCount: 3, deletedCount: 3 };
    const none = { insertResults: undefined, updateResults: undefined, deleteResults: undefined };
    // A server that tells all the same is not heard (SERVER-113344).
    expect(await stage.client.bulkWrite(MIXED)).toEqual({ ...counts, ...none });
    expect(await stage.client.bulkWrite(MIXED, { verboseResults: true })).toEqual({
      ...counts,
      insertResults: new Map([[0, { insertedId: 8 }]]),
      updateResults: new Map<number, object>([
        [1, { matchedCount: 1, modifiedCount: 1, didUpsert: false }],
        [2, { matchedCount: 2, modifiedCount: 2, didUpsert: false }],
        [3, { matchedCount: 1, modifiedCount: 0, didUpsert: true, upsertedId: 4 }],
      ]),
      deleteResults: new Map([[4, { deletedCount: 1 }], [5, { deletedCount: 2 }]]), // prettier-ignore
    });
  });

  test('ids by the flags of the BSON library, an upserted null as null', async () => {
    const upserted = (_id: unknown): Document => ({ ok: 1, idx: 0, n: 1, nModified: 0, upserted: { _id } });
    const model: AnyClientBulkWriteModel = { name: 'updateOne', namespace: NS, filter: {}, update: { $set: { a: 1 } }, upsert: true };
    const told = async (id: unknown, options: object): Promise<unknown> => {
      stage.replies = [done({ nUpserted: 1 }, [upserted(id)])];
      const { updateResults, upsertedCount } = await stage.client.bulkWrite([model], { verboseResults: true, ...options });
      expect([upsertedCount, updateResults?.get(0)?.matchedCount]).toEqual([1, 1]);
      return updateResults?.get(0);
    };
    expect(await told(null, {})).toEqual({ matchedCount: 1, modifiedCount: 0, didUpsert: true, upsertedId: null });
    expect(await told(long(5), { useBigInt64: true })).toMatchObject({ upsertedId: 5n });
    expect(await told(long(5), { promoteLongs: false })).toMatchObject({ upsertedId: { _bsontype: 'Long' } });
    expect(await told(long(5), { promoteValues: false, raw: true })).toMatchObject({ matchedCount: 1, upsertedId: { _bsontype: 'Long' } });
  });

  test('a cursor is read to its end, in the session of the command', async () => {
    const [first, second, ...rest] = MIXED_RESULTS;
    stage.replies = [{ ...done(MIXED_COUNTS), cursor: { id: long(77), firstBatch: [first], ns: 'admin.$cmd.bulkWrite' } }];
    let batches = 0;
    stage.more = () => {
      batches += 1;
      return { cursor: { id: long(batches === 1 ? 77 : 0), nextBatch: batches === 1 ? [second] : rest, ns: 'admin.$cmd.bulkWrite' } };
    };
    const result = await stage.client.bulkWrite(MIXED, { verboseResults: true, comment: 'why' });
    expect([result.insertResults?.size, result.updateResults?.size, result.deleteResults?.size]).toEqual([1, 3, 2]);
    const [one, two] = stage.server.sent('getMore');
    expect(one).toMatchObject({ collection: '$cmd.bulkWrite', $db: 'admin', comment: 'why' });
    expect([Number(one?.['getMore']), Number(two?.['getMore'])]).toEqual([77, 77]);
    expect(hex(one?.['lsid'])).toBe(hex(stage.bulks()[0]?.['lsid']));
    expect(one).not.toHaveProperty('txnNumber');
  });

  test('nothing, if nobody asked', async () => {
    await stage.open({}, { maxWriteBatchSize: 1 }, '&w=0');
    stage.replies = [{ ok: 1 }];
    const nothing = { acknowledged: false, insertedCount: 0, upsertedCount: 0, matchedCount: 0, modifiedCount: 0, deletedCount: 0 };
    expect(await stage.client.bulkWrite([insert(1), insert(2)], { ordered: false })).toEqual(nothing);
    expect(stage.bulks()).toHaveLength(2);
    expect(stage.bulks()[0]).toMatchObject({ errorsOnly: true, ordered: false, writeConcern: { w: 0 } });
    expect(stage.bulks()[0]).not.toHaveProperty('txnNumber');
    const refused = await failureOf(() => stage.client.bulkWrite([insert(1)]));
    expect(refused).toMatchObject({
      name: 'MongoInvalidArgumentError',
      message: 'Cannot request unacknowledged write concern and ordered writes',
    });
    expect(await stage.client.bulkWrite([insert(1)], { writeConcern: { w: 1 } }).catch((error: Error) => error.name)).not.toEqual(nothing);
  });
});

describe('arguments', () => {
  const of = (others: Document): Document => ({ namespace: NS, filter: {}, ...others });
  const update = 'Client bulk write update models must only contain atomic modifiers (start with $) and must not be empty.';
  const replacement = 'Client bulk write replace models must not contain atomic modifiers (start with $) and must not be empty.';

  test.each<[string, unknown, object, readonly [name: string, argument: string, message: string]]>([
    ['no model', [], {}, ['MongoClientBulkWriteExecutionError', 'models', 'No client bulk write models were provided.']],
    ['no list', undefined, {}, ['MongoInvalidArgumentError', 'models', 'Argument "models" must be an array of models']],
    ['no object', [1], {}, ['MongoInvalidArgumentError', 'models', 'model 0 must be an object']],
    ['no name', [of({})], {}, ['MongoInvalidArgumentError', 'models', 'model 0 has no name of insertOne, ']],
    ['an inherited name', [of({ name: 'toString' })], {}, ['MongoInvalidArgumentError', 'models', 'model 0 has no name of insertOne, ']],
    ['no namespace', [{ name: 'insertOne', document: {} }], {}, ['MongoInvalidArgumentError', 'models', 'model 0 must have a namespace']],
    ['half a namespace', [of({ name: 'deleteOne', namespace: 'a.' })], {}, ['MongoInvalidArgumentError', 'models', 'model 0 must have a namespace']],
    ['no document', [of({ name: 'insertOne' })], {}, ['MongoInvalidArgumentError', 'models', 'model 0 must have a document']],
    ['no filter', [{ name: 'deleteOne', namespace: NS }], {}, ['MongoInvalidArgumentError', 'models', 'model 0 must have a filter']],
    ['an update without operators', [of({ name: 'updateOne', update: { x: 1 } })], {}, ['MongoAPIError', 'update', update]],
    ['an empty update', [of({ name: 'updateMany', update: {} })], {}, ['MongoAPIError', 'update', update]],
    ['an empty pipeline', [of({ name: 'updateMany', update: [] })], {}, ['MongoAPIError', 'update', update]],
    ['a replacement with operators', [of({ name: 'replaceOne', replacement: { $set: { x: 1 } } })], {}, ['MongoAPIError', 'replacement', replacement]],
    ['no replacement', [of({ name: 'replaceOne' })], {}, ['MongoAPIError', 'replacement', replacement]],
    ['operators without values', [of({ name: 'updateOne', update: { $set: undefined } })], { ignoreUndefined: true }, ['MongoInvalidArgumentError', 'update',
      'Update operations require that all atomic operators have defined values, but none were provided.']],
    ['w: 0 with results', [insert(1)], { writeConcern: { w: 0 }, verboseResults: true, ordered: false }, ['MongoInvalidArgumentError', 'verboseResults',
      'Cannot request unacknowledged write concern and verbose results']],
    ['w: 0 in order', [insert(1)], { writeConcern: { w: 0 } }, ['MongoInvalidArgumentError', 'ordered',
      'Cannot request unacknowledged write concern and ordered writes']],
    ['a sort that is none', [of({ name: 'updateOne', update: { $set: {} }, sort: { a: 7 } })], {}, ['MongoInvalidArgumentError', 'sort', '']],
    ['a let that is none', [insert(1)], { let: 1 }, ['MongoInvalidArgumentError', 'let', 'let must be a document']],
  ])('%s', async (_what, models, options, [name, argument, message]) => {
    // Also when it comes last: nothing is sent.
    const given = Array.isArray(models) && models.length > 0 ? [insert(9), ...(models as AnyClientBulkWriteModel[])] : models;
    const error = await failureOf(() => stage.client.bulkWrite(given as never, options));
    expect(error).toBeInstanceOf((mongodb as unknown as Record<string, typeof Error>)[name]);
    expect(error).toMatchObject({ name, code: 'MOORING_INVALID_ARGUMENT', details: { argument, maybeExecuted: false } });
    expect(error.message).toContain(message.replace('model 0', 'model 1'));
    expect(stage.server.received).toEqual([]);
  }); // prettier-ignore
});

describe('a server older than 8.0', () => {
  const needs =
    /^client\.bulkWrite needs a server of version 8\.0 \(wire version 25\), this one has wire version \d+: use collection\.bulkWrite$/;

  test('is named, connected to or not', async () => {
    const real = await connected('mooring_client_bulk');
    const fresh = new MongoClient(uriFor('mooring_client_bulk'));
    for (const one of [real, fresh]) {
      const error = await failureOf(() => one.bulkWrite([insert(1)]));
      expect(error).toBeInstanceOf(mongodb.MongoCompatibilityError);
      expect(error).toMatchObject({ code: 'MOORING_INVALID_ARGUMENT', details: { argument: 'bulkWrite', maybeExecuted: false } });
      expect(error.message).toMatch(needs);
    }
    await fresh.close();
    await real.close();
  });

  test('gets nothing of it, also in a transaction', async () => {
    await stage.open({}, { maxWireVersion: 24 });
    await stage.client.withSession(async (session) => {
      session.startTransaction();
      expect((await failureOf(() => stage.client.bulkWrite([insert(1)], { session }))).message).toMatch(needs);
      await session.abortTransaction();
    });
    expect(stage.bulks()).toEqual([]);
  });
});
