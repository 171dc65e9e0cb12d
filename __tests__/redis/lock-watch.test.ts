/**
 * @module __tests__/redis/lock-watch
 *
 * The warning about a worker whose locks nobody renews: made with `skipLockRenewal`, but without a heartbeat. BullMQ 6 and BullMQ 5 on every kind of client.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { type ConnectionOptions, Queue, Worker, type WorkerOptions } from 'bullmq';
import { Worker as Worker5 } from 'bullmq-5';
import { setTimeout as delay } from 'node:timers/promises';
import { createRedisClient, Redis } from '../../dist/index.js';
import { type BullmqClient, bullmqConnection, heartbeat } from '../../dist/redis/bullmq.js';
import { LockWatch, PLACES } from '../../dist/redis/lock-watch.js';
import { Script } from '../../dist/redis/script.js';
import { runChild } from '../support/child';
import { until } from '../support/until';
import { redisUri } from './server';

const QUIET = { warn: (): void => {}, error: (): void => {} };
const CODE = 'MOORING_LOCK_NOT_RENEWED';
const LOCK_MS = 800;
/** A job that takes longer than its lock lasts. */
const LONG_MS = 1300;
const PLACE =
  /A worker made at run \(.*lock-watch\.test\.ts:\d+:\d+\) with skipLockRenewal: true needs heartbeat\(worker\) of mooring\/bullmq/;

let admin: Redis;
let connection: BullmqClient;
const warnings: string[] = [];

beforeAll(() => {
  admin = new Redis(redisUri());
  connection = bullmqConnection({ url: redisUri(), logger: QUIET });
  jest.spyOn(process, 'emitWarning').mockImplementation((message: string | Error, options?: unknown) => {
    if ((options as { code?: string } | undefined)?.code === CODE) warnings.push(String(message));
  });
});

beforeEach(() => {
  warnings.length = 0;
});

afterAll(async () => {
  jest.restoreAllMocks();
  await connection.closeFamily(2000);
  await admin.flushdb();
  await admin.quit();
});

interface Case extends Partial<WorkerOptions> {
  readonly on?: Redis;
  readonly beats?: boolean;
  readonly jobs?: number;
  readonly work?: () => Promise<unknown>;
  readonly made?: typeof Worker;
}

/** Runs jobs on a worker to their ends. */
async function run(name: string, options: Case): Promise<void> {
  const { on = connection, beats = false, jobs = 1, work = () => delay(LONG_MS), made = Worker, ...settings } = options;
  let ended = 0;
  const client = on as unknown as ConnectionOptions;
  const worker = new made(
    name,
    async () => {
      await work();
      ended += 1;
    },
    { connection: client, lockDuration: LOCK_MS, stalledInterval: 60_000, ...settings },
  );
  worker.on('error', () => {});
  if (beats) heartbeat(worker);
  const queue = new Queue(name, { connection, prefix: settings.prefix ?? 'bull' });
  await queue.addBulk(Array.from({ length: jobs }, () => ({ name: 'n', data: {} })));
  await until(() => ended === jobs);
  await worker.close();
  await queue.close();
}

