/** @module __tests__/mongo/change-stream: both modes, resumption, tokens, deadlines and what is left after the end. */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type ChangeStream, type Collection, type Document, type MongoClient } from '../../dist/index.js';
import { connected, failCommand, failureOf, until } from './fixture';

let client: MongoClient;
let items: Collection;
const opened: ChangeStream[] = [];
let tests = 0;

beforeAll(async () => {
  client = await connected('mooring_change_stream');
});
beforeEach(async () => {
  items = client.db().collection(`items_${(tests += 1)}`);
  await client.db().createCollection(items.collectionName);
});
afterEach(async () => {
  await failCommand(client, 'off');
  for (const stream of opened) await stream.close();
  await until(() => client.stats().changeStreams === 0);
});
afterAll(() => client.close());

/** A stream that is closed after the test, already looking. */
async function looking(stream: ChangeStream): Promise<ChangeStream> {
  await kept(stream).tryNext();
  return stream;
}
/** A stream that is closed after the test. */
function kept(stream: ChangeStream): ChangeStream {
  opened.push(stream);
  return stream;
}
const keys = (events: Document[]): unknown[] => events.map(({ documentKey }) => (documentKey as Document | undefined)?.['_id']);
async function take(stream: ChangeStream, count: number): Promise<Document[]> {
  const events: Document[] = [];
  while (events.length < count) events.push(await stream.next());
  return events;
}

describe('as an iterator', () => {
  test('delivers inserts, updates with the whole document, and deletes, in order', async () => {
    const stream = await looking(items.watch([], { fullDocument: 'updateLookup' }));
    await items.insertOne({ _id: 1, a: 1 });
    await items.updateOne({ _id: 1 }, { $set: { a: 2 } });
    const [inserted, updated] = await take(stream, 2);
    expect(inserted).toMatchObject({ operationType: 'insert', fullDocument: { _id: 1, a: 1 }, ns: { coll: items.collectionName } });
    expect(updated).toMatchObject({ operationType: 'update', fullDocument: { _id: 1, a: 2 } });
    await items.deleteOne({ _id: 1 });
    expect(await stream.hasNext()).toBe(true);
    expect(await stream.next()).toMatchObject({ operationType: 'delete', documentKey: { _id: 1 } });
    expect(await stream.tryNext()).toBeNull();
  });

  test('delivers each of many events once, also to calls side by side, and filters by its pipeline', async () => {
    const stream = await looking(items.watch([{ $match: { 'fullDocument.even': true } }], { batchSize: 7 }));
    await items.insertMany(Array.from({ length: 100 }, (_, n) => ({ _id: n, even: n % 2 === 0 })));
    const events = await Promise.all(Array.from({ length: 50 }, () => stream.next()));
    expect(keys(events)).toEqual(Array.from({ length: 50 }, (_, n) => 2 * n));
  });

  test('looks at a database and at the deployment', async () => {
    const ofDatabase = await looking(client.db().watch());
    const ofAll = await looking(client.watch([{ $match: { 'ns.db': client.db().databaseName } }]));
    await items.insertOne({ _id: 5 });
    for (const stream of [ofDatabase, ofAll]) expect(keys(await take(stream, 1))).toEqual([5]);
  });

  test('ends with `for await` and closes its cursor on the server', async () => {
    const stream = kept(items.watch());
    setTimeout(() => void items.insertOne({ _id: 1 }), 300);
    for await (const event of stream) if (event['operationType'] === 'insert') break;
    expect(stream.closed).toBe(true);
    expect(client.stats().changeStreams).toBe(0);
    expect(await failureOf(() => stream.next())).toMatchObject({ name: 'MongoAPIError', message: 'ChangeStream is closed' });
  });

  test('a close ends the wait of `next`', async () => {
    const stream = await looking(items.watch());
    const waiting = failureOf(() => stream.next());
    setTimeout(() => void stream.close(), 50);
    expect((await waiting).message).toBe('ChangeStream is closed');
  });
});

