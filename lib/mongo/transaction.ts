/**
 * @module mongo/transaction
 *
 * The transaction loop that `withTransaction`, `session.withTransaction` and Mongoose's `connection.transaction` share. TypeScript calls the callback;
 * Rust owns verdict, backoff, deadline, abort and outcome.
 *
 * Guarantees: one outcome per call; what the callback throws leaves by identity; hooks run once, after a definite outcome; after the attempt's deadline the
 * caller is told at once, and a late result of the callback is dropped.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { fromFailure, isFailure, MooringError, type Failure } from '../error/index.js';
import type { Outcome } from '../lane.js';
import { labelsOf } from './errors.js';
import { Opcode } from './operation.js';
import type { ClientSession, TransactionOptions } from './session.js';

/** How a transaction is tried. */
export interface TransactionPlan {
  readonly transaction: TransactionOptions;
  /** Attempts after the first; absent: no count. */
  readonly maxRetries?: number | undefined;
  /** Milliseconds times the attempt's number between attempts; absent: the specification's backoff. */
  readonly retryDelayMs?: number | undefined;
  /** Milliseconds per attempt. */
  readonly timeoutMs?: number | undefined;
  /** Milliseconds for all attempts. */
  readonly totalMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onHookError?: ((error: unknown) => void) | undefined;
  /** Whether failures of the loop itself are `MooringError`s rather than the host driver's classes. */
  readonly ownErrors?: boolean;
  /** Undoes what an attempt did outside of the server, after its rollback and before its hooks. */
  readonly onRolledBack?: (() => Promise<void>) | undefined;
  /** Hears how many attempts were made. */
  readonly onAttempt?: (attempt: number) => void;
}

/** The specification's limit for all attempts. */
const SPECIFICATION_TOTAL_MS = 120_000;

type Settled<T> = { readonly kind: 'returned'; readonly value: T } | { readonly kind: 'threw'; readonly error: unknown };
type Ended = { readonly kind: 'ended'; readonly failure: Failure };

interface Verdict {
  readonly kind: 'committed' | 'aborted' | 'retry';
  readonly backoffMs?: number;
}

/** The plan of `session.withTransaction`, which is the specification's. */
export function specificationPlan(options: TransactionOptions & { timeoutMS?: number }): TransactionPlan {
  const { timeoutMS, ...transaction } = options;
  return { transaction, totalMs: timeoutMS ?? SPECIFICATION_TOTAL_MS };
}

/** Runs `work` in a transaction of `session` and returns its value. */
export async function runTransaction<T>(session: ClientSession, work: () => Promise<T>, plan: TransactionPlan): Promise<T> {
  return session.owned(async () => {
    const started = performance.now();
    for (let attempt = 1; ; attempt++) {
      plan.onAttempt?.(attempt);
      if (plan.signal?.aborted === true) throw aborted(plan.signal);
      const done = await runAttempt(session, work, plan, { attempt, started });
      if ('value' in done) return done.value;
      // The caller's signal also ends the wait.
      await delay(done.backoffMs, undefined, plan.signal === undefined ? {} : { signal: plan.signal }).catch(() => {});
    }
  });
}

interface AttemptFacts {
  readonly attempt: number;
  readonly started: number;
}

async function runAttempt<T>(
  session: ClientSession,
  work: () => Promise<T>,
  plan: TransactionPlan,
  facts: AttemptFacts,
): Promise<{ value: T } | { backoffMs: number }> {
  session.begin({ transaction: plan.transaction, attempt: facts.attempt, timeoutMs: plan.timeoutMs });
  const { operations, handle } = session.internals;
  const over = operations.lane.run({ opcode: Opcode.attempt, handle });
  const settled = settle(work);
  const ended = await firstOf(settled, overtaken(over, settled), plan.signal);
  if (ended.kind === 'ended') throw await cut(session, ended.failure, plan);
  // The callback has committed or aborted by itself: nothing is left to decide.
  if (!session.inTransaction()) {
    await session.settleHooks(session.outcome ?? 'rolled-back', plan.onHookError);
    if (ended.kind === 'threw') throw ended.error;
    return { value: ended.value };
  }
  return conclude(session, ended, plan, facts);
}

