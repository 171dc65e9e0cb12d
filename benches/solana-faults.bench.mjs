/**
 * @module benches/solana-faults
 *
 * The fault matrix: `node benches/solana-faults.bench.mjs [--endpoints 2,3,5] [--reads 5000] [--only NAME] [--no-peers]`. 20 reads in flight over endpoints of 20 ms
 * latency, healthy for a while, then all but one endpoint get the fault (lag and freeze: one of them; the last row: all of them for three seconds). Figures from
 * two seconds after the onset on, beside web3.js on the first endpoint and a naive round-robin pool over two endpoints.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startSolanaRpc } from '../dev/solana-rpc.mjs';
import { NaivePool, newKey, quiet } from './solana-pools.mjs';

const require = createRequire(import.meta.url);
const here = dirname(fileURLToPath(import.meta.url));
const MATRIX = JSON.parse(readFileSync(join(here, '..', 'dev', 'solana-rpc', 'matrix.json'), 'utf8'));
// web3.js announces every pause after a 429.
console.error = () => {};

const CONCURRENCY = 20;
const LATENCY = { kind: 'delay', ms: 20 };
const ONSET_MS = 2000;
const DOWN_MS = 3000;
/** Peers may stand still: they get this long. */
const PEER_MS = 6000;

const { values } = parseArgs({
  options: {
    endpoints: { type: 'string', default: '2,3,5' },
    reads: { type: 'string', default: '5000' },
    only: { type: 'string' },
    'no-peers': { type: 'boolean', default: false },
  },
});
const READS = Number(values.reads);
const rows = MATRIX.filter(({ name }) => values.only === undefined || name === values.only);

const clients = {
  mooring: (urls) => {
    const { ConnectionPool } = require('../dist/index.js');
    const pool = new ConnectionPool({ endpoints: urls, maxRequestsPerSecond: 1_000_000, logger: quiet });
    const attempts = () => pool.getPoolStats().endpoints.reduce((sum, { requests }) => sum + requests, 0);
    return { read: (key) => pool.getBalance(key), attempts, close: () => pool.close() };
  },
  'web3.js': (urls) => {
    const { connect, attempts } = countingWeb3();
    const connection = connect(urls[0]);
    return { read: (key) => connection.getBalance(key), attempts, close: async () => {} };
  },
  'round robin': (urls) => {
    const { connect, attempts } = countingWeb3();
    const pool = new NaivePool(urls.map((url) => connect(url)));
    return { read: (key) => pool.run((connection) => connection.getBalance(key)), attempts, close: async () => {} };
  },
};

function countingWeb3() {
  const { Connection, PublicKey } = require('@solana/web3.js');
  let count = 0;
  const connect = (url) => {
    const fetchCounted = (...args) => {
      count += 1;
      return fetch(...args);
    };
    const connection = new Connection(url, { commitment: 'processed', fetch: fetchCounted });
    return { getBalance: (key) => connection.getBalance(new PublicKey(key)) };
  };
  return { connect, attempts: () => count };
}

/** Keeps reads in flight until told to stop; what each took, when it began and whether it succeeded. */
function load(client) {
  const state = { over: false, done: [] };
  const chain = async () => {
    while (!state.over) {
      const began = performance.now();
      const ok = await client.read(newKey()).then(
        () => true,
        () => false,
      );
      state.done.push({ began, took: performance.now() - began, ok });
    }
  };
  state.chains = Array.from({ length: CONCURRENCY }, chain);
  return state;
}

const percentile = (samples, share) => {
  const sorted = samples.map(({ took }) => took).toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
};

async function until(condition, limitMs) {
  const from = performance.now();
  while (!condition() && performance.now() - from < limitMs) await delay(20);
}

