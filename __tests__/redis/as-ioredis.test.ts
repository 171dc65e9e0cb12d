/**
 * @module __tests__/redis/as-ioredis
 *
 * Where a differential fuzzer found that a program ran differently on ioredis 5.11 and on mooring. Every expectation here was also checked on ioredis.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { AsyncLocalStorage } from 'node:async_hooks';
import { Redis, type RedisOptions } from '../../dist/index.js';
import { freePort, OwnServer, redisUri } from './server';

const clients: Redis[] = [];
let admin: Redis;

beforeAll(() => {
  admin = new Redis(redisUri());
});

beforeEach(() => admin.flushall());

afterEach(() => {
  for (const made of clients.splice(0)) made.disconnect();
});

afterAll(() => admin.quit());

function client(options: RedisOptions = {}, url: string | null = redisUri()): Redis {
  const made = url === null ? new Redis(options) : new Redis(url, options);
  made.on('error', () => {});
  clients.push(made);
  return made;
}

/** A pipeline with the script that the tests define. */
interface Echoing {
  echoed(...args: unknown[]): this;
  echoedBuffer(...args: unknown[]): this;
  set(...args: unknown[]): this;
  exec(): Promise<unknown>;
}

function echo(redis: Redis, ...args: unknown[]): Promise<unknown> {
  return (redis as unknown as { echoed(...list: unknown[]): Promise<unknown> }).echoed(...args);
}

/** Resolves with the event; `error` does not end the wait. */
function emitted(made: Redis, event: string): Promise<void> {
  return new Promise((resolve) => made.once(event, () => resolve()));
}

/** What options and URL lead to: a client that answers. */
async function answer(options: RedisOptions, url: string | null = redisUri()): Promise<string> {
  return client(options, url).ping();
}

describe('arguments', () => {
  test('arrays are flattened once: one that is a value is sent as its text', async () => {
    const redis = client();
    await redis.hset('h', { list: [1, 2] as unknown as string, text: 'x' });
    await redis.mset({ k: ['a', 'b'] as unknown as string });
    await redis.call('rpush', 'l', [['a', 'b'], 'c']);
    await redis
      .pipeline()
      .hset('p', new Map([['list', [3, 4]]]))
      .exec();
    expect([await redis.hgetall('h'), await redis.get('k'), await redis.lrange('l', 0, -1), await redis.hgetall('p')]).toEqual([
      { list: '1,2', text: 'x' },
      'a,b',
      ['a,b', 'c'],
      { list: '3,4' },
    ]);
  });

  test('the prefix is not put before keys that follow a subcommand', async () => {
    const redis = client({ keyPrefix: 'app:' });
    await redis.xgroup('CREATE', 'app:s', 'g', '$', 'MKSTREAM');
    await redis.xadd('s', '*', 'f', 'v');
    const read = (await redis.xreadgroup('GROUP', 'g', 'me', 'COUNT', 1, 'STREAMS', 's', '>')) as [string, unknown[]][];
    expect(read[0]?.[0]).toBe('app:s');
    expect(await redis.object('ENCODING', 'app:s')).toBe('stream');
    expect(await redis.memory('USAGE', 's')).toBeNull();
    await expect(redis.xinfo('STREAM', 's')).rejects.toThrow('no such key');
  });
});
