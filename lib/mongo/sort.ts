/**
 * @module mongo/sort
 *
 * Sort and index keys in the many forms that the Node driver takes, as ordered maps for the server.
 */
import { inspect } from 'node:util';
import type { Document } from './host.js';

/** A direction of one field. */
export type SortDirection = 1 | -1 | 'asc' | 'desc' | 'ascending' | 'descending' | '1' | '-1' | { $meta: string };
/** A sort order. */
export type Sort =
  | string
  | readonly string[]
  | Readonly<Record<string, SortDirection>>
  | ReadonlyMap<string, SortDirection>
  | readonly (readonly [string, SortDirection])[]
  | readonly [string, SortDirection];
/** The keys of an index. */
export type IndexSpecification = string | Readonly<Record<string, unknown>> | ReadonlyMap<string, unknown> | readonly unknown[];

const DIRECTIONS: Readonly<Record<string, 1 | -1>> = { 1: 1, asc: 1, ascending: 1, '-1': -1, desc: -1, descending: -1 };

/** The sort order as an ordered map; `undefined` when it is empty. `refuse` makes the error for a bad one. */
export function sortDocument(sort: unknown, direction: unknown, refuse: (message: string) => Error): Map<string, unknown> | undefined {
  if (sort === undefined || sort === null) return undefined;
  const one = (key: unknown, value: unknown): [string, unknown] => [String(key), sortDirection(value, refuse)];
  if (typeof sort === 'string') return new Map([one(sort, direction ?? 1)]);
  if (typeof sort !== 'object') throw refuse(`invalid sort format: ${inspect(sort)}`);
  const entries = sortEntries(sort);
  return entries.length === 0 ? undefined : new Map(entries.map(([key, value]) => one(key, value)));
}

function sortEntries(sort: object): [unknown, unknown][] {
  if (sort instanceof Map) return [...sort];
  if (!Array.isArray(sort)) return Object.entries(sort);
  if (Array.isArray(sort[0])) return sort as [unknown, unknown][];
  if (sort.length === 2 && isDirection(sort[1])) return [[sort[0], sort[1]]];
  return sort.map((key): [unknown, unknown] => [key, 1]);
}

function isMeta(value: unknown): boolean {
  return typeof value === 'object' && value !== null && typeof (value as { $meta?: unknown }).$meta === 'string';
}

function isDirection(value: unknown): boolean {
  return isMeta(value) || DIRECTIONS[String(value).toLowerCase()] !== undefined;
}

function sortDirection(value: unknown, refuse: (message: string) => Error): unknown {
  if (isMeta(value)) return value;
  const direction = DIRECTIONS[String(value).toLowerCase()];
  if (direction === undefined) throw refuse(`invalid sort direction: ${inspect(value, { depth: 1 })}`);
  return direction;
}

/** Names of index kinds besides numbers. */
const INDEX_KINDS = new Set<unknown>(['2d', '2dsphere', 'text', 'geoHaystack', 'hashed']);

/** The keys of an index as an ordered map; `refuse` makes the error for what is none. */
export function indexKeys(specification: IndexSpecification, refuse: (message: string) => Error): Map<string, unknown> {
  const keys = new Map<string, unknown>();
  const isPair =
    Array.isArray(specification) &&
    specification.length === 2 &&
    (typeof specification[1] === 'number' || INDEX_KINDS.has(specification[1]));
  const parts: unknown[] = !Array.isArray(specification) || isPair ? [specification] : specification;
  for (const part of parts) {
    if (typeof part === 'string') keys.set(part, 1);
    else if (Array.isArray(part)) keys.set(String(part[0]), part[1] ?? 1);
    else if (typeof part === 'object' && part !== null)
      for (const [key, value] of part instanceof Map ? part : Object.entries(part as Document)) keys.set(String(key), value);
    else throw refuse('an index must be a string, an object, a Map or an array of them');
  }
  return keys;
}
