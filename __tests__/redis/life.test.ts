/**
 * @module __tests__/redis/life
 *
 * From one life of a client to the next: what ends really ends and is told, what connects again works, and nothing of the last life reaches into the next.
 */
import { once } from 'node:events';
import { afterEach, describe, expect, test } from '@jest/globals';
import { openThings, Redis, type RedisOptions } from '../../dist/index.js';
import { until } from '../support/until';
import { ScriptedRedis } from './scripted-redis';
import { freePort, redisUri } from './server';

const clients: Redis[] = [];
const servers: ScriptedRedis[] = [];

function client(options: RedisOptions = {}): Redis {
  const made = options.port === undefined ? new Redis(redisUri(), options) : new Redis(options);
  made.on('error', () => {});
  clients.push(made);
  return made;
}

async function scripted(...answer: Parameters<typeof ScriptedRedis.start>): Promise<ScriptedRedis> {
  const server = await ScriptedRedis.start(...answer);
  servers.push(server);
  return server;
}

afterEach(async () => {
  for (const made of clients.splice(0)) await made.closeFamily(0);
  for (const server of servers.splice(0)) await server.stop();
});

describe('connect() after the end', () => {
  test('is not undone by what the last connection still had to say', async () => {
    const server = await scripted(() => undefined);
    const redis = client({ port: await freePort(), retryStrategy: () => 60_000 });
    await until(() => redis.status === 'reconnecting');
    redis.options.port = server.port;
    redis.disconnect();
    const again = new Promise((resolve, reject) => process.nextTick(() => redis.connect().then(resolve, reject)));
    redis.disconnect();
    await again;
    expect(await redis.ping()).toBe('OK');
  });
});

describe('monitor()', () => {
  test('that fails leaves no connection behind', async () => {
    const server = await scripted(([name]) =>
      name === 'monitor' ? "-NOPERM this user has no permissions to run the 'monitor' command\r\n" : undefined,
    );
    const redis = client({ port: server.port, lazyConnect: true });
    await expect(redis.monitor()).rejects.toThrow('NOPERM');
    await until(() => openThings().every(({ name }) => !name.includes(String(server.port))));
  });

  test('rejects when its connection ends before it has begun', async () => {
    const server = await scripted(([name], socket) => (name === 'info' ? (socket.end(), '') : undefined));
    const redis = client({ port: server.port, lazyConnect: true, retryStrategy: null });
    await expect(redis.monitor()).rejects.toThrow('Connection is closed.');
  });
});

describe('quit() twice', () => {
  test.each([
    ['offline with commands that wait', true],
    ['offline with nothing that waits', false],
  ])('ends well %s', async (_, waits) => {
    const server = await scripted(([name], socket) => (name === 'quit' ? (socket.end('+OK\r\n'), '') : undefined));
    const redis = client({ port: server.port });
    const set = waits ? redis.set('k', 'v') : undefined;
    const answers = await Promise.all([redis.quit(), redis.quit(), set]);
    expect(answers.slice(0, 2)).toEqual(['OK', 'OK']);
    expect(redis.status).toBe('end');
  });

  test('ends well when the server goes away meanwhile', async () => {
    const server = await scripted(([name]) => (name === 'quit' || name === 'get' ? '' : undefined));
    const redis = client({ port: server.port, disconnectTimeout: 10 });
    const get = redis.get('k').catch((error: Error) => error.message);
    const quits = [redis.quit(), redis.quit()];
    await until(() => server.received.some(([name]) => name === 'get'));
    redis.disconnect();
    expect(await Promise.all([...quits, get])).toEqual(['OK', 'OK', 'Connection is closed.']);
  });
});

describe('a WATCH whose client has ended', () => {
  const ABORTED = 'Command aborted due to connection close';

  test.each(['disconnect', 'quit', 'close'] as const)('by %s() does not let the transaction run that was to depend on it', async (how) => {
    const redis = client();
    await redis.set('watched', 'mine');
    await redis.watch('watched');
    const ended = once(redis, 'end');
    await redis[how]();
    await ended;
    await redis.connect();
    await expect(redis.multi().set('watched', 'lost').exec()).rejects.toThrow(ABORTED);
    expect(await redis.get('watched')).toBe('mine');
    expect(await redis.multi().set('watched', 'again').exec()).toEqual([[null, 'OK']]);
  });

  test('is forgotten when the transaction was refused meanwhile', async () => {
    const redis = client();
    await redis.watch('watched');
    redis.disconnect();
    await once(redis, 'end');
    await expect(redis.multi().set('watched', 'lost').exec()).rejects.toThrow('Connection is closed.');
    await redis.connect();
    expect(await redis.multi().set('watched', 'new').exec()).toEqual([[null, 'OK']]);
  });
});
