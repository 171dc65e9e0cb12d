/**
 * @module __tests__/chaos/bank-transfers
 *
 * The bank: transfers between accounts in transactions on a replica set of three nodes behind proxies, while faults strike, and an audit of what is stored against
 * what the callers were told. Prints one line of JSON. By itself: `node __tests__/chaos/bank-transfers.mjs --transfers 20000`.
 */
import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startMongod } from '../../dev/mongod.mjs';
import { freePort } from '../../dev/process.mjs';
import { startProxy } from '../../dev/tcp-proxy.mjs';

const { isMooringError, MongoClient, withTransaction } = createRequire(import.meta.url)('../../dist/index.js');

const { values } = parseArgs({
  options: {
    transfers: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    between: { type: 'string', default: '400' },
  },
});
const TRANSFERS = Number(values.transfers);
/** Transfers from one fault to the next. */
const BETWEEN = Number(values.between);
const ACCOUNTS = 40;
/** Little enough that some transfers are refused for want of money. */
const START = 60;
const CONCURRENCY = 16;
const NODES = 3;
const TIMEOUT_MS = 4_000;

/** Deterministic: what is transferred, and when faults come, depends on the seed alone. */
let state = Number(values.seed);
function random() {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
}
const pick = (count) => Math.floor(random() * count);

const port = await freePort(NODES);
const proxies = await Promise.all(Array.from({ length: NODES }, (_, i) => startProxy({ target: { host: '127.0.0.1', port: port + i } })));
const mongod = await startMongod({ nodes: NODES, port, fronts: proxies.map((proxy) => proxy.port) });
const client = new MongoClient(mongod.uri.replace('/?', '/bank?'), {
  maxPoolSize: CONCURRENCY,
  heartbeatFrequencyMS: 500,
  connectTimeoutMS: 2_000,
  serverSelectionTimeoutMS: 10_000,
  writeConcern: { w: 'majority' },
});
const accounts = client.db().collection('accounts');
const transfers = client.db().collection('transfers');

/** Ids by what the caller was told; unknown ones with the token to ask with. */
const told = { done: new Set(), refused: new Map(), unknown: new Map() };
const struck = [];
let finished = 0;
let hot = false;
const strikes = { left: true };

class Insufficient extends Error {}

async function transfer(id) {
  const from = hot ? pick(2) : pick(ACCOUNTS);
  const to = hot ? 1 - from : (from + 1 + pick(ACCOUNTS - 1)) % ACCOUNTS;
  const amount = 1 + pick(20);
  const began = performance.now();
  try {
    await withTransaction(
      async (session) => {
        const paid = await accounts.updateOne({ _id: from, balance: { $gte: amount } }, { $inc: { balance: -amount } }, { session });
        if (paid.modifiedCount === 0) throw new Insufficient();
        await accounts.updateOne({ _id: to }, { $inc: { balance: amount } }, { session });
        await transfers.insertOne({ _id: id, from, to, amount }, { session });
      },
      { client, maxRetries: 30, timeoutMs: TIMEOUT_MS, logger: { error: () => {} } },
    );
    told.done.add(id);
    recovered(began);
  } catch (error) {
    if (isMooringError(error, 'MOORING_UNKNOWN_COMMIT')) told.unknown.set(id, error.details.commitToken);
    else
      told.refused.set(
        id,
        error instanceof Insufficient ? 'insufficient' : `${error.cause?.code ?? error.code} ${error.codeName ?? error.code}`,
      );
  }
  finished += 1;
}

/** The first transfer that began after a fault and was done ends its recovery. */
function recovered(began) {
  for (const fault of struck) if (fault.recoveredMs === undefined && began >= fault.at) fault.recoveredMs = performance.now() - fault.at;
}

const onPrimary = async () => proxies[await mongod.primary()];
const FAULTS = {
  async 'primary kill -9'() {
    const i = await mongod.primary();
    await mongod.kill(i);
    await delay(1_500);
    await mongod.restart(i);
  },
  'step-down': () => mongod.stepDown(),
  async 'cut in a reply'() {
    (await onPrimary()).cutAfterBytes(100 + pick(4_000));
  },
  async 'black hole'() {
    const proxy = await onPrimary();
    proxy.blackhole(true);
    await delay(2_500);
    proxy.blackhole(false);
    // What was swallowed is gone: these connections can only end.
    proxy.cut();
  },
  async 'slow replies'() {
    for (const proxy of proxies) proxy.setDelay(40);
    await delay(1_500);
    for (const proxy of proxies) proxy.setDelay(0);
  },
  /** For longer than a transaction may take: nobody can know what became of its commit. */
  async 'commit unknown'() {
    const data =
      pick(2) === 0 ? { closeConnection: true } : { writeConcernError: { code: 64, errmsg: 'waiting for replication timed out' } };
    await mongod.failCommand('alwaysOn', { failCommands: ['commitTransaction'], ...data });
    await delay(TIMEOUT_MS + 500);
    await mongod.clearFailCommand();
  },
  async 'conflict storm'() {
    hot = true;
    await delay(1_000);
    hot = false;
  },
};

