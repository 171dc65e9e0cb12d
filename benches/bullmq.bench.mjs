/**
 * @module benches/bullmq
 *
 * BullMQ's own queue and worker over mooring's connection for BullMQ, over mooring's ioredis look-alike (through BullMQ's adapter for ioredis) and over ioredis.
 * A worker row counts jobs that are already waiting.
 */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
export const supportsTls = false;

/** What the suite needs running. */
export const servers = () => ({ mongo: false, solana: false, redis: {} });

/** Environment of the children. */
export const connection = (stack) => ({ BENCH_REDIS_URI: stack.env.REDIS_URI });

const emptied = async (client) => {
  await client.flushall();
  return client;
};
const open = (Redis, env) => emptied(new Redis(env.BENCH_REDIS_URI, { maxRetriesPerRequest: null }));

/** Each opens a client that BullMQ takes as `connection`. */
export const clients = {
  mooring: { open: (env) => emptied(require('../dist/redis/bullmq.js').bullmqConnection(env.BENCH_REDIS_URI)) },
  'mooring, look-alike': { open: (env) => open(require('../dist/index.js').Redis, env) },
  ioredis: { open: async (env) => open((await import('ioredis')).Redis, env) },
};

const add = (concurrency) => ({
  name: `add, ${concurrency} in flight`,
  concurrency,
  prepare: async (client) => {
    const { Queue } = await import('bullmq');
    const queue = new Queue('bench-add', { connection: client });
    await queue.waitUntilReady();
    return (i) => queue.add('job', { n: i, text: 'payload of a job' }, { removeOnComplete: true });
  },
});

const JOBS_PER_ROUND = 500;

/** One operation adds a bulk of jobs and waits until the worker has processed them all. */
const work = (workerConcurrency) => ({
  name: `add and process, worker concurrency ${workerConcurrency}`,
  concurrency: 1,
  perOperation: JOBS_PER_ROUND,
  prepare: async (client) => {
    const { Queue, Worker } = await import('bullmq');
    const queue = new Queue(`bench-work-${workerConcurrency}`, { connection: client });
    let left = 0;
    let finished = () => {};
    const worker = new Worker(queue.name, async (job) => job.data.n, { connection: client, concurrency: workerConcurrency });
    worker.on('completed', () => {
      if (--left === 0) finished();
    });
    await worker.waitUntilReady();
    return async () => {
      left = JOBS_PER_ROUND;
      const done = new Promise((resolve) => {
        finished = resolve;
      });
      const jobs = Array.from({ length: JOBS_PER_ROUND }, (_, n) => ({ name: 'job', data: { n }, opts: { removeOnComplete: true } }));
      await queue.addBulk(jobs);
      await done;
    };
  },
});

/** What is measured. */
export const cases = [add(50), add(1), work(50), work(1)];
