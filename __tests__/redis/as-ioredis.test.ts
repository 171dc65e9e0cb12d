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

describe('pipelines', () => {
  test('send a script again that the server has forgotten', async () => {
    const redis = client({ scripts: { echoed: { lua: 'return {KEYS[1], ARGV[1]}', numberOfKeys: 1 } } });
    await echo(redis, 'k', '1');
    await admin.script('FLUSH');
    const told: unknown[] = [];
    const results = await (redis.pipeline() as unknown as Echoing)
      .echoed('k', '1')
      .set('a', '1')
      .echoedBuffer('k', '2', (...outcome: unknown[]) => told.push(outcome))
      .exec();
    expect(results).toEqual([
      [null, ['k', '1']],
      [null, 'OK'],
      [null, [Buffer.from('k'), Buffer.from('2')]],
    ]);
    expect(told).toEqual([[null, [Buffer.from('k'), Buffer.from('2')]]]);
    expect(await (redis.pipeline() as unknown as Echoing).echoed('k', '3').exec()).toEqual([[null, ['k', '3']]]);
  });

  test('call back in the async context of the call', async () => {
    const storage = new AsyncLocalStorage<string>();
    const redis = storage.run('client', () => client());
    await redis.ping();
    const seen: unknown[] = [];
    const see = (): void => void seen.push(storage.getStore());
    await storage.run('request', async () => {
      await redis.pipeline().get('a', see).exec(see);
      await redis.multi().get('a', see).exec(see);
      await redis.pipeline().hget('a', 'f', see).exec();
    });
    await storage.run('other', () => new Promise<void>((resolve) => void redis.get('a', () => (see(), resolve()))));
    expect(seen).toEqual(['request', 'request', 'request', 'request', 'request', 'other']);
  });

  test('errors of a transaction’s members have no field for the command', async () => {
    const redis = client();
    const results = await redis.multi().set('a', 'x').incr('a').exec();
    const error = results?.[1]?.[0];
    expect(error?.message).toMatch(/^ERR value is not an integer/);
    expect(Object.keys(error as Error)).not.toContain('command');
  });
});

describe('options', () => {
  test('settings that are null or empty are not set', async () => {
    const { port } = new URL(redisUri());
    const unset = { host: null, path: '', db: null, family: null, keyPrefix: null, username: null, password: null };
    expect(await answer({ ...unset, port: Number(port) } as unknown as RedisOptions, null)).toBe('PONG');
    expect(await answer({ host: '', port: Number(port) }, null)).toBe('PONG');
    const redis = client({ keyPrefix: null } as unknown as RedisOptions);
    await redis.set('plain', '1');
    expect(await admin.get('plain')).toBe('1');
  });

  test('what options inherit counts', async () => {
    const { port, hostname } = new URL(redisUri());
    const shared = Object.create({ host: hostname, port: Number(port), db: 3 }) as RedisOptions;
    const redis = client(shared, null);
    await redis.set('in-three', '1');
    expect([redis.options.port, redis.options.db]).toEqual([Number(port), 3]);
    expect(await admin.exists('in-three')).toBe(0);
  });

  test('a database in a URL may be followed by a slash', async () => {
    const redis = client({}, `${redisUri().replace(/\/\d*$/, '')}/2/`);
    await redis.set('in-two', '1');
    expect(redis.options.db).toBe(2);
    expect(await admin.exists('in-two')).toBe(0);
  });

  test('maxRetriesPerRequest: Infinity waits for ever', async () => {
    let attempts = 0;
    const redis = client(
      { port: await freePort(), host: '127.0.0.1', maxRetriesPerRequest: Infinity, retryStrategy: () => ++attempts && 1 },
      null,
    );
    let settled = false;
    redis.get('a').then(
      () => (settled = true),
      () => (settled = true),
    );
    await new Promise<void>((resolve) => redis.on('reconnecting', () => attempts > 25 && resolve()));
    expect(settled).toBe(false);
  });

  test.each([Number.NaN, Infinity])('a retryStrategy that computes %p still reconnects', async (delay) => {
    let attempts = 0;
    const redis = client({ port: await freePort(), host: '127.0.0.1', retryStrategy: () => (++attempts < 4 ? delay : null) }, null);
    await emitted(redis, 'end');
    expect(attempts).toBe(4);
  });
});

