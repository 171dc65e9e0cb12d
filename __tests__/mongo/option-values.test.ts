/**
 * @module __tests__/mongo/option-values
 *
 * Values of a client's options, on mooring and on the Node driver: what is wrong is refused under the option's name before any I/O, and what the driver takes of
 * a right type is taken. The names are the driver's own.
 */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import * as driver from 'mongodb';
import { isMooringError, MongoClient, openThings } from '../../dist/index.js';
import { connected, failureOf, uriFor } from './fixture';

const { OPTIONS } = jest.requireActual<{ OPTIONS: Record<string, { type?: string }> }>(
  '../../node_modules/mongodb/lib/connection_string.js',
);
const circular: Record<string, unknown> = {};
circular['self'] = circular;
const throwing = (): never => {
  throw new Error('ran');
};
const ODD: Record<string, unknown> = {
  null: null, true: true, false: false, 'text true': 'true', zero: 0, one: 1, negative: -1, fraction: 1.5, NaN: Number.NaN, infinite: Infinity, huge: 1e21,
  big: 2 ** 32, empty: '', text: 'x', 'text 5': '5', 'text -5': '-5', 'a list in text': 'a,b', object: {}, other: { a: 1 }, list: [], numbers: [1], texts: ['x'],
  function: () => 1, symbol: Symbol('s'), bigint: 5n, date: new Date(0), expression: /a/, map: new Map([['a', 1]]), circular,
  getter: Object.defineProperty({}, 'a', { enumerable: true, get: throwing }), trap: new Proxy({}, { ownKeys: throwing }),
}; // prettier-ignore
/** What mooring takes and the driver does not: it is documented, or harmless. */
const TAKEN = new Set(['loadBalanced', 'readConcern', 'writeConcern']);
const BESIDE: Record<string, object> = {
  readPreferenceTags: { readPreference: 'nearest' },
  maxStalenessSeconds: { readPreference: 'nearest' },
  tlsCertificateKeyFilePassword: { tlsCertificateKeyFile: 'x' },
  zlibCompressionLevel: { compressors: 'zlib' },
};
const uriOf = (name: string): string =>
  name.startsWith('auth') ? 'mongodb://u:p@h/' : name.startsWith('srv') ? 'mongodb+srv://a.b.c/' : 'mongodb://h/';

/** `undefined` when it is taken. */
async function refusal(uri: string, options: object): Promise<Error | undefined> {
  try {
    await new MongoClient(uri, options as never).close(true);
    return undefined;
  } catch (error) {
    return error as Error;
  }
}
function drivers(uri: string, options: object): boolean {
  try {
    // Never connected: nothing to close.
    return new driver.MongoClient(uri, options).db() !== undefined;
  } catch {
    return false;
  }
}

/** What became of an option; anything else than these two is a fault. */
async function fateOf(name: string, options: object): Promise<unknown> {
  const error = await refusal(uriOf(name), options);
  if (error === undefined) return TAKEN.has(name) || drivers(uriOf(name), options) ? 'taken' : 'taken, and refused by the driver';
  const { option } = (error as { details?: { option?: unknown } }).details ?? {};
  return isMooringError(error, 'MOORING_INVALID_CONFIG') && option === name && error.message.includes(name) ? 'refused by name' : error;
}

describe('an odd value', () => {
  test.each(Object.keys(OPTIONS))('of %s is taken, or refused under its name', async (name) => {
    const before = openThings().length;
    const fates = [];
    for (const [label, value] of Object.entries(ODD)) fates.push({ label, fate: await fateOf(name, { ...BESIDE[name], [name]: value }) });
    expect(fates.filter(({ fate }) => fate !== 'taken' && fate !== 'refused by name')).toEqual([]);
    expect(openThings()).toHaveLength(before);
  });
});

test.each([
  { compressors: ['none'] }, { compressors: [] }, { replicaSet: '' }, { dbName: '' }, { dbName: 5 }, { connectTimeoutMS: 1.5 }, { socketTimeoutMS: '5' },
  { maxPoolSize: '5' }, { maxPoolSize: 5n }, { authMechanism: 'scram-sha-256' }, { authMechanism: 'DEFAULT' }, { authMechanismProperties: {} },
  { noDelay: 'true' }, { promoteLongs: 'false' }, { auth: { username: '', password: '' } }, { appName: 1 }, Object.freeze({ appName: 'x' }),
])('the driver takes %j and so does mooring', async (options) => {
  const uri = 'authMechanism' in options ? 'mongodb://u:p@h/' : 'mongodb://h/';
  expect(drivers(uri, options)).toBe(true);
  expect(await refusal(uri, options)).toBeUndefined();
}); // prettier-ignore

test.each([
  ['useBigInt64', { useBigInt64: true, promoteLongs: false }],
  ['useBigInt64', { useBigInt64: true, promoteValues: false }],
  ['pkFactory', { pkFactory: { createPk: 1 } }],
  ['defaultTransactionOptions', { defaultTransactionOptions: { readConcern: 1 } }],
  ['defaultTransactionOptions', { defaultTransactionOptions: { maxCommitTimeMS: -1 } }],
  ['leakThresholdMs', { leakThresholdMs: '5' }],
  ['maxInFlight', { maxInFlight: 0 }],
])('%s is refused (%#)', async (option, options) => {
  expect(await refusal('mongodb://h/', options)).toMatchObject({ code: 'MOORING_INVALID_CONFIG', details: { option } });
});

test('flags in the URI are flags', async () => {
  expect(await refusal('mongodb://h/?promoteLongs=x', {})).toMatchObject({
    code: 'MOORING_INVALID_CONFIG',
    details: { option: 'promoteLongs' },
  });
  expect(await refusal('mongodb://h/?maxInFlight=x', {})).toMatchObject({
    code: 'MOORING_INVALID_CONFIG',
    details: { option: 'maxInFlight' },
  });
});

describe('on a server', () => {
  let client: MongoClient;
  beforeAll(async () => {
    client = await connected('mooring_option_values');
  });
  afterAll(async () => {
    await client.db().dropDatabase();
    await client.close();
  });

  test.each([
    { maxPoolSize: 0 },
    { appName: 'ü'.repeat(300) },
    { serverSelectionTimeoutMS: 0 },
    { replicaSet: 'rs0', compressors: ['zlib', 'none'] },
  ])('it connects with %j, as the driver does', async (options) => {
    const other = await new MongoClient(uriFor('mooring_option_values'), options).connect();
    expect(await other.db().collection('c').countDocuments({})).toBe(0);
    await other.close();
  });

  test('a client without maxPoolSize has up to a hundred connections', async () => {
    const other = await new MongoClient(uriFor('mooring_option_values')).connect();
    await other.db().collection('c').insertOne({ a: 1 });
    const sleeping = { $expr: { $function: { body: 'function(){ sleep(300); return true; }', args: [], lang: 'js' } } };
    const finds = Array.from({ length: 30 }, () => other.db().collection('c').findOne(sleeping));
    await Promise.all(finds);
    expect(other.stats().connections.open).toBeGreaterThan(15);
    await other.db().collection('c').deleteMany({});
    await other.close();
  });

  test('a file that cannot be read is refused under the name of its option, and not tried again', async () => {
    for (const option of ['tlsCAFile', 'tlsCertificateKeyFile']) {
      const other = new MongoClient(uriFor('mooring_option_values'), { tls: true, [option]: '/no/such/file' });
      expect(await failureOf(() => other.connect())).toMatchObject({ code: 'MOORING_INVALID_CONFIG', details: { option } });
      await other.close(true);
    }
  });
});
