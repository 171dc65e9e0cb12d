/**
 * @module mongo/connect
 *
 * The connection of a backend: `connectDB`, `disconnectDB`, `ensureDBConnection`, `isDBConnected`, and which client `withTransaction` uses when none is named.
 * Concurrent callers share one attempt. With Mongoose handed in or installed, its models work over this connection.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { checkMilliseconds, checkObject, invalidArgument, MooringError } from '../error/index.js';
import { MongoClient } from './client.js';
import { optionalPeer } from './host.js';
import { type MongooseLike, useMooring } from './mongoose.js';
import type { MongoClientOptions } from './options.js';
import { realm } from './registry.js';

/** Options of {@link connectDB}: those of the client, Mongoose's connection options, and these. */
export interface ConnectOptions extends MongoClientOptions {
  /** Default: the environment variable `MONGODB_URI`. */
  uri?: string;
  /** The Mongoose to connect; `false`: none. Default: the installed one, if there is one. */
  mongoose?: MongooseLike | false;
  /** Attempts to connect. Default 5. */
  tries?: number;
  /** Milliseconds between attempts. Default 2 000. */
  retryDelayMs?: number;
}

/** What is kept of the connection. */
export interface ConnectState {
  readonly options: ConnectOptions;
  readonly stop: AbortController;
  attempt: Promise<MongoClient> | undefined;
  client: MongoClient | undefined;
  mongoose: MongooseLike | undefined;
}

/** The existing backend's settings, with the seed's server selection. */
const DEFAULTS = { maxPoolSize: 10, serverSelectionTimeoutMS: 5_000, connectTimeoutMS: 10_000, socketTimeoutMS: 45_000 } as const;
const TRIES = 5;
const RETRY_DELAY_MS = 2_000;
/** Failures that another attempt cannot mend. */
const FINAL = new Set<string>([
  'MOORING_INVALID_ARGUMENT',
  'MOORING_INVALID_CONFIG',
  'MOORING_AUTH_FAILED',
  'MOORING_ABORTED',
  'MOORING_UNSUPPORTED_PLATFORM',
]);

/**
 * Connects. A second call while connected returns the same client, whatever its options say; concurrent calls share one attempt.
 *
 * @throws MooringError `MOORING_INVALID_CONFIG` without a URI, before any I/O; the last attempt's error otherwise.
 */
export async function connectDB(options: ConnectOptions = {}): Promise<MongoClient> {
  checkObject(options);
  const shared = realm();
  const { connect } = shared;
  if (connect?.attempt !== undefined) return connect.attempt;
  if (connect?.client?.isOpen === true) return connect.client;
  const plan = checked(options);
  const state: ConnectState = { options, stop: new AbortController(), attempt: undefined, client: undefined, mongoose: plan.mongoose };
  shared.connect = state;
  state.attempt = attempts(state, plan).finally(() => {
    state.attempt = undefined;
  });
  return state.attempt;
}

/** Closes what `connectDB` opened. Safe before, during and after connecting, and when called twice. */
export async function disconnectDB(): Promise<void> {
  const shared = realm();
  const state = shared.connect;
  if (state === undefined) return;
  state.stop.abort();
  await state.attempt?.catch(() => {});
  if (shared.connect === state) shared.connect = undefined;
  // Mongoose's own disconnect also tells its models.
  const connection: { readonly client?: unknown } | undefined = state.mongoose?.connection;
  if (state.client !== undefined && connection?.client === state.client) await state.mongoose?.disconnect();
  await state.client?.close();
}

/** The connected client: as it is, or after connecting with the options of the last `connectDB`. */
export async function ensureDBConnection(options?: ConnectOptions): Promise<MongoClient> {
  if (options !== undefined) checkObject(options);
  const { connect } = realm();
  if (connect?.client?.isOpen === true) return connect.client.connect();
  return connectDB(options ?? connect?.options ?? {});
}

/** Whether the client of `connectDB` is open and sees a server. */
export function isDBConnected(): boolean {
  return realm().connect?.client?.isConnected() ?? false;
}

/** The client to use when a call names none: that of `connectDB`, else the only open one. */
export function defaultClient(): MongoClient {
  const { connect, clients } = realm();
  // Cheap on purpose, it runs for each transaction: a client in the middle of its shutdown refuses the transaction itself.
  if (connect?.client !== undefined && clients.has(connect.client)) return connect.client;
  const [only] = clients;
  if (only !== undefined && clients.size === 1) return only;
  const message =
    clients.size === 0
      ? 'client is not connected: call connectDB first or pass client'
      : `client is ambiguous: ${clients.size} are open, pass client`;
  throw new MooringError(clients.size === 0 ? 'MOORING_CLOSED' : 'MOORING_INVALID_ARGUMENT', message, {
    details: { argument: 'client', state: clients.size === 0 ? 'idle' : 'ready', maybeExecuted: false },
  });
}

interface Plan {
  readonly uri: string;
  readonly tries: number;
  readonly retryDelayMs: number;
  readonly mongoose: MongooseLike | undefined;
  readonly client: MongoClientOptions;
}

async function attempts(state: ConnectState, plan: Plan): Promise<MongoClient> {
  for (let attempt = 1; ; attempt++) {
    try {
      const client = await connectOnce(plan);
      state.client = client;
      return client;
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (attempt >= plan.tries || FINAL.has(String(code))) throw error;
    }
    await delay(plan.retryDelayMs, undefined, { signal: state.stop.signal }).catch(() => {
      throw new MooringError('MOORING_ABORTED', 'connecting was stopped by disconnectDB', {
        details: { attempts: attempt, maybeExecuted: false },
      });
    });
  }
}

async function connectOnce(plan: Plan): Promise<MongoClient> {
  if (plan.mongoose !== undefined) {
    const { connection } = await useMooring(plan.mongoose).connect(plan.uri, { bufferCommands: false, ...plan.client });
    if (connection.client instanceof MongoClient) return connection.client;
    throw invalidArgument('mongoose', 'mongoose is connected by another driver');
  }
  const client = new MongoClient(plan.uri, plan.client);
  try {
    return await client.connect();
  } catch (error) {
    await client.close(true);
    throw error;
  }
}

function checked(options: ConnectOptions): Plan {
  const { uri = process.env['MONGODB_URI'], mongoose, tries = TRIES, retryDelayMs = RETRY_DELAY_MS, ...client } = options;
  if (uri === undefined || uri === '') {
    const message = 'uri is missing: pass uri or set the environment variable MONGODB_URI';
    throw new MooringError('MOORING_INVALID_CONFIG', message, {
      details: { option: 'MONGODB_URI', argument: 'uri', maybeExecuted: false },
    });
  }
  if (typeof uri !== 'string') throw invalidArgument('uri', `uri must be a string, got ${uri === null ? 'null' : typeof uri}`);
  if (!Number.isInteger(tries) || tries < 1) throw invalidArgument('tries', 'tries must be a positive integer');
  checkMilliseconds('retryDelayMs', retryDelayMs, 0);
  return { uri, tries, retryDelayMs, mongoose: mongooseOf(mongoose), client: { ...DEFAULTS, ...client } };
}

function mongooseOf(given: ConnectOptions['mongoose']): MongooseLike | undefined {
  if (given === false) return undefined;
  const mongoose = given === undefined ? (optionalPeer('mongoose') as MongooseLike | undefined) : given;
  if (mongoose !== undefined && typeof (mongoose as Partial<MongooseLike> | null)?.setDriver !== 'function') {
    throw invalidArgument('mongoose', 'mongoose must be the module mongoose (8 or 9)');
  }
  return mongoose;
}
