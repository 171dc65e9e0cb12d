/**
 * @module benches/solana
 *
 * Reads through each client against a server that answers from memory. The caches of mooring are off and its limits far away: what is measured is the client.
 * "+ undici" is the peer with undici's `request` as its transport, the leanest that JavaScript has; "+ mooring" the peer over the pool.
 */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { newKey, quiet } from './solana-pools.mjs';

const require = createRequire(import.meta.url);
const LATENCY_MS = 20;
export const supportsTls = false;

/** What the suite needs running of the development stack. */
export const servers = () => ({ mongo: false, redis: false, solana: false });

/** The servers of its own; their addresses go into the children's environment. */
export async function start() {
  const running = await Promise.all([0, LATENCY_MS].map(startServer));
  const [fast, far] = running.map(({ url }) => url);
  return { env: { BENCH_RPC: fast, BENCH_RPC_FAR: far }, stop: () => running.forEach(({ child }) => child.stdin.end()) };
}

async function startServer(latency) {
  const program = fileURLToPath(new URL('rpc-server.mjs', import.meta.url));
  const child = spawn(process.execPath, [program, String(latency)], { stdio: ['pipe', 'pipe', 'inherit'] });
  for await (const url of createInterface({ input: child.stdout })) return { child, url };
  throw new Error('the server of the benchmark did not start');
}

const openPool = async (url, more = {}) => {
  const { ConnectionPool } = require('../dist/index.js');
  return new ConnectionPool({
    endpoints: [url],
    maxRequestsPerSecond: 1_000_000,
    cacheConfig: { balanceTTL: 0, blockhashTTL: 0, accountInfoTTL: 0, signatureStatusTTL: 0 },
    web3: await import('@solana/web3.js'),
    ...more,
  });
};
const connection = async (url, options) => {
  const { Connection } = await import('@solana/web3.js');
  return new Connection(url, { commitment: 'processed', httpAgent: false, disableRetryOnRateLimit: true, ...options });
};

/** One POST by undici's `request` over a pool of sockets: the text of the answer and its status. */
async function undiciPost(url) {
  const { Pool } = await import('undici');
  const pool = new Pool(url, { connections: 64 });
  const headers = { 'content-type': 'application/json' };
  return async (body) => {
    const answer = await pool.request({ path: '/', method: 'POST', headers, body });
    return { status: answer.statusCode, text: await answer.body.text() };
  };
}

/** Each opens something with web3.js' or kit's calls; the first of a case whose name begins with mooring is what the others are compared with. */
const openers = {
  'mooring pool': openPool,
  'mooring Connection': async (url) => (await openPool(url)).getConnection(),
  'web3.js + mooring': async (url) => connection(url, { fetch: (await openPool(url)).fetch }),
  'web3.js': (url) => connection(url, { httpAgent: undefined }),
  'web3.js + undici': async (url) => {
    const post = await undiciPost(url);
    const fetch = async (_url, { body }) => {
      const { status, text } = await post(body);
      return { ok: status === 200, status, statusText: '', text: async () => text };
    };
    return connection(url, { fetch });
  },
  'kit + mooring': async (url) => {
    const { createSolanaRpcFromTransport } = await import('@solana/kit');
    const { createPoolTransport } = require('../dist/solana/kit.js');
    return createSolanaRpcFromTransport(createPoolTransport(await openPool(url)));
  },
  kit: async (url) => {
    const { createSolanaRpc } = await import('@solana/kit');
    return createSolanaRpc(url);
  },
  'kit + undici': async (url) => {
    const { createSolanaRpcFromTransport } = await import('@solana/kit');
    const { parseJsonWithBigInts, stringifyJsonWithBigInts } = await import('@solana/rpc-spec-types');
    const post = await undiciPost(url);
    return createSolanaRpcFromTransport(async ({ payload }) => parseJsonWithBigInts((await post(stringifyJsonWithBigInts(payload))).text));
  },
};
export const clients = Object.fromEntries(
  Object.entries(openers).map(([name, open]) => [name, { open: (env, bench) => open(bench.far ? env.BENCH_RPC_FAR : env.BENCH_RPC) }]),
);

const addresses = async (count = 1000) => {
  const { Keypair } = await import('@solana/web3.js');
  return Array.from({ length: count }, () => Keypair.generate().publicKey);
};

/** One `getBalance` by a client of this name. */
const reader = async (client, name) => {
  const keys = await addresses();
  if (!name.startsWith('kit')) return (i) => client.getBalance(keys[i % keys.length]);
  const texts = keys.map((key) => key.toBase58());
  return (i) => client.getBalance(texts[i % texts.length]).send();
};

const balance = (who, concurrency, only, ours) => ({
  name: `getBalance by ${who}, ${concurrency} in flight`,
  concurrency,
  only,
  ours,
  prepare: reader,
});
const WEB3 = ['mooring Connection', 'web3.js + mooring', 'web3.js', 'web3.js + undici'];
const KIT = ['kit + mooring', 'kit', 'kit + undici'];

/** Reads at a limit of 500 a second, behind which so many calls that may wait (`bulk`) are queued all the time. */
const queued = (count) => ({
  name: `getBalance, 50 in flight, ${count} more queued`,
  concurrency: 50,
  only: ['mooring pool'],
  ours: 'mooring pool',
  prepare: async () => {
    const pool = await openPool(process.env.BENCH_RPC, { maxRequestsPerSecond: 500, queueMax: 20_000, logger: quiet });
    // Keys of their own: equal reads would share one place.
    const wait = async () => {
      for (;;) await pool.getBalance(newKey(), { priority: 'bulk', deadlineMs: 3_600_000 });
    };
    for (let i = 0; i < count; i += 1) void wait();
    while (pool.getPoolStats().requestQueueLength < count * 0.9) await new Promise((resolve) => setTimeout(resolve, 20));
    return () => pool.request('getBalance', [newKey()]);
  },
});

/** What is measured. */
export const cases = [
  balance('web3.js', 50, WEB3, 'web3.js + mooring'),
  balance('kit', 50, KIT, 'kit + mooring'),
  balance('the pool', 50, ['mooring pool', ...WEB3.slice(2), ...KIT.slice(1)], 'mooring pool'),
  balance('one caller', 1, ['mooring pool', ...WEB3, ...KIT], 'mooring pool'),
  queued(10),
  queued(10_000),
  {
    name: 'getMultipleAccountsInfo of 100 x 1 KiB, 8 in flight',
    concurrency: 8,
    only: WEB3,
    ours: 'mooring Connection',
    prepare: async (client) => {
      const keys = await addresses(100);
      return () => client.getMultipleAccountsInfo(keys);
    },
  },
  {
    name: `100 reads at once, ${LATENCY_MS} ms away (p50: all hundred)`,
    concurrency: 1,
    perOperation: 100,
    far: true,
    only: ['mooring pool', 'mooring Connection', 'web3.js', 'kit'],
    ours: 'mooring pool',
    prepare: async (client, name) => {
      const read = await reader(client, name);
      return () => Promise.all(Array.from({ length: 100 }, (_, i) => read(i)));
    },
  },
];
