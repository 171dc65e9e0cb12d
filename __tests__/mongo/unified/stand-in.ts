/**
 * @module __tests__/mongo/unified/stand-in
 *
 * A server that says it is an 8.0 and carries out `bulkWrite` by the inserts, updates and deletes of the older one behind it, for the specification's tests of
 * `clientBulkWrite`. What only a server 8.0 has (`sort` of an update, `rawData`, its own messages) it has not; it proves nothing about a real one.
 */
import { connect } from 'node:net';
import { BSON } from 'mongodb';
import type { Document } from '../../../dist/index.js';
import { MongoServer, type Received } from '../../support/mongo-server';

const VERSION = [8, 0, 0, 0];
const OP_MSG = 2013;
const FRAME_BYTES = 21;
/** Codes that a server labels as worth a second try of a numbered write. */
const RETRYABLE = new Set([6, 7, 89, 91, 189, 262, 9001, 10_107, 11_600, 11_602, 13_435, 13_436]);
const VERBS = ['insert', 'update', 'delete'] as const;

/** A fail point of `bulkWrite`. */
interface Fault {
  readonly data: Document;
  times: number;
}

/** Commands as the server behind wants them: the wire's numbers have lost their width on the way here. */
function widened({ $clusterTime: _time, ...command }: Document): Document {
  const long = (value: unknown): unknown => BSON.Long.fromNumber(Number(value));
  for (const name of ['txnNumber', 'getMore']) if (command[name] !== undefined) command[name] = long(command[name]);
  if (Array.isArray(command['cursors'])) command['cursors'] = command['cursors'].map(long);
  return command;
}

/** The stand-in for the server at `host:port`. */
export class StandIn {
  readonly #host: string;
  readonly #port: number;
  #server: MongoServer | undefined;
  #fault: Fault | undefined;

  private constructor(uri: string) {
    const { hostname, port } = new URL(uri.replace(/^mongodb:/, 'http:').replace(/,[^/]*/, ''));
    [this.#host, this.#port] = [hostname, Number(port)];
  }

  static async start(uri: string): Promise<StandIn> {
    const made = new StandIn(uri);
    made.#server = await MongoServer.start((received) => made.#answer(received));
    return made;
  }

  get uri(): string {
    return this.#server?.uri ?? '';
  }

  async stop(): Promise<void> {
    await this.#server?.close();
  }

  async #answer({ name, command }: Received): Promise<Document | 'lose'> {
    if (name === 'bulkWrite') return this.#bulkWrite(command);
    if (name === 'configureFailPoint') {
      const { mode, data = {} } = command as { mode: string | { times: number }; data?: Document };
      if (mode === 'off') this.#fault = undefined;
      else if ((data['failCommands'] as string[]).includes('bulkWrite')) {
        this.#fault = { data, times: typeof mode === 'string' ? Number.POSITIVE_INFINITY : mode.times };
        return {};
      }
    }
    const reply = await this.#forward(command);
    return name === 'buildInfo' ? { ...reply, version: '8.0.0', versionArray: VERSION } : reply;
  }

  #takeFault(): Document {
    if (this.#fault === undefined || this.#fault.times <= 0) return {};
    this.#fault.times -= 1;
    return this.#fault.data;
  }

