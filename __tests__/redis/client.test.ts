/**
 * @module __tests__/redis/client
 *
 * The look-alike client: commands, pipelines, scripts, subscriptions, errors, statuses, on a real server.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { MaxRetriesPerRequestError, MooringError, Redis, type RedisOptions, ReplyError } from '../../dist/index.js';
import { Command } from '../../dist/redis/ioredis.js';
import { freePort, OwnServer, redisUri } from './server';

let redis: Redis;
const clients: Redis[] = [];

function client(options: RedisOptions = {}): Redis {
  const made = new Redis(redisUri(), options);
  clients.push(made);
  return made;
}

beforeAll(() => {
  redis = new Redis(redisUri());
});

beforeEach(async () => {
  await redis.flushall();
});

afterEach(() => {
  for (const made of clients.splice(0)) made.disconnect();
});

afterAll(async () => {
  await redis.quit();
});

/** What `run` throws. */
function thrown(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** A command that has no typed method. */
function custom(target: object, name: string, ...args: unknown[]): Promise<unknown> {
  return (target as Record<string, (...list: unknown[]) => Promise<unknown>>)[name]!(...args);
}

describe('commands', () => {
  test('answer text, and bytes in their Buffer form', async () => {
    const bytes = Buffer.from([0, 255, 13, 10, 200]);
    expect(await redis.set('k', bytes)).toBe('OK');
    expect(await redis.getBuffer('k')).toEqual(bytes);
    expect(await redis.set('clé', 'ü€😀'.repeat(50))).toBe('OK');
    expect(await redis.get('clé')).toBe('ü€😀'.repeat(50));
    expect(await redis.mgetBuffer('k', 'none')).toEqual([bytes, null]);
    expect(await redis.get('none')).toBeNull();
  });

  test('take values of any size', async () => {
    for (const size of [39, 40, 255, 256, 4096, 65_536, 3_000_000]) {
      const value = 'x'.repeat(size);
      await redis.set('big', value);
      expect((await redis.get('big')) === value).toBe(true);
      expect((await redis.getBuffer('big'))?.length).toBe(size);
    }
  });

  test('take numbers, nested arrays, objects, Maps, null and undefined as the peer does', async () => {
    expect(await redis.hset('h', { a: 1, b: 'two' })).toBe(2);
    expect(await redis.hset('h', new Map([['c', '3']]))).toBe(1);
    expect(await redis.hgetall('h')).toEqual({ a: '1', b: 'two', c: '3' });
    expect(await redis.mset({ x: 1.5, y: 'z' })).toBe('OK');
    expect(await redis.mget(['x', 'y'])).toEqual(['1.5', 'z']);
    await redis.call('set', 'n', null, undefined as never).catch(() => {});
    await redis.set('n', null as never);
    expect(await redis.get('n')).toBe('');
    expect(await redis.del(['x', 'y', 'n'])).toBe(3);
  });

  test('answer integers beyond 2^53 as text on request', async () => {
    await redis.set('n', '9007199254740993');
    const strings = client({ stringNumbers: true });
    expect(await strings.incr('n')).toBe('9007199254740994');
    expect(await strings.incr('small')).toBe('1');
  });

  test('report to callbacks, also errors', async () => {
    const results: unknown[] = [];
    await new Promise<void>(
      (resolve) => void redis.set('k', 'v', (error: Error | null, reply?: unknown) => resolve(void results.push(error, reply))),
    );
    await new Promise<void>(
      (resolve) => void redis.get('k', (error: Error | null, reply?: unknown) => resolve(void results.push(error, reply))),
    );
    await new Promise<void>((resolve) => {
      redis.lpush('k', 1, (error: Error | null) => resolve(void results.push(error))).catch(() => {});
    });
    expect(results.slice(0, 4)).toEqual([null, 'OK', null, 'v']);
    expect(results[4]).toBeInstanceOf(ReplyError);
  });

  test('prefix every key of a command and nothing else', async () => {
    const prefixed = client({ keyPrefix: 'p:' });
    await prefixed.mset('a', 1, 'b', 2);
    prefixed.defineCommand('both', { numberOfKeys: 2, lua: 'return {KEYS[1], KEYS[2], ARGV[1]}' });
    expect((await redis.keys('*')).toSorted()).toEqual(['p:a', 'p:b']);
    expect(await custom(prefixed, 'both', 'a', 'b', 'c')).toEqual(['p:a', 'p:b', 'c']);
    expect(await prefixed.pipeline().get('a').exec()).toEqual([[null, '1']]);
  });

  test("a number of keys that no call has is the server's to refuse", async () => {
    for (const options of [{}, { keyPrefix: 'p:' }]) {
      const asked = client(options);
      for (const count of [1e21, '1e300', Number.MAX_SAFE_INTEGER]) await expect(asked.zunion(count, 'a')).rejects.toThrow(/^ERR/);
      await expect(asked.eval('return 1', 2 ** 31, 'a')).rejects.toThrow(/^ERR/);
    }
  });

  test('refused by the server reject with its text, the command and a MooringError as cause', async () => {
    await redis.set('k', 'v');
    const error = await redis.lpush('k', 1).catch((caught: unknown) => caught as ReplyError);
    expect(error).toBeInstanceOf(ReplyError);
    expect(error).toMatchObject({ name: 'ReplyError', command: { name: 'lpush', args: ['k', '1'] } });
    expect((error as Error).message).toBe('WRONGTYPE Operation against a key holding the wrong kind of value');
    expect((error as Error).cause).toMatchObject({ code: 'MOORING_SERVER_ERROR' });
    expect(Object.keys(error as object)).toEqual(['command']);
  });

  test('settle in order, one outcome each, when 20,000 are sent in one tick', async () => {
    const replies = await Promise.all(Array.from({ length: 20_000 }, () => redis.incr('n')));
    expect(replies).toEqual(Array.from({ length: 20_000 }, (_, index) => index + 1));
  });

  test('scan streams hand out every key', async () => {
    await redis.mset(Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`key:${n}`, n])));
    const found = new Set<string>();
    for await (const keys of redis.scanStream({ match: 'key:*', count: 50 })) for (const key of keys as string[]) found.add(key);
    expect(found.size).toBe(200);
    await redis.hset('h', { a: 1 });
    const fields: unknown[] = [];
    for await (const batch of redis.hscanBufferStream('h')) fields.push(...(batch as Buffer[]));
    expect(fields).toEqual([Buffer.from('a'), Buffer.from('1')]);
  });
});