/** Breaks the endpoints that the row says; returns what mends them. */
async function breakThem(rpc, row, count) {
  const broken = row.all ? count : row.one ? 1 : count - 1;
  const fronts = Array.from({ length: broken }, (_, front) => front);
  const set = () => Promise.all(fronts.flatMap((front) => row.faults.map((spec) => rpc.fault(front, spec))));
  const mend = () => Promise.all(fronts.flatMap((front) => row.faults.map(({ kind }) => rpc.clearFaults({ front, kind }))));
  await set();
  const over = new AbortController();
  const flap = async () => {
    for (let bad = true; !over.signal.aborted; bad = !bad) {
      await delay(row.everyMs);
      if (!over.signal.aborted) await (bad ? mend() : set());
    }
  };
  const flapping = row.everyMs === undefined ? undefined : flap();
  return async () => {
    over.abort();
    await flapping;
    await mend();
  };
}

async function cell(rpc, urls, row, [name, open]) {
  const peer = name !== 'mooring';
  const client = open(urls);
  const running = load(client);
  await until(() => running.done.length >= (peer ? 60 : 1000), 4000);
  const healthy = running.done.slice(CONCURRENCY);
  let mend = await breakThem(rpc, row, urls.length);
  if (row.all) {
    await delay(DOWN_MS);
    await mend();
    mend = async () => {};
  }
  const onset = performance.now();
  await delay(ONSET_MS);
  const [steadyFrom, attemptsFrom, callsFrom] = [performance.now(), client.attempts(), running.done.length];
  const steady = () => running.done.filter(({ began }) => began >= steadyFrom);
  await until(() => running.done.length - callsFrom >= READS + CONCURRENCY, peer ? PEER_MS - ONSET_MS : 60_000);
  const perCall = (client.attempts() - attemptsFrom) / (running.done.length - callsFrom);
  const elapsed = performance.now() - steadyFrom;
  running.over = true;
  await mend();
  await Promise.race([Promise.all(running.chains), delay(peer ? 3000 : 35_000)]);
  await client.close();
  const first = running.done.filter(({ began }) => began >= onset - 1000 && began < steadyFrom);
  const counted = running.done.filter(({ began }) => began >= onset && began < steadyFrom + elapsed);
  return {
    healthy: percentile(healthy, 0.99),
    p99: percentile(steady(), 0.99),
    reads: steady().length,
    slowestEarly: Math.max(0, ...first.map(({ took }) => took)),
    success: counted.length === 0 ? 0 : counted.filter(({ ok }) => ok).length / counted.length,
    perCall,
  };
}

const columns = [
  ['client', 14],
  ['endpoints', 9],
  ['fault', 22],
  ['reads', 6],
  ['success', 8],
  ['healthy p99', 11],
  ['p99 ms', 8],
  ['x', 6],
  ['slowest before', 14],
  ['per call', 8],
];
const line = (cells) =>
  console.log(cells.map((text, i) => (i === 0 || i === 2 ? text.padEnd(columns[i][1]) : text.padStart(columns[i][1]))).join(' '));

let missed = 0;
line(columns.map(([name]) => name));
for (const count of values.endpoints.split(',').map(Number)) {
  const rpc = await startSolanaRpc({ fronts: count });
  const urls = rpc.endpoints.map(({ url }) => url);
  try {
    for (const row of rows) {
      for (const entry of Object.entries(clients)) {
        const ours = entry[0] === 'mooring';
        if (!ours && (count !== 2 || values['no-peers'])) continue;
        await rpc.clearFaults();
        await rpc.fault('all', LATENCY);
        const { healthy, p99, reads, slowestEarly, success, perCall } = await cell(rpc, urls, row, entry);
        const ratio = p99 / healthy;
        if (ours && (success < 1 || ratio >= 3 || slowestEarly > 2000 || perCall > 1.2 || reads < READS)) missed += 1;
        const digits = (number, count_) => (Number.isFinite(number) ? number.toFixed(count_) : 'none');
        line([
          entry[0],
          String(count),
          row.name,
          String(reads),
          `${(success * 100).toFixed(2)} %`,
          digits(healthy, 1),
          digits(p99, 1),
          digits(ratio, 2),
          digits(slowestEarly, 0),
          digits(perCall, 3),
        ]);
      }
    }
  } finally {
    await rpc.stop();
  }
}
console.log(missed === 0 ? 'every row of mooring holds the bar' : `${missed} rows of mooring miss the bar`);
process.exit(missed === 0 ? 0 : 1);
