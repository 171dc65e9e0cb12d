/**
 * @module __tests__/redis/heartbeat
 *
 * Locks of running jobs while the event loop is blocked: BullMQ 6, BullMQ 5 and Bull 4.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import Bull from 'bull';
import { type Job, Queue, Worker } from 'bullmq';
import { Worker as Worker5 } from 'bullmq-5';
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openThings, Redis } from '../../dist/index.js';
import { bullClients, heartbeat as bullHeartbeat } from '../../dist/redis/bull.js';
import { type BullmqClient, bullmqConnection, heartbeat } from '../../dist/redis/bullmq.js';
import { limitMs, rounds } from '../support/chaos';
import { until } from '../support/until';
import { redisUri } from './server';

const QUIET = { warn: (): void => {}, error: (): void => {} };
const JOBS = 6;
const WORKERS = 2;
/** 2 s in `npm test`, 10 s with `MOORING_CHAOS`. */
const BLOCK_MS = Math.min(rounds(2000), 10_000);
const LOCK_MS = BLOCK_MS * 0.3;
const LABEL = '(lock heartbeat)';

let admin: Redis;
let connection: BullmqClient;

beforeAll(() => {
  admin = new Redis(redisUri());
  connection = bullmqConnection({ url: redisUri(), logger: QUIET });
});

afterAll(async () => {
  await connection.closeFamily(2000);
  await admin.flushdb();
  await admin.quit();
  // oxlint-disable-next-line jest/no-standalone-expect -- of all the tests together
  expect(beating()).toEqual([]);
});

/** An error about this argument. */
function argument(name: string): unknown {
  return expect.objectContaining({ code: 'MOORING_INVALID_ARGUMENT', details: expect.objectContaining({ argument: name }) });
}