describe('pipelines and transactions', () => {
  test('a pipeline answers pairs, also when members fail', async () => {
    const results = await redis
      .pipeline([['set', 'k', 'v']])
      .get('k')
      .lpush('k', 1)
      .hgetall('none')
      .getBuffer('k')
      .exec();
    expect(results?.map(([, value]) => value)).toEqual(['OK', 'v', undefined, {}, Buffer.from('v')]);
    expect(results?.[2]?.[0]).toBeInstanceOf(ReplyError);
    expect(await redis.pipeline().exec()).toEqual([]);
  });

  test('a transaction answers what its commands would', async () => {
    await redis.hset('h', 'a', 1);
    expect(await redis.multi().hgetall('h').getBuffer('none').incr('n').exec()).toEqual([
      [null, { a: '1' }],
      [null, null],
      [null, 1],
    ]);
    expect(await redis.multi([['incr', 'n']]).exec(true as never)).toEqual([[null, 2]]);
    const nested = redis.pipeline().multi().incr('n').exec() as unknown as { exec(): Promise<unknown> };
    expect(await nested.exec()).toEqual([
      [null, 'OK'],
      [null, 'QUEUED'],
      [null, [3]],
    ]);
  });

  test('a transaction refused by the server rejects with the errors of its members', async () => {
    const error = await redis
      .multi()
      .call('nonsense')
      .get('k')
      .exec()
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ name: 'ReplyError', message: 'EXECABORT Transaction discarded because of previous errors.' });
    expect((error as { previousErrors: Error[] }).previousErrors[0]?.message).toMatch(/unknown command/);
  });

  test('a transaction whose watched key changed answers null', async () => {
    const watcher = client();
    await watcher.watch('k');
    await redis.set('k', 'other');
    expect(await watcher.multi().set('k', 'mine').exec()).toBeNull();
  });

  test('a transaction works command by command', async () => {
    expect(await redis.multi({ pipeline: false })).toBe('OK');
    expect(await redis.set('k', 'v')).toBe('QUEUED');
    void redis.get('k');
    expect(await redis.exec()).toEqual([
      [null, 'OK'],
      [null, 'v'],
    ]);
  });
});

