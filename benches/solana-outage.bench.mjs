/**
 * @module benches/solana-outage
 *
 * The scenarios of a bad day: `node benches/solana-outage.bench.mjs`. Time for a handful of reads over two endpoints, one of them broken, by mooring with the limits of a
 * backend (195 reads a second), by mooring without, and by a naive round-robin pool over web3.js.
 */
import { createRequire } from 'node:module';
import { startSolanaRpc } from '../dev/solana-rpc.mjs';
import { NaivePool, newKey, quiet } from './solana-pools.mjs';

const require = createRequire(import.meta.url);
const { ConnectionPool } = require('../dist/index.js');
const { Connection, PublicKey } = require('@solana/web3.js');
const GIVE_UP_MS = 30_000;

const open = {
  'mooring, 195/s': (urls) => new ConnectionPool({ endpoints: urls, maxRequestsPerSecond: 195, logger: quiet }),
  mooring: (urls) => new ConnectionPool({ endpoints: urls, maxRequestsPerSecond: 1_000_000, logger: quiet }),
  'round robin': (urls) => {
    const pool = new NaivePool(urls.map((url) => new Connection(url, 'processed')));
    return { getBalance: (key) => pool.run((connection) => connection.getBalance(new PublicKey(key))), close: async () => {} };
  },
};

const different = (count) => Array.from({ length: count }, newKey);
const same = (count) => Array.from({ length: count }).fill(newKey());
const scenarios = [
  ['healthy, 20 ms, 100 different reads', different(100), { kind: 'delay', ms: 20 }, 'all'],
  ['the same read 100 times at once', same(100), { kind: 'delay', ms: 20 }, 'all'],
  ['one answers 503, 20 reads', different(20), { kind: 'status', status: 503 }, 0],
  ['one 429 with Retry-After: 1, 4 reads', different(4), { kind: 'status', status: 429, retryAfter: 1 }, 0],
  ['one resets, 20 reads', different(20), { kind: 'reset' }, 0],
  ['one truncates, 20 reads', different(20), { kind: 'truncate' }, 0],
  ['one hangs, 20 reads', different(20), { kind: 'hang' }, 0],
];

const rpc = await startSolanaRpc({ fronts: 2 });
const urls = rpc.endpoints.map(({ url }) => url);
try {
  console.log(`${'scenario'.padEnd(38)} ${'client'.padEnd(15)} ${'ms'.padStart(7)} ${'answered'.padStart(9)} ${'hits on it'.padStart(10)}`);
  for (const [name, keys, fault, front] of scenarios) {
    for (const [client, make] of Object.entries(open)) {
      await rpc.clearFaults();
      const pool = make(urls);
      await rpc.fault(front, fault);
      await rpc.resetHits();
      const from = performance.now();
      let answered = 0;
      const all = Promise.allSettled(keys.map((key) => pool.getBalance(key).then(() => (answered += 1))));
      await Promise.race([all, new Promise((resolve) => setTimeout(resolve, GIVE_UP_MS))]);
      const took = performance.now() - from;
      const hits = (await rpc.hits()).map(({ methods }) => methods.getBalance ?? 0);
      const counted = front === 'all' ? hits[0] + hits[1] : hits[front];
      console.log(
        `${name.padEnd(38)} ${client.padEnd(15)} ${took.toFixed(0).padStart(7)} ${`${answered}/${keys.length}`.padStart(9)} ${String(counted).padStart(10)}`,
      );
      await pool.close();
    }
  }
} finally {
  await rpc.stop();
}
process.exit(0);