describe('a server with a password', () => {
  const password = '12345';

  test('rejects what waits with its own text when none was given', async () => {
    const server = new OwnServer(await freePort(), ['--requirepass', password]);
    await server.start();
    try {
      const redis = client({ port: server.port, host: '127.0.0.1', retryStrategy: () => 10 }, null);
      const errors = await Promise.all([
        redis.get('a').catch((error: unknown) => error),
        redis
          .multi()
          .get('a')
          .exec()
          .catch((error: unknown) => error),
      ]);
      for (const error of errors) {
        expect(error).toMatchObject({ name: 'ReplyError', message: 'NOAUTH Authentication required.' });
      }
      const numeric = client({ port: server.port, host: '127.0.0.1', password: Number(password) } as unknown as RedisOptions, null);
      expect(await numeric.ping()).toBe('PONG');
    } finally {
      await server.remove();
    }
  });
});

test('events of an attempt come in order: connecting, error, close, reconnecting', async () => {
  const redis = new Redis({ port: await freePort(), host: '127.0.0.1', retryStrategy: (attempt) => (attempt < 2 ? 50 : null) });
  const events: string[] = [];
  for (const event of ['connecting', 'error', 'close', 'reconnecting', 'end']) redis.on(event, () => events.push(event));
  await emitted(redis, 'end');
  const attempt = ['connecting', 'error', 'close'];
  expect(events).toEqual([...attempt, 'reconnecting', ...attempt, 'end']);
});

test('patched sendCommand sees a script as it is sent', async () => {
  const redis = client({ scripts: { echoed: { lua: 'return KEYS[1]', numberOfKeys: 1 } }, keyPrefix: 'p:' });
  await echo(redis, 'k');
  const seen: unknown[] = [];
  const original = redis.sendCommand.bind(redis);
  redis.sendCommand = (command, ...rest: []) => {
    // ioredis names it `eval` where the connection has not seen the script.
    seen.push([command.name.replace(/^evalsha$/, 'eval'), command.args.slice(1), command.getKeys()]);
    return original(command, ...rest);
  };
  expect(await echo(redis, 'k', 5)).toBe('p:k');
  expect(await redis.hset('h', { n: 1 })).toBe(1);
  expect(seen).toEqual([
    ['eval', ['1', 'p:k', '5'], ['p:k']],
    ['hset', ['n', '1'], ['p:h']],
  ]);
});

test('a connect of a subclass is what connects, at once and by the first command', async () => {
  const attempts: string[] = [];
  class Counted extends Redis {
    override connect(): Promise<void> {
      attempts.push(this.status);
      return super.connect();
    }
  }
  for (const options of [{}, { lazyConnect: true }]) {
    const made = new Counted(redisUri(), options);
    clients.push(made);
    expect(await made.ping()).toBe('PONG');
  }
  expect(attempts).toEqual(['wait', 'wait']);
});

test('a transformer of arguments sees those of a pipeline once, also where sendCommand is patched', async () => {
  const redis = client();
  const original = redis.sendCommand.bind(redis);
  redis.sendCommand = (command, ...rest: []) => original(command, ...rest);
  const { Command } = Redis;
  Command.setArgumentTransformer('set', (args) => [args[0], JSON.stringify(args[1])]);
  try {
    await redis.pipeline().set('in-pipeline', 'x').exec();
    await redis.set('alone', 'x');
  } finally {
    Command.setArgumentTransformer('set', (args) => args);
  }
  expect(await redis.mget('in-pipeline', 'alone')).toEqual(['"x"', '"x"']);
});