describe('scripts', () => {
  const lua = 'return {KEYS[1], ARGV[1], ARGV[2]}';

  test('run under names like those of BullMQ, with one array, in pipelines and transactions', async () => {
    redis.defineCommand('addJob:6.7.0', { numberOfKeys: 1, lua });
    expect(await custom(redis, 'addJob:6.7.0', ['k', Buffer.from('x'), null])).toEqual(['k', 'x', '']);
    expect(await custom(redis, 'addJob:6.7.0Buffer', ['k', 1, undefined])).toEqual([Buffer.from('k'), Buffer.from('1'), Buffer.from('')]);
    for (const chain of [redis.pipeline(), redis.multi()]) {
      void custom(chain, 'addJob:6.7.0', ['k', 'v', 2]);
      expect(await chain.exec()).toEqual([[null, ['k', 'v', '2']]]);
    }
  });

  test('are sent again in full when the server has forgotten them', async () => {
    redis.defineCommand('echoed', { numberOfKeys: 1, lua });
    await custom(redis, 'echoed', 'k', 1, 2);
    await redis.script('FLUSH');
    expect(await custom(redis, 'echoed', 'k', 1, 2)).toEqual(['k', '1', '2']);
  });

  test('get the keys of each call, whether they are those of the call before or not', async () => {
    const echo =
      'local all = {} for _, k in ipairs(KEYS) do all[#all + 1] = k end all[#all + 1] = "|" for _, v in ipairs(ARGV) do all[#all + 1] = v end return all';
    redis.defineCommand('echoedKeys', { numberOfKeys: 2, lua: echo });
    const call = (...args: unknown[]): Promise<unknown> =>
      (redis as unknown as { echoedKeys(...args: unknown[]): Promise<unknown> }).echoedKeys(...args);
    const bytes = Buffer.from('k1');
    const calls: [given: unknown[], wanted: string[]][] = [
      ...['x', 'y', 'z'].map((value): [unknown[], string[]] => [
        ['k1', 'k2', value],
        ['k1', 'k2', '|', value],
      ]),
      [
        ['k1', 'other', 'v'],
        ['k1', 'other', '|', 'v'],
      ],
      [
        ['k1', 'k2', 'k2', 'v'],
        ['k1', 'k2', '|', 'k2', 'v'],
      ],
      [
        ['schlüssel', 'ключ', 'ß'],
        ['schlüssel', 'ключ', '|', 'ß'],
      ],
      [
        ['schlüssel', 'ключ', 'ü'],
        ['schlüssel', 'ключ', '|', 'ü'],
      ],
      [
        [1, 2, 3],
        ['1', '2', '|', '3'],
      ],
      [
        [1, 2, 4],
        ['1', '2', '|', '4'],
      ],
      [
        [bytes, 'k2'],
        ['k1', 'k2', '|'],
      ],
    ];
    for (const [given, wanted] of calls) expect(await call(...given)).toEqual(wanted);
    bytes.write('K9');
    expect(await call(bytes, 'k2')).toEqual(['K9', 'k2', '|']);
    expect(await Promise.all(calls.map(([given]) => call(...given)))).toEqual(
      calls.map(([given, wanted]) => (given[0] === bytes ? ['K9', 'k2', '|'] : wanted)),
    );
    // Keys that change in every call.
    redis.defineCommand('changing', { numberOfKeys: 2, lua: echo });
    const changing = (redis as unknown as { changing(...args: unknown[]): Promise<unknown> }).changing.bind(redis);
    for (let n = 0; n < 40; n++) expect(await changing(`a${n}`, 'b', n)).toEqual([`a${n}`, 'b', '|', String(n)]);
    expect(await changing('a39', 'b', 0)).toEqual(['a39', 'b', '|', '0']);
    // More keys are promised than given: the server says so.
    await expect(changing('a')).rejects.toThrow("can't be greater than number of args");
  });

  test('without a fixed number of keys take it as first argument, and come from options too', async () => {
    const scripted = client({ scripts: { free: { lua } } });
    expect(await custom(scripted, 'free', 1, 'k', 'a', 'b')).toEqual(['k', 'a', 'b']);
    expect(() => redis.defineCommand('x', {} as never)).toThrow(expect.objectContaining({ code: 'MOORING_INVALID_ARGUMENT' }));
  });
});

describe('subscriptions', () => {
  test('deliver messages as text and bytes, and end with the last channel', async () => {
    const subscriber = client();
    const heard: unknown[] = [];
    subscriber.on('message', (...message: unknown[]) => heard.push(message));
    subscriber.on('pmessageBuffer', (...message: unknown[]) => heard.push(message));
    expect(await subscriber.subscribe('a', 'b')).toBe(2);
    expect(await subscriber.psubscribe('c*')).toBe(3);
    expect(subscriber.mode).toBe('subscriber');
    await expect(subscriber.get('k')).rejects.toThrow('Connection in subscriber mode, only subscriber commands may be used');
    await redis.publish('a', 'one');
    await redis.publish('cc', 'two');
    await delay(50);
    expect(heard).toEqual([
      ['a', 'one'],
      ['c*', Buffer.from('cc'), Buffer.from('two')],
    ]);
    expect(await subscriber.unsubscribe()).toBe(1);
    expect(await subscriber.punsubscribe('c*')).toBe(0);
    expect(await subscriber.get('k')).toBeNull();
  });

  test('come back after a lost connection and after disconnect() and connect()', async () => {
    const subscriber = client();
    await subscriber.subscribe('a');
    await redis.client('KILL', 'TYPE', 'pubsub');
    await once(subscriber, 'ready');
    await delay(50);
    expect(await redis.publish('a', 'x')).toBe(1);
    subscriber.disconnect();
    await once(subscriber, 'end');
    await subscriber.connect();
    await delay(50);
    expect(await redis.publish('a', 'x')).toBe(1);
  });
});

