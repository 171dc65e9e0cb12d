/**
 * @module mongo/given
 *
 * What stands in the place of options: every operation looks at it before anything else of them is read.
 */
import { invalidArgument } from '../error/index.js';

/** Refuses options that are no object, and a session in their place: its operation would run outside of the transaction. */
export function checkGiven(options: unknown): void {
  if (options === undefined) return;
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw invalidArgument('options', 'options must be an object');
  if (typeof (options as { inTransaction?: unknown }).inTransaction === 'function')
    throw invalidArgument('options', 'options must be an object with the session in it: { session }');
}