/** Nothing of this thread moves for so long. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function beating(): string[] {
  return openThings()
    .map(({ name }) => name)
    .filter((name) => name.includes(LABEL));
}

/** Two processes whose jobs block their loops: how often each of the jobs was started. */
async function executions(stock: boolean): Promise<{ starts: number; twice: number; completed: number; elapsedMs: number }> {
  const name = `blocked-${stock ? 'stock' : 'ours'}`;
  const { hostname: host, port } = new URL(redisUri());
  const started = new Map<string, number>();
  let ready = 0;
  const settings = JSON.stringify({ stock, queue: name, host, port: Number(port), lockMs: LOCK_MS, blockMs: BLOCK_MS });
  const children = Array.from({ length: WORKERS }, (): ChildProcess => {
    const child = spawn(process.execPath, [join(__dirname, 'blocked-worker.cjs'), settings], { stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout?.on('data', (chunk: Buffer) => {
      for (const [what, id = ''] of chunk
        .toString()
        .trim()
        .split('\n')
        .map((line) => line.split(' '))) {
        if (what === 'ready') ready += 1;
        if (what === 'start') started.set(id, (started.get(id) ?? 0) + 1);
      }
    });
    return child;
  });
  const queue = new Queue(name, { connection });
  try {
    await until(() => ready === WORKERS, 20_000);
    const begin = performance.now();
    await queue.addBulk(Array.from({ length: JOBS }, () => ({ name: 'block', data: {} })));
    // Each process has to block for three jobs. Stock BullMQ is watched for some longer, ours may take its time on a busy machine.
    const end = begin + (stock ? 4 : 8) * BLOCK_MS;
    while (performance.now() < end && (await queue.getCompletedCount()) < JOBS) await delay(50);
    const completed = await queue.getCompletedCount();
    const counts = [...started.values()];
    const starts = counts.reduce((sum, count) => sum + count, 0);
    return { starts, twice: counts.filter((count) => count > 1).length, completed, elapsedMs: performance.now() - begin };
  } finally {
    for (const child of children) child.kill('SIGKILL');
    await queue.close();
  }
}

describe('BullMQ 6', () => {
  test(
    `two processes blocked for ${BLOCK_MS} ms at a time with locks of ${LOCK_MS} ms run every job once`,
    async () => {
      const [ours, stock] = await Promise.all([executions(false), executions(true)]);
      const line = (name: string, { starts, twice, completed, elapsedMs }: typeof ours): string =>
        `${name}: ${starts} executions of ${JOBS} jobs, ${twice} jobs more than once, ${completed} completed in ${Math.round(elapsedMs)} ms`;
      process.stdout.write(`${line('mooring with heartbeat', ours)}\n${line('stock BullMQ', stock)}\n`);
      expect(ours).toMatchObject({ starts: JOBS, twice: 0, completed: JOBS });
    },
    limitMs(40_000) + 60_000,
  );

  test('keeps a lock while the loop is blocked, tells of it, and ends with its worker', async () => {
    const queue = new Queue('kept', { connection });
    const ttls: number[] = [];
    const settings = { connection, lockDuration: 300, skipLockRenewal: true, stalledInterval: 60_000 };
    const worker = new Worker(
      'kept',
      async (job) => {
        block(900);
        ttls.push(await admin.pttl(`bull:kept:${job.id}:lock`));
        await delay(400);
      },
      settings,
    );
    const beats = heartbeat(worker);
    const renewed = new Promise<{ count: number; jobIds: string[] }>((resolve) => void worker.once('locksRenewed', resolve));
    const completed = new Promise<Job>((resolve) => void worker.once('completed', resolve));
    const { id } = await queue.add('n', {});
    expect(await renewed).toEqual({ count: 1, jobIds: [id] });
    expect(beating()).toHaveLength(1);
    expect(beats.jobs).toBe(1);
    expect((await completed).id).toBe(id);
    expect(ttls[0]).toBeGreaterThan(0);
    expect(beats.jobs).toBe(0);
    await worker.close();
    expect(beating()).toEqual([]);
    await queue.close();
  });

  test('a lock that another has is told and aborts the job', async () => {
    const queue = new Queue('stolen', { connection });
    const settings = { connection, lockDuration: 300, skipLockRenewal: true, stalledInterval: 60_000 };
    let reason: unknown;
    const worker = new Worker(
      'stolen',
      async (job, _token, signal) => {
        await admin.set(`bull:stolen:${job.id}:lock`, 'another');
        await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()));
        reason = signal?.reason;
      },
      settings,
    );
    const errors: string[] = [];
    worker.on('error', (error) => errors.push(error.message));
    const beats = heartbeat(worker);
    const failed = new Promise<string[]>((resolve) => void worker.once('lockRenewalFailed', resolve));
    const { id = '' } = await queue.add('n', {});
    expect(await failed).toEqual([id]);
    await until(() => reason !== undefined);
    expect(reason).toBe('lock-lost');
    expect(errors[0]).toBe(`could not renew lock for job ${id}`);
    expect(beats.jobs).toBe(0);
    await worker.close();
    await queue.close();
  });

  test('lets go of the locks of a loop that is blocked for too long', async () => {
    const queue = new Queue('let-go', { connection });
    let ttl = 0;
    let aborted = false;
    const settings = { connection, lockDuration: 200, skipLockRenewal: true, stalledInterval: 60_000 };
    const worker = new Worker(
      'let-go',
      async (job, _token, signal) => {
        block(1500);
        ttl = await admin.pttl(`bull:let-go:${job.id}:lock`);
        await until(() => signal?.aborted === true);
        aborted = true;
      },
      settings,
    );
    worker.on('error', () => {});
    heartbeat(worker, { maxBlockedMs: 400 });
    const failed = new Promise<string[]>((resolve) => void worker.once('lockRenewalFailed', resolve));
    const { id } = await queue.add('n', {});
    expect(await failed).toEqual([id]);
    await until(() => aborted);
    // Gone: the key does not exist.
    expect(ttl).toBe(-2);
    await worker.close();
    await queue.close();
  });

  test('renews over a new connection when its own is killed', async () => {
    const queue = new Queue('cut', { connection });
    const settings = { connection, lockDuration: 600, skipLockRenewal: true, stalledInterval: 60_000 };
    const worker = new Worker('cut', async () => delay(2500), settings);
    worker.on('error', () => {});
    queue.on('error', () => {});
    const lost: string[] = [];
    worker.on('lockRenewalFailed', (ids) => lost.push(...ids));
    heartbeat(worker);
    const completed = new Promise((resolve) => void worker.once('completed', resolve));
    await queue.add('n', {});
    for (let kill = 0; kill < 5; kill++) {
      await delay(400);
      await admin.client('KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    }
    await completed;
    expect(lost).toEqual([]);
    await worker.close();
    await queue.close();
  });

  test('a job whose claim lay unread until its lock was gone is not run by that claim', async () => {
    const queue = new Queue('late', { connection });
    const runs: string[] = [];
    const settings = { connection, concurrency: 2, lockDuration: 300, stalledInterval: 500, maxStalledCount: 10, skipLockRenewal: true };
    const worker = new Worker(
      'late',
      async (job) => {
        runs.push(String(job.id));
      },
      { ...settings, autorun: false },
    );
    worker.on('error', () => {});
    // The second claim lies unread for longer than its lock lasts, while the first job is claimed, but not yet run.
    const { backend } = worker as unknown as { backend: { moveToActive(...args: unknown[]): Promise<unknown> } };
    const claim = backend.moveToActive.bind(backend);
    let claims = 0;
    backend.moveToActive = async (...args) => {
      const answer = await claim(...args);
      claims += 1;
      if (claims === 2) await delay(900);
      return answer;
    };
    heartbeat(worker);
    const refused: string[] = [];
    worker.on('lockRenewalFailed', (ids) => refused.push(...ids));
    await queue.addBulk([
      { name: 'first', data: {} },
      { name: 'second', data: {} },
    ]);
    void worker.run();
    await until(async () => (await queue.getCompletedCount()) === 2);
    // By the claim that was late it did not run; by the one after the stalled check it did. The lock of the first was kept.
    expect(refused).toEqual(['2']);
    expect(runs).toEqual(['1', '2']);
    await worker.close();
    await queue.close();
  });

  test('jobs that are claimed by hand are tracked by hand', async () => {
    const queue = new Queue('manual', { connection });
    const worker = new Worker('manual', null, { connection, lockDuration: 300, skipLockRenewal: true, stalledInterval: 60_000 });
    const beats = heartbeat(worker);
    await queue.add('n', {});
    const job = await worker.getNextJob('by-hand');
    beats.track(job, 'by-hand');
    await delay(900);
    expect(await admin.pttl(`bull:manual:${job.id}:lock`)).toBeGreaterThan(0);
    beats.untrack(job);
    expect(beats.jobs).toBe(0);
    await job.moveToCompleted('done', 'by-hand', false);
    expect(() => beats.track({}, 'by-hand')).toThrow(argument('job'));
    await worker.close();
    await queue.close();
  });

  test('names what is wrong with its arguments', async () => {
    const renewing = new Worker('arguments', null, { connection });
    const good = new Worker('arguments', null, { connection, skipLockRenewal: true });
    expect(() => heartbeat(renewing)).toThrow(argument('worker'));
    expect(() => heartbeat(undefined as never)).toThrow(argument('worker'));
    expect(() => heartbeat(good, { maxBlockedMs: 0 })).toThrow(argument('maxBlockedMs'));
    expect(() => heartbeat(good, { maxBlocked: 1 } as never)).toThrow(argument('maxBlocked'));
    heartbeat(good);
    expect(() => heartbeat(good)).toThrow(argument('worker'));
    await Promise.all([renewing.close(), good.close()]);
  });
});

describe('BullMQ 5', () => {
  test('keeps a lock while the loop is blocked', async () => {
    let ttl = 0;
    const settings = { connection: connection as never, lockDuration: 300, skipLockRenewal: true, stalledInterval: 60_000 };
    const worker = new Worker5(
      'five-kept',
      async (job) => {
        block(900);
        ttl = await admin.pttl(`bull:five-kept:${job.id}:lock`);
      },
      settings,
    );
    heartbeat(worker);
    const completed = new Promise((resolve) => void worker.once('completed', resolve));
    const queue = new Queue('five-kept', { connection });
    await queue.add('n', {});
    await completed;
    expect(ttl).toBeGreaterThan(0);
    await worker.close();
    await queue.close();
  });
});

describe('Bull 4', () => {
  test('keeps a lock while the loop is blocked, tells of lost ones, and ends with its queue', async () => {
    const { client, createClient } = bullClients({ url: redisUri(), logger: QUIET });
    const queue = new Bull('beating', { createClient, settings: { lockDuration: 400, stalledInterval: 60_000 } });
    const beats = bullHeartbeat(queue);
    const ttls: number[] = [];
    const told: string[] = [];
    queue.on('lock-extension-failed', (job: Bull.Job) => told.push(String(job.id)));
    void queue.process(async (job) => {
      block(1200);
      ttls.push(await admin.pttl(`bull:beating:${job.id}:lock`));
      if (job.data.steal === true) {
        await admin.set(`bull:beating:${job.id}:lock`, 'another');
        await until(() => told.length > 0);
        await admin.set(`bull:beating:${job.id}:lock`, (queue as unknown as { token: string }).token);
      }
    });
    for (const data of [{}, { steal: true }]) {
      const done = new Promise<void>((resolve) => void queue.once('completed', () => resolve()));
      await queue.add(data);
      await done;
    }
    expect(ttls.every((ttl) => ttl > 0)).toBe(true);
    expect(told).toEqual(['2']);
    expect(beating()).toHaveLength(1);
    expect(() => bullHeartbeat(queue)).toThrow(argument('queue'));
    await queue.close();
    expect(beats.jobs).toBe(0);
    expect(beating()).toEqual([]);
    await client.closeFamily(2000);
  });
});