describe('statuses', () => {
  test('change before their event, in the order of the peer', async () => {
    const seen: string[] = [];
    const watched = client({ lazyConnect: true });
    for (const event of ['wait', 'connecting', 'connect', 'ready', 'close', 'end']) watched.on(event, () => seen.push(event));
    expect(watched.status).toBe('wait');
    const connected = watched.connect();
    expect(watched.status).toBe('connecting');
    await connected;
    await expect(watched.connect()).rejects.toThrow('Redis is already connecting/connected');
    expect(await watched.quit()).toBe('OK');
    await once(watched, 'end');
    expect(seen).toEqual(['wait', 'connecting', 'connect', 'ready', 'close', 'end']);
    await expect(watched.get('k')).rejects.toThrow('Connection is closed.');
    await watched.connect();
    expect(await watched.ping()).toBe('PONG');
  });

  test('retryStrategy decides delays and stops', async () => {
    const asked: number[] = [];
    const refused = new Redis({ host: '127.0.0.1', port: await freePort(), retryStrategy: (times) => (asked.push(times) < 3 ? 5 : null) });
    const errors: string[] = [];
    const delays: number[] = [];
    refused.on('error', (error: Error & { code?: string }) => errors.push(String(error.code)));
    refused.on('reconnecting', (ms: number) => delays.push(ms));
    const pending = refused.get('k').catch((error: Error) => error.message);
    // Not events.once(): that rejects on 'error'.
    await new Promise<void>((resolve) => void refused.once('end', resolve));
    expect(asked).toEqual([1, 2, 3]);
    expect(delays).toEqual([5, 5]);
    expect(errors).toEqual(['ECONNREFUSED', 'ECONNREFUSED', 'ECONNREFUSED']);
    expect(await pending).toBe('Connection is closed.');
  });

  test('maxRetriesPerRequest settles what waits', async () => {
    const refused = new Redis({ host: '127.0.0.1', port: await freePort(), maxRetriesPerRequest: 1, retryStrategy: () => 5 });
    refused.on('error', () => {});
    const error = await refused.get('k').catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(MaxRetriesPerRequestError);
    expect((error as Error).message).toBe(
      'Reached the max retries per request limit (which is 1). Refer to "maxRetriesPerRequest" option for details.',
    );
    refused.disconnect();
  });

  test('reconnectOnError 2 reconnects and sends the command again', async () => {
    await redis.set('k', 'v');
    let asked = 0;
    const picky = client({
      reconnectOnError: (error) => {
        asked += 1;
        if (asked > 1) return false;
        void redis.del('k');
        return error.message.startsWith('WRONGTYPE') ? 2 : false;
      },
    });
    expect(await picky.lpush('k', 1)).toBe(1);
    expect(asked).toBe(1);
  });
});

describe('commands that cannot run', () => {
  test('time out offline and are never sent later', async () => {
    const server = new OwnServer(await freePort());
    const offline = new Redis({
      host: '127.0.0.1',
      port: server.port,
      commandTimeout: 200,
      maxRetriesPerRequest: null,
      retryStrategy: () => 50,
    });
    offline.on('error', () => {});
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => offline.incr('n')));
    const reasons = outcomes.map((outcome) => (outcome as PromiseRejectedResult).reason as Error & { sent: string });
    expect(new Set(reasons.map((reason) => reason.message))).toEqual(new Set(['Command timed out']));
    expect(new Set(reasons.map((reason) => reason.sent))).toEqual(new Set(['no']));
    expect(reasons[0]?.cause).toMatchObject({ code: 'MOORING_TIMEOUT' });
    await server.start();
    if (offline.status !== 'ready') await once(offline, 'ready');
    await delay(100);
    expect(await offline.get('n')).toBeNull();
    offline.disconnect();
    await server.remove();
  });

  test('without an offline queue reject at once', async () => {
    const refused = new Redis({ host: '127.0.0.1', port: await freePort(), enableOfflineQueue: false });
    refused.on('error', () => {});
    await expect(refused.get('k')).rejects.toThrow("Stream isn't writeable and enableOfflineQueue options is false");
    refused.disconnect();
  });
});

