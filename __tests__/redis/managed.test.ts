/**
 * @module __tests__/redis/managed
 *
 * The managed client: defaults, log lines, bounded close, the shared default client, and when a process exits.
 */
import { afterEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';
import {
  closeRedis,
  connectRedis,
  createRedisClient,
  getRedisStatus,
  MooringError,
  openThings,
  Redis,
  redisClient,
} from '../../dist/index.js';
import { runChild } from '../support/child';
import { until } from '../support/until';
import { freePort, OwnServer, redisUri } from './server';

interface Line {
  readonly level: 'warn' | 'error';
  readonly message: string;
  readonly details: unknown[];
}

/** A logger that remembers. */
function recorder(): {
  lines: Line[];
  warn: (message: string, ...details: unknown[]) => void;
  error: (message: string, ...details: unknown[]) => void;
} {
  const lines: Line[] = [];
  return {
    lines,
    warn: (message, ...details) => void lines.push({ level: 'warn', message, details }),
    error: (message, ...details) => void lines.push({ level: 'error', message, details }),
  };
}

const environment = { ...process.env };

afterEach(async () => {
  await closeRedis();
  delete (globalThis as Record<symbol, unknown>)[Symbol.for('mooring.redis.default')];
  for (const name of ['REDIS_URI', 'REDIS_URL']) {
    if (environment[name] === undefined) delete process.env[name];
    else process.env[name] = environment[name];
  }
});

describe('createRedisClient', () => {
  test('does nothing before the first command', async () => {
    const client = createRedisClient(redisUri());
    expect(client.status).toBe('wait');
    expect(openThings()).toEqual([]);
    expect(await client.ping()).toBe('PONG');
    expect(openThings()).toHaveLength(1);
    await client.close();
    expect(client.status).toBe('end');
    expect(openThings()).toEqual([]);
  });

  test('takes the connection of its subscriptions along when it quits', async () => {
    const before = openThings().length;
    const client = createRedisClient(redisUri());
    await client.subscribe('quits');
    expect(openThings().length).toBeGreaterThan(before);
    await client.quit();
    await until(() => openThings().length === before);
  });

  test('keeps other commands usable while subscribed', async () => {
    const client = createRedisClient(redisUri());
    const heard = new Promise((resolve) => void client.once('message', (...message: unknown[]) => resolve(message)));
    await client.subscribe('news');
    expect(await client.publish('news', 'hello')).toBe(1);
    expect(await heard).toEqual(['news', 'hello']);
    await client.closeFamily();
  });

  test('logs each reconnection, then gives up with the exact line and the number as a field', async () => {
    const logger = recorder();
    const client = createRedisClient({ host: '127.0.0.1', port: await freePort(), maxConnectRetries: 2, logger });
    client.on('error', () => {});
    await expect(client.ping()).rejects.toThrow('Connection is closed.');
    expect(client.status).toBe('end');
    const waits = logger.lines.filter(({ level }) => level === 'warn').map(({ message }) => message);
    expect(waits).toHaveLength(2);
    for (const line of waits) expect(line).toMatch(/^Redis: Reconnecting in \d+ ms$/);
    expect(logger.lines.filter(({ level }) => level === 'error')).toEqual([
      { level: 'error', message: 'Redis: Max retries reached, giving up', details: [{ retries: 2 }] },
    ]);
  });

  test('does not try refused credentials again', async () => {
    const server = new OwnServer(await freePort());
    await server.start();
    const admin = new Redis(server.port, '127.0.0.1');
    await admin.config('SET', 'requirepass', 'right');
    const logger = recorder();
    const client = createRedisClient({ host: '127.0.0.1', port: server.port, password: 'wrong', logger });
    const failed = once(client, 'error');
    await expect(client.connect()).rejects.toThrow('Connection is closed.');
    expect(((await failed)[0] as Error).message).toMatch(/^WRONGPASS/);
    expect(logger.lines.map(({ message }) => message)).toEqual(['Redis: Max retries reached, giving up']);
    admin.disconnect();
    await server.remove();
  });

  test('comes back by itself when the server does', async () => {
    const server = new OwnServer(await freePort());
    await server.start();
    const client = createRedisClient({ host: '127.0.0.1', port: server.port, logger: recorder() });
    client.on('error', () => {});
    expect(await client.incr('n')).toBe(1);
    await server.stop();
    await delay(50);
    const pending = client.incr('n');
    await server.start();
    expect(await pending).toBe(1);
    await client.close();
    await server.remove();
  });

  test('does not repeat a lost write that may have run, but repeats a lost read', async () => {
    const server = new OwnServer(await freePort());
    await server.start();
    const client = createRedisClient({ host: '127.0.0.1', port: server.port, logger: recorder() });
    client.on('error', () => {});
    const slow =
      "local t = redis.call('TIME'); local n = t; while (n[1] - t[1]) * 1000000 + n[2] - t[2] < 1000000 do n = redis.call('TIME') end return redis.call('INCR', KEYS[1])";
    await client.ping();
    const write = client.eval(slow, 1, 'once').catch((error: Error & { sent?: string }) => error);
    const read = client.get('once');
    await delay(100);
    await server.stop();
    await server.start();
    expect(await write).toMatchObject({ message: 'Connection is closed.', sent: 'maybe', cause: { code: 'MOORING_DISCONNECTED' } });
    expect(await read).toBeNull();
    await client.close();
    await server.remove();
  });

  test.each([
    ['http://localhost', 'url'],
    ['localhost:6379', 'url'],
    [null, 'urlOrOptions'],
    [7, 'urlOrOptions'],
    [{ url: 5 }, 'url'],
    [{ url: 'redis://h?unheardOf=1' }, 'unheardOf'],
    [{ host: 'h', unheardOf: 1 }, 'unheardOf'],
    [{ host: 'h', port: Number.NaN }, 'port'],
    [{ host: 'h', maxConnectRetries: -1 }, 'maxConnectRetries'],
    [{ host: 'h', connectTimeout: -5 }, 'connectTimeout'],
    [{ host: 'h', logger: {} }, 'logger'],
  ])('%j is refused before any I/O, naming %s', (argument, name) => {
    const expected = expect.objectContaining({ details: expect.objectContaining({ argument: name }) });
    expect(() => createRedisClient(argument as string)).toThrow(MooringError);
    expect(() => createRedisClient(argument as string)).toThrow(expected);
  });

  test('without a URL names the variable that is missing', () => {
    delete process.env['REDIS_URI'];
    delete process.env['REDIS_URL'];
    expect(() => createRedisClient()).toThrow(
      expect.objectContaining({ code: 'MOORING_INVALID_CONFIG', details: expect.objectContaining({ option: 'REDIS_URI' }) }),
    );
    process.env['REDIS_URI'] = 'mongodb://user:topsecret@host';
    expect(() => createRedisClient()).toThrow(expect.objectContaining({ details: expect.objectContaining({ argument: 'REDIS_URI' }) }));
    expect(() => createRedisClient()).not.toThrow(/topsecret/);
  });
});

describe('the default client', () => {
  test('is made from REDIS_URI on first use and shared', async () => {
    process.env['REDIS_URI'] = redisUri();
    expect(getRedisStatus()).toMatchObject({ state: 'disconnected', retries: 0 });
    expect(inspect(redisClient)).toContain('disconnected');
    await Promise.all([connectRedis(), connectRedis(), connectRedis()]);
    await connectRedis();
    expect(getRedisStatus()).toMatchObject({ state: 'ready', status: 'ready', retries: 0 });
    expect(await redisClient.set('k', 'v')).toBe('OK');
    expect(redisClient).toBeInstanceOf(Redis);
    const duplicate = redisClient.duplicate();
    expect(await duplicate.get('k')).toBe('v');
    await Promise.all([closeRedis(), closeRedis()]);
    expect([getRedisStatus().state, duplicate.status]).toEqual(['closed', 'end']);
    await connectRedis();
    expect(await redisClient.get('k')).toBe('v');
  });

  test('connectRedis rejects when the client gave up', async () => {
    process.env['REDIS_URI'] = `redis://user:topsecret@127.0.0.1:${await freePort()}`;
    redisClient.on('error', () => {});
    const error = await connectRedis().catch((caught: unknown) => caught as MooringError);
    expect(error).toMatchObject({ code: 'MOORING_CONNECT_FAILED', details: { attempts: 6 } });
    expect(inspect(error, { depth: 9 })).not.toContain('topsecret');
    expect(getRedisStatus()).toMatchObject({ state: 'error', status: 'end', retries: 5 });
  }, 20_000);

  test('closes within its deadline, also before anything was connected', async () => {
    await closeRedis();
    process.env['REDIS_URI'] = redisUri();
    const blocked = redisClient.blpop('nothing', 0).catch((error: Error) => error.message);
    await connectRedis();
    const started = Date.now();
    await closeRedis({ deadlineMs: 300 });
    expect(Date.now() - started).toBeLessThan(800);
    expect(await blocked).toBe('Connection is closed.');
    await expect(closeRedis({ deadlineMs: Number.NaN })).rejects.toMatchObject({ details: { argument: 'deadlineMs' } });
    await expect(closeRedis({ deadline: 1 } as never)).rejects.toMatchObject({ details: { argument: 'deadline' } });
  });
});

describe('a process', () => {
  const options = (): { env: NodeJS.ProcessEnv } => ({ env: { REDIS_URI: redisUri() } });

  test('ends by itself with an idle client open', async () => {
    const result = await runChild(`await mooring.connectRedis(); await mooring.redisClient.set('k', 1); console.log('idle');`, options());
    expect(result).toMatchObject({ code: 0, stdout: 'idle\n' });
    expect(result.sinceLastOutputMs).toBeLessThan(1000);
  });

  test('ends within a second of the last close', async () => {
    const result = await runChild(`await mooring.connectRedis(); await mooring.closeRedis(); console.log('closed');`, options());
    expect(result).toMatchObject({ code: 0, stdout: 'closed\n' });
    expect(result.sinceLastOutputMs).toBeLessThan(1000);
  });

  test('stays alive for work in flight', async () => {
    const code = `const r = new mooring.Redis(process.env.REDIS_URI); r.bzpopmin('nothing', 1).then((reply) => console.log('waited', reply));`;
    expect(await runChild(code, options())).toMatchObject({ code: 0, stdout: 'waited null\n' });
  });

  test('stays alive while somebody waits for ready', async () => {
    const code = `const r = new mooring.Redis(process.env.REDIS_URI); r.once('ready', () => console.log('ready'));`;
    expect(await runChild(code, options())).toMatchObject({ code: 0, stdout: 'ready\n' });
  });

  test('stays alive with ref() until unref()', async () => {
    const code = `const r = new mooring.Redis(process.env.REDIS_URI); await r.ping(); r.ref(); setTimeout(() => { console.log('still here'); r.unref(); }, 500).unref();`;
    expect(await runChild(code, options())).toMatchObject({ code: 0, stdout: 'still here\n' });
  });
});
