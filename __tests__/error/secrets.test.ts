/** @module __tests__/error/secrets: credentials planted in every URI appear in no error, log line, report or inspect output. */
import { inspect } from 'node:util';
import { afterEach, describe, expect, test } from '@jest/globals';
import { ConnectionPool, gracefulShutdown, MongoClient, openThings, Redis } from '../../dist/index.js';

const SECRET = 'S3CR3T-sentinel';
const lines: string[] = [];
const logger = new Proxy(
  {},
  {
    get:
      () =>
      (...args: unknown[]) =>
        lines.push(inspect(args, { depth: 6 })),
  },
) as Console;

function everythingOf(value: unknown): string {
  const seen: string[] = [];
  for (
    let current = value;
    current !== undefined && current !== null && seen.length < 10;
    current = (current as { cause?: unknown }).cause
  ) {
    seen.push(String(current), String((current as Error).stack), inspect(current, { depth: 8, showHidden: true }));
    seen.push(JSON.stringify(current, Object.getOwnPropertyNames(current)) ?? '');
  }
  return seen.join('\n');
}

const failureOf = async (run: () => Promise<unknown>): Promise<unknown> => {
  try {
    await run();
  } catch (error) {
    return error;
  }
  throw new Error('the call was expected to fail');
};

describe('a planted secret', () => {
  afterEach(() => gracefulShutdown({ logger }));

  test('of a MongoDB URI stays inside', async () => {
    const uri = `mongodb://user:${SECRET}@127.0.0.1:1/?serverSelectionTimeoutMS=200`;
    const client = new MongoClient(uri);
    const error = await failureOf(() => client.connect());
    expect(everythingOf(error)).not.toContain(SECRET);
    expect(inspect(openThings())).not.toContain(SECRET);
    for (const broken of [`mongodb://user:${SECRET}@`, `nonsense://user:${SECRET}@h`, `mongodb://user:${SECRET}@h:99999999/`]) {
      expect(everythingOf(await failureOf(async () => new MongoClient(broken).connect()))).not.toContain(SECRET);
    }
  });

  test('of a Redis URI stays inside', async () => {
    const seen: unknown[] = [];
    const client = new Redis(`redis://user:${SECRET}@127.0.0.1:1/0`, { retryStrategy: () => null });
    client.on('error', (error: unknown) => seen.push(error));
    seen.push(await failureOf(() => client.get('k')));
    expect(seen.map(everythingOf).join('\n')).not.toContain(SECRET);
    expect(inspect(openThings())).not.toContain(SECRET);
    const refused = new Redis((process.env['REDIS_URI'] as string).replace('redis://', `redis://user:${SECRET}@`), {
      retryStrategy: () => null,
    });
    const errors: unknown[] = [];
    refused.on('error', (error: unknown) => errors.push(error));
    errors.push(await failureOf(() => refused.get('k')));
    expect(errors.map(everythingOf).join('\n')).not.toContain(SECRET);
    refused.disconnect();
  });

  test('of an RPC URL stays inside', async () => {
    const pool = new ConnectionPool({
      endpoints: [`http://user:${SECRET}@127.0.0.1:1/${SECRET}?api-key=${SECRET}`],
      deadlineMs: 600,
      logger,
    });
    const error = await failureOf(() => pool.request('getSlot', []));
    expect(everythingOf(error)).not.toContain(SECRET);
    expect(
      inspect(pool.getPoolStats(), { depth: 8 }) + inspect(pool, { depth: 8, showHidden: true }) + inspect(openThings()),
    ).not.toContain(SECRET);
    expect(everythingOf(await failureOf(async () => new ConnectionPool({ endpoints: [`nonsense ${SECRET}`] })))).not.toContain(SECRET);
  });

  test('reaches no log line', () => {
    expect(lines.join('\n')).not.toContain(SECRET);
  });
});
