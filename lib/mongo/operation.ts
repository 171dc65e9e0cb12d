/**
 * @module mongo/operation
 *
 * One operation's way to Rust and back: the body as one BSON document straight into the lane's buffer, the outcome as a value or as the host's error.
 * Guarantees that a session of another client, an ended one or a late one is refused before anything is sent. Decides nothing about retries.
 */
import { checkMilliseconds, type Failure, invalidArgument, isFailure, MAX_MS } from '../error/index.js';
import type { KeyedLane, Outcome } from '../lane.js';
import type { MongoHandle } from '../native.js';
import type { MongoClient } from './client.js';
import { type FailureContext, hostError, refuse } from './errors.js';
import type { BsonOptions, Document, Host } from './host.js';
import { checkGiven } from './given.js';
import { currentScope, sessionAround } from './scope.js';
import type { ClientSession } from './session.js';

/** Operation codes; the bodies are in `src/mongo`. */
export const Opcode = {
  connect: 1,
  close: 2,
  find: 10,
  findOne: 11,
  getMore: 12,
  closeCursor: 13,
  aggregate: 14,
  count: 15,
  estimatedCount: 16,
  distinct: 17,
  command: 18,
  runCursorCommand: 19,
  watch: 20,
  nextChanges: 21,
  closeChangeStream: 22,
  insert: 30,
  updateOne: 31,
  updateMany: 32,
  replaceOne: 33,
  deleteOne: 34,
  deleteMany: 35,
  findOneAndUpdate: 36,
  findOneAndReplace: 37,
  findOneAndDelete: 38,
  bulkWrite: 39,
  clientBulkWrite: 40,
  endSession: 50,
  commit: 51,
  abort: 52,
  attempt: 53,
  finish: 54,
  commitOutcome: 55,
  advanceSession: 56,
} as const;

/** A command gets the client's write concern when it has none. */
export const FLAG_WRITE_CONCERN = 1;
/** A command is a read that may be sent a second time. */
export const FLAG_READ = 2;

/** A change stream answers after one batch, also an empty one. */
export const FLAG_ONE_BATCH = 1;

/** Operations on data, which take part in a transaction: what a session may be forgotten of, by the name that the caller used. */
const ON_DATA: ReadonlyMap<number, string> = new Map([
  [Opcode.find, 'find'],
  [Opcode.findOne, 'findOne'],
  [Opcode.aggregate, 'aggregate'],
  [Opcode.count, 'countDocuments'],
  [Opcode.distinct, 'distinct'],
  [Opcode.insert, 'insert'],
  [Opcode.updateOne, 'updateOne'],
  [Opcode.updateMany, 'updateMany'],
  [Opcode.replaceOne, 'replaceOne'],
  [Opcode.deleteOne, 'deleteOne'],
  [Opcode.deleteMany, 'deleteMany'],
  [Opcode.findOneAndUpdate, 'findOneAndUpdate'],
  [Opcode.findOneAndReplace, 'findOneAndReplace'],
  [Opcode.findOneAndDelete, 'findOneAndDelete'],
  [Opcode.bulkWrite, 'bulkWrite'],
  [Opcode.clientBulkWrite, 'client.bulkWrite'],
]);

/** One operation. */
export interface Call extends Omit<FailureContext, 'topology'> {
  readonly opcode: number;
  readonly body?: object;
  readonly flags?: number;
  readonly session?: ClientSession | null | undefined;
  readonly timeoutMS?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly bson?: BsonOptions;
}

/** What an operation returns. */
export type Value = Buffer | string | number | undefined;

/** The buffer inside the BSON library: a longer document is cut off in it without an error, so its size is asked for. */
const BSON_BUFFER_BYTES = 17 * 1024 * 1024;

const EMPTY_DOCUMENT = Uint8Array.of(5, 0, 0, 0, 0);

/** The operations of one opened client. */
export class Operations {
  readonly host: Host;
  readonly lane: KeyedLane<MongoHandle>;
  readonly #client: MongoClient;
  readonly #topology: () => object;
  /** Operations that were refused here, because they came after their transaction's end. */
  late = 0;
  #usualSession: Uint8Array | undefined;

  constructor(client: MongoClient, lane: KeyedLane<MongoHandle>, topology: () => object) {
    this.#client = client;
    this.host = client.host;
    this.lane = lane;
    this.#topology = topology;
  }

  /** Runs an operation; rejects with the host's error. */
  async run(given: Call): Promise<Value> {
    const session = this.sessionOf(given);
    const call = session === given.session ? given : { ...given, session };
    // Built after the await: the error then carries the caller's frames.
    const outcome = await this.outcome(call);
    if (!isFailure(outcome)) return outcome;
    const error = this.error(outcome, call);
    call.session?.noteError(error);
    throw error;
  }

