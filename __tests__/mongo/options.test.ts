/**
 * @module __tests__/mongo/options
 *
 * Every option of the Node driver's types, for every operation: honoured, as the command that reaches the server shows, or refused by name before any I/O. The
 * names come from the types of the installed driver: an option that a new version adds fails here until somebody has decided.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { GridFSBucket } from 'mongodb';
import { type Db, type Document, isMooringError, MongoClient } from '../../dist/index.js';
import { optionNames } from '../support/driver-types';
import { connected, failureOf, uriFor } from './fixture';
import { type Fate, OPERATIONS, type Tried } from './operations';

const NAMES = optionNames([
  ...Object.values(OPERATIONS).map(({ type }) => type),
  'MongoClientOptions', 'DbOptions', 'CollectionOptions', 'ClientSessionOptions', 'EndSessionOptions', 'TransactionOptions', 'ChangeStreamOptions',
]); // prettier-ignore

/** What an option of the client needs beside it. */
const BESIDE: Record<string, object> = {
  readPreferenceTags: { readPreference: 'nearest' },
  maxStalenessSeconds: { readPreference: 'nearest' },
  tlsCertificateKeyFilePassword: { tlsCertificateKeyFile: 'x' },
  zlibCompressionLevel: { compressors: 'zlib' },
};
const WRITES = new Set(['insert', 'update', 'delete', 'findAndModify']);

const hex = (id: unknown): string => Buffer.from((id as { buffer: Uint8Array }).buffer).toString('hex');

let client: MongoClient;
let db: Db;
let commands: Document[] = [];

beforeAll(async () => {
  client = await connected('mooring_options', { monitorCommands: true });
  db = client.db();
  client.on('commandStarted', ({ command }: { command: Document }) => commands.push(command));
  await db.collection('c').insertOne({ a: 1 });
});
afterAll(async () => {
  await db.dropDatabase();
  await client.close();
});

/** What is sent besides what differs with each call. */
function plain(command: Document | undefined): Document {
  const { lsid: _lsid, txnNumber: _number, $clusterTime: _time, maxTimeMS: _limit, ...others } = command ?? {};
  if (Array.isArray(others['documents'])) others['documents'] = others['documents'].length;
  return others;
}

/** Runs an operation; the commands that it sent and what it threw. The server may refuse an option that it does not know. */
async function tried(operation: Tried, options: object): Promise<{ sent: Document | undefined; explained: boolean; error: unknown }> {
  commands = [];
  let error: unknown;
  try {
    await operation.run(db, options as never);
  } catch (found) {
    error = found;
  }
  return {
    sent: commands.find((command) => operation.command in command),
    explained: commands.some((command) => 'explain' in command),
    error,
  };
}

/** The option `name` of an operation becomes what the table says. */
async function check(operation: Tried, name: string, base: Document): Promise<void> {
  const [value, fate] = operation.options[name] as Tried['options'][string];
  if (fate === 'session') return checkSession(operation);
  const [actual, expected] = told(fate, name, await tried(operation, { [name]: value }), base);
  expect(actual).toMatchObject(expected);
}

/** What an option did, and what it is to do. */
function told(fate: Fate, name: string, { sent, explained, error }: Awaited<ReturnType<typeof tried>>, base: Document): [object, object] {
  const refused = isMooringError(error, 'MOORING_INVALID_ARGUMENT');
  if (fate === 'refused') {
    const wanted = { details: { argument: name, maybeExecuted: false }, message: expect.stringContaining(name) as unknown };
    return [
      { refused, error, commands },
      { refused: true, error: wanted, commands: [] },
    ];
  }
  if (fate === 'explained')
    return [
      { refused, explained },
      { refused: false, explained: true },
    ];
  const one = plain(sent);
  if (typeof fate === 'object')
    return [
      { refused, sent },
      { refused: false, sent: fate.sent },
    ];
  return [
    { refused, names: new Set(Object.keys(one)), sent: one },
    { refused: false, names: new Set(Object.keys(base)), sent: base },
  ];
}

