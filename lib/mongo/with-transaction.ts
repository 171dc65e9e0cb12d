/**
 * @module mongo/with-transaction
 *
 * `withTransaction` and `withSession` of the package root: they own the session, so that it ends exactly once on every path.
 */
import { checkOptions, invalidArgument, MAX_MS } from '../error/index.js';
import { type ClientStats, MongoClient } from './client.js';
import { defaultClient } from './connect.js';
import { currentScope, FORGOTTEN, type ForgottenSession, placeOf, type SessionMode, within } from './scope.js';
import type { ClientSession, ClientSessionOptions } from './session.js';
import type { TransactionOptions } from './transaction-options.js';
import { runTransaction } from './transaction.js';

/** Where the line about a failed transaction goes; `console`, pino and winston fit. */
export interface TransactionLogger {
  error(message: string, ...details: unknown[]): unknown;
}

/** Options of {@link withTransaction}. Unknown names are refused. */
export interface WithTransactionOptions extends TransactionOptions {
  /** Default: the client of `connectDB`, else the only open one. */
  client?: MongoClient;
  /** Attempts after the first, on transient errors only. Default 3. */
  maxRetries?: number;
  /** Milliseconds to wait before retry n is n times this. Default: the specification's backoff, 5 ms x 1.5^n with jitter, at most 500 ms. */
  retryDelayMs?: number;
  /** Milliseconds for one attempt: at its end the transaction is aborted on the server. Default 5 000. */
  timeoutMs?: number;
  /** Ends the transaction when it is aborted. */
  signal?: AbortSignal;
  /** Hears what `afterCommit` and `afterRollback` functions throw. Default: a process warning. */
  onHookError?: (error: unknown) => void;
  /** Default `console`. */
  logger?: TransactionLogger;
  /** `ambient`: operations in the callback that name no session take this one; `{ session: null }` opts out. Default `explicit`. */
  session?: SessionMode;
  /** What becomes of an operation on data in the callback that names no session. Default `warn`, once per call site. */
  forgottenSession?: ForgottenSession;
  /** Inside another `withTransaction` of the same client: take part in its transaction, by its limits and concerns, or open one of its own. Default `join`. */
  nested?: 'join' | 'requiresNew';
}

/** Options of {@link withSession}. Unknown names are refused. */
export interface WithSessionOptions extends ClientSessionOptions {
  /** Default: the client of `connectDB`, else the only open one. */
  client?: MongoClient;
  /** As in {@link WithTransactionOptions}. */
  session?: SessionMode;
  /** As in {@link WithTransactionOptions}. */
  forgottenSession?: ForgottenSession;
}

/** Counters of sessions and transactions. */
export interface SessionStats {
  /** Sessions that were started. */
  started: number;
  ended: number;
  /** Sessions that are open now. */
  open: number;
  transactions: ClientStats['transactions'];
  /** Operations that came after their transaction's deadline and were refused. */
  lateOperations: number;
}

const TRANSACTION_NAMES = ['readConcern', 'writeConcern', 'readPreference', 'maxCommitTimeMS'] as const;
const OPTION_NAMES = new Set<string>([
  'client',
  'maxRetries',
  'retryDelayMs',
  'timeoutMs',
  'signal',
  'onHookError',
  'logger',
  'session',
  'forgottenSession',
  'nested',
  ...TRANSACTION_NAMES,
]);
const SESSION_NAMES = new Set<string>([
  'client',
  'session',
  'forgottenSession',
  'causalConsistency',
  'snapshot',
  'snapshotTime',
  'defaultTimeoutMS',
  'defaultTransactionOptions',
]);
const MAX_RETRIES = 3;
const TIMEOUT_MS = 5_000;

/**
 * Runs `fn` in a transaction and returns its value. Transient errors run it again; what it throws leaves by identity.
 *
 * @throws MooringError `MOORING_TIMEOUT` after `timeoutMs`, `MOORING_UNKNOWN_COMMIT` when the commit's outcome is unknown, `MOORING_CONFLICT` when a transient
 * conflict outlived the retries (both as the `cause` of the driver's error when a server answered), `MOORING_ABORTED` by `signal`, `MOORING_INVALID_ARGUMENT` for a bad option before any I/O.
 *
 * @example
 * const token = await withTransaction(async (session) => Token.findOneAndUpdate(filter, update, { session, returnDocument: 'after' }));
 */
