/**
 * @module __tests__/redis/tracing
 *
 * The diagnostics channels `tracing:ioredis:*`, on a real server.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type TracingChannel, tracingChannel } from 'node:diagnostics_channel';
import { Redis } from '../../dist/index.js';
import { sanitizeArgs } from '../../dist/redis/ioredis.js';
import { freePort, redisUri } from './server';

interface Seen {
  readonly phase: string;
  readonly context: Record<string, unknown>;
}

let redis: Redis;
const stops: (() => void)[] = [];

beforeAll(async () => {
  redis = new Redis(redisUri());
  await redis.flushall();
});

afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

afterAll(() => redis.quit());

/** Everything that one channel says until the test ends. */
function listen(name: string): Seen[] {
  const seen: Seen[] = [];
  const channel: TracingChannel = tracingChannel(`ioredis:${name}`);
  const note =
    (phase: string) =>
    (context: unknown): void =>
      void seen.push({ phase, context: context as Record<string, unknown> });
  const subscriber = {
    start: note('start'),
    end: note('end'),
    asyncStart: note('asyncStart'),
    asyncEnd: note('asyncEnd'),
    error: note('error'),
  };
  channel.subscribe(subscriber);
  stops.push(() => channel.unsubscribe(subscriber));
  return seen;
}

/** Node wraps promises of Jest's realm once more. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function phases(seen: readonly Seen[]): string[] {
  return seen.map(({ phase }) => phase);
}

describe('tracing', () => {
  test('one command is one trace, with the server and without the value', async () => {
    const seen = listen('command');
    await redis.set('key', 'secret');
    expect(phases(seen)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd']);
    const { port, hostname } = new URL(redisUri());
    expect(seen[0]?.context).toMatchObject({
      ...{ command: 'set', args: ['key', '?'], database: 0 },
      ...{ serverAddress: hostname, serverPort: Number(port) },
    });
  });

  test('an error is traced and rejects as without a listener', async () => {
    const seen = listen('command');
    await redis.set('text', 'x');
    await expect(redis.lpush('text', 'y')).rejects.toThrow('WRONGTYPE');
    expect(phases(seen.filter(({ context }) => context['command'] === 'lpush'))).toContain('error');
  });

  test('a command that is sent again after a loss is traced once', async () => {
    const seen = listen('command');
    const client = new Redis(redisUri(), { retryStrategy: () => 1 });
    await client.ping();
    const reply = client.set('again', '1');
    client.stream.destroy();
    expect(await reply).toBe('OK');
    client.disconnect();
    expect(seen.filter(({ phase, context }) => phase === 'start' && context['command'] === 'set')).toHaveLength(1);
  });

  test('a transaction is a batch, and its members are commands', async () => {
    const batches = listen('batch');
    const commands = listen('command');
    await redis.multi().set('a', '1').get('a').exec();
    expect(phases(batches)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd']);
    expect(batches[0]?.context).toMatchObject({ batchMode: 'MULTI', batchSize: 2, database: 0 });
    expect(commands.filter(({ phase }) => phase === 'start').map(({ context }) => context['command'])).toEqual([
      'multi',
      'set',
      'get',
      'exec',
    ]);
  });

  test('connection attempts are traced, failed ones with their error', async () => {
    const seen = listen('connect');
    const client = new Redis(redisUri(), { lazyConnect: true });
    await client.connect();
    await settled();
    expect(phases(seen)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd']);
    expect(seen[0]?.context).toMatchObject({ connectionEpoch: 0 });
    client.disconnect();
    const nobody = new Redis(await freePort(), '127.0.0.1', { lazyConnect: true, retryStrategy: () => null });
    nobody.on('error', () => {});
    await expect(nobody.connect()).rejects.toThrow('Connection is closed.');
    await settled();
    const failed = seen.filter(({ phase }) => phase === 'error');
    expect(failed.map(({ context }) => (context['error'] as Error).message)).toEqual([expect.stringContaining('ECONNREFUSED')]);
  });

  test.each([
    ['auth', ['user', 'password'], ['?', '?']],
    ['hello', ['3', 'AUTH', 'u', 'p'], ['?', '?', '?', '?']],
    ['config', ['SET', 'requirepass', 'p'], ['SET', '?', '?']],
    ['config', ['GET', 'maxmemory'], ['GET', 'maxmemory']],
    ['acl', ['SETUSER', 'u', '>p'], ['?', '?', '?']],
    ['migrate', ['h', '1', 'k', '0', '5', 'AUTH', 'p'], ['?', '?', '?', '?', '?', '?', '?']],
    ['psetex', ['k', '1', 'v'], ['k', '?', '?']],
    ['HSET', ['h', 'f', 'v'], ['h', 'f', '?']],
    ['hmget', ['h', Buffer.from('f'), 1], ['h', 'f', '1']],
    ['no-such-command', ['x'], ['?']],
  ])('%s shows %j as %j', (name, args, shown) => {
    expect(sanitizeArgs(name, args)).toEqual(shown);
  });
});