async function checkSession(operation: Tried): Promise<void> {
  await client.withSession(async (session) => {
    // Outside of a transaction writes have sessions of their own, for their numbers.
    if (WRITES.has(operation.command)) session.startTransaction();
    const { sent } = await tried(operation, { session });
    expect(hex((sent?.['lsid'] as { id: unknown } | undefined)?.id)).toBe(hex(session.id?.id));
    if (session.inTransaction()) await session.abortTransaction();
  });
}

describe.each(Object.entries(OPERATIONS))('%s', (_name, operation) => {
  let base: Document;
  beforeAll(async () => {
    base = plain((await tried(operation, {})).sent);
  });

  test.each(NAMES[operation.type] as string[])('%s', async (name) => {
    expect(Object.keys(operation.options)).toContain(name);
    await check(operation, name, base);
  });
});

describe('flags of the BSON library', () => {
  const values = { long: 2n ** 40n, bytes: Buffer.from('ab'), text: /a/i };

  test('decode, at the nearest level', async () => {
    const collection = db.collection('flags');
    await collection.insertOne({ _id: 1, ...values });
    const find = async (options: object): Promise<Document> => (await collection.findOne({ _id: 1 }, options)) as Document;
    expect(await find({})).toMatchObject({ long: 2 ** 40 });
    expect(await find({ promoteLongs: false })).toMatchObject({ long: { _bsontype: 'Long' } });
    expect(await find({ promoteValues: false })).toMatchObject({ long: { _bsontype: 'Long' } });
    expect(await find({ useBigInt64: true })).toMatchObject({ long: 2n ** 40n });
    expect(Buffer.isBuffer((await find({ promoteBuffers: true }))['bytes'])).toBe(true);
    expect(await find({ bsonRegExp: true })).toMatchObject({ text: { _bsontype: 'BSONRegExp' } });
    expect(Buffer.isBuffer(await find({ raw: true }))).toBe(true);
    expect((await db.collection('flags', { useBigInt64: true }).findOne({}))?.['long']).toBe(2n ** 40n);
    expect((await client.db(undefined, { useBigInt64: true }).collection('flags').find({}).toArray())[0]?.['long']).toBe(2n ** 40n);
    expect(await collection.distinct('long', {}, { useBigInt64: true })).toEqual([2n ** 40n]);
    const changed = await collection.findOneAndUpdate({ _id: 1 }, { $set: { n: 1 } }, { promoteLongs: false });
    expect(changed).toMatchObject({ long: { _bsontype: 'Long' } });
  });

  test('encode', async () => {
    const collection = db.collection('encoded');
    const stored = async (options: object): Promise<Document | null> => {
      const { insertedId } = await collection.insertOne({ gone: undefined, code: () => 1 }, options);
      return collection.findOne({ _id: insertedId });
    };
    expect(await stored({})).toEqual({ _id: expect.anything(), gone: null });
    expect(await stored({ ignoreUndefined: true })).toEqual({ _id: expect.anything() });
    expect(await stored({ serializeFunctions: true })).toMatchObject({ code: { _bsontype: 'Code' } });
    expect((await failureOf(() => collection.insertOne({ 'a.b': 1 }, { checkKeys: true }))).message).toContain("must not contain '.'");
    expect((await failureOf(() => collection.bulkWrite([{ insertOne: { document: { $a: 1 } } }], { checkKeys: true }))).message).toContain(
      '$a',
    );
    // Operators are no keys of a document.
    await collection.updateOne({ _id: 1 }, { $set: { a: 1 } }, { checkKeys: true });
    expect(await collection.countDocuments({ gone: { $exists: true } }, { checkKeys: true })).toBe(2);
  });
});