describe('TLS', () => {
  const uri = (): string => process.env['REDIS_TLS_URI'] ?? '';
  const authority = (): string => readFileSync(process.env['REDIS_TLS_CA'] ?? '', 'utf8');

  test('carries commands when the authority is trusted', async () => {
    const secure = new Redis(uri(), { tls: { ca: authority() } });
    expect(await secure.set('tls', 'x'.repeat(100_000))).toBe('OK');
    expect((await secure.get('tls'))?.length).toBe(100_000);
    await secure.quit();
  });

  test('refuses a server whose authority is unknown', async () => {
    const refused = new Redis(uri(), { retryStrategy: () => null });
    const error = new Promise<Error>((resolve) => void refused.once('error', resolve));
    await expect(refused.ping()).rejects.toThrow('Connection is closed.');
    expect((await error).cause).toMatchObject({ code: 'MOORING_CONNECT_FAILED' });
  });
});

describe('arguments', () => {
  test.each([
    [['http://host:1'], 'url'],
    [['redis://:%zz@host'], 'url'],
    [[true], 'options'],
    [[{ port: Number.NaN }], 'port'],
    [[{ port: 70_000 }], 'port'],
    [[{ port: 'abc' }], 'port'],
    [[{ db: -1 }], 'db'],
    [[{ host: 5 }], 'host'],
    [[{ connectTimeout: -1 }], 'connectTimeout'],
    [[{ retryStrategy: 5 }], 'retryStrategy'],
    [[{ keyPrefix: {} }], 'keyPrefix'],
    [[{ lazyConnect: 'yes' }], 'lazyConnect'],
    [[{ sentinels: [] }], 'sentinels'],
    [[{ sentinels: [{ port: 0 }], name: 'm' }], 'sentinels'],
    [[{ sentinels: [{}] }], 'name'],
    [[{ role: 'replica' }], 'role'],
    [[{ sentinels: [{}], name: 'm', natMap: 'x' }], 'natMap'],
    [[{ sentinels: [{}], name: 'm', preferredSlaves: [{ ip: 'h' }] }], 'preferredSlaves'],
    [[{ sentinels: [{}], name: 'm', sentinelRetryStrategy: 5 }], 'sentinelRetryStrategy'],
    [[{ sentinels: [{}], name: 'm', sentinelTLS: { sigalgs: 'x' } }], 'sentinelTLS.sigalgs'],
    [[{ tls: { pfx: 'x' } }], 'tls.pfx'],
  ])('%j is refused before any I/O, naming %s', (args, argument) => {
    const error = thrown(() => new Redis(...(args as [RedisOptions])));
    expect(error).toBeInstanceOf(MooringError);
    expect((error as MooringError).details['argument']).toBe(argument);
  });

  test('unknown options are ignored, as by the peer', async () => {
    expect(await client({ unheardOf: true } as RedisOptions).ping()).toBe('PONG');
  });

  test('no credential shows in printed clients, options, errors', async () => {
    const secret = 'hunter2secret';
    const refused = new Redis(`redis://someone:${secret}@127.0.0.1:${await freePort()}/0`, { retryStrategy: () => null });
    const [error] = (await once(refused, 'error')) as [Error];
    const texts = [
      inspect(refused, { depth: 9 }),
      inspect(refused.options),
      JSON.stringify(refused),
      JSON.stringify(refused.options),
      inspect(error, { depth: 9 }),
    ];
    const denied = await redis.auth('someone', secret).catch((caught: unknown) => caught);
    texts.push(inspect(denied, { depth: 9, getters: true }));
    for (const text of texts) expect(text).not.toContain(secret);
    expect(refused.duplicate({ lazyConnect: true }).options.password).toBe(secret);
  });

  test('a patched sendCommand sees every command as an object', async () => {
    const patched = client();
    const seen: string[] = [];
    // oxlint-disable-next-line typescript/unbound-method -- called with its `this` below
    const original = patched.sendCommand;
    patched.sendCommand = function (command: Command) {
      seen.push(`${command.name} ${command.args.join(' ')}`);
      return original.call(this, command);
    };
    await patched.set('k', 1);
    expect(await patched.hgetall('none')).toEqual({});
    expect(await patched.pipeline().get('k').exec()).toEqual([[null, '1']]);
    expect(seen).toEqual(['set k 1', 'hgetall none', 'get k']);
    expect(await patched.sendCommand(new Command('get', ['k'], { replyEncoding: 'utf8' }))).toBe('1');
  });
});
