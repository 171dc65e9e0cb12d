/** @module __tests__/support/failure: the `MooringError` that a promise must reject with. */
import { isMooringError, type MooringError } from '../../dist/index.js';

/** Waits for the error; throws when there is none, or another one. */
export async function failure(promise: Promise<unknown>): Promise<MooringError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isMooringError(error)) throw new Error(`expected a MooringError, got ${String(error)}`);
  return error;
}