  async #bulkWrite(command: Document): Promise<Document | 'lose'> {
    const { closeConnection, errorCode, writeConcernError, errorLabels } = this.#takeFault();
    if (closeConnection === true) return 'lose';
    const labels: unknown = errorLabels ?? (isRetryable(command, errorCode) ? ['RetryableWriteError'] : undefined);
    if (errorCode !== undefined) return { ok: 0, code: errorCode, codeName: 'Made', errmsg: 'failCommand', errorLabels: labels };
    const counts = { nErrors: 0, nInserted: 0, nMatched: 0, nModified: 0, nUpserted: 0, nDeleted: 0 };
    const results: Document[] = [];
    for (const [idx, operation] of (command['ops'] as Document[]).entries()) {
      const verb = VERBS.find((each) => each in operation) ?? 'insert';
      const reply = await this.#forward(single(command, operation, verb, idx));
      if (Number(reply['ok']) !== 1) return reply;
      const result = counted(counts, verb, reply);
      results.push({ ...result, idx });
      if (result['ok'] === 0 && command['ordered'] === true) break;
    }
    if ((command['writeConcern'] as Document | undefined)?.['w'] === 0) return {};
    const told = results.filter(({ ok }) => ok === 0 || command['errorsOnly'] === false);
    const cursor = { id: BSON.Long.fromNumber(0), firstBatch: told, ns: 'admin.$cmd.bulkWrite' };
    return { ...counts, cursor, ...(writeConcernError === undefined ? {} : { writeConcernError, errorLabels }) };
  }

  #forward(command: Document): Promise<Document> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.#port, this.#host);
      let seen: Buffer = Buffer.alloc(0);
      socket.on('error', reject).on('close', () => reject(new Error('server behind the stand-in closed the connection')));
      socket.on('connect', () => {
        const body = BSON.serialize(widened(command), { ignoreUndefined: true });
        const frame = Buffer.alloc(FRAME_BYTES);
        frame.writeInt32LE(FRAME_BYTES + body.length, 0);
        frame.writeInt32LE(1, 4);
        frame.writeInt32LE(OP_MSG, 12);
        socket.write(Buffer.concat([frame, body]));
      });
      socket.on('data', (chunk: Buffer) => {
        seen = Buffer.concat([seen, chunk]);
        if (seen.length < FRAME_BYTES || seen.length < seen.readInt32LE(0)) return;
        resolve(BSON.deserialize(seen.subarray(FRAME_BYTES), { promoteLongs: false }));
        socket.destroy();
      });
    });
  }
}

function isRetryable({ txnNumber, autocommit }: Document, code: unknown): boolean {
  return RETRYABLE.has(Number(code)) && txnNumber !== undefined && autocommit === undefined;
}

/** One operation as the command of its own. */
function single(command: Document, operation: Document, verb: (typeof VERBS)[number], idx: number): Document {
  const { document, filter, updateMods, multi, [verb]: place, ...others } = operation;
  const { ns } = (command['nsInfo'] as { ns: string }[])[Number(place)] as { ns: string };
  const [db = '', ...coll] = ns.split('.');
  const statements = {
    insert: { documents: [document] },
    update: { updates: [{ q: filter, u: updateMods, multi, ...others }] },
    delete: { deletes: [{ q: filter, limit: multi === true ? 0 : 1, ...others }] },
  };
  const { lsid, txnNumber, autocommit, comment, startTransaction, readConcern, writeConcern, bypassDocumentValidation } = command;
  return {
    [verb]: coll.join('.'),
    ...statements[verb],
    $db: db,
    lsid, txnNumber, autocommit, comment,
    ...(txnNumber !== undefined && autocommit === undefined ? { stmtId: idx } : {}),
    ...(idx === 0 ? { startTransaction, readConcern } : {}),
    ...(verb === 'delete' ? {} : { bypassDocumentValidation }),
    ...(verb === 'insert' ? {} : { let: command['let'] }),
    ...((writeConcern as Document | undefined)?.['w'] === 0 ? {} : { writeConcern }),
  }; // prettier-ignore
}

/** What the reply to one operation says, as `bulkWrite` says it. */
function counted(counts: Record<string, number>, verb: string, reply: Document): Document {
  const [error] = (reply['writeErrors'] ?? []) as { code: number; errmsg: string }[];
  const add = (name: string, number: number): void => void (counts[name] = (counts[name] ?? 0) + number);
  if (error !== undefined) {
    add('nErrors', 1);
    return { ok: 0, n: 0, code: error.code, errmsg: error.errmsg };
  }
  const n = Number(reply['n']);
  const [upserted] = (reply['upserted'] ?? []) as { _id: unknown }[];
  if (verb !== 'update') {
    add(verb === 'insert' ? 'nInserted' : 'nDeleted', n);
    return { ok: 1, n };
  }
  const nModified = Number(reply['nModified']);
  add(upserted === undefined ? 'nMatched' : 'nUpserted', n);
  add('nModified', nModified);
  return { ok: 1, n, nModified, ...(upserted === undefined ? {} : { upserted: { _id: upserted['_id'] } }) };
}
