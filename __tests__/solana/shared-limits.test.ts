/**
 * @module __tests__/solana/shared-limits
 *
 * Limits that several processes share through a real Redis: what the endpoint sees of four processes under load while Redis is there, gone and back, and what a
 * pool does at its ends. Arrivals are counted at the endpoint; each process is known by its method.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { PublicKey } from '@solana/web3.js';
import { randomBytes } from 'node:crypto';
import { closeRedis, ConnectionPool, createRedisClient, gracefulShutdown, openThings, Redis, redisClient } from '../../dist/index.js';
import { freePort, OwnServer, redisUri } from '../redis/server';
import { runChild } from '../support/child';
import { type Hits, RpcService } from '../support/solana';

const ROOT = join(__dirname, '..', '..');
const LIMIT = 100;
const SHARE = 0.2;
/** One per process. */
const METHODS = ['getBalance', 'getAccountInfo', 'getSignaturesForAddress', 'getMultipleAccounts'] as const;

let rpc: RpcService;
beforeAll(async () => {
  rpc = await RpcService.start(1);
});
afterEach(() => rpc.reset());
afterAll(() => rpc.stop());

const key = (): string => new PublicKey(randomBytes(32)).toBase58();

/** A process that keeps forty reads waiting; its errors and the state of its limits come back as lines. */
class Loader {
  readonly errors: string[] = [];
  local: boolean | undefined;
  processes: number | null = null;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;

  constructor(url: string, redisUrl: string, method: string) {
    const code = `
      const mooring = require(${JSON.stringify(join(ROOT, 'dist', 'index.js'))});
      const { randomBytes } = require('node:crypto');
      const { PublicKey } = require('@solana/web3.js');
      const logger = { warn() {}, error() {} };
      const redis = mooring.createRedisClient({ url: ${JSON.stringify(redisUrl)}, logger });
      redis.on('error', () => {});
      const pool = new mooring.ConnectionPool({ endpoints: [${JSON.stringify(url)}], maxRequestsPerSecond: ${LIMIT}, logger,
        sharedLimits: { redis, localShare: ${SHARE} } });
      let ends = false;
      const say = (line) => console.log(JSON.stringify(line));
      const params = () => {
        const key = new PublicKey(randomBytes(32)).toBase58();
        return ${method === 'getMultipleAccounts' ? '[[key]]' : '[key]'};
      };
      const caller = async () => {
        while (!ends) await pool.request('${method}', params()).catch((error) => say({ error: String(error) }));
      };
      const callers = Array.from({ length: 40 }, caller);
      const report = setInterval(() => say(pool.getPoolStats().rateLimits.shared), 100);
      process.stdin.once('data', async () => {
        ends = true;
        clearInterval(report);
        await Promise.all(callers);
        await pool.close();
        await redis.close();
        process.stdin.destroy();
      });`;
    this.#child = spawn(process.execPath, ['-e', code], { cwd: ROOT, stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const said = JSON.parse(line) as { error?: string; local?: boolean; processes?: number | null };
      if (said.error !== undefined) this.errors.push(said.error);
      if (said.local !== undefined) this.local = said.local;
      if (said.processes !== undefined) this.processes = said.processes;
    });
  }

  /** Lets it finish by itself; its exit code. */
  async end(): Promise<number | null> {
    const exit = once(this.#child, 'exit') as Promise<[number | null]>;
    this.#child.stdin.write('end\n');
    const killer = setTimeout(() => this.#child.kill('SIGKILL'), 8000);
    const [code] = await exit;
    clearTimeout(killer);
    return code;
  }
}

/** The most arrivals in any second that begins with one of them. */
function mostInASecond(times: readonly number[]): number {
  const sorted = times.toSorted((a, b) => a - b);
  return Math.max(0, ...sorted.map((start, index) => sorted.slice(index).filter((time) => time < start + 1000).length));
}

/** A front end that is still being compiled reads late what came in time. */
async function warmUp(): Promise<void> {
  const pool = rpc.pool();
  for (let round = 0; round < 20; round++) {
    const reads = METHODS.flatMap((method) =>
      [0, 1, 2, 3].map(() => pool.request(method, [method === 'getMultipleAccounts' ? [key()] : key()])),
    );
    await Promise.all(reads);
  }
  await rpc.reset();
}

async function until(what: string, holds: () => boolean, limitMs: number): Promise<void> {
  const end = Date.now() + limitMs;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`${what} did not happen within ${limitMs} ms`);
    await delay(20);
  }
}

