/**
 * @module mongo/options
 *
 * Splits the Node driver's client options into those that JavaScript itself needs (BSON flags, `pkFactory`) and those for Rust, which validates and
 * applies them, once. An option that neither side knows is refused, never ignored.
 */
import { checkMilliseconds, invalidArgument, invalidOption } from '../error/index.js';
import { type ConcernOptions, concernsOf, readConcern, readPreference, writeConcern } from './concern.js';
import { BSON_OPTION_NAMES, type BsonOptions, type Document, type HostModule } from './host.js';
import { REFUSED, refuseKnown } from './refused.js';
import type { TransactionOptions } from './transaction-options.js';

/** Options of a client: the Node driver's names, and `driver`. Rust refuses a name that it does not know. */
export interface MongoClientOptions extends ConcernOptions, BsonOptions {
  /** The module `mongodb`, or `mongoose.mongo`, whose BSON types and error classes are used. Default: the installed one. */
  driver?: HostModule | object;
  appName?: string;
  /** Default 100; `connectDB`: 10. */
  maxPoolSize?: number;
  minPoolSize?: number;
  maxIdleTimeMS?: number;
  maxConnecting?: number;
  /** Default 30 000; `connectDB`: 5 000. */
  serverSelectionTimeoutMS?: number;
  connectTimeoutMS?: number;
  socketTimeoutMS?: number;
  waitQueueTimeoutMS?: number;
  timeoutMS?: number;
  heartbeatFrequencyMS?: number;
  localThresholdMS?: number;
  replicaSet?: string;
  directConnection?: boolean;
  retryReads?: boolean;
  retryWrites?: boolean;
  tls?: boolean;
  tlsCAFile?: string;
  tlsCertificateKeyFile?: string;
  auth?: { username?: string; password?: string };
  authSource?: string;
  authMechanism?: string;
  dbName?: string;
  monitorCommands?: boolean;
  driverInfo?: { name?: string; version?: string; platform?: string };
  /** Operations in flight at once; more are refused with `MOORING_POOL_EXHAUSTED`. Default 10 000. */
  maxInFlight?: number;
  /** Milliseconds after which a session that has not ended is reported by a process warning with the place where it was started. Default: never. */
  leakThresholdMs?: number;
  /** The client's name in reports. */
  name?: string;
  pkFactory?: { createPk(): unknown };
  forceServerObjectId?: boolean;
  defaultTransactionOptions?: TransactionOptions;
  [option: string]: unknown;
}

/** The two halves. */
export interface SplitOptions {
  readonly uri: string;
  /** For Rust. */
  readonly native: Document;
  readonly bson: BsonOptions;
  readonly concerns: ConcernOptions;
}

const HERE = new Set<string>([
  ...BSON_OPTION_NAMES,
  'driver',
  'pkFactory',
  'forceServerObjectId',
  'defaultTransactionOptions',
  'leakThresholdMs',
]);
/** What Rust's BSON decoder takes; anything else would vanish in the encoding. */
const PLAIN = new Set(['string', 'number', 'boolean', 'bigint', 'object']);
/** Flags of the BSON library that may stand in a URI. */
const IN_URI = new Map(BSON_OPTION_NAMES.map((name) => [name.toLowerCase(), name]));

/** Checks what only JavaScript can check and splits the rest. */
export function splitOptions(uri: unknown, options: unknown): SplitOptions {
  if (typeof uri !== 'string') throw invalidArgument('uri', `uri must be a string, got ${uri === null ? 'null' : typeof uri}`);
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw invalidArgument('options', 'options must be an object');
  const given = options as MongoClientOptions;
  refuseKnown(REFUSED.client, given, invalidOption);
  if (given.leakThresholdMs !== undefined) checkMilliseconds('leakThresholdMs', given.leakThresholdMs, 1);
  const native: Document = {};
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || HERE.has(name)) continue;
    if (value === null || Number.isNaN(value) || !PLAIN.has(typeof value)) {
      throw invalidArgument(name, `${name} must not be ${value === null ? 'null' : Number.isNaN(value) ? 'NaN' : `a ${typeof value}`}`);
    }
    native[name] = value;
  }
  if (given.readConcern !== undefined) native['readConcern'] = readConcern(given.readConcern);
  if (given.writeConcern !== undefined) native['writeConcern'] = writeConcern(given.writeConcern);
  if (given.readPreference !== undefined) native['readPreference'] = readPreference(given.readPreference);
  const cleaned = withoutFlags(uri);
  return { uri: cleaned.uri, native, bson: { ...cleaned.flags, ...bsonOptions(given) }, concerns: concernsOf(given) };
}

function bsonOptions(options: MongoClientOptions): BsonOptions {
  return Object.fromEntries(BSON_OPTION_NAMES.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]));
}

/** Takes the BSON flags out of the URI: the Rust driver refuses what it does not know. */
function withoutFlags(uri: string): { uri: string; flags: BsonOptions } {
  const at = uri.indexOf('?');
  if (at < 0) return { uri, flags: {} };
  const flags: Document = {};
  const kept = uri.slice(at + 1).split('&').filter((pair) => {
    const [key = '', value = ''] = pair.split('=');
    const name = IN_URI.get(key.toLowerCase());
    if (name !== undefined) flags[name] = value === 'true';
    return name === undefined;
  }); // prettier-ignore
  return { uri: kept.length === 0 ? uri.slice(0, at) : `${uri.slice(0, at)}?${kept.join('&')}`, flags: flags };
}
