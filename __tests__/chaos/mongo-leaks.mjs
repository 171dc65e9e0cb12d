/**
 * @module __tests__/chaos/mongo-leaks
 *
 * What opening and closing clients, and running transactions, leaves behind: descriptors, memory, and what the server sees of it. Prints one line of JSON a kind.
 * By itself: `MONGODB_URI=.. node --expose-gc __tests__/chaos/mongo-leaks.mjs --cycles 10000 --transactions 100000`.
 */
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const { MongoClient, openThings, withTransaction } = createRequire(import.meta.url)('../../dist/index.js');
const uri = process.env.MONGODB_URI;

const { values } = parseArgs({
  options: { cycles: { type: 'string', default: '10000' }, transactions: { type: 'string', default: '100000' } },
});
const CONCURRENCY = 16;
const DATABASE = `leaks_${process.pid}`;

const observer = await new MongoClient(uri).connect();
const admin = observer.db('admin');

/** What there is now, here and on the server; the server's own view takes a moment. */
async function look() {
  await delay(1_500);
  globalThis.gc();
  await delay(200);
  globalThis.gc();
  const status = await admin.command({ serverStatus: 1 });
  // What clients have ended is only gone after this.
  await admin.command({ refreshLogicalSessionCacheNow: 1 });
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    rssMb: Math.round((process.memoryUsage.rss() / 1024 / 1024) * 10) / 10,
    connections: status.connections.current,
    sessions: await observer.db('config').collection('system.sessions').countDocuments(),
    openTransactions: status.transactions.currentOpen,
    openCursors: Number(status.metrics.cursor.open.total),
    openThings: openThings().length,
  };
}

async function measured(kind, count, least, run) {
  // Pools, allocators and the JIT have what they keep after the first tenth.
  const warm = Math.max(least, Math.ceil(count / 10));
  await run(warm);
  const before = await look();
  const began = performance.now();
  await run(count);
  const seconds = (performance.now() - began) / 1_000;
  const after = await look();
  const grown = Object.fromEntries(Object.keys(after).map((name) => [name, Math.round((after[name] - before[name]) * 10) / 10]));
  process.stdout.write(`${JSON.stringify({ kind, count, seconds: Math.round(seconds), before, after, grown })}\n`);
}

async function cycles(count) {
  for (let i = 0; i < count; i++) {
    const client = await new MongoClient(uri).connect();
    await client.db(DATABASE).collection('cycles').findOne({});
    await client.close();
  }
}

async function transactions(client, count) {
  const items = client.db(DATABASE).collection('items');
  let left = count;
  const worker = async (own) => {
    while (left-- > 0) {
      await withTransaction(
        async (session) => {
          await items.updateOne({ _id: own }, { $inc: { n: 1 } }, { session });
          await items.findOne({ _id: own }, { session });
        },
        { client },
      );
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, (_, own) => worker(own)));
}

try {
  await observer
    .db(DATABASE)
    .collection('items')
    .insertMany(Array.from({ length: CONCURRENCY }, (_, _id) => ({ _id, n: 0 })));
  if (Number(values.cycles) > 0) await measured('open and close', Number(values.cycles), 100, cycles);
  if (Number(values.transactions) > 0) {
    const client = await new MongoClient(uri, { maxPoolSize: CONCURRENCY }).connect();
    await measured('transactions', Number(values.transactions), 2_000, (count) => transactions(client, count));
    process.stdout.write(`${JSON.stringify({ kind: 'stats', ...client.stats() })}\n`);
    await client.close();
  }
} finally {
  await observer.db(DATABASE).dropDatabase();
  await observer.close();
}
