/** @module __tests__/lifecycle/shutdown: order, deadline, joining and messages of gracefulShutdown on real servers. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { ConnectionPool, gracefulShutdown, isMooringError, MongoClient, openThings, Redis } from '../../dist/index.js';

const uri = (name: string): string => process.env[name] as string;

function recorder() {
  const lines: string[] = [];
  return { lines, info: (line: string) => lines.push(line), error: (line: string) => lines.push(line) };
}

async function openAll() {
  const redis = new Redis(uri('REDIS_URI'));
  const mongo = await new MongoClient(uri('MONGODB_URI')).connect();
  const pool = new ConnectionPool({ endpoints: uri('SOLANA_RPC_ENDPOINTS').split(',') });
  await redis.ping();
  return { redis, mongo, pool };
}

describe('gracefulShutdown', () => {
  afterEach(async () => {
    await gracefulShutdown({ logger: recorder() });
  });

  test('closes everything in order and reports it', async () => {
    await openAll();
    const closed: string[] = [];
    const closeable = (name: string) => ({ close: async () => closed.push(`${name} with ${openThings().length} open`) });
    const logger = recorder();
    const report = await gracefulShutdown({ workers: [closeable('worker')], queues: [closeable('queue')], reason: 'test', logger });
    expect(closed).toEqual(['worker with 3 open', 'queue with 3 open']);
    expect(report).toMatchObject({ clean: true, reason: 'test', errors: [] });
    expect(report.phases.map((phase) => [phase.name, phase.closed])).toEqual([
      ['workers', 1],
      ['queues', 1],
      ['transactions', 1],
      ['solana', 1],
      ['redis', 1],
      ['mongo', 1],
    ]);
    expect(openThings()).toEqual([]);
    expect(logger.lines).toEqual(['Initiating graceful shutdown...', 'Graceful shutdown completed']);
  });

  test('joins a shutdown under way and starts anew afterwards', async () => {
    await openAll();
    const logger = recorder();
    const [first, second] = await Promise.all([gracefulShutdown({ logger }), gracefulShutdown({ logger })]);
    expect(second.phases).toEqual(first.phases);
    expect(logger.lines.filter((line) => line.startsWith('Initiating'))).toHaveLength(1);
    const again = await gracefulShutdown({ logger });
    expect(again.clean).toBe(true);
  });

  test('gives whoever joins the report of the first call', async () => {
    const broken = { close: () => new Promise((_, reject) => void setTimeout(() => reject(new Error('stuck')), 100)) };
    const first = gracefulShutdown({ logger: recorder(), reason: 'first', workers: [broken] });
    const second = await gracefulShutdown({ logger: recorder(), reason: 'second', deadlineMs: 5 });
    expect(second).toMatchObject({ reason: 'first', clean: false, errors: [new Error('stuck')] });
    expect(second).toEqual(await first);
    expect((await gracefulShutdown({ logger: recorder(), reason: 'third' })).reason).toBe('third');
  });

  test('is safe before and while connecting', async () => {
    expect((await gracefulShutdown({ logger: recorder() })).clean).toBe(true);
    const redis = new Redis(uri('REDIS_URI'));
    const connecting = new MongoClient(uri('MONGODB_URI')).connect().catch((error: unknown) => error);
    const pinging = redis.ping().catch((error: unknown) => error);
    const report = await gracefulShutdown({ logger: recorder(), deadlineMs: 3000 });
    expect(report.elapsedMs).toBeLessThan(3200);
    await Promise.all([connecting, pinging]);
    expect(openThings()).toEqual([]);
  });

  test('keeps its deadline with every server gone', async () => {
    const redis = new Redis('redis://127.0.0.1:1', { retryStrategy: () => 50 });
    redis.on('error', () => {});
    const mongo = new MongoClient('mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=60000');
    const pool = new ConnectionPool({ endpoints: ['http://127.0.0.1:1'] });
    const calls = [redis.get('k'), mongo.db('x').collection('y').findOne({}), pool.request('getSlot', [])];
    const settled = Promise.allSettled(calls);
    const from = performance.now();
    await gracefulShutdown({ deadlineMs: 1500, logger: recorder() });
    expect(performance.now() - from).toBeLessThan(1900);
    expect((await settled).map((result) => result.status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(openThings()).toEqual([]);
  });

  test('goes on when a worker fails or hangs, and says so', async () => {
    await openAll();
    const logger = recorder();
    const failing = { close: () => Promise.reject(new Error('worker broke')) };
    const hanging = { close: () => new Promise<never>(() => {}) };
    const report = await gracefulShutdown({ workers: [failing, hanging], deadlineMs: 1000, logger });
    expect(report.clean).toBe(false);
    expect(report.errors).toEqual([expect.objectContaining({ message: 'worker broke' })]);
    expect(report.phases[0]).toMatchObject({ name: 'workers', closed: 0, aborted: 2 });
    expect(logger.lines).toContain('Error during graceful shutdown:');
    expect(openThings()).toEqual([]);
  });

  test.each([
    ['deadlineMs', { deadlineMs: -1 }],
    ['deadlineMs', { deadlineMs: Number.NaN }],
    ['deadlineMs', { deadlineMs: null }],
    ['workers', { workers: [{}] }],
    ['queues', { queues: 'queue' }],
    ['logger', { logger: {} }],
    ['nonsense', { nonsense: true }],
    ['options', null],
  ])('refuses a bad %s before closing anything', async (argument, options) => {
    const redis = new Redis(uri('REDIS_URI'));
    const error = await gracefulShutdown(options as never).catch((thrown: unknown) => thrown);
    expect(isMooringError(error, 'MOORING_INVALID_ARGUMENT') && error.details['argument']).toBe(argument);
    expect(await redis.ping()).toBe('PONG');
  });
});