describe('options of a database and a collection', () => {
  test('are inherited, and what belongs to the client is refused', async () => {
    const concern = { writeConcern: { w: 1, wtimeout: 900 } as const };
    const other = client.db('mooring_options', { ...concern, readPreference: 'nearest', timeoutMS: 50_000, forceServerObjectId: true });
    commands = [];
    const { insertedId } = await other.collection('inherits').insertOne({ a: 1 });
    await other.collection('inherits').findOne({});
    expect(insertedId).toBeUndefined();
    expect(commands[0]).toMatchObject({ writeConcern: { w: 1, wtimeout: 900 }, documents: [{ a: 1 }], maxTimeMS: expect.any(Number) });
    expect(commands[1]).toMatchObject({ $readPreference: { mode: 'nearest' }, maxTimeMS: expect.any(Number) });
    expect(other.collection('x', { timeoutMS: 7 }).timeoutMS).toBe(7);
    await other.collection('inherits').drop();
    expect(commands[2]).toMatchObject({ drop: 'inherits', writeConcern: { w: 1, wtimeout: 900 } });
    for (const [name, value] of [
      ['authSource', 'admin'],
      ['retryWrites', true],
    ] as const)
      // prettier-ignore
      expect((await failureOf(() => client.db('x', { [name]: value })))['details']).toMatchObject({ argument: name });
    const known = [
      'authSource',
      'retryWrites',
      'pkFactory',
      'forceServerObjectId',
      'timeoutMS',
      'readConcern',
      'writeConcern',
      'readPreference',
    ];
    const flags = NAMES['CollectionOptions']?.filter((name) => !known.includes(name)) as string[];
    expect(NAMES['DbOptions']?.filter((name) => !known.includes(name) && !flags.includes(name))).toEqual([]);
  });

  test('a limit of a whole cursor ends it, a limit of each request does not', async () => {
    const collection = db.collection('slow');
    await collection.insertMany(Array.from({ length: 8 }, (_, n) => ({ n })));
    const read = async (timeoutMode: 'iteration' | 'cursorLifetime'): Promise<number> => {
      let seen = 0;
      const cursor = collection.find({ $where: 'sleep(150) || true' }, { batchSize: 1, timeoutMS: 900, timeoutMode });
      for await (const _one of cursor) seen++;
      return seen;
    };
    expect(await read('iteration')).toBe(8);
    expect(isMooringError(await failureOf(() => read('cursorLifetime')), 'MOORING_TIMEOUT')).toBe(true);
    expect((await failureOf(() => collection.find({}, { timeoutMode: 'x' as never }))).message).toContain('timeoutMode');
  });
});

describe('options of sessions and transactions', () => {
  test('are honoured or refused by name', async () => {
    const session = client.startSession({ defaultTimeoutMS: 40_000 });
    commands = [];
    await db.collection('c').findOne({}, { session });
    expect(commands.find((command) => 'find' in command)).toMatchObject({ maxTimeMS: expect.any(Number) });
    const taken = ['readConcern', 'writeConcern', 'readPreference', 'maxCommitTimeMS'];
    for (const name of NAMES['TransactionOptions'] as string[]) {
      if (taken.includes(name)) continue;
      const error = await failureOf(() => session.startTransaction({ [name]: 1 }));
      expect(error['details']).toMatchObject({ argument: name });
      expect((await failureOf(() => client.startSession({ defaultTransactionOptions: { [name]: 1 } })))['details']).toMatchObject({
        argument: name,
      });
    }
    session.startTransaction({
      readConcern: 'snapshot',
      writeConcern: { w: 'majority', wtimeoutMS: 800 },
      readPreference: 'primary',
      maxCommitTimeMS: 700,
    });
    await db.collection('c').updateOne({ a: 1 }, { $set: { b: 1 } }, { session });
    await session.commitTransaction();
    expect(commands.find((command) => 'startTransaction' in command)).toMatchObject({ readConcern: { level: 'snapshot' } });
    expect(commands.find((command) => 'commitTransaction' in command)).toMatchObject({
      writeConcern: { w: 'majority', wtimeout: 800 },
      maxTimeMS: 700,
    });
    // `force` and `forceClear` are about connections that a load balancer pins.
    expect(NAMES['EndSessionOptions']).toEqual(['force', 'forceClear', 'timeoutMS']);
    await session.endSession({ timeoutMS: 1_000 });
    expect(NAMES['ClientSessionOptions']).toEqual(['causalConsistency', 'defaultTimeoutMS', 'defaultTransactionOptions', 'snapshot']);
  });
});

