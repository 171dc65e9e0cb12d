/**
 * @module __tests__/redis/bullmq
 *
 * BullMQ 6 and 5 on our clients, also while connections are killed and Redis is gone.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { FlowProducer, Queue, QueueEvents, RedisConnection, Worker } from 'bullmq';
import { Queue as Queue5, Worker as Worker5 } from 'bullmq-5';
import { setTimeout as delay } from 'node:timers/promises';
import { createRedisClient, Redis } from '../../dist/index.js';
import { bullmqConnection, closeQueue, closeWorker } from '../../dist/redis/bullmq.js';
import { blackHole } from '../support/black-hole';
import { freePort, OwnServer, redisUri } from './server';

const JOBS = 10_000;
const KILLS = 20;
const QUIET = { warn: (): void => {}, error: (): void => {} };

let admin: Redis;
const workers: Worker[] = [];
const made: Redis[] = [];

/** A look-alike made for one worker. */
function lookAlike(port: number): Redis {
  const client = new Redis({ host: '127.0.0.1', port, maxRetriesPerRequest: null });
  client.on('error', () => {});
  made.push(client);
  return client;
}

beforeAll(() => {
  admin = new Redis(redisUri());
});

afterAll(async () => {
  await admin.flushdb();
  await admin.quit();
});

/** Kills every connection but the administrator's own. */
async function killAll(): Promise<void> {
  await admin.client('KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
}

async function until(condition: () => boolean, limitMs: number): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`condition not met within ${limitMs} ms`);
    await delay(10);
  }
}

