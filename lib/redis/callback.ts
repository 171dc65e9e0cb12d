/**
 * @module redis/callback
 *
 * Node-style callbacks beside promises. What a callback throws becomes an uncaught exception, never a rejection.
 */
import { isolated } from '../tick.js';

/** `(error, result)`. */
export type Callback<T = unknown> = (error: Error | null, result?: T) => void;

/** Also reports `promise` to `callback`, when there is one. */
export function asCallback<T>(promise: Promise<T>, callback: Callback<T> | undefined): Promise<T> {
  if (typeof callback !== 'function') return promise;
  promise.then(
    (value) => isolated(() => (value === undefined ? callback(null) : callback(null, value))),
    (error: unknown) => isolated(() => callback(error instanceof Error ? error : new Error(String(error), { cause: error }))),
  );
  return promise;
}
