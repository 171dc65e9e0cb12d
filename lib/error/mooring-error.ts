/**
 * @module error/mooring-error
 *
 * The one error class of mooring, recognised across copies of the package and `jest.resetModules()` by a registered symbol.
 * Classes of peers (`ReplyError`, `MongoServerError`) live with their feature and carry a `MooringError` as `cause`.
 */
import type { ErrorCode } from '../native.js';

const BRAND = Symbol.for('mooring.error');

/** Named facts of an error: numbers, texts and flags such as `argument`, `endpoint`, `retryAfterMs`. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | undefined>>;

/** What a `MooringError` is made of besides code and message. */
export interface MooringErrorOptions {
  /** Labels of the server or the driver, such as `TransientTransactionError`. */
  readonly labels?: readonly string[];
  /** Named facts. */
  readonly details?: ErrorDetails;
  /** What caused it. */
  readonly cause?: unknown;
}

/**
 * Any failure that mooring reports itself. Switch on `code`; `instanceof MooringError` holds across copies of the package.
 *
 * @example
 * try { await withTransaction(work); } catch (error) { if (isMooringError(error, 'MOORING_TIMEOUT')) retryLater(); else throw error; }
 */
export class MooringError extends Error {
  /** The stable code. */
  readonly code: ErrorCode;
  /** Labels of the server or the driver. */
  readonly labels: readonly string[];
  /** Named facts: `argument`, `option`, `phase`, `attempts`, `elapsedMs`, `maybeExecuted`, `serverCode`, `endpoint`, ... */
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, options: MooringErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.labels = options.labels ?? [];
    this.details = options.details ?? {};
    Object.defineProperty(this, BRAND, { value: true });
  }

  override get name(): string {
    return 'MooringError';
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return isMooringError(value);
  }
}

/** Whether `value` is a `MooringError` (of any copy of the package), and of `code` when one is given. */
export function isMooringError(value: unknown, code?: ErrorCode): value is MooringError {
  if (typeof value !== 'object' || value === null || !(BRAND in value)) return false;
  return code === undefined || (value as unknown as MooringError).code === code;
}

/** A caller's mistake in `argument`, found before any I/O. */
export function invalidArgument(argument: string, message: string): MooringError {
  return new MooringError('MOORING_INVALID_ARGUMENT', message, { details: { argument, maybeExecuted: false } });
}

/** An unusable option, found before any I/O. */
export function invalidOption(option: string, message: string): MooringError {
  return new MooringError('MOORING_INVALID_CONFIG', message, { details: { option, argument: option, maybeExecuted: false } });
}