describe('four processes under load', () => {
  it('share one limit, keep to their shares while Redis is gone, and share again when it is back', async () => {
    const server = new OwnServer(await freePort());
    await server.start();
    await warmUp();
    const loaders = METHODS.map((method) => new Loader(rpc.urls[0]!, `redis://127.0.0.1:${server.port}`, method));
    const shared = (): boolean => loaders.every(({ local, processes }) => local === false && processes === METHODS.length);
    try {
      await until('sharing', shared, 10_000);
      const began = Date.now();
      await delay(3000);
      const killed = Date.now();
      await server.stop();
      await delay(2000);
      const back = Date.now();
      expect(loaders.every(({ local }) => local === true)).toBe(true);
      await server.start();
      await until('sharing again', shared, 10_000);
      const again = Date.now();
      await delay(1500);
      const end = Date.now();
      const [{ arrivals, lateMs }] = (await rpc.hits(true)) as [Required<Hits>];
      const all = arrivals.filter(([, method]) => (METHODS as readonly string[]).includes(method));
      const between = (from: number, to: number): readonly (readonly [number, string])[] =>
        all.filter(([time]) => time >= from && time < to);
      const perSecond = (from: number, to: number): number => {
        const halves = Array.from(
          { length: Math.floor((to - from) / 500) },
          (_, n) => between(from + n * 500, from + n * 500 + 500).length,
        );
        return halves.toSorted((x, y) => x - y)[Math.floor(halves.length / 2)]! * 2;
      };
      const gone = METHODS.map((method) =>
        mostInASecond(between(killed + 300, back).flatMap(([time, of]) => (of === method ? [time] : []))),
      );
      const figures = {
        most: mostInASecond(all.map(([time]) => time)),
        shared: perSecond(began, killed),
        goneMost: gone,
        gone: perSecond(killed + 300, back),
        again: perSecond(again, end),
        backAfterMs: again - back,
        lateMs,
      };
      process.stdout.write(`shared limit of 100/s: ${JSON.stringify(figures)}\n`);
      // What came while the endpoint's process was held up is noted with what came after.
      expect(figures.most).toBeLessThanOrEqual(LIMIT * (1.05 + lateMs / 1000));
      expect(figures.shared).toBeGreaterThanOrEqual(85);
      expect(Math.max(...gone)).toBeLessThanOrEqual(LIMIT * SHARE * 1.05);
      expect(figures.gone).toBeGreaterThan(4 * LIMIT * SHARE * 0.8);
      expect(figures.again).toBeGreaterThanOrEqual(85);
      expect(loaders.flatMap(({ errors }) => errors)).toEqual([]);
    } finally {
      const codes = await Promise.all(loaders.map((loader) => loader.end()));
      await server.remove();
      expect(codes).toEqual([0, 0, 0, 0]);
    }
  }, 60_000);
});

