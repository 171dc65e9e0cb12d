/**
 * @module error
 *
 * Front door of errors: the one class of mooring, its guard, and what turns a record of the addon into it.
 */
import type { FailureRecord } from '../native.js';

export type { ErrorCode } from '../native.js';
export { checkMilliseconds, checkObject, checkOptions, MAX_MS } from './check.js';
export { fromFailure, isFailure, unwrap } from './from-failure.js';
export {
  type ErrorDetails,
  invalidArgument,
  invalidOption,
  isMooringError,
  MooringError,
  type MooringErrorOptions,
} from './mooring-error.js';
export { plainCopy, readable, type Wrong } from './plain.js';
export { deepError, siteOf } from './site.js';

/** A failure record of the addon; for rooms that shape their own classes from it. */
export type Failure = FailureRecord;