async function strike(name) {
  const fault = { name, at: performance.now() };
  struck.push(fault);
  await FAULTS[name]();
}

async function reached(count) {
  const behind = () => finished < count;
  while (behind()) await delay(20);
}

/** Faults in turn, one after so many transfers, until all transfers are done. */
async function faults() {
  const names = Object.keys(FAULTS);
  for (let next = 0, at = BETWEEN / 2; at < TRANSFERS; next++, at += BETWEEN) {
    await reached(at);
    await strike(names[next % names.length]);
  }
  // Work goes on until it has recovered from the last one too.
  const end = performance.now() + 30_000;
  const recovering = () => struck.some((fault) => fault.recoveredMs === undefined);
  while (recovering() && performance.now() < end) await delay(20);
  strikes.left = false;
}

async function workers() {
  let next = 0;
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      // Also while the last fault is at work.
      while (next < TRANSFERS || strikes.left) await transfer(next++);
    }),
  );
}

/** What every unknown commit turns out to be. */
async function outcomes() {
  const found = new Map();
  for (const [id, token] of told.unknown) found.set(id, await client.commitOutcome(token).catch((error) => String(error.code)));
  return found;
}

async function audit() {
  const settled = await outcomes();
  const read = { readConcern: 'majority' };
  const rows = await transfers.find({}, read).toArray();
  const stored = new Set(rows.map((row) => row._id));
  const expected = new Map(Array.from({ length: ACCOUNTS }, (_, id) => [id, START]));
  for (const { from, to, amount } of rows) {
    expected.set(from, expected.get(from) - amount);
    expected.set(to, expected.get(to) + amount);
  }
  const balances = await accounts.find({}, read).toArray();
  const lie = (id, outcome) => (outcome === 'committed') !== stored.has(id);
  return {
    total: balances.reduce((sum, { balance }) => sum + balance, 0),
    wanted: ACCOUNTS * START,
    wrongBalances: balances.filter(({ _id, balance }) => expected.get(_id) !== balance).length,
    lost: [...told.done].filter((id) => !stored.has(id)).length,
    appliedThoughRefused: [...told.refused.keys()].filter((id) => stored.has(id)).length,
    untrueOutcomes: [...settled].filter(([id, outcome]) => lie(id, outcome)).length,
  };
}

function tally(list) {
  const counts = {};
  for (const key of list) counts[key] = (counts[key] ?? 0) + 1;
  return counts;
}

function recovery() {
  return Object.fromEntries(
    Object.keys(FAULTS).map((name) => {
      const times = struck
        .filter((fault) => fault.name === name && fault.recoveredMs !== undefined)
        .map(({ recoveredMs }) => Math.round(recoveredMs));
      times.sort((a, b) => a - b);
      return [name, { struck: struck.filter((fault) => fault.name === name).length, p50Ms: times[times.length >> 1], maxMs: times.at(-1) }];
    }),
  );
}

try {
  await client.connect();
  await accounts.insertMany(Array.from({ length: ACCOUNTS }, (_, _id) => ({ _id, balance: START })));
  await client.db().createCollection('transfers');
  const began = performance.now();
  await Promise.all([workers(), faults()]);
  const seconds = (performance.now() - began) / 1_000;
  const report = {
    transfers: finished,
    seconds: Math.round(seconds),
    done: told.done.size,
    refused: tally([...told.refused.values()]),
    unknown: told.unknown.size,
    ...(await audit()),
    openTransactions: (await client.db('admin').command({ serverStatus: 1 })).transactions.currentOpen,
    sessions: client.stats().sessions,
    transactions: client.stats().transactions,
    recovery: recovery(),
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
} finally {
  await client.close(true);
  await Promise.all(proxies.map((proxy) => proxy.stop()));
  await mongod.stop();
}
