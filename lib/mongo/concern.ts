/**
 * @module mongo/concern
 *
 * Read concern, write concern and read preference in the forms that the Node driver takes, as plain values for Rust, and which level they come from.
 * In a transaction Rust strips all three.
 */
import { invalidArgument } from '../error/index.js';
import type { Document } from './host.js';

/** Levels of a read concern. */
export type ReadConcernLevel = 'local' | 'majority' | 'linearizable' | 'available' | 'snapshot';
/** A read concern: its level, or `{ level }`. */
export type ReadConcernLike = ReadConcernLevel | { level: string };
/** Modes of a read preference. */
export type ReadPreferenceMode = 'primary' | 'primaryPreferred' | 'secondary' | 'secondaryPreferred' | 'nearest';
/** A read preference: its mode, or an object with `mode`. */
export type ReadPreferenceLike = ReadPreferenceMode | { mode: string; tags?: unknown; maxStalenessSeconds?: number | undefined };
/** A write concern. */
export interface WriteConcernLike {
  w?: number | string;
  j?: boolean;
  journal?: boolean;
  wtimeout?: number;
  wtimeoutMS?: number;
}

/** Concerns of a client, database, collection or operation. */
export interface ConcernOptions {
  readConcern?: ReadConcernLike;
  writeConcern?: WriteConcernLike;
  readPreference?: ReadPreferenceLike;
}

/** The read concern as Rust takes it. */
export function readConcern(value: ReadConcernLike): Document {
  if (typeof value === 'string') return { level: value };
  checkParts('readConcern', value, 'a level or an object with it');
  return given({ level: value.level });
}

/** The write concern as Rust takes it. */
export function writeConcern(value: WriteConcernLike): Document {
  checkParts('writeConcern', value, 'an object');
  return given({ w: value.w, j: value.j ?? value.journal, wtimeoutMS: value.wtimeoutMS ?? value.wtimeout });
}

/** The read preference as Rust takes it. */
export function readPreference(value: ReadPreferenceLike): Document {
  if (typeof value === 'string') return { mode: value };
  checkParts('readPreference', value, 'a mode or an object with it');
  if (typeof value.mode !== 'string') throw invalidArgument('readPreference', 'readPreference must have a mode');
  return given({ mode: value.mode, tags: value.tags, maxStalenessSeconds: value.maxStalenessSeconds });
}

/** What is no object would be read as one that says nothing. */
function checkParts(name: string, value: unknown, what: string): void {
  if (Object.prototype.toString.call(value) !== '[object Object]') throw invalidArgument(name, `${name} must be ${what}`);
}

/** The concerns that `options` or else `inherited` give, of the kinds in `kinds`. */
export function concerns(options: object | undefined, inherited: ConcernOptions, kinds: readonly (keyof ConcernOptions)[]): Document {
  const own: ConcernOptions & WriteConcernLike = options ?? {};
  const found: Document = {};
  for (const kind of kinds) {
    if (kind === 'readConcern') {
      const value = own.readConcern ?? inherited.readConcern;
      if (value !== undefined && value !== null) found['readConcern'] = readConcern(value);
    } else if (kind === 'readPreference') {
      const value = own.readPreference ?? inherited.readPreference;
      if (value !== undefined && value !== null) found['readPreference'] = readPreference(value);
    } else {
      const value = own.writeConcern ?? (hasFlatWriteConcern(own) ? own : undefined) ?? inherited.writeConcern;
      if (value !== undefined && value !== null) found['writeConcern'] = writeConcern(value);
    }
  }
  return found;
}

/** The three concerns in `options`, for a level that others inherit from. */
export function concernsOf(options: ConcernOptions | undefined, inherited: ConcernOptions = {}): ConcernOptions {
  const { readConcern: read, writeConcern: write, readPreference: preference } = { ...inherited, ...given(options ?? {}) };
  return given({ readConcern: read, writeConcern: write, readPreference: preference });
}

function hasFlatWriteConcern(options: WriteConcernLike): boolean {
  const { w, j, journal, wtimeout, wtimeoutMS } = options;
  return isGiven(w) || isGiven(j) || isGiven(journal) || isGiven(wtimeout) || isGiven(wtimeoutMS);
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** The values that are neither undefined nor null. */
export function given(values: object): Document {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => isGiven(value)));
}
