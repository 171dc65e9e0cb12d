/**
 * @module mongo/host
 *
 * The copy of the Node driver that the host application uses: its BSON library and its error classes, so that `instanceof` and `_bsontype` hold in the
 * host's code. Loaded when the first client is made, never at import. Only classes and the codec are used: nothing of it opens a connection.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { MooringError } from '../error/index.js';

/** A document as it comes back. */
export type Document = Record<string, unknown>;

/** Flags of the host's BSON library; the nearest level wins: operation, collection, database, client. */
export interface BsonOptions {
  serializeFunctions?: boolean;
  ignoreUndefined?: boolean;
  checkKeys?: boolean;
  promoteLongs?: boolean;
  promoteValues?: boolean;
  promoteBuffers?: boolean;
  useBigInt64?: boolean;
  bsonRegExp?: boolean;
  fieldsAsRaw?: Document;
  enableUtf8Validation?: boolean;
  /** Hand out the bytes of each document. */
  raw?: boolean;
}

/** Names of {@link BsonOptions}. */
export const BSON_OPTION_NAMES = [
  'serializeFunctions',
  'ignoreUndefined',
  'checkKeys',
  'promoteLongs',
  'promoteValues',
  'promoteBuffers',
  'useBigInt64',
  'bsonRegExp',
  'fieldsAsRaw',
  'enableUtf8Validation',
  'raw',
] as const satisfies readonly (keyof BsonOptions)[];

/** What is used of the `BSON` namespace of the driver. */
export interface Bson {
  serialize(document: object, options?: object): Uint8Array;
  serializeWithBufferAndIndex(document: object, buffer: Uint8Array, options?: object): number;
  deserialize(bytes: Uint8Array, options?: object): Document;
  calculateObjectSize(document: object, options?: object): number;
  ObjectId: new () => object;
  Binary: new (bytes: Uint8Array, subType: number) => object;
}

type Constructor = new (...args: unknown[]) => Error;

/** The module `mongodb`, as far as it is used. */
export type HostModule = Record<string, unknown> & { BSON: Bson };

/** The host's driver copy. */
export class Host {
  readonly bson: Bson;
  readonly #module: HostModule;

  constructor(module: HostModule) {
    this.#module = module;
    this.bson = module.BSON;
  }

  /** A value that the driver exports, for example `BulkWriteResult`. */
  value(name: string): unknown {
    return this.#module[name];
  }

  /** Makes an error of the first of `names` that this driver version has; `name` reads as the first of them. */
  error(names: readonly [string, ...string[]], ...args: unknown[]): Error {
    for (const name of names) {
      const candidate = this.#module[name];
      if (typeof candidate !== 'function') continue;
      const error = new (candidate as Constructor)(...args);
      if (error.name !== names[0]) Object.defineProperty(error, 'name', { value: names[0], configurable: true });
      return error;
    }
    const error = new Error(typeof args[0] === 'string' ? args[0] : names[0]);
    error.name = names[0];
    return error;
  }

  /** Whether `error` is an instance of the driver's class `name`. */
  is(error: unknown, name: string): boolean {
    const candidate = this.#module[name];
    return typeof candidate === 'function' && error instanceof (candidate as Constructor);
  }
}

function isHostModule(value: unknown): value is HostModule {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  const bson = (value as Partial<HostModule>).BSON;
  return typeof bson === 'object' && bson !== null && typeof bson.serializeWithBufferAndIndex === 'function';
}

/** The module `name` as the application or this package sees it; `undefined` when it is not installed. */
export function optionalPeer(name: 'mongodb' | 'mongoose'): unknown {
  // The application's own copy first: with a linked or hoisted install ours may be another one.
  for (const load of [createRequire(join(process.cwd(), 'index.js')), require]) {
    try {
      return load(name);
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code !== 'MODULE_NOT_FOUND' && code !== 'ERR_MODULE_NOT_FOUND') throw error;
    }
  }
  return undefined;
}

/**
 * The host's driver: `given` (the module `mongodb`, or `mongoose.mongo`), else the installed `mongodb`, else the copy inside the installed `mongoose`.
 *
 * @throws MooringError `MOORING_INVALID_CONFIG` when there is none.
 */
export function resolveHost(given?: unknown): Host {
  if (given !== undefined) {
    if (!isHostModule(given)) throw notAHost();
    return new Host(given);
  }
  const module = optionalPeer('mongodb');
  if (isHostModule(module)) return new Host(module);
  const mongoose = optionalPeer('mongoose') as { mongo?: unknown } | undefined;
  if (isHostModule(mongoose?.mongo)) return new Host(mongoose.mongo);
  throw new MooringError('MOORING_INVALID_CONFIG', 'package mongodb or mongoose is needed for the BSON types: install one of them', {
    details: { option: 'driver', maybeExecuted: false },
  });
}

function notAHost(): MooringError {
  return new MooringError('MOORING_INVALID_ARGUMENT', 'driver must be the module mongodb (6 or 7) or mongoose.mongo', {
    details: { argument: 'driver', maybeExecuted: false },
  });
}
