/**
 * @module solana/retry
 *
 * `executeWithRetry` for work that the pool does not see: a callback is run again after failures that another try may cure. Sign outside the callback: signing
 * again makes a second transaction.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { checkMilliseconds, checkOptions, invalidArgument, isMooringError, MAX_MS, MooringError } from '../error/index.js';
import { native } from '../native.js';
import type { PoolLogger } from './options.js';
import { say } from './report.js';

/** Options of `executeWithRetry`. */
export interface RetryOptions {
  /** Rejects with `MOORING_ABORTED` at once; a callback that runs then goes on by itself. */
  readonly signal?: AbortSignal;
  /** Milliseconds for all attempts: then the last error is thrown, or `MOORING_TIMEOUT` when the first attempt still runs. Default: none. */
  readonly deadlineMs?: number;
}

const OPTION_NAMES: ReadonlySet<string> = new Set(['signal', 'deadlineMs']);
const BASE_MS = 50;
const CAP_MS = 2000;
const MAX_RETRIES = 100;
/** Texts of errors that no repetition cures. */
const FINAL_TEXTS = [
  'Invalid signature',
  'Transaction simulation failed',
  'Blockhash not found',
  'Account not found',
  'Invalid account data',
];
const FINAL_CODES = [
  'MOORING_INVALID_ARGUMENT',
  'MOORING_INVALID_CONFIG',
  'MOORING_CLOSED',
  'MOORING_ABORTED',
  'MOORING_AUTH_FAILED',
  'MOORING_INTERNAL',
];

/** Whether an error is worth another attempt. Codes decide first, then the five texts; an error that says nothing is worth one. */
export function isRetryable(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return true;
  const { code, status, message } = error as { code?: unknown; status?: unknown; message?: unknown };
  if (typeof message === 'string' && FINAL_TEXTS.some((text) => message.includes(text))) return false;
  if (isMooringError(error)) {
    const { serverCode, httpStatus } = error.details as { serverCode?: unknown; httpStatus?: unknown };
    if (typeof serverCode === 'number') return native.classifyRpcError(serverCode, undefined) !== 'never';
    if (typeof httpStatus === 'number') return native.classifyRpcError(undefined, httpStatus) !== 'never';
    return !FINAL_CODES.includes(error.code);
  }
  if (typeof code === 'number' && Number.isInteger(code)) return native.classifyRpcError(code, undefined) !== 'never';
  if (typeof status === 'number' && Number.isInteger(status)) return native.classifyRpcError(undefined, status) !== 'never';
  return true;
}

/** Runs `work` up to `maxRetries` times; throws the last error itself. */
export async function executeWithRetry<T>(
  work: () => Promise<T> | T,
  maxRetries: number,
  options: RetryOptions,
  logger: PoolLogger,
): Promise<T> {
  if (!Number.isInteger(maxRetries) || maxRetries < 1 || maxRetries > MAX_RETRIES) {
    throw invalidArgument('maxRetries', `maxRetries must be a whole number between 1 and ${MAX_RETRIES}`);
  }
  checkOptions(options, OPTION_NAMES);
  const { signal, deadlineMs } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw invalidArgument('signal', 'signal must be an AbortSignal');
  if (deadlineMs !== undefined) checkMilliseconds('deadlineMs', deadlineMs, 1);
  const ends = deadlineMs === undefined ? Infinity : performance.now() + deadlineMs;
  let last: { readonly error: unknown } | undefined;
  for (let attempt = 1; ; attempt++) {
    if (signal?.aborted === true) throw aborted();
    try {
      return await within(work, ends, signal);
    } catch (error) {
      if (error === OVERDUE) throw last === undefined ? overdue() : last.error;
      if (!isRetryable(error)) throw error;
      last = { error };
      const wait = Math.random() * Math.min(CAP_MS, BASE_MS * 2 ** (attempt - 1));
      if (attempt >= maxRetries || performance.now() + wait >= ends) {
        say(logger, 'error', `Connection pool: Request failed after ${attempt} attempts`, { attempts: attempt, reason: textOf(error) });
        throw error;
      }
      say(logger, 'warn', `Connection pool: attempt ${attempt} of ${maxRetries} failed, next one after ${Math.round(wait)} ms`, {
        attempt,
        reason: textOf(error),
      });
      await pause(wait, signal);
    }
  }
}

/** Says that the deadline came while the work ran. */
const OVERDUE = Symbol('overdue');

/** The work's own result or error; what it does after the deadline or the signal is lost. */
async function within<T>(work: () => Promise<T> | T, ends: number, signal: AbortSignal | undefined): Promise<T> {
  if (ends === Infinity && signal === undefined) return await work();
  const stopped = new AbortController();
  const abort = (): void => stopped.abort();
  signal?.addEventListener('abort', abort);
  const options = { signal: stopped.signal };
  const left = ends === Infinity ? MAX_MS : Math.min(Math.max(ends - performance.now(), 0), MAX_MS);
  const limit = delay(left, OVERDUE, options).catch(() => OVERDUE);
  try {
    const winner = await Promise.race([Promise.resolve().then(work), limit]);
    if (winner !== OVERDUE) return winner as T;
    if (stopped.signal.aborted) throw aborted();
    // oxlint-disable-next-line typescript/only-throw-error -- caught above, never seen by a caller
    throw OVERDUE;
  } finally {
    signal?.removeEventListener('abort', abort);
    stopped.abort();
  }
}

function overdue(): MooringError {
  return new MooringError('MOORING_TIMEOUT', 'work was not done within the deadline', { details: { maybeExecuted: true } });
}

/** A pause that the signal ends with `MOORING_ABORTED`. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await delay(ms, undefined, signal === undefined ? {} : { signal });
  } catch {
    throw aborted();
  }
}

function aborted(): MooringError {
  return new MooringError('MOORING_ABORTED', 'work was aborted between attempts', { details: { maybeExecuted: false } });
}

/** Only the code or class: a foreign message may quote a URL with its key. */
function textOf(error: unknown): string {
  if (isMooringError(error)) return error.message;
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  return typeof code === 'string' || typeof code === 'number' ? String(code) : typeof name === 'string' ? name : typeof error;
}