describe('BullMQ 6', () => {
  test('runs a queue, its events and a worker on one shared managed client', async () => {
    const connection = bullmqConnection({ url: redisUri(), logger: QUIET });
    const queue = new Queue('plain', { connection });
    const events = new QueueEvents('plain', { connection });
    await events.waitUntilReady();
    const worker = new Worker('plain', async (job) => job.data.n * 2, { connection, concurrency: 5 });
    const jobs = await queue.addBulk(Array.from({ length: 20 }, (_, n) => ({ name: 'double', data: { n } })));
    const results = await Promise.all(jobs.map((job) => job.waitUntilFinished(events)));
    expect(results).toEqual(jobs.map((job) => job.data.n * 2));
    await worker.close();
    await events.close();
    await queue.close();
    await connection.close();
    expect(connection.status).toBe('end');
  });

  test('processes every acknowledged job of 10,000 while connections are killed 20 times', async () => {
    const connection = createRedisClient({ url: redisUri(), logger: QUIET });
    const queue = new Queue('killed', { connection });
    queue.on('error', () => {});
    const processed = new Set<string>();
    let lastDone = Date.now();
    const worker = new Worker(
      'killed',
      async (job) => {
        processed.add(String(job.id));
        lastDone = Date.now();
      },
      // A job whose claim was answered into a dead socket is taken again by the stalled check.
      { connection, concurrency: 20, lockDuration: 2000, stalledInterval: 1000, maxStalledCount: 100 },
    );
    worker.on('error', () => {});
    const acknowledged = new Set<string>();
    let asked = 0;
    const add = async (id: string): Promise<void> => {
      for (;;) {
        try {
          const job = await queue.add('work', { id }, { jobId: id });
          acknowledged.add(String(job.id));
          return;
        } catch (error) {
          // A lost connection leaves it open whether the job was added; the id makes repeating harmless.
          if ((error as Error).message !== 'Connection is closed.') throw error;
          await delay(5);
        }
      }
    };
    const adders = Array.from({ length: 50 }, async () => {
      while (asked < JOBS) await add(`job-${asked++}`);
    });
    const slowest: number[] = [];
    for (let kill = 1; kill <= KILLS; kill++) {
      await until(() => processed.size >= Math.min((JOBS / (KILLS + 2)) * kill, JOBS) || acknowledged.size - processed.size > 1000, 60_000);
      const killedAt = Date.now();
      await killAll();
      const before = processed.size;
      await until(() => processed.size > before || processed.size >= JOBS, 5000);
      slowest.push(lastDone - killedAt);
    }
    await Promise.all(adders);
    expect(acknowledged.size).toBe(JOBS);
    await until(() => [...acknowledged].every((id) => processed.has(id)), 60_000);
    expect(Math.max(...slowest)).toBeLessThan(5000);
    await closeWorker(worker, { deadlineMs: 5000 });
    await queue.close();
    await connection.close();
  }, 180_000);

  test('a worker that waits takes the next job within five seconds of a kill', async () => {
    const connection = createRedisClient({ url: redisUri(), logger: QUIET });
    const queue = new Queue('waiting', { connection });
    const worker = new Worker('waiting', async () => {}, { connection });
    worker.on('error', () => {});
    queue.on('error', () => {});
    await worker.waitUntilReady();
    await delay(200);
    await killAll();
    const other = new Redis(redisUri());
    const killedAt = Date.now();
    const done = new Promise<number>((resolve) => worker.once('completed', () => resolve(Date.now() - killedAt)));
    const second = new Queue('waiting', { connection: other });
    await second.add('next', {});
    expect(await done).toBeLessThan(5000);
    await worker.close();
    await queue.close();
    await second.close();
    await other.quit();
    await connection.close();
  });

  test.each(['managed', 'look-alike'])(
    'a worker with a job to report and Redis gone closes within its deadline (%s client)',
    async (kind) => {
      const server = new OwnServer(await freePort());
      await server.start();
      const address = { host: '127.0.0.1', port: server.port };
      const shared = createRedisClient({ ...address, logger: QUIET });
      shared.on('error', () => {});
      const queue = new Queue('gone', { connection: shared });
      queue.on('error', () => {});
      let finish = (): void => {};
      const running = new Promise<void>((started) => {
        const connection = kind === 'managed' ? shared : lookAlike(address.port);
        const worker = new Worker('gone', () => new Promise<void>((resolve) => (started(), (finish = resolve))), { connection });
        worker.on('error', () => {});
        workers.push(worker);
      });
      await queue.add('one', {});
      await running;
      await server.stop();
      finish();
      await delay(50);
      const report = await closeWorker(workers.pop() as Worker, { deadlineMs: 500 });
      expect(report).toMatchObject({ closed: true, cut: true });
      expect(report.elapsedMs).toBeLessThan(700);
      shared.disconnect();
      for (const client of made.splice(0)) client.disconnect();
      await server.remove();
    },
  );

  test('queues, their events and flows close within the deadline when Redis is gone', async () => {
    const server = new OwnServer(await freePort());
    await server.start();
    const shared = bullmqConnection({ host: '127.0.0.1', port: server.port, logger: QUIET });
    const things = [
      new Queue('gone', { connection: shared }),
      new QueueEvents('gone', { connection: shared }),
      new FlowProducer({ connection: shared }),
      // On a connection of its own.
      new QueueEvents('gone', { connection: shared.duplicate() }),
    ];
    for (const thing of [shared, ...things]) (thing as Queue).on('error', () => {});
    await Promise.all(things.map((thing) => thing.waitUntilReady?.()));
    await server.stop();
    await delay(50);
    const reports = await Promise.all(things.map((thing) => closeQueue(thing, { deadlineMs: 300 })));
    for (const report of reports) {
      expect(report.closed).toBe(true);
      expect(report.elapsedMs).toBeLessThan(500);
    }
    await shared.closeFamily(100);
    await server.remove();
  });

  test('a worker whose connection swallowed an answer is found deaf, told of and revived', async () => {
    const { hostname: host, port } = new URL(redisUri());
    const proxy = await blackHole({ host, port: Number(port) });
    const told: unknown[][] = [];
    const logger = { warn: (...line: unknown[]) => void told.push(line), error: (): void => {} };
    const connection = bullmqConnection({ host: '127.0.0.1', port: proxy.port, logger });
    const worker = new Worker('deaf', async (job) => job.data.n, { connection, drainDelay: 1 });
    worker.on('error', () => {});
    await worker.waitUntilReady();
    const heard = new Promise<unknown>((resolve) => void worker.once('completed', (_job, value) => resolve(value)));
    const deaf: number[] = [];
    const blocking = await (worker as unknown as { backend: { blockingClient: Promise<Redis> } }).backend.blockingClient;
    blocking.on('deaf', (lateMs: number) => deaf.push(lateMs));
    await delay(300);
    // The worker waits in BZPOPMIN; what wakes it is lost on the way, and its connection looks as healthy as before.
    proxy.swallow(true);
    const direct = bullmqConnection({ url: redisUri(), logger: QUIET });
    const queue = new Queue('deaf', { connection: direct });
    await queue.add('n', { n: 7 });
    await delay(100);
    proxy.swallow(false);
    const since = performance.now();
    expect(await heard).toBe(7);
    expect(performance.now() - since).toBeLessThan(4000);
    expect(deaf).toHaveLength(1);
    expect(told).toContainEqual([
      'Redis: A blocking command was not answered in time, replacing its connection',
      { connection: expect.stringContaining('bull:'), lateMs: deaf[0] },
    ]);
    await closeWorker(worker, { deadlineMs: 1000 });
    await queue.close();
    await Promise.all([connection.closeFamily(500), direct.closeFamily(500)]);
    await proxy.stop();
  });

  test('makes connections from plain options ours once registered', async () => {
    await import('../../dist/redis/bullmq-register.js');
    const { hostname, port } = new URL(redisUri());
    const connection = { host: hostname, port: Number(port) };
    const queue = new Queue('registered', { connection });
    const worker = new Worker('registered', async (job) => job.data.n, { connection });
    const result = new Promise((resolve) => void worker.once('completed', (_job, value) => resolve(value)));
    await queue.add('n', { n: 7 });
    expect(await result).toBe(7);
    expect(await (queue as unknown as { backend: { client: Promise<unknown> } }).backend.client).toBeInstanceOf(Redis);
    await worker.close();
    await queue.close();
    RedisConnection.clientFactory = undefined as never;
  });

  test('closeWorker names a bad argument', async () => {
    await expect(closeQueue({} as never)).rejects.toMatchObject({ details: { argument: 'queue' } });
    await expect(closeWorker(undefined as never)).rejects.toMatchObject({
      code: 'MOORING_INVALID_ARGUMENT',
      details: { argument: 'worker' },
    });
    const worker = { close: async (): Promise<void> => {} };
    await expect(closeWorker(worker, { deadlineMs: -1 })).rejects.toMatchObject({ details: { argument: 'deadlineMs' } });
    await expect(closeWorker(worker, { deadline: 1 } as never)).rejects.toMatchObject({ details: { argument: 'deadline' } });
  });
});

describe('BullMQ 5', () => {
  test('runs a queue and a worker on a look-alike client', async () => {
    const connection = new Redis(redisUri(), { maxRetriesPerRequest: null });
    const queue = new Queue5('five', { connection: connection as never });
    const done: number[] = [];
    const worker = new Worker5('five', async (job) => void done.push(job.data.n), { connection: connection as never });
    await queue.addBulk(Array.from({ length: 50 }, (_, n) => ({ name: 'n', data: { n }, opts: {} })));
    await until(() => done.length === 50, 10_000);
    expect(done.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, n) => n));
    await worker.close();
    await queue.close();
    await connection.quit();
  });
});
