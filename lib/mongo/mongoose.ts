/**
 * @module mooring/mongoose
 *
 * The driver for Mongoose 8 and 9: models, queries, `connection.transaction` and `startSession` run over mooring's client unchanged.
 *
 * Works with the Mongoose object that is handed in: its own connection and collection classes are extended, and its own copy of the BSON types is used.
 * Buffering, debug output and `operation-start`/`operation-end` stay Mongoose's work.
 */
// oxlint-disable eslint/no-underscore-dangle -- names that Mongoose gave to what a driver reads and writes
import { invalidArgument } from '../error/index.js';
import { MongoClient, type TransactionWrapper } from './client.js';
import { optionalPeer } from './host.js';
import type { MongoClientOptions } from './options.js';

/** What is used of the module `mongoose`. */
export interface MongooseLike {
  setDriver(driver: never): unknown;
  connect(uri: string, options?: never): Promise<unknown>;
  disconnect(): Promise<void>;
  readonly mongo: object;
  readonly connection: object;
}

/** Mongoose with this driver installed. */
export interface MooredMongoose {
  connect(uri: string, options?: object): Promise<{ readonly connection: { readonly client?: unknown } }>;
}

/** What `mongoose.setDriver` takes. */
export interface MongooseDriver {
  readonly Connection: unknown;
  readonly Collection: unknown;
  readonly BulkWriteResult: unknown;
  readonly ClientEncryption: unknown;
}

/** The parts of a Mongoose connection that a driver reads and writes. */
interface Connection {
  readyState: number;
  readonly _readyState: number;
  _destroyCalled?: boolean;
  _closeCalled?: boolean;
  _connectionString?: string;
  _connectionOptions?: object;
  _lastHeartbeatAt: number | null;
  readonly _queue: unknown[];
  _flushQueue?(): void;
  $dbName?: string;
  config: Record<string, unknown>;
  client?: MongoClient;
  db?: object;
  host?: string | undefined;
  port?: number | undefined;
  name?: string;
  user?: string | undefined;
  pass?: string | undefined;
  readonly otherDbs: Connection[];
  readonly collections: Record<string, { buffer?: boolean; onOpen(): void }>;
  readonly models: Record<string, { init(): Promise<unknown> }>;
  emit(event: string, data?: unknown): boolean;
  onOpen(): void;
  transaction(fn: () => unknown): Promise<unknown>;
}

type ConnectionClass = new (...args: never[]) => Connection;
type ErrorClass = new (message: string) => Error;

/** A Mongoose object with the parts that its types do not show. */
interface MongooseParts {
  readonly __driver: {
    readonly Connection: ConnectionClass;
    readonly Collection: unknown;
    readonly BulkWriteResult: unknown;
    readonly ClientEncryption: unknown;
  };
  readonly Error: ErrorClass;
  readonly version: string;
  readonly connection: Connection;
  readonly models: Record<string, { $init?: unknown; readonly db: unknown; init(): Promise<unknown> }>;
  readonly mongo: Record<string, unknown>;
}

const INSTALLED = Symbol.for('mooring.mongoose');
/** The clock of before anyone replaced it by a fake one: a connection must not look stale by it. */
const realNow = Date.now.bind(Date);
const DISCONNECTED = 0;
const CONNECTED = 1;
const CONNECTING = 2;
/** Options that are Mongoose's and go into the connection's config. */
const CONFIG = ['autoIndex', 'autoCreate', 'sanitizeFilter', 'autoSearchIndex', 'bufferTimeoutMS', 'bufferCommands'] as const;

/**
 * Makes `mongoose` (default: the installed one) work over mooring. Call it before `mongoose.connect`; models may exist already. Calling it again is harmless.
 *
 * @returns the same `mongoose`.
 * @example
 * import mongoose from 'mongoose';
 * import { useMooring } from 'mooring/mongoose';
 * useMooring(mongoose);
 * await mongoose.connect(process.env['MONGODB_URI']);
 */
export function useMooring<M extends MongooseLike>(mongoose?: M): M & MooredMongoose {
  const target = mongoose ?? (optionalPeer('mongoose') as M | undefined);
  checkMongoose(target);
  const { __driver } = target as unknown as MongooseParts;
  if (!(INSTALLED in __driver)) {
    (target as { setDriver(driver: object): unknown }).setDriver(createDriver(target));
    restartModels(target as unknown as MongooseParts);
  }
  return target as M & MooredMongoose;
}

/** To make collections and indexes, models compiled before wait for the connection that was just replaced: they begin anew, waiting for ours. */
function restartModels({ models, connection }: MongooseParts): void {
  for (const model of Object.values(models)) {
    if (model.db !== connection) continue;
    delete model.$init;
    // Errors reach those who wait for `init` themselves; Mongoose reports them as the model's `index` event.
    void model.init().catch(() => {});
  }
}

