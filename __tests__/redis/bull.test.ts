/**
 * @module __tests__/redis/bull
 *
 * Bull 4 on our clients, also while connections are killed.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import Bull from 'bull';
import { setTimeout as delay } from 'node:timers/promises';
import { closeRedis, getRedisStatus, type MooringError, Redis, redisClient } from '../../dist/index.js';
import { bullClients, bullCreateClient } from '../../dist/redis/bull.js';
import { redisUri } from './server';

const JOBS = 1000;
const KILLS = 20;
const QUIET = { warn: (): void => {}, error: (): void => {} };

let admin: Redis;

beforeAll(() => {
  admin = new Redis(redisUri());
});

afterAll(async () => {
  await admin.flushdb();
  await admin.quit();
});

async function until(condition: () => boolean, limitMs: number): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`condition not met within ${limitMs} ms`);
    await delay(10);
  }
}

test('runs a job and tells its result to the producer', async () => {
  const { client, createClient } = bullClients({ url: redisUri(), logger: QUIET });
  const queue = new Bull('plain', { createClient });
  void queue.process(async (job) => job.data.n + 1);
  const job = await queue.add({ n: 41 });
  expect(await job.finished()).toBe(42);
  await queue.close();
  // Bull closes none of the connections that it was given.
  await client.closeFamily(2000);
  expect(client.status).toBe('end');
});

test('without an address of its own a queue is on the default client, which closeRedis closes', async () => {
  process.env['REDIS_URI'] = redisUri();
  const queue = new Bull('default', { createClient: bullCreateClient });
  void queue.process(async (job) => job.data.n + 1);
  const job = await queue.add({ n: 1 });
  expect(await job.finished()).toBe(2);
  expect(await redisClient.exists(`bull:default:${job.id}`)).toBe(1);
  await queue.close();
  await closeRedis({ deadlineMs: 2000 });
  expect(getRedisStatus().state).toBe('closed');
});

test('with options of its own a queue has connections of its own', () => {
  const client = bullCreateClient('client', { host: 'localhost', port: 1, lazyConnect: true });
  expect([client.options.host, client.options.port]).toEqual(['localhost', 1]);
  client.disconnect();
  const argumentOf = (run: () => unknown): unknown => {
    try {
      return run();
    } catch (error) {
      return (error as MooringError).details['argument'];
    }
  };
  expect(argumentOf(() => bullCreateClient('publisher' as never))).toBe('type');
  expect(argumentOf(() => bullCreateClient('client', null as never))).toBe('options');
});

test('queues that are made after a close of the default client connect it again', async () => {
  process.env['REDIS_URI'] = redisUri();
  for (const name of ['first', 'second']) {
    const queue = new Bull(name, { createClient: bullCreateClient });
    expect(queue.client).toBe(redisClient);
    void queue.process(async (job) => job.data.n + 1);
    const job = await queue.add({ n: 1 });
    expect(await job.finished()).toBe(2);
    await queue.close();
    await closeRedis({ deadlineMs: 1000 });
  }
}, 30_000);

test('processes every acknowledged job of 1,000 while connections are killed 20 times', async () => {
  const { client, createClient } = bullClients({ url: redisUri(), logger: QUIET });
  const settings = { lockDuration: 2000, stalledInterval: 1000, maxStalledCount: 100, retryProcessDelay: 200 };
  const queue = new Bull('killed', { createClient, settings });
  queue.on('error', () => {});
  const processed = new Set<string>();
  let lastDone = Date.now();
  void queue.process(10, async (job) => {
    processed.add(String(job.id));
    lastDone = Date.now();
    await delay(2);
  });
  const acknowledged = new Set<string>();
  const adding = (async (): Promise<void> => {
    for (let n = 0; n < JOBS; n++) {
      for (;;) {
        const job = await queue.add({ n }, { jobId: `job-${n}` }).catch(() => undefined);
        if (job !== undefined) {
          acknowledged.add(String(job.id));
          break;
        }
        await delay(5);
      }
      if (n % 10 === 0) await delay(5);
    }
  })();
  const slowest: number[] = [];
  for (let kill = 1; kill <= KILLS; kill++) {
    await until(() => processed.size >= (JOBS / (KILLS + 2)) * kill, 30_000);
    const killedAt = Date.now();
    await admin.client('KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    const before = processed.size;
    await until(() => processed.size > before, 5000);
    slowest.push(lastDone - killedAt);
  }
  await adding;
  expect(acknowledged.size).toBe(JOBS);
  await until(() => [...acknowledged].every((id) => processed.has(id)), 30_000);
  expect(Math.max(...slowest)).toBeLessThan(5000);
  await queue.close();
  // Bull closes none of the connections that it was given.
  await client.closeFamily(2000);
}, 120_000);
