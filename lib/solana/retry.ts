/**
 * @module solana/retry
 *
 * `executeWithRetry` for work that the pool does not see: a callback is run again after failures that another try may cure. Sign outside the callback: signing
 * again makes a second transaction.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { invalidArgument, isMooringError, MooringError } from '../error/index.js';
import { native } from '../native.js';
import type { PoolLogger } from './options.js';
import { say } from './report.js';

/** Options of `executeWithRetry`. */
export interface RetryOptions {
  /** Ends the waiting; what the callback does is up to the callback. */
  readonly signal?: AbortSignal;
  /** Milliseconds for all attempts. Default: none. */
  readonly deadlineMs?: number;
}

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
    const server = error.details['serverCode'];
    return typeof server === 'number' ? native.classifyRpcError(server, undefined) !== 'never' : !FINAL_CODES.includes(error.code);
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
  const { signal, deadlineMs } = options;
  if (deadlineMs !== undefined && !(Number.isFinite(deadlineMs) && deadlineMs > 0))
    throw invalidArgument('deadlineMs', 'deadlineMs must be a positive number');
  const ends = deadlineMs === undefined ? Infinity : performance.now() + deadlineMs;
  for (let attempt = 1; ; attempt++) {
    if (signal?.aborted === true) throw aborted();
    try {
      return await work();
    } catch (error) {
      if (!isRetryable(error)) throw error;
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

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
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