describe('options of a change stream', () => {
  const refused = [
    'authdb',
    'dbName',
    'willRetryWrite',
    'session',
    'raw',
    'hint',
    'let',
    'allowDiskUse',
    'bypassDocumentValidation',
    'explain',
    'cursor',
    'out',
  ];
  const staged = ['fullDocument', 'fullDocumentBeforeChange', 'showExpandedEvents'];

  const values: Document = {
    batchSize: 3,
    maxTimeMS: 5_000,
    collation: { locale: 'fr' },
    comment: 'why',
    readConcern: { level: 'majority' },
  };
  const valueOf = (name: string): unknown =>
    values[name] ?? (name.startsWith('fullDocument') ? 'whenAvailable' : name === 'showExpandedEvents' ? true : undefined);
  const taken = (NAMES['ChangeStreamOptions'] as string[]).filter((name) => !refused.includes(name) && valueOf(name) !== undefined);

  test.each(refused)('%s is refused', async (name) => {
    expect((await failureOf(() => db.watch([], { [name]: 1 })))['details']).toMatchObject({ argument: name });
  });

  test.each(taken)('%s is honoured', async (name) => {
    const value = valueOf(name);
    commands = [];
    const stream = db.collection('c').watch([], { [name]: value });
    await stream.tryNext();
    await stream.close();
    const fields = staged.includes(name)
      ? { pipeline: [{ $changeStream: { [name]: value } }] }
      : name === 'batchSize'
        ? { cursor: { batchSize: 3 } }
        : { [name]: value };
    // The end of the stream before may come late.
    expect(commands.find((command) => 'aggregate' in command)).toMatchObject(fields);
  });

  test('there are no others', () => {
    const elsewhere = [
      'maxAwaitTimeMS',
      'readPreference',
      'resumeAfter',
      'startAfter',
      'startAtOperationTime',
      'timeoutMS',
      ...(NAMES['CollectionOptions'] as string[]),
    ];
    expect((NAMES['ChangeStreamOptions'] as string[]).filter((name) => ![...refused, ...taken, ...elsewhere].includes(name))).toEqual([]);
  });
});

describe('options of GridFSBucket', () => {
  test('reach the server through our collections', async () => {
    const bucket = new GridFSBucket(db as never, {
      bucketName: 'files',
      chunkSizeBytes: 4,
      writeConcern: { w: 1, wtimeoutMS: 600 },
      readPreference: 'nearest' as never,
    });
    commands = [];
    const upload = bucket.openUploadStream('a', { metadata: { owner: 1 }, chunkSizeBytes: 3 });
    upload.end(Buffer.from('0123456789'));
    await new Promise((resolve, reject) => upload.on('finish', resolve).on('error', reject));
    const inserts = commands.filter((command) => 'insert' in command);
    expect(inserts.filter((command) => command['insert'] === 'files.chunks').length).toBeGreaterThanOrEqual(4);
    expect(inserts.at(-1)).toMatchObject({
      insert: 'files.files',
      writeConcern: { w: 1, wtimeout: 600 },
      documents: [{ metadata: { owner: 1 }, chunkSize: 3 }],
    });
    commands = [];
    const parts: Buffer[] = [];
    for await (const part of bucket.openDownloadStream(upload.id, { start: 2, end: 7 })) parts.push(part as Buffer);
    expect(Buffer.concat(parts).toString()).toBe('23456');
    expect(commands[0]).toMatchObject({ find: 'files.files', $readPreference: { mode: 'nearest' } });
  });
});

