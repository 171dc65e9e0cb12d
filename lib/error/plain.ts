/**
 * @module error/plain
 *
 * A copy of options as plain data, for what crosses to Rust as JSON or BSON: an encoding leaves out, turns over or ends on what it does not know; here that is
 * refused under its own name. Each value is read once, inherited ones as well.
 */

import { isMooringError } from './mooring-error.js';

/** The error for the value at `path`. */
export type Wrong = (path: string, what: string) => Error;

const TYPE = 'has a value of a wrong type';

/** A copy of `value`; `leafOf` says what another one becomes, `undefined` for nothing. `path` is the name in errors. */
export function plainCopy(value: unknown, path: string, wrong: Wrong, leafOf: (value: unknown) => unknown): unknown {
  return copied(value, path, { wrong, leafOf, around: [] });
}

interface Copying {
  readonly wrong: Wrong;
  readonly leafOf: (value: unknown) => unknown;
  /** The objects that a value is in. */
  readonly around: readonly unknown[];
}

function copied(value: unknown, path: string, copying: Copying): unknown {
  const { wrong, leafOf, around } = copying;
  if (value === undefined || value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return value;
    throw wrong(path, 'must be a finite number');
  }
  const leaf = readable(() => leafOf(value), path, wrong);
  if (leaf !== undefined) return leaf;
  if (typeof value !== 'object') throw wrong(path, TYPE);
  if (around.includes(value)) throw wrong(path, 'must not hold itself');
  const inside = { ...copying, around: [...around, value] };
  const parts = readable(() => partsOf(value), path, wrong);
  if (parts === undefined) throw wrong(path, TYPE);
  if (Array.isArray(parts)) return parts.map((part) => copied(part, path, inside));
  const prefix = path === '' ? '' : `${path}.`;
  return Object.fromEntries([...parts].map(([name, part]): [string, unknown] => [name, copied(part, `${prefix}${name}`, inside)]));
}

/** What an array or a plain object holds; `undefined` for another one. */
function partsOf(value: object): unknown[] | Map<string, unknown> | undefined {
  if (Array.isArray(value)) return [...(value as unknown[])];
  if (Object.prototype.toString.call(value) !== '[object Object]') return undefined;
  const parts = new Map<string, unknown>();
  for (const name in value) parts.set(name, (value as Record<string, unknown>)[name]);
  return parts;
}

/** What `read` returns or refuses. A getter or a trap that throws is no value. */
export function readable<T>(read: () => T, path: string, wrong: Wrong): T {
  try {
    return read();
  } catch (error) {
    if (isMooringError(error)) throw error;
    throw wrong(path, 'cannot be read');
  }
}
