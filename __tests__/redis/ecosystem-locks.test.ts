/** @module __tests__/redis/ecosystem-locks: rate-limiter-flexible and redlock, unchanged, on our clients. */
import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { BurstyRateLimiter, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import Redlock, { type ExecutionError, ResourceLockedError } from 'redlock';
import { createRedisClient, Redis } from '../../dist/index.js';
import { freePort, OwnServer, redisUri } from './server';

const made: Redis[] = [];
const kinds: Record<string, () => Redis> = {
  'a look-alike': () => new Redis(redisUri()),
  'a managed client': () => createRedisClient({ url: redisUri(), logger: { warn: () => {}, error: () => {} } }),
};

function open(kind: string): Redis {
  const client = (kinds[kind] as () => Redis)();
  made.push(client);
  return client;
}

afterEach(async () => {
  await made[0]?.flushdb();
  for (const client of made.splice(0)) client.disconnect();
});

describe.each(Object.keys(kinds))('rate-limiter-flexible on %s', (kind) => {
  test('lets through exactly as many as there are points, whatever the concurrency', async () => {
    const limiter = new RateLimiterRedis({ storeClient: open(kind), keyPrefix: 'rl', points: 10, duration: 60 });
    const outcomes = await Promise.allSettled(Array.from({ length: 50 }, () => limiter.consume('user')));
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => reason as RateLimiterRes);
    expect(refused).toHaveLength(40);
    for (const reason of refused) expect(reason).toBeInstanceOf(RateLimiterRes);
    expect(Math.max(...refused.map(({ consumedPoints }) => consumedPoints))).toBe(50);
    expect(await limiter.get('user')).toMatchObject({ consumedPoints: 50, remainingPoints: 0 });
    expect(await limiter.delete('user')).toBe(true);
    expect(await limiter.get('user')).toBeNull();
  });

  test('counts penalties and rewards, blocks, and lets go when the time is over', async () => {
    const limiter = new RateLimiterRedis({ storeClient: open(kind), keyPrefix: 'rl', points: 5, duration: 1 });
    expect(await limiter.penalty('user', 3)).toMatchObject({ consumedPoints: 3 });
    expect(await limiter.reward('user', 1)).toMatchObject({ consumedPoints: 2 });
    expect(await limiter.set('user', 4, 1)).toMatchObject({ consumedPoints: 4 });
    expect((await limiter.consume('user')).msBeforeNext).toBeGreaterThan(0);
    await expect(limiter.consume('user')).rejects.toBeInstanceOf(RateLimiterRes);
    await delay(1100);
    expect(await limiter.consume('user')).toMatchObject({ consumedPoints: 1, isFirstInDuration: true });
    expect(await limiter.block('user', 30)).toMatchObject({ consumedPoints: 6 });
    await expect(limiter.consume('user')).rejects.toMatchObject({ remainingPoints: 0 });
    const forEver = new RateLimiterRedis({ storeClient: open(kind), keyPrefix: 'rl-ever', points: 2, duration: 0 });
    expect(await forEver.consume('user')).toMatchObject({ consumedPoints: 1, msBeforeNext: -1 });
  });

  test('bursts over two limiters, and sees when Redis is not there', async () => {
    const server = new OwnServer(await freePort());
    await server.start();
    const client =
      kind === 'a look-alike'
        ? new Redis(server.port)
        : createRedisClient({ host: '127.0.0.1', port: server.port, logger: { warn: () => {}, error: () => {} } });
    made.push(client.on('error', () => {}));
    await client.ping();
    const options = { storeClient: client, points: 1, duration: 60, rejectIfRedisNotReady: true };
    const bursty = new BurstyRateLimiter(
      new RateLimiterRedis({ ...options, keyPrefix: 'steady' }),
      new RateLimiterRedis({ ...options, keyPrefix: 'burst' }),
    );
    await bursty.consume('user');
    await bursty.consume('user');
    await expect(bursty.consume('user')).rejects.toBeInstanceOf(RateLimiterRes);
    const lost = new Promise((resolve) => client.once('close', resolve));
    await server.remove();
    await lost;
    await expect(bursty.consume('user')).rejects.toThrow('Redis connection is not ready');
    client.disconnect();
    made.splice(made.indexOf(client), 1);
  });
});

describe.each(Object.keys(kinds))('redlock on %s', (kind) => {
  test('locks, extends, refuses a second holder and releases', async () => {
    const client = open(kind);
    await client.script('FLUSH');
    const redlock = new Redlock([client], { retryCount: 0 });
    const lock = await redlock.acquire(['lock:a', 'lock:b'], 5000);
    expect(await client.mget('lock:a', 'lock:b')).toEqual([lock.value, lock.value]);
    const refused = (await redlock.acquire(['lock:b'], 5000).catch((error: unknown) => error)) as ExecutionError;
    const [attempt] = await Promise.all(refused.attempts);
    expect([...(attempt?.votesAgainst.values() ?? [])]).toEqual([expect.any(ResourceLockedError)]);
    const extended = await lock.extend(60_000);
    expect(await client.pttl('lock:a')).toBeGreaterThan(5000);
    await extended.release();
    expect(await client.exists('lock:a', 'lock:b')).toBe(0);
    await (await redlock.acquire(['lock:b'], 1000)).release();
  });

  test('lets one at a time into `using`, over three servers that count votes', async () => {
    const servers = await Promise.all(Array.from({ length: 2 }, async () => new OwnServer(await freePort())));
    await Promise.all(servers.map((server) => server.start()));
    const clients = [open(kind), ...servers.map(({ port }) => new Redis(port))];
    for (const client of clients.slice(1)) client.on('error', () => {});
    const redlock = new Redlock(clients, { retryCount: 200, retryDelay: 10, retryJitter: 10 });
    let inside = 0;
    let most = 0;
    const turn = (): Promise<void> =>
      redlock.using(['lock:shared'], 5000, async (signal) => {
        most = Math.max(most, ++inside);
        await delay(5);
        inside--;
        expect(signal.aborted).toBe(false);
      });
    await Promise.all(Array.from({ length: 8 }, turn));
    // One of three servers is gone: two votes are enough.
    await servers[1]?.stop();
    clients[2]?.disconnect();
    await Promise.all([turn(), turn()]);
    expect(most).toBe(1);
    for (const client of clients.slice(1)) client.disconnect();
    await Promise.all(servers.map((server) => server.remove()));
  });

  test('quits its clients', async () => {
    const client = open(kind);
    await client.ping();
    const ended = new Promise((resolve) => client.once('end', resolve));
    await new Redlock([client]).quit();
    // The server's answer comes before the end of the connection.
    await ended;
    expect(client.status).toBe('end');
    made.splice(0);
  });
});

afterAll(async () => {
  const client = new Redis(redisUri());
  await client.flushdb();
  await client.quit();
});
