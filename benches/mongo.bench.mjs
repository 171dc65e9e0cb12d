/**
 * @module benches/mongo
 *
 * The Node driver's API over mooring and over the Node driver, one replica set, pool of 10 each.
 */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
export const supportsTls = false;

/** What the suite needs running. */
export const servers = () => ({ mongo: { nodes: 1 }, redis: false, solana: false });

/** Environment of the children. */
export const connection = (stack) => ({ BENCH_MONGODB_URI: stack.env.MONGODB_URI });

const open = async (MongoClient, env) => {
  const client = new MongoClient(env.BENCH_MONGODB_URI, { maxPoolSize: 10 });
  await client.connect();
  return client;
};

/** Each opens a connected client. */
export const clients = {
  mooring: { open: (env) => open(require('../dist/index.js').MongoClient, env) },
  mongodb: { open: async (env) => open((await import('mongodb')).MongoClient, env) },
};

const collection = (client, name) => client.db('bench').collection(name);
const document = (i) => ({
  n: i,
  name: `user ${i}`,
  email: `user${i}@example.test`,
  tags: ['a', 'b', 'c'],
  at: new Date(),
  score: i * 1.5,
});

const insert = (concurrency) => ({
  name: `insertOne, ${concurrency} in flight`,
  concurrency,
  prepare: async (client) => {
    const target = collection(client, 'inserts');
    await target.deleteMany({});
    return (i) => target.insertOne(document(i));
  },
});

const findOne = (concurrency) => ({
  name: `findOne by _id, ${concurrency} in flight`,
  concurrency,
  prepare: async (client) => {
    const target = collection(client, 'reads');
    await target.deleteMany({});
    await target.insertMany(Array.from({ length: 1000 }, (_, i) => ({ _id: i, ...document(i) })));
    return (i) => target.findOne({ _id: i % 1000 });
  },
});

const transaction = (concurrency) => ({
  name: `transaction of 2 inserts, ${concurrency} in flight`,
  concurrency,
  prepare: async (client) => {
    const target = collection(client, 'transactions');
    await target.deleteMany({});
    await target.insertOne(document(0));
    return async (i) => {
      const session = client.startSession();
      try {
        await session.withTransaction(async () => {
          await target.insertOne(document(i), { session });
          await target.insertOne(document(i + 1), { session });
        });
      } finally {
        await session.endSession();
      }
    };
  },
});

/** What is measured. */
export const cases = [
  findOne(64),
  findOne(1),
  insert(64),
  insert(1),
  transaction(64),
  transaction(1),
  {
    name: 'find of 10 000 documents, 1 in flight',
    concurrency: 1,
    prepare: async (client) => {
      const target = collection(client, 'many');
      await target.deleteMany({});
      await target.insertMany(Array.from({ length: 10_000 }, (_, i) => ({ ...document(i), pad: 'p'.repeat(380) })));
      return async () => {
        const found = await target.find({}).toArray();
        if (found.length !== 10_000) throw new Error(`found ${found.length} documents`);
      };
    },
  },
];