describe('one pool', () => {
  it('shares sends too, and shows no part of a URL in Redis', async () => {
    const redis = createRedisClient({ url: redisUri(), keyPrefix: 'tenant:' });
    const pool = rpc.pool({ endpoints: [`${rpc.urls[0]}/SENTINEL-KEY`], maxTransactionsPerSecond: 5, sharedLimits: redis });
    await pool.getBalance(key());
    const started = performance.now();
    const sends = Array.from({ length: 6 }, () => pool.request('requestAirdrop', [key(), 10_000_000]));
    await Promise.all(sends);
    expect(performance.now() - started).toBeGreaterThan(1000);
    expect(pool.getPoolStats().rateLimits.shared).toEqual({ processes: 1, local: false });
    const keys = (await redis.keys('*mooring:limit:*')).toSorted();
    expect(keys).toHaveLength(4);
    expect(keys.every((name) => name.startsWith('tenant:mooring:limit:{'))).toBe(true);
    expect(JSON.stringify(keys)).not.toContain('SENTINEL');
    await pool.close();
    await redis.close();
  });

  it('works with a Redis that was never there, and closes at once', async () => {
    const redis = createRedisClient({ url: `redis://127.0.0.1:${await freePort()}`, logger: { warn: () => {}, error: () => {} } });
    const pool = rpc.pool({ maxRequestsPerSecond: 100, sharedLimits: { redis, localShare: 0.5 } });
    const started = performance.now();
    await Promise.all(Array.from({ length: 30 }, () => pool.getBalance(key())));
    expect(performance.now() - started).toBeLessThan(1500);
    expect(pool.getPoolStats().rateLimits.shared).toEqual({ processes: null, local: true });
    expect(redis.status).toBe('wait');
    const closing = performance.now();
    await pool.close();
    expect(performance.now() - closing).toBeLessThan(300);
    await until('the end of its connection', () => openThings().length === 0, 2000);
  });

  it('goes on alone when the Redis client is closed first', async () => {
    const redis = createRedisClient(redisUri());
    const pool = rpc.pool({ sharedLimits: redis });
    await pool.getBalance(key());
    expect(openThings().map(({ kind }) => kind)).toEqual(['solana', 'redis']);
    await redis.ping();
    await redis.close();
    await until('the end of its connections', () => openThings().every(({ kind }) => kind !== 'redis'), 2000);
    await Promise.all(Array.from({ length: 20 }, () => pool.getBalance(key())));
    expect(pool.getPoolStats().rateLimits.shared).toMatchObject({ local: true });
    await pool.close();
  });

  it('is closed before Redis by gracefulShutdown', async () => {
    const redis = createRedisClient(redisUri());
    const pool = rpc.pool({ sharedLimits: redis });
    await pool.getBalance(key());
    await redis.ping();
    const report = await gracefulShutdown({ deadlineMs: 2000, logger: { info: () => {}, error: () => {} } });
    expect(report.clean).toBe(true);
    expect(openThings()).toEqual([]);
    await expect(pool.getBalance(key())).rejects.toMatchObject({ code: 'MOORING_CLOSED' });
  });

  it('takes the default client', async () => {
    const before = process.env['REDIS_URI'];
    process.env['REDIS_URI'] = redisUri();
    const pool = rpc.pool({ sharedLimits: redisClient });
    await pool.getBalance(key());
    expect(pool.getPoolStats().rateLimits.shared).toMatchObject({ local: false });
    await pool.close();
    await closeRedis();
    delete (globalThis as Record<symbol, unknown>)[Symbol.for('mooring.redis.default')];
    if (before !== undefined) process.env['REDIS_URI'] = before;
  });

  it('does not keep the process alive', async () => {
    const child = await runChild(
      `const redis = mooring.createRedisClient('${redisUri()}');
       const pool = new mooring.ConnectionPool({ endpoints: ['${rpc.urls[0]}'], sharedLimits: redis });
       await pool.getBalance('${key()}'); console.log(pool.getPoolStats().rateLimits.shared.local);`,
    );
    expect(child).toMatchObject({ code: 0, stdout: 'false\n', stderr: '' });
    expect(child.sinceLastOutputMs).toBeLessThan(1000);
  });
});

describe('the option', () => {
  const foreign = { status: 'ready', closeFamily: async () => {}, eval: async () => null };
  it.each([
    ['sharedLimits', foreign],
    ['sharedLimits', 'redis://host:6379'],
    ['sharedLimits', {}],
    ['sharedLimits.redis', { redis: foreign }],
    ['sharedLimits.redis', { redis: null }],
  ])('refuses what is no client of mooring: %s %j', (option, sharedLimits) => {
    const make = (): unknown => new ConnectionPool({ endpoints: rpc.urls, sharedLimits: sharedLimits as never });
    expect(make).toThrow(expect.objectContaining({ code: 'MOORING_INVALID_CONFIG', details: expect.objectContaining({ option }) }));
    expect(openThings()).toEqual([]);
  });

  it.each([0, -1, 1.1, Number.NaN, '1'])('refuses a local share of %p', (localShare) => {
    const redis = new Redis({ lazyConnect: true });
    const make = (): unknown => new ConnectionPool({ endpoints: rpc.urls, sharedLimits: { redis, localShare: localShare as number } });
    expect(make).toThrow(expect.objectContaining({ details: expect.objectContaining({ option: 'sharedLimits.localShare' }) }));
    redis.disconnect();
  });

  it('refuses unknown settings and a client that was closed', async () => {
    const redis = createRedisClient(redisUri());
    const make = (sharedLimits: object): (() => unknown) => {
      return () => new ConnectionPool({ endpoints: rpc.urls, sharedLimits: sharedLimits as never });
    };
    expect(make({ redis, share: 1 })).toThrow('unknown option sharedLimits.share');
    await redis.ping();
    await redis.close();
    expect(make(redis)).toThrow('must be a Redis client that was not closed');
  });
});
