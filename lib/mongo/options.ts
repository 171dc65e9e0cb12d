/**
 * @module mongo/options
 *
 * Splits the Node driver's client options into those that JavaScript itself needs (BSON flags, `pkFactory`) and those for Rust, which validates and
 * applies them, once. An option that neither side knows is refused, never ignored.
 */
import { invalidArgument, invalidOption, isMooringError, plainCopy } from '../error/index.js';
import { type ConcernOptions, concernsOf, readConcern, readPreference, writeConcern } from './concern.js';
import type { BsonOptions, Document, HostModule } from './host.js';
import { bsonFlags, isKept, keptOptions, withoutFlags } from './kept-options.js';
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
  /** For JavaScript, checked. */
  readonly kept: KeptOptions;
  readonly concerns: ConcernOptions;
}

/** Options of a client that JavaScript itself needs, besides the BSON flags. */
export type KeptOptions = Pick<MongoClientOptions, 'defaultTransactionOptions' | 'forceServerObjectId' | 'leakThresholdMs' | 'pkFactory'>;

/** Concerns have several forms: for Rust they become one. */
const CONCERNS: Readonly<Record<string, (value: never) => Document>> = { readConcern, writeConcern, readPreference };

/** Checks what only JavaScript can check and splits the rest. */
export function splitOptions(uri: unknown, options: unknown): SplitOptions {
  if (typeof uri !== 'string') throw invalidArgument('uri', `uri must be a string, got ${uri === null ? 'null' : typeof uri}`);
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw invalidArgument('options', 'options must be an object');
  const given = options as MongoClientOptions;
  refuseKnown(REFUSED.client, given, invalidOption);
  const kept = keptOptions(given);
  const native: Document = {};
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined && !isKept(name)) native[name] = plain(name, formed(name, value));
  }
  const cleaned = withoutFlags(uri);
  return { uri: cleaned.uri, native, bson: bsonFlags(cleaned.flags, kept), kept, concerns: concernsOf(given) };
}

/** A copy that its encoding takes as a whole. */
function plain(name: string, value: unknown): unknown {
  if (value === null) throw invalidOption(name, `${name} must not be null`);
  const wrong = (path: string, what: string): Error => invalidOption(name, `${path} ${what}`);
  return plainCopy(value, name, wrong, (part) => (typeof part === 'bigint' ? part : undefined));
}

function formed(name: string, value: unknown): unknown {
  const form = Object.hasOwn(CONCERNS, name) ? CONCERNS[name] : undefined;
  if (form === undefined) return value;
  try {
    return form(value as never);
  } catch (error) {
    throw isMooringError(error) ? invalidOption(name, error.message) : invalidOption(name, `${name} cannot be read`);
  }
}