function checkMongoose(mongoose: MongooseLike | undefined): asserts mongoose is MongooseLike {
  if (typeof (mongoose as Partial<MongooseLike> | null | undefined)?.setDriver !== 'function')
    throw invalidArgument('mongoose', 'mongoose must be the module mongoose (8 or 9)');
}

/** The driver for `mongoose`, for `mongoose.setDriver`. {@link useMooring} installs it. */
export function createDriver(mongoose: MongooseLike): MongooseDriver {
  checkMongoose(mongoose);
  const parts = mongoose as unknown as MongooseParts;
  const { Collection, BulkWriteResult, ClientEncryption } = parts.__driver;
  const driver = { Connection: connectionClass(parts), Collection, BulkWriteResult, ClientEncryption };
  Object.defineProperty(driver, INSTALLED, { value: true });
  return driver;
}

function connectionClass(mongoose: MongooseParts): ConnectionClass {
  const Native = mongoose.__driver.Connection;
  // The name that Mongoose documents and tests for.
  return class NativeConnection extends Native {
    /** Called by `openUri`. */
    async createClient(uri: string, options: Record<string, unknown> = {}): Promise<this> {
      checkOpening(mongoose, this, uri);
      const { client: clientOptions, dbName } = configure(mongoose, this, uri, options ?? {});
      this.readyState = CONNECTING;
      hide(this, '_connectionString', uri);
      let client: MongoClient;
      try {
        client = new MongoClient(uri, clientOptions);
      } catch (error) {
        this.readyState = DISCONNECTED;
        throw error;
      }
      this.client = client;
      client.setMaxListeners(0);
      try {
        await client.connect();
      } catch (error) {
        await client.close(true);
        throw error;
      }
      attach(this, client, dbName, clientOptions.monitorCommands === true);
      for (const other of this.otherDbs) attach(other, client, other.name, false);
      return this;
    }

    /** Uses a client that is connected already. */
    setClient(client: unknown): this {
      if (!(client instanceof MongoClient)) throw new mongoose.Error('Must call `setClient()` with an instance of MongoClient');
      if (this.readyState !== DISCONNECTED)
        throw new mongoose.Error('Cannot call `setClient()` on a connection that is already connected.');
      if (client.topology === undefined)
        throw new mongoose.Error('Cannot call `setClient()` with a MongoClient that you have not called `connect()` on yet.');
      hide(this, '_connectionString', client.s.url);
      attach(this, client, client.s.options['dbName'] as string, false);
      for (const model of Object.values(this.models)) void model.init().catch(() => {});
      return this;
    }
  };
}

/** Mongoose's own conditions for opening a connection. */
function checkOpening(mongoose: MongooseParts, connection: Connection, uri: unknown): void {
  if (typeof uri !== 'string') {
    throw new mongoose.Error(
      `The \`uri\` parameter to \`openUri()\` must be a string, got "${typeof uri}". Make sure the first parameter to \`mongoose.connect()\` or \`mongoose.createConnection()\` is a string.`,
    );
  }
  if (connection._destroyCalled === true)
    throw new mongoose.Error(
      'Connection has been closed and destroyed, and cannot be used for re-opening the connection. Please create a new connection with `mongoose.createConnection()` or `mongoose.connect()`.',
    );
  const open = connection.readyState === CONNECTING || connection.readyState === CONNECTED;
  if (open && connection._connectionString !== uri)
    throw new mongoose.Error(
      "Can't call `openUri()` on an active connection with different connection strings. Make sure you aren't calling `mongoose.connect()` multiple times. See: https://mongoosejs.com/docs/connections.html#multiple_connections",
    );
}

/** Takes Mongoose's options out and leaves those of the client. */
function configure(
  mongoose: MongooseParts,
  connection: Connection,
  uri: string,
  given: Record<string, unknown>,
): { client: MongoClientOptions; dbName: string | undefined } {
  const options = withIndexDefaults(mongoose, uri, given);
  const { user, pass, dbName, config, ...others } = options;
  const nested = (config as { autoIndex?: unknown } | undefined)?.autoIndex;
  if (nested !== undefined && nested !== null) others['autoIndex'] = nested;
  const client: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(others)) {
    if (!(CONFIG as readonly string[]).includes(name)) client[name] = value;
    else if (value !== undefined && value !== null) connection.config[name] = name === 'autoIndex' ? value !== false : value;
  }
  if (isGiven(user) || isGiven(pass)) {
    client['auth'] = { ...(client['auth'] as object | undefined), username: user, password: pass };
    connection.user = user as string | undefined;
    hide(connection, 'pass', pass);
  }
  client['driverInfo'] ??= { name: 'Mongoose', version: mongoose.version };
  client['driver'] = mongoose.mongo;
  hide(connection, '_connectionOptions', others);
  if (typeof dbName === 'string') connection.$dbName = dbName;
  return { client, dbName: typeof dbName === 'string' ? dbName : undefined };
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}