/** Asks Rust what becomes of an attempt whose callback is done. */
async function conclude<T>(
  session: ClientSession,
  settled: Settled<T>,
  plan: TransactionPlan,
  facts: AttemptFacts,
): Promise<{ value: T } | { backoffMs: number }> {
  const { operations } = session.internals;
  const outcome = await operations.outcome({ opcode: Opcode.finish, session, body: finishBody(session, settled, plan, facts) });
  if (isFailure(outcome)) {
    const unknown = outcome.code === 'MOORING_UNKNOWN_COMMIT';
    session.transaction.state = unknown ? 'TRANSACTION_COMMITTED' : 'TRANSACTION_ABORTED';
    if (!unknown) await rolledBack(session, plan);
    throw loopError(session, outcome, plan);
  }
  const verdict = JSON.parse(String(outcome)) as Verdict;
  const committed = verdict.kind === 'committed';
  session.transaction.state = committed ? 'TRANSACTION_COMMITTED' : 'TRANSACTION_ABORTED';
  await (committed ? session.settleHooks('committed', plan.onHookError) : rolledBack(session, plan));
  if (verdict.kind === 'retry') return { backoffMs: verdict.backoffMs ?? 0 };
  if (settled.kind === 'threw') throw settled.error;
  return { value: settled.value };
}

async function rolledBack(session: ClientSession, plan: TransactionPlan): Promise<void> {
  await plan.onRolledBack?.();
  await session.settleHooks('rolled-back', plan.onHookError);
}

function finishBody(session: ClientSession, settled: Settled<unknown>, plan: TransactionPlan, facts: AttemptFacts): object {
  const limits = {
    attempt: facts.attempt,
    elapsedMS: performance.now() - facts.started,
    ...(plan.maxRetries === undefined ? {} : { maxRetries: plan.maxRetries }),
    ...(plan.retryDelayMs === undefined ? {} : { retryDelayMS: plan.retryDelayMs }),
    ...(plan.totalMs === undefined ? {} : { totalMS: plan.totalMs }),
  };
  if (settled.kind === 'returned') return { threw: false, ...limits };
  const { error } = settled;
  const code = typeof error === 'object' && error !== null ? (error as { code?: unknown }).code : undefined;
  return {
    threw: true,
    ...(Number.isInteger(code) ? { code } : {}),
    labels: labelsOf(error),
    rethrown: session.isFirstError(error),
    ...limits,
  };
}

/** The callback's end, never a rejection: a late one must not be an unhandled rejection. */
async function settle<T>(work: () => Promise<T>): Promise<Settled<T>> {
  try {
    return { kind: 'returned', value: await work() };
  } catch (error) {
    return { kind: 'threw', error };
  }
}

/** The attempt's end by Rust; when the attempt ends in any other way, the callback's. */
async function overtaken<T>(over: Promise<Outcome>, settled: Promise<Settled<T>>): Promise<Settled<T> | Ended> {
  const outcome = await over;
  return isFailure(outcome) ? { kind: 'ended', failure: outcome } : settled;
}

/** The first of an attempt's ends: the callback's, Rust's, the caller's. */
async function firstOf<T>(
  settled: Promise<Settled<T>>,
  over: Promise<Settled<T> | Ended>,
  signal: AbortSignal | undefined,
): Promise<Settled<T> | Ended> {
  if (signal === undefined) return Promise.race([settled, over]);
  let onAbort: (() => void) | undefined;
  const cancelled = new Promise<Ended>((resolve) => {
    onAbort = () => resolve({ kind: 'ended', failure: abortedFailure() });
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([settled, over, cancelled]);
  } finally {
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
  }
}

/** Ends an attempt whose callback is not done; returns the error for the caller. */
async function cut(session: ClientSession, failure: Failure, plan: TransactionPlan): Promise<Error> {
  const byCaller = failure.code === 'MOORING_ABORTED';
  const error = byCaller && plan.signal !== undefined ? aborted(plan.signal) : loopError(session, failure, plan);
  const reason = error instanceof MooringError ? error : fromFailure(failure);
  const { operations, handle } = session.internals;
  // By the deadline Rust has begun to abort by itself; here it must be told. Not awaited: an operation may still run before it.
  if (byCaller) void operations.lane.run({ opcode: Opcode.abort, handle });
  session.cut(reason, byCaller ? 'aborted' : failure.code === 'MOORING_TIMEOUT' ? 'timed-out' : 'closed');
  // Not awaited: the caller is told at once.
  if (failure.code !== 'MOORING_CLOSED') void rolledBack(session, plan);
  return error;
}

function loopError(session: ClientSession, failure: Failure, plan: TransactionPlan): Error {
  const hasReply = failure.reply !== undefined && failure.reply !== null;
  return plan.ownErrors === true && !hasReply ? fromFailure(failure) : session.internals.operations.error(failure);
}

function abortedFailure(): Failure {
  return { failed: true, code: 'MOORING_ABORTED', message: 'transaction was aborted by the caller', labels: [], details: {}, causes: [] };
}

function aborted(signal: AbortSignal): MooringError {
  return new MooringError('MOORING_ABORTED', 'transaction was aborted by the caller', {
    cause: signal.reason,
    details: { reason: signal.reason instanceof Error ? signal.reason.message : String(signal.reason), phase: 'transaction' },
  });
}
