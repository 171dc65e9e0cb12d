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
import { labelsOf } from './errors.js';
import { Opcode } from './operation.js';
import { Scope, type ScopeFacts } from './scope.js';
import type { ClientSession } from './session.js';
import type { TransactionOptions } from './transaction-options.js';

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

/** What Rust says unless it has committed. */
interface Verdict {
  readonly kind: 'aborted' | 'retry';
  readonly backoffMs?: number;
}

/** The plan of `session.withTransaction`, which is the specification's. */
export function specificationPlan(options: TransactionOptions & { timeoutMS?: number }): TransactionPlan {
  const { timeoutMS, ...transaction } = options;
  return { transaction, totalMs: timeoutMS ?? SPECIFICATION_TOTAL_MS };
}

/** Runs `work` in a transaction of `session`, with a scope around it, and returns its value. */
export async function runTransaction<T>(
  session: ClientSession,
  work: () => Promise<T>,
  scope: ScopeFacts,
  plan: TransactionPlan,
): Promise<T> {
  session.own();
  try {
    const started = performance.now();
    for (let attempt = 1; ; attempt++) {
      plan.onAttempt?.(attempt);
      if (plan.signal?.aborted === true) throw aborted(plan.signal);
      session.begin({ transaction: plan.transaction, attempt, timeoutMs: plan.timeoutMs });
      const ended = await firstEnd(session, work, scope, plan.signal);
      if (ended.kind === 'ended') throw await cut(session, ended.failure, plan);
      const wait = await conclude(session, ended, plan, { attempt, started });
      if (wait === undefined) return valueOf(ended);
      // The caller's signal also ends the wait.
      await delay(wait, undefined, plan.signal === undefined ? {} : { signal: plan.signal }).catch(() => {});
    }
  } finally {
    const end = session.disown();
    if (end !== undefined) await end;
  }
}

function valueOf<T>(settled: Settled<T>): T {
  if (settled.kind === 'threw') throw settled.error;
  return settled.value;
}

interface AttemptFacts {
  readonly attempt: number;
  readonly started: number;
}

/** Asks Rust what becomes of an attempt whose callback is done. Milliseconds after which to run it again, or `undefined`: its value or its error stands. */
async function conclude(
  session: ClientSession,
  settled: Settled<unknown>,
  plan: TransactionPlan,
  facts: AttemptFacts,
): Promise<number | undefined> {
  // The callback has committed or aborted by itself: nothing is left to decide.
  if (!session.inTransaction()) {
    await session.settleHooks(session.outcome ?? 'rolled-back', plan.onHookError);
    return undefined;
  }
  const { operations } = session.internals;
  const outcome = await operations.outcome({ opcode: Opcode.finish, session, body: finishBody(session, settled, plan, facts) });
  if (isFailure(outcome)) {
    const unknown = outcome.code === 'MOORING_UNKNOWN_COMMIT';
    session.transaction.state = unknown ? 'TRANSACTION_COMMITTED' : 'TRANSACTION_ABORTED';
    if (!unknown) await rolledBack(session, plan);
    throw loopError(session, outcome, plan);
  }
  if (outcome === undefined) {
    session.committed();
    const hooks = session.settleHooks('committed', plan.onHookError);
    if (hooks !== undefined) await hooks;
    return undefined;
  }
  const verdict = JSON.parse(String(outcome)) as Verdict;
  session.transaction.state = 'TRANSACTION_ABORTED';
  await rolledBack(session, plan);
  return verdict.kind === 'retry' ? (verdict.backoffMs ?? 0) : undefined;
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

/** The first of an attempt's ends: the callback's, Rust's, the caller's. Not a chain of promises: each of them costs, above all with the scope around it. */
function firstEnd<T>(
  session: ClientSession,
  work: () => Promise<T>,
  facts: ScopeFacts,
  signal: AbortSignal | undefined,
): Promise<Settled<T> | Ended> {
  const { operations, handle } = session.internals;
  const scope = new Scope(session, facts);
  return new Promise((resolve) => {
    const byRust = operations.lane.watch({ opcode: Opcode.attempt, handle }, (outcome) => {
      if (isFailure(outcome)) end({ kind: 'ended', failure: outcome });
    });
    const byCaller = (): void => end({ kind: 'ended', failure: abortedFailure() });
    const end = (how: Settled<T> | Ended): void => {
      operations.lane.forget(byRust);
      signal?.removeEventListener('abort', byCaller);
      resolve(how);
    };
    signal?.addEventListener('abort', byCaller, { once: true });
    // A late end is dropped, a late rejection is none that nobody handles.
    const settled = (how: Settled<T>): void => {
      scope.active = false;
      end(how);
    };
    let running: Promise<T>;
    try {
      running = Promise.resolve(scope.run(work));
    } catch (error) {
      return settled({ kind: 'threw', error });
    }
    running.then(
      (value) => settled({ kind: 'returned', value }),
      (error: unknown) => settled({ kind: 'threw', error }),
    );
  });
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