describe('a worker with skipLockRenewal and without a heartbeat', () => {
  test('is warned of once, with its queue, the job and the place where it was made', async () => {
    await run('forgotten', { skipLockRenewal: true, jobs: 3 });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^nobody renews the lock of job 1 of queue bull:forgotten, which ends 800 ms after it was taken/);
    expect(warnings[0]).toMatch(PLACE);
  });

  test('is warned of before the lock has ended, also when other jobs end in time', async () => {
    let left = -2;
    let job = 0;
    const work = async (): Promise<void> => {
      job += 1;
      if (job !== 20) return;
      await until(() => warnings.length > 0);
      left = await admin.pttl('app:{x}:mixed:20:lock');
    };
    await run('mixed', { skipLockRenewal: true, prefix: 'app:{x}', name: 'first', jobs: 25, work });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^nobody renews the lock of job 20 of queue app:\{x\}:mixed,/);
    expect(warnings[0]).toMatch(PLACE);
    expect(left).toBeGreaterThan(0);
  });

  test.each(['look-alike', 'managed'])('is warned of on a %s client', async (kind) => {
    const on = kind === 'managed' ? createRedisClient(redisUri()) : new Redis(redisUri(), { maxRetriesPerRequest: null });
    await run(kind, { on, skipLockRenewal: true });
    expect(warnings).toEqual([expect.stringMatching(PLACE)]);
    await on.closeFamily(2000);
  });

  test('is warned of with BullMQ 5', async () => {
    await run('five', { skipLockRenewal: true, made: Worker5 as unknown as typeof Worker });
    expect(warnings).toEqual([expect.stringMatching(PLACE)]);
  });

  test('a job claimed by hand is warned of too, until it is tracked', async () => {
    const queue = new Queue('by-hand', { connection });
    const worker = new Worker('by-hand', null, { connection, lockDuration: LOCK_MS, skipLockRenewal: true });
    const beats = heartbeat(worker);
    await queue.addBulk([
      { name: 'tracked', data: {} },
      { name: 'not', data: {} },
    ]);
    const tracked = await worker.getNextJob('a');
    beats.track(tracked, 'a');
    await delay(LOCK_MS);
    expect(warnings).toEqual([]);
    const { id } = await worker.getNextJob('b');
    await until(() => warnings.length > 0);
    expect(warnings[0]).toContain(`the lock of job ${String(id)} of queue bull:by-hand`);
    await worker.close();
    await queue.close();
  });
});

describe('no warning', () => {
  test('with a heartbeat', async () => {
    await run('beating', { skipLockRenewal: true, beats: true });
    expect(warnings).toEqual([]);
  });

  test('when BullMQ renews by itself, also when the event loop was blocked until shortly before the end of the lock', async () => {
    const blocked = async (): Promise<void> => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_MS * 0.95);
      await delay(LOCK_MS);
    };
    await run('stock', {});
    await run('stock-blocked', { work: blocked });
    expect(warnings).toEqual([]);
  });

  test('for jobs that end in time, and for those that end in another way', async () => {
    await run('short', { skipLockRenewal: true, jobs: 50, work: () => delay(5) });
    const queue = new Queue('back', { connection });
    const worker = new Worker('back', null, { connection, lockDuration: LOCK_MS, skipLockRenewal: true });
    await queue.add('n', {});
    const job = await worker.getNextJob('token');
    await job.moveToDelayed(Date.now() + 60_000, 'token');
    await delay(LOCK_MS);
    expect(warnings).toEqual([]);
    await worker.close();
    await queue.close();
  });
});

test.each([
  ['is renewed after the first look, as after a failover, is no reason to warn', [45, 190], 0],
  ['has gone at the second look is none either', [45, -2], 0],
  ['is not renewed at the second look is one', [45, 25], 1],
])('a lock that %s', async (_what, answers, warned) => {
  const left = [...answers];
  const client = { status: 'ready', isCluster: false, pttl: async (): Promise<number> => left.shift() ?? -2, [PLACES]: () => [] };
  const script = new Script(1, 'moveToActive', { lua: '', numberOfKeys: 0 });
  new LockWatch(client).watch('moveToActive:6.7.0', script);
  // MessagePack of { lockDuration: 200 }.
  const options = Buffer.concat([Buffer.from([0x81, 0xac]), Buffer.from('lockDuration'), Buffer.from([0xcc, 200]), Buffer.alloc(8)]);
  script.witness?.(['bull:mail:', '0', options], [['name', 'n'], '7', 0, 0]);
  await until(() => left.length === 0);
  await delay(20);
  expect(warnings).toHaveLength(warned);
});

test('a claim that is watched does not keep the process alive', async () => {
  const { code, stdout, sinceLastOutputMs } = await runChild(`
    const { Queue, Worker } = require('bullmq');
    const { bullmqConnection } = require('./dist/redis/bullmq.js');
    const connection = bullmqConnection(${JSON.stringify(redisUri())});
    const queue = new Queue('left', { connection });
    await queue.add('n', {});
    const worker = new Worker('left', null, { connection, lockDuration: 60_000, skipLockRenewal: true });
    console.log((await worker.getNextJob('token')).id);
    await worker.close();
    await queue.close();`);
  expect([code, stdout]).toEqual([0, '1\n']);
  expect(sinceLastOutputMs).toBeLessThan(5000);
});
