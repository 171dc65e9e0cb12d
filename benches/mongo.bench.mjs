/**
 * @module benches/mongo
 *
 * The Node driver's API over mooring and over the Node driver, and Mongoose on both; one replica set, pool of 10 each. The last table says which part of the
 * Node driver's main-thread CPU Mongoose is spared: 1 is all of what the same operation costs on the Node driver by itself.
 */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const POOL = { maxPoolSize: 10 };
const DRIVERS = ['mooring', 'mongodb'];
const MONGOOSE = ['mooring, mongoose', 'mongodb, mongoose'];
export const supportsTls = true;

/** What the suite needs running. */
export const servers = ({ tls }) => ({ mongo: { nodes: 1, tls }, redis: false, solana: false });

/** Environment of the children. */
export const connection = (stack, { tls }) => ({ BENCH_MONGODB_URI: tls ? stack.mongod.tlsUri : stack.mongod.uri });

const open = async (MongoClient, env) => {
  const client = new MongoClient(env.BENCH_MONGODB_URI, POOL);
  await client.connect();
  return client;
};

const openMongoose = async (env, prepare = (mongoose) => mongoose) => {
  const mongoose = prepare((await import('mongoose')).default);
  await mongoose.connect(env.BENCH_MONGODB_URI, POOL);
  const { Schema } = mongoose;
  const fields = { n: Number, name: String, email: String, tags: [String], at: Date, score: Number };
  return mongoose.model('User', new Schema({ _id: Schema.Types.Mixed, ...fields }, { autoIndex: false, autoCreate: false }));
};

/** Each opens a connected client; with Mongoose, a model. */
export const clients = {
  mooring: { open: (env) => open(require('../dist/index.js').MongoClient, env) },
  mongodb: { open: async (env) => open((await import('mongodb')).MongoClient, env) },
  'mooring, mongoose': { open: (env) => openMongoose(env, require('../dist/mongo/mongoose.js').useMooring) },
  'mongodb, mongoose': { open: (env) => openMongoose(env) },
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
  only: DRIVERS,
  prepare: async (client) => {
    const target = collection(client, 'inserts');
    await target.deleteMany({});
    return (i) => target.insertOne(document(i));
  },
});

const findOne = (concurrency) => ({
  name: `findOne by _id, ${concurrency} in flight`,
  concurrency,
  only: DRIVERS,
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
  only: DRIVERS,
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

const MODEL_FIND = 'Mongoose findOne().lean(), 64 in flight';
const MODEL_CREATE = 'Mongoose create(), 64 in flight';
let made = 0;
const newId = () => `${process.pid}-${process.hrtime.bigint()}-${made++}`;

/** What is measured. */
export const cases = [
  findOne(64),
  findOne(1),
  insert(64),
  insert(1),
  transaction(64),
  transaction(1),
  {
    name: MODEL_FIND,
    concurrency: 64,
    only: MONGOOSE,
    prepare: async (User) => {
      await User.deleteMany({});
      await User.insertMany(Array.from({ length: 1000 }, (_, i) => ({ _id: i, ...document(i) })));
      return (i) => User.findOne({ _id: i % 1000 }).lean();
    },
  },
  {
    name: MODEL_CREATE,
    concurrency: 64,
    only: MONGOOSE,
    prepare: async (User) => {
      await User.deleteMany({});
      return (i) => User.create({ _id: newId(), ...document(i) });
    },
  },
  {
    name: 'find of 10 000 documents, 1 in flight',
    concurrency: 1,
    only: DRIVERS,
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

/** The share of the Node driver's main-thread CPU that Mongoose is spared, from the results of the cases. */
export function summary(results) {
  const cost = (name, client) => results.find((result) => result.case === name)?.rows.find((row) => row.client === client)?.mainUs;
  const pairs = [
    [MODEL_FIND, 'findOne by _id, 64 in flight'],
    [MODEL_CREATE, 'insertOne, 64 in flight'],
  ];
  const lines = pairs.map(([model, plain]) => {
    const [ours, theirs] = MONGOOSE.map((client) => cost(model, client));
    const driver = cost(plain, 'mongodb');
    return `${model}: ${theirs?.toFixed(1)} to ${ours?.toFixed(1)} us, ${(((theirs - ours) / driver) * 100).toFixed(0)} % of the driver's ${driver?.toFixed(1)} us`;
  });
  return `\nspared of the driver's share\n${lines.join('\n')}`;
}
