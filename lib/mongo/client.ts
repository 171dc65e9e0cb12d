/**
 * @module mongo/client
 *
 * `MongoClient`, shaped as the Node driver's. Pools, server selection, retries and sessions live in Rust; this object opens them, names them and closes them.
 *
 * Guarantees: the constructor validates and does no I/O; `close` is safe before, during and after `connect`, idempotent, and never fails because a server is
 * dead; nothing that prints the client prints a credential.
 */
import { EventEmitter } from 'node:events';
import { checkMilliseconds, invalidArgument, isFailure } from '../error/index.js';
import { KeyedLane } from '../lane.js';
import { native, type MongoHandle } from '../native.js';
import { ChangeStream, type ChangeStreamOptions, watchArguments } from './change-stream.js';
import { type AnyClientBulkWriteModel, clientBulkWrite, type ClientBulkWriteOptions } from './client-bulk.js';
import type { ClientBulkWriteResult } from './client-bulk-result.js';
import type { ConcernOptions } from './concern.js';
import { Db, type DbOptions } from './db.js';
import { hostError, refuseClosed } from './errors.js';
import { BSON_OPTION_NAMES, type BsonOptions, type Document, type Host, resolveHost } from './host.js';
import { Opcode, Operations, pick } from './operation.js';
import { watchForLeak } from './leak.js';
import { type MongoClientOptions, splitOptions, type SplitOptions } from './options.js';
import { openClients } from './registry.js';
import { ClientSession, type ClientSessionOptions } from './session.js';
import {
  describe,
  type Description,
  DRIVER_EVENTS,
  DriverEvents,
  hostAndPort,
  POOL_EVENTS,
  Topology,
  topologyDescription,
} from './topology.js';

/** Runs `work` in a transaction by `run`, which calls `attempt` once for each attempt and `reset` after one that was rolled back. */
export type TransactionWrapper = <T>(
  session: ClientSession,
  work: (session: ClientSession) => Promise<T>,
  run: (attempt: () => Promise<T>, reset: () => Promise<void>) => Promise<T>,
) => Promise<T>;

/** Counters of a client. */
export interface ClientStats {
  sessions: { started: number; ended: number; open: number };
  transactions: { started: number; committed: number; aborted: number; unknown: number; timedOut: number };
  lateOperations: number;
  inFlight: number;
  cursors: number;
  changeStreams: number;
  lanes: { idle: number; busy: number };
  connections: { open: number; inUse: number };
}

const CLOSE_MS = 10_000;
const FLAG_FORCE = 1;

/** A client of one deployment. */
export class MongoClient extends EventEmitter {
  readonly bsonOptions: BsonOptions;
  /** @internal */
  readonly concerns: ConcernOptions;
  /** @internal */
  readonly pkFactory: { createPk(): unknown } | undefined;
  /** @internal */
  readonly forceServerObjectId: boolean | undefined;
  /** Written by Mongoose. */
  _closeCalled = false;
  /** Written by Mongoose. */
  _destroyCalled = false;
  /** @internal How a library on this client wants its transactions run; set by Mongoose's driver. */
  transactionWrapper: TransactionWrapper | undefined;
  readonly #host: Host;
  readonly #split: SplitOptions;
  readonly #leakThresholdMs: number | undefined;
  readonly #defaultTransactionOptions: MongoClientOptions['defaultTransactionOptions'];
  #operations: Operations | undefined;
  #events: DriverEvents | undefined;
  #topology: Topology | undefined;
  #connecting: Promise<this> | undefined;
  #closing: Promise<void> | undefined;
  #lastSession = 0;
  #held = false;
  /** Where it is listed while it is open. Kept: news of the close may come after Jest has taken the realm's globals away, and warns of whoever looks at them. */
  #listed: Set<MongoClient> | undefined;
  /** The description at the time of closing. */
  #last: Description | undefined;

  /** @throws MongoParseError (a `MooringError` too) for an unusable URI or option, before any I/O. */
  constructor(uri: string, options: MongoClientOptions = {}) {
    super();
    this.#split = splitOptions(uri, options);
    const { kept } = this.#split;
    this.#leakThresholdMs = kept.leakThresholdMs;
    this.#host = resolveHost(options.driver);
    this.#defaultTransactionOptions = kept.defaultTransactionOptions;
    this.bsonOptions = this.#split.bson;
    this.concerns = this.#split.concerns;
    this.pkFactory = kept.pkFactory;
    this.forceServerObjectId = kept.forceServerObjectId;
    this.#operations = this.#open();
    this.on('newListener', (event) => {
      if (DRIVER_EVENTS.has(String(event))) this.#listen(POOL_EVENTS.has(String(event)));
    });
  }