/** A connection that reads from secondaries creates no indexes and collections. */
function withIndexDefaults(mongoose: MongooseParts, uri: string, given: Record<string, unknown>): Record<string, unknown> {
  const { readPreference } = given;
  const own = typeof readPreference === 'object' && readPreference !== null ? (readPreference as { mode?: unknown }).mode : readPreference;
  const preference = own ?? /[?&]readPreference=(\w+)(?:&|$)/.exec(uri)?.[1];
  if (preference === undefined || preference === null || preference === 'primary' || preference === 'primaryPreferred') return { ...given };
  const explicit =
    given['autoIndex'] === true ||
    given['autoCreate'] === true ||
    (given['config'] as { autoIndex?: unknown } | undefined)?.autoIndex === true;
  if (explicit && (preference === 'secondary' || preference === 'secondaryPreferred')) {
    throw new mongoose.Error(
      'MongoDB prohibits index creation on connections that read from non-primary replicas.  Connections that set "readPreference" to "secondary" or "secondaryPreferred" may not opt-in to the following connection options: autoCreate, autoIndex',
    );
  }
  return { ...given, autoIndex: false, autoCreate: false };
}

/** Wires a connected client to a Mongoose connection. */
function attach(connection: Connection, client: MongoClient, dbName: string | undefined, commands: boolean): void {
  const db = client.db(dbName);
  connection.db = db;
  connection.client = client;
  const [host] = client.s.options['hosts'] as { host: string; port: number }[];
  connection.host = host?.host;
  connection.port = host?.port;
  connection.name = dbName ?? db.databaseName;
  connection._closeCalled = client._closeCalled;
  connection._lastHeartbeatAt = null;
  followTopology(connection, client);
  client.on('serverHeartbeatSucceeded', () => heartbeat(connection));
  // Closed by a shutdown that Mongoose does not know of.
  client.once('close', () => {
    if (connection._readyState === CONNECTED) connection.readyState = DISCONNECTED;
  });
  if (commands) {
    for (const event of ['commandStarted', 'commandFailed', 'commandSucceeded'])
      client.on(event, (data: unknown) => connection.emit(event, data));
  }
  client.transactionWrapper ??= transactionWrapper(connection);
  connection.onOpen();
  for (const collection of Object.values(connection.collections)) collection.onOpen();
}

/**
 * Mongoose's own `connection.transaction` around each attempt: it puts documents back (`isNew`, versions, modified paths) when the callback throws, and sets
 * `transactionAsyncLocalStorage`. It is called once more with a callback that throws when the attempt fails later: at its commit or by its deadline.
 */
function transactionWrapper(connection: Connection): TransactionWrapper {
  return async (session, work, run) => {
    let current: () => unknown = () => work(session);
    const withTransaction = <T>(attempt: () => Promise<T>): Promise<unknown> => {
      Reflect.deleteProperty(session, 'withTransaction');
      const reset = async (): Promise<void> => {
        const before = current;
        current = () => {
          throw new Error('rolled back');
        };
        await attempt().catch(() => {});
        current = before;
      };
      return run(attempt as () => Promise<never>, reset);
    };
    Object.defineProperty(session, 'withTransaction', { value: withTransaction, configurable: true });
    const target = Object.create(connection, { startSession: { value: async () => session } }) as Connection;
    return target.transaction(() => current()) as Promise<never>;
  };
}

function followTopology(connection: Connection, client: MongoClient): void {
  const { type } = client.topology?.description ?? { type: '' };
  if (type === 'Single') {
    client.on('serverDescriptionChanged', (event: { newDescription: { type: string } }) => {
      if (event.newDescription.type === 'Unknown') connection.readyState = DISCONNECTED;
      else reconnected(connection);
    });
  } else if (type.startsWith('ReplicaSet')) {
    client.on('topologyDescriptionChanged', (event: { newDescription: { type: string } }) => {
      const hasPrimary = event.newDescription.type === 'ReplicaSetWithPrimary';
      if (connection.readyState === CONNECTED && !hasPrimary) connection.readyState = DISCONNECTED;
      else if (connection.readyState === DISCONNECTED && hasPrimary) reconnected(connection);
    });
  }
}

function reconnected(connection: Connection): void {
  if (connection.readyState === CONNECTED) return;
  connection.readyState = CONNECTED;
  connection.emit('reconnect');
  connection.emit('reconnected');
  connection.onOpen();
}

/** A server answered: the connection is not stale, and what waited for it may run. */
function heartbeat(connection: Connection): void {
  const now = realNow();
  for (const one of [connection, ...connection.otherDbs]) {
    one._lastHeartbeatAt = now;
    if (one._queue.length > 0 && one.readyState === CONNECTED) one._flushQueue?.();
  }
  for (const collection of Object.values(connection.collections)) if (collection.buffer === true) collection.onOpen();
}

/** Sets a property that does not print: it may hold a credential. */
function hide(connection: Connection, name: string, value: unknown): void {
  Object.defineProperty(connection, name, { value, writable: true, configurable: true, enumerable: false });
}
