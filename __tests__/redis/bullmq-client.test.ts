/**
 * @module __tests__/redis/bullmq-client
 *
 * The client that BullMQ 6 uses without a wrapper: structured and ioredis forms, scripts, duplicates, and BullMQ itself on it.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type IRedisClient, type IRedisTransaction, Queue, QueueEvents, Worker } from 'bullmq';
import { Queue as Queue5, Worker as Worker5 } from 'bullmq-5';
import { join } from 'node:path';
import { Redis } from '../../dist/index.js';
import { BullmqClient, bullmqConnection } from '../../dist/redis/bullmq.js';
import { runChild } from '../support/child';
import { redisUri } from './server';

const QUIET = { warn: (): void => {}, error: (): void => {} };

let client: BullmqClient;
/** The same client, as BullMQ sees it. */
let seen: IRedisClient;

beforeAll(() => {
  client = bullmqConnection({ url: redisUri(), logger: QUIET });
  seen = client;
});

afterAll(async () => {
  await client.flushdb();
  await client.closeFamily(2000);
});

describe('structured forms', () => {
  test('SET takes its expiry as an object and as words', async () => {
    await seen.set('s:px', 'v', { PX: 60_000 });
    await seen.set('s:ex', 1, { EX: 60 });
    await client.set('s:words', 'v', 'PX', 60_000, 'NX');
    await seen.set('s:plain', 'v', {});
    await seen.set('s:bare', 'v');
    for (const key of ['s:px', 's:ex', 's:words']) expect(await client.pttl(key)).toBeGreaterThan(50_000);
    for (const key of ['s:plain', 's:bare']) expect(await client.pttl(key)).toBe(-1);
    // One expiry at most goes out: the finer one.
    await seen.set('s:both', 'v', { PX: 5000, EX: 60 });
    expect(await client.pttl('s:both')).toBeLessThanOrEqual(5000);
  });

  test('hashes, sorted sets and lists answer what BullMQ reads', async () => {
    expect(await seen.hset('h', { a: 'x', n: 42, zero: 0 })).toBe(3);
    expect(await client.hset('h', 'b', 'y', 'c', 'z')).toBe(2);
    expect(await seen.hgetall('h')).toEqual({ a: 'x', n: '42', zero: '0', b: 'y', c: 'z' });
    expect(await seen.hmget('h', 'a', 'missing')).toEqual(['x', null]);
    await client.zadd('z', 1, 'a', 2, 'b');
    expect(await seen.zrange('z', 0, -1, { WITHSCORES: true })).toEqual(['a', '1', 'b', '2']);
    expect(await seen.zrange('z', 0, -1, { WITHSCORES: false })).toEqual(['a', 'b']);
    expect(await client.zrange('z', 0, -1, 'WITHSCORES')).toEqual(['a', '1', 'b', '2']);
    expect(await seen.zrevrange('z', 0, -1, { WITHSCORES: true })).toEqual(['b', '2', 'a', '1']);
    await client.rpush('l', 'a', 'b');
    expect(await seen.lpos('l', 'b')).toBe(1);
    expect(await seen.bzpopmin('z', 1)).toEqual(['z', 'a', '1']);
  });

  test('streams are written, read and trimmed by objects and by words', async () => {
    const id = await seen.xadd('x', '*', { event: 'added', n: 1 });
    await client.xadd('x', '*', 'event', 'words');
    const [[key, entries]] = (await seen.xread([{ key: 'x', id: '0-0' }], { COUNT: 10 })) as [[string, [string, string[]][]]];
    expect([key, entries[0]]).toEqual(['x', [id, ['event', 'added', 'n', '1']]]);
    expect(entries[1]?.[1]).toEqual(['event', 'words']);
    expect(await client.xread('COUNT', 1, 'STREAMS', 'x', '0-0')).toHaveLength(1);
    expect(await seen.xread([{ key: 'x', id: '$' }], { BLOCK: 20 })).toBeNull();
    for (let n = 0; n < 20; n++) await seen.xadd('x', '*', { n }, { MAXLEN: 10, approximate: false });
    expect(await client.xlen('x')).toBe(10);
    expect(await seen.xtrim('x', 'MAXLEN', 4, { approximate: false })).toBe(6);
    expect(await client.xtrim('x', 'MAXLEN', '2')).toBe(2);
  });

  test('keys are scanned by both forms, and DEL of nothing deletes nothing', async () => {
    await client.mset({ 'scan:1': 1, 'scan:2': 2 });
    const [cursor, keys] = await seen.scan(0, { MATCH: 'scan:*', COUNT: 10_000 });
    expect([cursor, keys.toSorted()]).toEqual(['0', ['scan:1', 'scan:2']]);
    expect((await client.scan('0', 'MATCH', 'scan:*', 'COUNT', 10_000))[1]).toHaveLength(2);
    const streamed: string[] = [];
    for await (const batch of seen.scanStream({ match: 'scan:*', count: 100 })) streamed.push(...(batch as string[]));
    expect(streamed.toSorted()).toEqual(['scan:1', 'scan:2']);
    expect(await seen.del()).toBe(0);
    expect(await seen.del('scan:1', 'scan:2')).toBe(2);
  });

  test('a transaction takes structured forms and scripts, and leaves DEL of nothing out', async () => {
    client.defineCommand('both', { numberOfKeys: 1, lua: 'return {KEYS[1], ARGV[1], ARGV[2]}' });
    await client.sadd('set', 'm');
    for (const transaction of [seen.multi(), seen.pipeline()] as IRedisTransaction[]) {
      transaction.hset('t', { f: 1 }).hgetall('t').del().hscan('t', 0, { COUNT: 100 }).sscan('set', '0', { COUNT: 100 });
      transaction.runCommand('both', ['k', undefined, 7]).del('t');
      const results = await transaction.exec();
      expect(results?.map(([error, value]) => error ?? value)).toEqual([1, { f: '1' }, ['0', ['f', '1']], ['0', ['m']], ['k', '', '7'], 1]);
    }
    expect(() => seen.multi().runCommand('unknown', [])).toThrow('script unknown is not defined');
  });
});