  static async connect(uri: string, options: MongoClientOptions = {}): Promise<MongoClient> {
    return new MongoClient(uri, options).connect();
  }

  /** Finds a server and pings it. Concurrent calls share one attempt; operations also work without it. */
  async connect(): Promise<this> {
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  /** Closes pools, cursors and sessions. `force` (or `{ force: true }`) cuts what is in flight at once. */
  async close(force: boolean | { force?: boolean; deadlineMs?: number } = false): Promise<void> {
    // A caller without types may give anything.
    const given: unknown = force;
    if (typeof given !== 'boolean' && (typeof given !== 'object' || given === null))
      throw invalidArgument('force', 'force must be true, false or an object');
    await (this.#closing ??= this.#close(typeof force === 'boolean' ? { force } : force).finally(() => {
      this.#closing = undefined;
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  db(name?: string, options: DbOptions = {}): Db {
    return new Db(this, name ?? this.#description().dbName, options);
  }

  /** A session; the caller ends it. No I/O. */
  startSession(options: ClientSessionOptions = {}): ClientSession {
    const defaults = this.#defaultTransactionOptions;
    const merged =
      defaults === undefined ? options : { ...options, defaultTransactionOptions: { ...defaults, ...options.defaultTransactionOptions } };
    this.#lastSession = (this.#lastSession % 0xffff_ffff) + 1;
    const session = new ClientSession(this, this.operations, this.#lastSession, merged);
    if (this.#leakThresholdMs !== undefined) watchForLeak(session, this.#leakThresholdMs);
    return session;
  }

  /**
   * Writes on any collections of the deployment, by the command `bulkWrite` of server 8.0. Shaped as the Node driver's.
   *
   * It has been tested on a wire-level fake, after MongoDB's specification, and not yet on a real 8.0 server.
   *
   * @throws MongoCompatibilityError when the server is older than 8.0, MongoClientBulkWriteError when the server refused something; its `partialResult` says what
   * was done. Before any I/O: MongoClientBulkWriteExecutionError without a model, MongoAPIError or MongoInvalidArgumentError for a wrong one.
   */
  async bulkWrite(models: readonly AnyClientBulkWriteModel[], options: ClientBulkWriteOptions = {}): Promise<ClientBulkWriteResult> {
    return clientBulkWrite(this, models, options);
  }

  /** Runs `fn` with a session and ends it on every path. */
  async withSession<T>(fn: (session: ClientSession) => Promise<T>): Promise<T>;
  async withSession<T>(options: ClientSessionOptions, fn: (session: ClientSession) => Promise<T>): Promise<T>;
  async withSession<T>(
    first: ClientSessionOptions | ((session: ClientSession) => Promise<T>),
    second?: (session: ClientSession) => Promise<T>,
  ): Promise<T> {
    const fn = typeof first === 'function' ? first : second;
    if (typeof fn !== 'function') throw this.operations.refuse('fn', 'Missing required callback parameter');
    const session = this.startSession(typeof first === 'function' ? {} : first);
    try {
      return await fn(session);
    } finally {
      await session.endSession();
    }
  }

  /**
   * Asks the server what became of a commit that rejected with `MOORING_UNKNOWN_COMMIT`; `token` is its `details.commitToken`. Safe to call again.
   * Only in the process, and with the client, that the commit was sent by.
   *
   * @throws MooringError `MOORING_UNKNOWN_COMMIT` while it is still unknown, `MOORING_INVALID_ARGUMENT` for a token that is not known.
   */
  async commitOutcome(token: string): Promise<'committed' | 'rolled-back'> {
    if (typeof token !== 'string') throw this.operations.refuse('token', 'token must be a string');
    return (await this.operations.run({ opcode: Opcode.commitOutcome, body: { token } })) as 'committed' | 'rolled-back';
  }

  /** Holds the process while the client is open, also when it is idle. */
  ref(): this {
    if (!this.#held) this.operations.lane.keepAlive.acquire();
    this.#held = true;
    return this;
  }

  /** Takes {@link ref} back: an idle client does not hold the process. */
  unref(): this {
    if (this.#held) this.#operations?.lane.keepAlive.release();
    this.#held = false;
    return this;
  }

  /** Whether a server is known and the client is not closed. */
  isConnected(): boolean {
    return this.isOpen && this.#topology !== undefined && this.#topology.isConnected();
  }

  /** @internal Whether the client takes operations; false from the beginning of a shutdown on. */
  get isOpen(): boolean {
    if (this.#operations === undefined) return false;
    const { state } = this.#description();
    return state !== 'draining' && state !== 'closed';
  }

  /** Counters kept by Rust. */
  stats(): ClientStats {
    const { lane } = this.operations;
    lane.flush();
    const stats = JSON.parse(lane.handle.stats()) as ClientStats;
    // Rust counts those that had left before the deadline; the others never reach it.
    return { ...stats, lateOperations: stats.lateOperations + this.operations.late };
  }

  /** What the client knows of its servers; `undefined` before the first connect and after close. */
  get topology(): Topology | undefined {
    return this.#topology;
  }
  /** What Mongoose and GridFS read. Without credentials. */
  get s(): { readonly url: string; readonly options: Readonly<Record<string, unknown>> } {
    const { uri, dbName, hosts, serverSelectionTimeoutMS } = this.#description();
    return { url: uri, options: { dbName, hosts: hosts.map(hostAndPort), serverSelectionTimeoutMS } };
  }
  get options(): Readonly<Record<string, unknown>> {
    return this.s.options;
  }
  get readConcern(): ConcernOptions['readConcern'] {
    return this.concerns.readConcern;
  }
  get writeConcern(): ConcernOptions['writeConcern'] {
    return this.concerns.writeConcern;
  }
  get readPreference(): ConcernOptions['readPreference'] {
    return this.concerns.readPreference;
  }
  get timeoutMS(): number | undefined {
    const { timeoutMS } = this.#split.native;
    return typeof timeoutMS === 'number' ? timeoutMS : undefined;
  }
  /** The changes of the deployment's documents, from now on or from where the options say. */
  watch<T = Document>(pipeline: readonly object[] = [], options: ChangeStreamOptions = {}): ChangeStream<T> {
    const bson = { ...this.bsonOptions, ...pick(options, BSON_OPTION_NAMES) };
    return new ChangeStream<T>({ operations: this.operations, bson, ...this.concerns }, ...watchArguments(pipeline, options));
  }

  /** @internal */
  get operations(): Operations {
    if (this.#operations === undefined) throw refuseClosed(this.#host, 'client is closed');
    return this.#operations;
  }
  /** @internal */
  get host(): Host {
    return this.#host;
  }

  #open(): Operations {
    const { uri, native: options } = this.#split;
    const bytes = this.#host.bson.serialize(options);
    const commands = String(options['monitorCommands']) === 'true' || /[?&]monitorCommands=true/i.test(uri);
    // The events of a command come before its result, as in the Node driver.
    const inOrder = (wake: () => void) => () => {
      try {
        this.#events?.drain();
      } finally {
        wake();
      }
    };
    const lane = new KeyedLane<MongoHandle>(
      (wake) => {
        const handle = native.MongoHandle.open(uri, bytes, commands ? inOrder(wake) : wake);
        if (isFailure(handle)) throw hostError(this.#host, handle);
        return handle;
      },
      () => this.#closed(operations),
    );
    this.#listed = openClients();
    this.#listed.add(this);
    const operations = new Operations(this, lane, () => topologyDescription(this.#description()));
    return operations;
  }

  async #connect(): Promise<this> {
    await this.#closing;
    this.#operations ??= this.#open();
    this.#topology ??= new Topology(() => this.#description());
    const heard = [...DRIVER_EVENTS].filter((event) => this.listenerCount(event) > 0);
    if (heard.length > 0) this.#listen(heard.some((event) => POOL_EVENTS.has(event)));
    await this.#operations.run({ opcode: Opcode.connect });
    return this;
  }

  async #close({ force = false, deadlineMs = CLOSE_MS }: { force?: boolean; deadlineMs?: number }): Promise<void> {
    const operations = this.#operations;
    if (operations === undefined) return;
    const timeoutMS = checkMilliseconds('deadlineMs', deadlineMs, 0);
    await operations.outcome({ opcode: Opcode.close, flags: force ? FLAG_FORCE : 0, timeoutMS });
    this.#closed(operations);
  }

  /** The native client of `operations` is closed, by whoever asked. Its word may come when another one has been opened already. */
  #closed(operations: Operations): void {
    if (this.#operations === undefined || this.#operations !== operations) return;
    this.#last = describe(this.#operations.lane.handle);
    this.#events?.close();
    this.#events = undefined;
    this.#operations = undefined;
    this.#held = false;
    this.#topology = undefined;
    this.#listed?.delete(this);
    this.emit('close');
  }

  #listen(pools: boolean): void {
    if (this.#operations === undefined) return;
    this.#events ??= new DriverEvents(this.#host, this.#operations.lane.handle, (event, data) => this.emit(event, data));
    if (pools) this.#events.watchPools();
  }

  #description(): Description {
    if (this.#operations !== undefined) return describe(this.#operations.lane.handle);
    if (this.#last === undefined) throw refuseClosed(this.#host, 'client is closed');
    return this.#last;
  }
}