  /** The session that an operation runs with: its own, or the one around it when none is given (`null`: none at all). */
  sessionOf(call: Call): ClientSession | null | undefined {
    if (call.session !== undefined) return call.session;
    const scope = currentScope();
    const name = scope === undefined ? undefined : ON_DATA.get(call.opcode);
    if (scope === undefined || name === undefined || scope.session.client !== this.#client) return undefined;
    const { coll } = (call.body ?? {}) as { coll?: string };
    return sessionAround(scope, coll === undefined ? name : `${coll}.${name}`);
  }

  /** Runs an operation without turning a failure into an error. */
  outcome(call: Call): Promise<Outcome> {
    const { session, body, signal } = call;
    if (signal !== undefined && signal !== null && typeof (signal as Partial<AbortSignal>).addEventListener !== 'function')
      throw this.refuse('signal', 'signal must be an AbortSignal');
    if (session !== undefined && session !== null && typeof (session as Partial<ClientSession>).handleFor !== 'function')
      throw this.refuse('session', 'session must be a ClientSession of mooring');
    return this.lane.run({
      opcode: call.opcode,
      flags: call.flags ?? 0,
      handle: session === undefined || session === null ? 0 : session.handleFor(this, call.opcode),
      deadlineMs: deadlineOf(call),
      signal: signal ?? undefined,
      owner: session ?? undefined,
      write: body === undefined ? undefined : writer(this.host, body, encoding(call)),
    });
  }

  /** The host's error for a failure of `call`. */
  error(failure: Failure, { bulk, clientBulk }: Omit<FailureContext, 'topology'> = {}): Error {
    return hostError(this.host, failure, { bulk, clientBulk, topology: this.#topology });
  }

  /** Refuses an argument. */
  refuse(argument: string, message: string): Error {
    return refuse(this.host, argument, message);
  }

  /** A small document as BSON. */
  encode(document: object): Uint8Array {
    return Object.keys(document).length === 0 ? EMPTY_DOCUMENT : this.host.bson.serialize(document);
  }

  /** The options of a session as BSON; most sessions have the same. */
  encodeSession(options: { causalConsistency: boolean; snapshot: boolean; snapshotTime?: unknown }): Uint8Array {
    if (!options.causalConsistency || options.snapshot || options.snapshotTime !== undefined) return this.encode(options);
    this.#usualSession ??= this.encode(options);
    return this.#usualSession;
  }

  /** The document that `bytes` hold. */
  decode(bytes: Uint8Array, options: BsonOptions = {}): Document {
    return decodeAt(this.host, bytes, 0, options);
  }
}

/** Milliseconds for an operation as Rust takes them, where 0 leaves it to the client; the caller's 0 is no limit. */
function deadlineOf({ opcode, timeoutMS, session }: Call): number {
  const given = timeoutMS ?? (opcode < Opcode.endSession ? session?.defaultTimeoutMS : undefined);
  if (given === undefined) return 0;
  const limit = Math.ceil(checkMilliseconds('timeoutMS', given, 0));
  return limit === 0 && opcode !== Opcode.close ? MAX_MS : limit;
}

/** `checkKeys` is about documents that are inserted: filters and updates hold operators. */
function encoding({ opcode, bson = {} }: Call): BsonOptions {
  return bson.checkKeys === true && opcode !== Opcode.insert ? { ...bson, checkKeys: false } : bson;
}

/** What the library gets for flags that were seen before: most calls share their collection's. Its `index` is written before each call. */
const DECODING = new WeakMap<BsonOptions, Document & { index: number }>();

/** The document at `offset`; a reply may hold others behind it. */
export function decodeAt(host: Host, bytes: Uint8Array, offset: number, options: BsonOptions): Document {
  let flags = DECODING.get(options);
  if (flags === undefined) {
    const { enableUtf8Validation, ...others } = options;
    flags = { ...others, validation: { utf8: enableUtf8Validation !== false }, index: 0, allowObjectSmallerThanBufferSize: true };
    DECODING.set(options, flags);
  }
  flags.index = offset;
  return host.bson.deserialize(bytes, flags);
}

function writer(host: Host, body: object, flags: BsonOptions): (buffer: Buffer, offset: number) => number | undefined {
  const { serializeFunctions = false, ignoreUndefined = false, checkKeys = false } = flags;
  let beside: Uint8Array | undefined;
  return (buffer, offset) => {
    if (beside === undefined) {
      const end = serializeInto(host, body, buffer, { serializeFunctions, ignoreUndefined, checkKeys, index: offset });
      if (end !== undefined && end - offset <= BSON_BUFFER_BYTES) return end;
      const options = { serializeFunctions, ignoreUndefined, checkKeys };
      beside = host.bson.serialize(body, {
        ...options,
        minInternalBufferSize: Math.max(host.bson.calculateObjectSize(body, options) + 1, BSON_BUFFER_BYTES),
      });
    }
    if (offset + beside.length > buffer.length) return undefined;
    buffer.set(beside, offset);
    return offset + beside.length;
  };
}

/** The offset after the document, or `undefined` when it does not fit. */
function serializeInto(host: Host, body: object, buffer: Buffer, options: object): number | undefined {
  try {
    return host.bson.serializeWithBufferAndIndex(body, buffer, options) + 1;
  } catch (error) {
    // Too small a buffer is a RangeError; so is a document nested too deeply: `serialize` then throws it again.
    if ((error as Error).name !== 'RangeError') throw error;
    return undefined;
  }
}

/** The options of `names` that are given, and nothing else: what an operation does not know must not reach the server. */
export function pick(options: object | undefined, names: readonly string[]): Document {
  const picked: Document = {};
  if (options === undefined) return picked;
  checkGiven(options);
  const given = options as Document;
  // Most calls have none or a few of the thirty options: a plain object's own are looked at, an object of another kind is asked for each.
  if (isPlain(options)) {
    for (const name in given) if (names.includes(name)) take(picked, given, name);
  } else {
    for (const name of names) take(picked, given, name);
  }
  return picked;
}

function isPlain(options: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(options);
  return prototype === Object.prototype || prototype === null;
}

function take(picked: Document, given: Document, name: string): void {
  const value = given[name];
  if (value === undefined || value === null) return;
  // BSON would leave it out, as if it had not been given.
  if (typeof value === 'function' || typeof value === 'symbol') throw invalidArgument(name, `${name} must not be a ${typeof value}`);
  picked[name] = value;
}

/** Whether one of `names` is given. */
export function hasAny(options: object, names: readonly string[]): boolean {
  checkGiven(options);
  const given = options as Document;
  if (!isPlain(options)) return names.some((name) => given[name] !== undefined);
  for (const name in given) if (given[name] !== undefined && names.includes(name)) return true;
  return false;
}
