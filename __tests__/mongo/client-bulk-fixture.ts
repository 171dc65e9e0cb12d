/** @module __tests__/mongo/client-bulk-fixture: the server that is the tests' own, its replies to `bulkWrite`, and the models of MongoDB's specification. */
import { afterEach, beforeEach } from '@jest/globals';
import { type Binary, Long } from 'mongodb';
import { type AnyClientBulkWriteModel, type Document, MongoClient } from '../../dist/index.js';
import { MongoServer, type Received } from '../support/mongo-server';

export const NS = 'crud-tests.coll0';
export const insert = (_id: number, namespace = NS): AnyClientBulkWriteModel => ({ name: 'insertOne', namespace, document: { _id } });
/** `client-bulkWrite-results.json` of the specification. */
export const MIXED: readonly AnyClientBulkWriteModel[] = [
  { name: 'insertOne', namespace: NS, document: { _id: 8, x: 88 } },
  { name: 'updateOne', namespace: NS, filter: { _id: 1 }, update: { $inc: { x: 1 } } },
  { name: 'updateMany', namespace: NS, filter: { _id: { $gt: 1 } }, update: { $inc: { x: 2 } } },
  { name: 'replaceOne', namespace: NS, filter: { _id: 4 }, replacement: { x: 44 }, upsert: true },
  { name: 'deleteOne', namespace: NS, filter: { _id: 5 } },
  { name: 'deleteMany', namespace: NS, filter: { _id: { $gt: 5 } } },
];
export const MIXED_OPS = [
  { insert: 0, document: { _id: 8, x: 88 } },
  { update: 0, multi: false, filter: { _id: 1 }, updateMods: { $inc: { x: 1 } } },
  { update: 0, multi: true, filter: { _id: { $gt: 1 } }, updateMods: { $inc: { x: 2 } } },
  { update: 0, multi: false, filter: { _id: 4 }, updateMods: { x: 44 }, upsert: true },
  { delete: 0, multi: false, filter: { _id: 5 } },
  { delete: 0, multi: true, filter: { _id: { $gt: 5 } } },
];
export const MIXED_RESULTS = [
  { ok: 1, idx: 0, n: 1 },
  { ok: 1, idx: 1, n: 1, nModified: 1 },
  { ok: 1, idx: 2, n: 2, nModified: 2 },
  { ok: 1, idx: 3, n: 1, nModified: 0, upserted: { _id: 4 } },
  { ok: 1, idx: 4, n: 1 },
  { ok: 1, idx: 5, n: 2 },
];
const NONE = { nErrors: 0, nInserted: 0, nMatched: 0, nModified: 0, nUpserted: 0, nDeleted: 0 };
export const MIXED_COUNTS = { nErrors: 0, nInserted: 1, nMatched: 3, nModified: 3, nUpserted: 1, nDeleted: 3 };
/** An id of a cursor. */
export const long = (id: number): Long => Long.fromNumber(id);

/** A reply to `bulkWrite`. */
export function done(counts: Document, results: readonly Document[] = [], others: Document = {}): Document {
  return { ...NONE, ...counts, cursor: { id: long(0), firstBatch: results, ns: 'admin.$cmd.bulkWrite' }, ...others };
}
/** The reply to an insert of everything. */
export const inserted = (command: Document): Document => done({ nInserted: (command['ops'] as unknown[]).length });
export const duplicate = (idx: number): Document => ({
  ok: 0,
  idx,
  n: 0,
  code: 11_000,
  errmsg: 'E11000 duplicate key',
  keyPattern: { _id: 1 },
});

/** What is done at one `bulkWrite`. */
type Reply = Document | 'lose' | ((command: Document) => Document | 'lose');

/** A server and a client of it, new for each test. */
export class Stage {
  /** Answers to `bulkWrite`, in turn; the last one is for all that follow. */
  replies: Reply[] = [inserted];
  /** Answers to `getMore`. */
  more: (command: Document) => Document = () => ({ ok: 0, code: 43, codeName: 'CursorNotFound', errmsg: 'cursor not found' });
  #server: MongoServer | undefined;
  #client: MongoClient | undefined;

  get server(): MongoServer {
    if (this.#server === undefined) throw new Error('the server has not been started');
    return this.#server;
  }
  get client(): MongoClient {
    if (this.#client === undefined) throw new Error('the client has not been made');
    return this.#client;
  }

  async start(): Promise<void> {
    this.#server = await MongoServer.start((received) => this.#answer(received));
    await this.open();
  }

  /** Another client, of a server that says something else of itself. */
  async open(options: Document = {}, hello: Document = {}, uri = ''): Promise<void> {
    await this.#client?.close(true);
    this.server.hello = hello;
    this.#client = new MongoClient(`${this.server.uri}${uri}`, { serverSelectionTimeoutMS: 3_000, heartbeatFrequencyMS: 500, ...options });
  }

  async stop(): Promise<void> {
    await this.#client?.close(true);
    await this.#server?.close();
  }

  /** The commands `bulkWrite` that came. */
  bulks(): Document[] {
    return this.server.sent('bulkWrite');
  }
  /** The operations of one of them. */
  ops(place: number): Document[] {
    return (this.bulks()[place]?.['ops'] ?? []) as Document[];
  }

  #answer({ name, command }: Received): Document | 'lose' | undefined {
    if (name === 'getMore') return this.more(command);
    if (name !== 'bulkWrite') return undefined;
    const reply = this.replies.length > 1 ? this.replies.shift() : this.replies[0];
    return typeof reply === 'function' ? reply(command) : reply;
  }
}

/** A stage for each test of the file. */
export function staged(): { readonly current: Stage } {
  const held = { current: new Stage() };
  beforeEach(async () => {
    held.current = new Stage();
    await held.current.start();
  });
  afterEach(() => held.current.stop());
  return held;
}

/** The id of a session, to compare. */
export const hex = (lsid: unknown): string => Buffer.from(((lsid as Document)['id'] as Binary).buffer).toString('hex');