describe('as an emitter', () => {
  test('emits changes while someone listens, and `close` once', async () => {
    const stream = kept(items.watch());
    const seen: unknown[] = [];
    const tokens: unknown[] = [];
    let closed = 0;
    stream.on('close', () => (closed += 1));
    stream.on('resumeTokenChanged', (token) => tokens.push(token));
    const opening = once(stream, 'init');
    stream.on('change', ({ documentKey }: Document) => seen.push((documentKey as Document)['_id']));
    await opening;
    await items.insertMany([{ _id: 1 }, { _id: 2 }]);
    await until(() => seen.length === 2);
    expect(tokens.at(-1)).toEqual(stream.resumeToken);
    expect(await failureOf(() => stream.next())).toMatchObject({ name: 'MongoAPIError' });
    await stream.close();
    await stream.close();
    expect({ seen, closed }).toEqual({ seen: [1, 2], closed: 1 });
  });

  test('reports an error that cannot be resumed from, and closes', async () => {
    const stream = kept(items.watch([{ $notAStage: 1 }]));
    const closing = once(stream, 'close');
    const failing = once(stream, 'error');
    stream.on('change', () => {});
    const [[error]] = (await Promise.all([failing, closing])) as [[Error & Document], unknown];
    expect(error).toMatchObject({ name: 'MongoServerError', code: 40324 });
    expect(stream.closed).toBe(true);
  });

  test('ends when its collection is dropped', async () => {
    const stream = kept(items.watch());
    const [opening, ending, closing] = [once(stream, 'init'), once(stream, 'end'), once(stream, 'close')];
    const seen: unknown[] = [];
    stream.on('change', ({ operationType }: Document) => seen.push(operationType));
    await opening;
    await items.drop();
    await Promise.all([ending, closing]);
    expect(seen).toEqual(['drop', 'invalidate']);
  });
});

describe('resumption', () => {
  test.each([
    ['a resumable error', { errorCode: 10_107, errorLabels: ['ResumableChangeStreamError'] }],
    ['a lost cursor', { errorCode: 43 }],
    ['a cut connection', { closeConnection: true }],
  ])('goes on behind the last event after %s', async (_name, fault) => {
    const stream = await looking(items.watch([], { batchSize: 2 }));
    await items.insertMany([{ _id: 1 }, { _id: 2 }, { _id: 3 }]);
    const before = await take(stream, 2);
    await failCommand(client, { times: 1 }, { failCommands: ['getMore'], ...fault });
    await items.insertMany([{ _id: 4 }, { _id: 5 }]);
    expect(keys([...before, ...(await take(stream, 3))])).toEqual([1, 2, 3, 4, 5]);
  });

  test('begins where a token, or a time, says', async () => {
    const first = await looking(items.watch());
    await items.insertMany([{ _id: 1 }, { _id: 2 }]);
    const [one] = await take(first, 1);
    const resumed = kept(items.watch([], { resumeAfter: one?.['_id'] }));
    const started = kept(items.watch([], { startAfter: one?.['_id'] }));
    const timed = kept(items.watch([], { startAtOperationTime: one?.['clusterTime'] }));
    expect(keys(await take(resumed, 1))).toEqual([2]);
    expect(keys(await take(started, 1))).toEqual([2]);
    expect(keys(await take(timed, 2))).toEqual([1, 2]);
  });
});

describe('limits', () => {
  test('a deadline ends one wait, not the stream', async () => {
    const stream = await looking(items.watch([], { timeoutMS: 300 }));
    expect(await failureOf(() => stream.next())).toMatchObject({ name: 'MongoOperationTimeoutError', code: 'MOORING_TIMEOUT' });
    await items.insertOne({ _id: 1 });
    expect(keys(await take(stream, 1))).toEqual([1]);
  });

  test('an AbortSignal ends the stream', async () => {
    const controller = new AbortController();
    const stream = await looking(items.watch([], { signal: controller.signal }));
    const waiting = failureOf(() => stream.next());
    controller.abort();
    expect(await waiting).toMatchObject({ code: 'MOORING_ABORTED' });
    expect(stream.closed).toBe(true);
  });

  test('options that it cannot honour are refused by name, before any I/O', () => {
    const session = client.startSession();
    for (const options of [{ session }, { raw: true }, { hint: 'a' }, { explain: true }]) {
      expect(() => items.watch([], options)).toThrow(new RegExp(Object.keys(options)[0] as string, 'u'));
    }
    return session.endSession();
  });

  test('closing the client closes its streams at once', async () => {
    const other = await connected('mooring_change_stream_closing');
    const stream = other.db().collection('items').watch();
    const closing = once(stream, 'close');
    stream.on('change', () => {});
    await until(() => other.stats().changeStreams === 1);
    const started = Date.now();
    await other.close();
    await closing;
    expect(Date.now() - started).toBeLessThan(5_000);
  });

  test('a stream that asks for events while its client closes has ended', async () => {
    const other = await connected('mooring_change_stream_draining');
    const stream = other.db().collection('items').watch();
    await stream.tryNext();
    await failCommand(client, { times: 1 }, { failCommands: ['count'], blockConnection: true, blockTimeMS: 300 });
    // Close waits for it.
    const slow = other.db().collection('items').estimatedDocumentCount();
    await delay(50);
    const closing = other.close();
    await delay(50);
    expect(await stream.tryNext()).toBeNull();
    expect(stream.closed).toBe(true);
    expect(await slow).toBe(0);
    await closing;
  });
});
