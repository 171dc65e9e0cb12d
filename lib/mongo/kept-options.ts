/**
 * @module mongo/kept-options
 *
 * Options of a client that JavaScript itself needs and Rust never sees: what each must be, in one table.
 */
import { invalidOption, isMooringError, MAX_MS } from '../error/index.js';
import { BSON_OPTION_NAMES, type BsonOptions, type Document } from './host.js';
import { encodeTransaction, type TransactionOptions } from './transaction-options.js';

/** Returns the value as it is used, or throws. */
type Check = (value: unknown, name: string) => unknown;

/** A boolean, or its text, as in the Node driver. */
const flag: Check = (value, name) => {
  if (typeof value === 'boolean') return value;
  if (value === 'true' || value === 'false') return value === 'true';
  throw invalidOption(name, `${name} must be true or false`);
};
const record: Check = (value, name) => {
  if (isRecord(value)) return value;
  throw invalidOption(name, `${name} must be an object`);
};
const factory: Check = (value, name) => {
  if (typeof (value as { createPk?: unknown } | null)?.createPk === 'function') return value;
  throw invalidOption(name, `${name} must be an object with the function createPk`);
};
const threshold: Check = (value, name) => {
  if (typeof value === 'number' && value >= 1 && value <= MAX_MS) return value;
  throw invalidOption(name, `${name} must be a number between 1 and ${MAX_MS}`);
};
const transaction: Check = (value, name) => {
  const options = record(value, name) as TransactionOptions;
  try {
    encodeTransaction(options);
  } catch (error) {
    throw isMooringError(error) ? invalidOption(name, `${name}.${error.message}`) : error;
  }
  return options;
};

const KEPT: Readonly<Record<string, Check>> = {
  ...Object.fromEntries(BSON_OPTION_NAMES.map((name) => [name, flag])),
  fieldsAsRaw: record,
  forceServerObjectId: flag,
  pkFactory: factory,
  leakThresholdMs: threshold,
  defaultTransactionOptions: transaction,
};
/** Flags of the BSON library that may stand in a URI. */
const IN_URI = new Map(BSON_OPTION_NAMES.map((name) => [name.toLowerCase(), name]));

/** Those of `given` that stay here, checked. */
export function keptOptions(given: Document): Document {
  const kept: Document = {};
  for (const [name, check] of Object.entries(KEPT)) {
    const value = given[name];
    if (value !== undefined) kept[name] = check(value, name);
  }
  return kept;
}

/** Whether an option stays here. */
export function isKept(name: string): boolean {
  return name === 'driver' || Object.hasOwn(KEPT, name);
}

/** The BSON flags of a client: those of its URI, and its options. They cannot ask for two kinds of 64-bit integers. */
export function bsonFlags(inUri: BsonOptions, kept: Document): BsonOptions {
  const own = BSON_OPTION_NAMES.filter((name) => kept[name] !== undefined).map((name) => [name, kept[name]]);
  const flags = { ...inUri, ...(Object.fromEntries(own) as BsonOptions) };
  if (flags.useBigInt64 === true && (flags.promoteLongs === false || flags.promoteValues === false))
    throw invalidOption('useBigInt64', 'useBigInt64 cannot be used with promoteLongs or promoteValues switched off');
  return flags;
}

/** Takes the BSON flags out of the URI: the Rust driver refuses what it does not know. */
export function withoutFlags(uri: string): { uri: string; flags: BsonOptions } {
  const at = uri.indexOf('?');
  if (at < 0) return { uri, flags: {} };
  const flags: Document = {};
  const kept = uri.slice(at + 1).split('&').filter((pair) => {
    const [key = '', value = ''] = pair.split('=');
    const name = IN_URI.get(key.toLowerCase());
    if (name !== undefined) flags[name] = flag(value, name);
    return name === undefined;
  }); // prettier-ignore
  return { uri: kept.length === 0 ? uri.slice(0, at) : `${uri.slice(0, at)}?${kept.join('&')}`, flags };
}

function isRecord(value: unknown): value is Document {
  return typeof value === 'object' && value !== null && Object.prototype.toString.call(value) === '[object Object]';
}