export async function withTransaction<T>(fn: (session: ClientSession) => Promise<T>, options: WithTransactionOptions = {}): Promise<T> {
  if (typeof fn !== 'function') throw invalidArgument('fn', `fn must be a function, got ${fn === null ? 'null' : typeof fn}`);
  const plan = checked(options);
  const around = checkedScope(options);
  const client = options.client ?? defaultClient();
  const outer = options.nested === 'requiresNew' ? undefined : currentScope();
  if (outer?.session.client === client && outer.session.attempt > 0) return fn(outer.session);
  const session = client.startSession();
  const scope = { ...around, opened: placeOf(around) };
  let attempts = 0;
  const run = (attempt: () => Promise<T>, onRolledBack?: () => Promise<void>): Promise<T> =>
    runTransaction(session, attempt, scope, {
      ...plan,
      ownErrors: true,
      onAttempt: (number) => (attempts = number),
      onRolledBack,
    });
  try {
    return await (client.transactionWrapper === undefined ? run(() => fn(session)) : client.transactionWrapper(session, fn, run));
  } catch (error) {
    (options.logger ?? console).error(`Session transaction failed after ${attempts} attempts`, error);
    throw error;
  } finally {
    // After a deadline Rust may still be stopping the operation on the server: the caller does not wait for that.
    const ended = session.endSession();
    if (!session.isCut) await ended;
  }
}

/** Runs `fn` with a session and ends it on every path. */
export async function withSession<T>(fn: (session: ClientSession) => Promise<T>, options: WithSessionOptions = {}): Promise<T> {
  if (typeof fn !== 'function') throw invalidArgument('fn', `fn must be a function, got ${fn === null ? 'null' : typeof fn}`);
  checkOptions(options, SESSION_NAMES);
  const { client, session: _mode, forgottenSession: _forgotten, ...session } = options;
  checkClient(client);
  const around = checkedScope(options);
  const opened = placeOf(around);
  return (client ?? defaultClient()).withSession(session, (made) => within(made, { ...around, opened }, () => fn(made)));
}

/** Sessions and transactions of `client`; default: the client of `connectDB`, else the only open one. */
export function getSessionStats(client?: MongoClient): SessionStats {
  checkClient(client);
  const { sessions, transactions, lateOperations } = (client ?? defaultClient()).stats();
  return { ...sessions, transactions, lateOperations };
}

/** The same functions under the name that the existing backend uses. */
export const SessionManager = Object.freeze({ withTransaction, withSession, getSessionStats });

function checked(options: WithTransactionOptions): {
  transaction: TransactionOptions;
  maxRetries: number;
  retryDelayMs: number | undefined;
  timeoutMs: number;
  signal: AbortSignal | undefined;
  onHookError: ((error: unknown) => void) | undefined;
} {
  checkOptions(options, OPTION_NAMES);
  const { client, maxRetries = MAX_RETRIES, retryDelayMs, timeoutMs = TIMEOUT_MS, signal, onHookError, logger } = options;
  checkClient(client);
  if (!Number.isInteger(maxRetries) || maxRetries < 0) throw invalidArgument('maxRetries', 'maxRetries must be an integer of at least 0');
  if (!Number.isFinite(timeoutMs) || timeoutMs <= 0 || timeoutMs > MAX_MS) {
    throw invalidArgument('timeoutMs', `timeoutMs must be a number between 1 and ${MAX_MS}`);
  }
  if (retryDelayMs !== undefined && (!Number.isFinite(retryDelayMs) || retryDelayMs < 0 || retryDelayMs > MAX_MS)) {
    throw invalidArgument('retryDelayMs', `retryDelayMs must be a number between 0 and ${MAX_MS}`);
  }
  if (signal !== undefined && typeof (signal as Partial<AbortSignal> | null)?.addEventListener !== 'function') {
    throw invalidArgument('signal', 'signal must be an AbortSignal');
  }
  if (onHookError !== undefined && typeof onHookError !== 'function')
    throw invalidArgument('onHookError', 'onHookError must be a function');
  if (logger !== undefined && typeof (logger as Partial<TransactionLogger> | null)?.error !== 'function') {
    throw invalidArgument('logger', 'logger must have the function error');
  }
  const transaction = Object.fromEntries(
    TRANSACTION_NAMES.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]),
  );
  for (const [name, value] of Object.entries(transaction)) {
    if (value === null || Number.isNaN(value)) throw invalidArgument(name, `${name} must not be ${value === null ? 'null' : 'NaN'}`);
  }
  return { transaction, maxRetries, retryDelayMs, timeoutMs, signal, onHookError };
}

function oneOf(name: string, value: unknown, known: readonly string[]): void {
  if (!known.includes(value as string)) throw invalidArgument(name, `${name} must be one of ${known.join(', ')}`);
}

function checkedScope(options: WithSessionOptions & { nested?: unknown }): { mode: SessionMode; forgotten: ForgottenSession } {
  const { session = 'explicit', forgottenSession = 'warn', nested = 'join' } = options;
  oneOf('session', session, ['explicit', 'ambient']);
  oneOf('forgottenSession', forgottenSession, FORGOTTEN);
  oneOf('nested', nested, ['join', 'requiresNew']);
  return { mode: session, forgotten: forgottenSession };
}

function checkClient(client: unknown): void {
  if (client !== undefined && !(client instanceof MongoClient)) throw invalidArgument('client', 'client must be a MongoClient of mooring');
}
