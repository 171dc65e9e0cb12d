/**
 * @module error/from-failure
 *
 * Builds the error object from the record that crosses from Rust. Runs on the JavaScript thread, in the caller's realm.
 */
import type { FailureRecord } from '../native.js';
import { MooringError } from './mooring-error.js';

/** Whether a value of the addon is a failure record. */
export function isFailure(value: unknown): value is FailureRecord {
  return typeof value === 'object' && value !== null && (value as { failed?: unknown }).failed === true;
}

/** The error that a failure record describes. */
export function fromFailure(failure: FailureRecord): MooringError {
  const details: Record<string, string | number | boolean | undefined> = { ...failure.details };
  const facts = {
    phase: failure.phase,
    serverCode: failure.serverCode,
    attempts: failure.attempts,
    elapsedMs: failure.elapsedMs,
    maybeExecuted: failure.maybeExecuted,
  };
  for (const [name, value] of Object.entries(facts)) if (value !== undefined && value !== null) details[name] = value;
  const cause = chain(failure);
  return new MooringError(failure.code, failure.message, {
    labels: failure.labels,
    details,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The value, or the failure thrown. For synchronous and rare exports. */
export function unwrap<T>(value: T | FailureRecord): T {
  if (isFailure(value)) throw fromFailure(value);
  return value;
}

function chain(failure: FailureRecord): Error | undefined {
  let inner: Error | undefined;
  for (const { name, message } of failure.causes.toReversed()) {
    const error = new Error(message, inner === undefined ? undefined : { cause: inner });
    error.name = name;
    inner = error;
  }
  return inner;
}