describe('scripts', () => {
  test('run by name with one array, survive SCRIPT FLUSH and are known to duplicates', async () => {
    client.defineCommand('echoed:1', { numberOfKeys: 0, lua: "return ARGV[1] .. '|' .. ARGV[2] .. '|' .. ARGV[3]" });
    const args = ['a', null, 3];
    expect(await seen.runCommand('echoed:1', args)).toBe('a||3');
    // The caller's array is its own.
    expect(args).toEqual(['a', null, 3]);
    await client.script('FLUSH');
    expect(await seen.runCommand('echoed:1', ['a', 'b', 'c'])).toBe('a|b|c');
    const other = client.duplicate({ connectionName: 'second' });
    expect(other).toBeInstanceOf(BullmqClient);
    expect(await other.runCommand('echoed:1', ['x', 'y', 'z'])).toBe('x|y|z');
    expect(await other.clientInfo()).toContain('name=second');
    await other.clientSetName('third');
    expect(await other.clientList()).toContain('name=third');
    await other.quit();
    await expect(seen.runCommand('unknown', [])).rejects.toThrow('script unknown is not defined');
  });
});

describe('BullMQ on it', () => {
  test('uses it as it is: no wrapper stands between', async () => {
    const queue = new Queue('native', { connection: seen });
    const used = await (queue as unknown as { backend: { client: Promise<unknown> } }).backend.client;
    expect(used).toBe(client);
    await queue.close();
  });

  test('runs a queue with events, progress, retries and delayed jobs', async () => {
    const queue = new Queue('whole', { connection: seen });
    const events = new QueueEvents('whole', { connection: seen });
    await events.waitUntilReady();
    const worker = new Worker(
      'whole',
      async (job) => {
        await job.updateProgress(50);
        if (job.attemptsMade === 0 && job.data.fails === true) throw new Error('once');
        return job.data.n + 1;
      },
      { connection: seen, concurrency: 3 },
    );
    const added = await Promise.all([
      queue.add('n', { n: 1 }),
      queue.add('n', { n: 2, fails: true }, { attempts: 2 }),
      queue.add('n', { n: 3 }, { delay: 100 }),
    ]);
    expect(await Promise.all(added.map((job) => job.waitUntilFinished(events)))).toEqual([2, 3, 4]);
    expect(await queue.getJobCounts('completed', 'failed')).toEqual({ completed: 3, failed: 0 });
    await worker.close();
    await events.close();
    await queue.close();
  });

  test('BullMQ 5 takes it as an ioredis client', async () => {
    const queue = new Queue5('five-native', { connection: client as never });
    const done = new Promise<number>((resolve) => {
      const worker = new Worker5('five-native', async (job) => job.data.n * 3, { connection: client as never });
      worker.once('completed', (_job, value) => void worker.close().then(() => resolve(value)));
    });
    await queue.add('n', { n: 5 });
    expect(await done).toBe(15);
    await queue.close();
  });

  test('a sandboxed processor that registers makes our connections in its own process', async () => {
    const { hostname, port } = new URL(redisUri());
    const queue = new Queue('sandboxed', { connection: seen });
    const answers = new Worker('sandboxed-answers', async (job) => job.data.n, { connection: seen });
    const answered = new Promise((resolve) => void answers.once('completed', (_job, value) => resolve(value)));
    const worker = new Worker('sandboxed', join(__dirname, 'sandboxed-processor.cjs'), { connection: seen });
    const result = new Promise<{ pid: number; ours: boolean }>((resolve, reject) => {
      worker.once('completed', (_job, value) => resolve(value));
      worker.once('failed', (_job, error) => reject(error));
    });
    await queue.add('n', { n: 21, answers: 'sandboxed-answers', connection: { host: hostname, port: Number(port) } });
    const { pid, ours } = await result;
    expect(pid).not.toBe(process.pid);
    expect(ours).toBe(true);
    expect(await answered).toBe(42);
    await Promise.all([worker.close(), answers.close()]);
    await queue.close();
  });

  test('everything that was opened belongs to the client: closing its family leaves no connection', async () => {
    const own = bullmqConnection({ url: redisUri(), logger: QUIET, connectionName: 'family-member' });
    const worker = new Worker('family', async () => {}, { connection: own });
    worker.on('error', () => {});
    await worker.waitUntilReady();
    const admin = new Redis(redisUri());
    const blocking = Buffer.from('family').toString('base64');
    const before = await admin.client('LIST');
    expect(before).toContain('family-member');
    expect(before).toContain(blocking);
    await own.closeFamily(1000);
    await worker.close();
    const after = await admin.client('LIST');
    expect(after).not.toContain('family-member');
    expect(after).not.toContain(blocking);
    await admin.quit();
  });
});

test('the class brings Cluster along, also where only `mooring/bullmq` is loaded', async () => {
  const { stdout } = await runChild(`
    for (const name of Object.keys(require.cache)) delete require.cache[name];
    const { BullmqClient, Cluster } = require('./dist/redis/bullmq.js');
    console.log(BullmqClient.Cluster === Cluster, Cluster.name);`);
  expect(stdout).toBe('true Cluster\n');
});