describe('options of a client', () => {
  const here: Document = { driver: undefined, pkFactory: { createPk: () => 7 }, forceServerObjectId: true };
  const structured: Document = {
    auth: { username: 'u', password: 'p' }, authMechanismProperties: { SERVICE_NAME: 'x' }, compressors: ['zstd', 'zlib'], driverInfo: { name: 'x' },
    fieldsAsRaw: { a: true }, heartbeatFrequencyMS: 500, minPoolSize: 5,
    readConcern: { level: 'majority' }, readPreferenceTags: [{ dc: 'east' }], serverApi: '1', writeConcern: { w: 1 },
  }; // prettier-ignore
  /** What the refused ones are, by the reason that the error gives. */
  const refused = [
    ...[
      'ALPNProtocols',
      'allowPartialTrustChain',
      'ca',
      'cert',
      'checkServerIdentity',
      'ciphers',
      'crl',
      'ecdhCurve',
      'key',
      'minDHSize',
      'passphrase',
      'pfx',
    ],
    ...['secureContext', 'secureProtocol', 'servername', 'session', 'tlsAllowInvalidHostnames', 'tlsCRLFile'],
    ...[
      'autoSelectFamily',
      'autoSelectFamilyAttemptTimeout',
      'family',
      'hints',
      'keepAliveInitialDelay',
      'localAddress',
      'localPort',
      'lookup',
      'runtimeAdapters',
    ],
    ...[
      'proxyHost',
      'proxyPassword',
      'proxyPort',
      'proxyUsername',
      'mongodbLogComponentSeverities',
      'mongodbLogMaxDocumentLength',
      'mongodbLogPath',
    ],
    ...['srvAllowedHostsSuffix', 'srvHostValidator', 'minHeartbeatFrequencyMS', 'autoEncryption'],
  ];
  /** A value for each of the others; Rust's own tests show what the driver makes of it. */
  const value = (name: string): unknown => {
    if (name in here || name in structured) return here[name] ?? structured[name];
    if (/^(app|authS|dbN|replicaSet$|tlsCA|tlsCert|srvServiceName)/.test(name)) return 'x';
    const texts: Document = {
      authMechanism: 'SCRAM-SHA-256',
      readConcernLevel: 'local',
      readPreference: 'nearest',
      serverMonitoringMode: 'poll',
      w: 'majority',
    };
    if (name in texts) return texts[name];
    return /MS$|Size$|Connecting|Seconds|Level|MaxHosts|Retries$/.test(name) ? 120 : true;
  };

  test.each(refused)('%s is refused', async (name) => {
    const error = await failureOf(() => new MongoClient('mongodb://h/', { [name]: name === 'lookup' ? () => 1 : 'x' }));
    expect(isMooringError(error, 'MOORING_INVALID_CONFIG')).toBe(true);
    expect(error).toMatchObject({ details: { option: name }, message: expect.stringContaining(name) });
  });

  test.each((NAMES['MongoClientOptions'] as string[]).filter((name) => !refused.includes(name)))('%s is taken', async (name) => {
    const uri = name.startsWith('auth') ? 'mongodb://u:p@h/' : name.startsWith('srv') ? 'mongodb+srv://a.b.c/' : 'mongodb://h/';
    const made = new MongoClient(uri, { ...BESIDE[name], [name]: name === 'zlibCompressionLevel' ? 6 : value(name) });
    expect(made.isOpen).toBe(true);
    await made.close(true);
  });

  test('what JavaScript itself honours of them', async () => {
    const own = await connected('mooring_options_client', {
      forceServerObjectId: true,
      monitorCommands: true,
      readConcernLevel: 'majority',
      appName: 'audited',
    });
    const sent: Document[] = [];
    own.on('commandStarted', ({ command }: { command: Document }) => sent.push(command));
    const { insertedId } = await own.db().collection('c').insertOne({ a: 1 });
    await own.db().collection('c').findOne({});
    expect([insertedId, sent[0]?.['documents']]).toEqual([undefined, [{ a: 1 }]]);
    expect(sent[1]).toMatchObject({ readConcern: { level: 'majority' } });
    const current = await own
      .db('admin', { readConcern: { level: 'local' } })
      .aggregate([{ $currentOp: { localOps: true } }, { $match: { appName: 'audited' } }])
      .toArray();
    expect(current.length).toBeGreaterThan(0);
    await own.close();
    const keyed = await new MongoClient(uriFor('mooring_options_client'), { pkFactory: { createPk: () => 'made' } }).connect();
    expect((await keyed.db().collection('keyed').insertOne({})).insertedId).toBe('made');
    await keyed.db().dropDatabase();
    await keyed.close();
  });
});
