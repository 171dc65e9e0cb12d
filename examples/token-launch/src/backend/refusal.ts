/**
 * @module backend/refusal
 *
 * What a caller did wrong, as opposed to what a server did: a refusal aborts the transaction without a retry, and its message is meant for the caller.
 */

/** A request that cannot be carried out as asked. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}

/** The value, or the refusal when there is none. */
export function found<T>(value: T | null | undefined, message: string): T {
  if (value === null || value === undefined) throw new Refusal(message);
  return value;
}

/** The text, or the refusal when it is none: an object here would be a query operator from a request body. */
export function text(name: string, value: unknown): string {
  if (typeof value !== 'string' || value.length === 0) throw new Refusal(`${name} must be a text`);
  return value;
}
