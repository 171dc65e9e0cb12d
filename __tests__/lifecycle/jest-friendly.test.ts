/** @module __tests__/lifecycle/jest-friendly: Jest resets modules, fakes timers and looks for open handles; none of it breaks a client. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import type * as Mooring from '../../dist/index.js';

const ROOT = join(__dirname, '..', '..');
const load = (): typeof Mooring => require('../../dist/index.js') as typeof Mooring;

describe('under Jest', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  test('a client of a lost module copy is found and closed by the next copy', async () => {
    const first = load();
    const redis = new first.Redis(process.env['REDIS_URI'] as string);
    await redis.ping();
    jest.resetModules();
    const second = load();
    expect(second).not.toBe(first);
    expect(second.openThings().map((thing) => thing.kind)).toContain('redis');
    const ended = new Promise((resolve) => redis.once('end', resolve));
    const report = await second.gracefulShutdown({ logger: { info: () => {}, error: () => {} } });
    await ended;
    expect(report.clean).toBe(true);
    expect(second.openThings()).toEqual([]);
  });

  test('an error of one copy is an instance of the class of the other', () => {
    const first = load();
    jest.resetModules();
    const second = load();
    const error = new first.MooringError('MOORING_CLOSED', 'client is closed');
    expect(second.MooringError).not.toBe(first.MooringError);
    expect(error).toBeInstanceOf(second.MooringError);
    expect(second.isMooringError(error, 'MOORING_CLOSED')).toBe(true);
    expect(second.isMooringError(new Error('x'))).toBe(false);
  });

  test('fake timers freeze nothing', async () => {
    jest.useFakeTimers();
    const { Redis } = load();
    const redis = new Redis(process.env['REDIS_URI'] as string);
    expect(await redis.ping()).toBe('PONG');
    expect(await redis.blpop('jest:nothing', 0.2)).toBeNull();
    await redis.quit();
  });

  test('--detectOpenHandles reports nothing, with idle and with closed clients', async () => {
    const folder = mkdtempSync(join(ROOT, '__tests__', 'lifecycle', 'fixture-'));
    const body = `
      const mooring = require(${JSON.stringify(join(ROOT, 'dist', 'index.js'))});
      test('uses every client and closes them', async () => {
        const redis = new mooring.Redis(process.env.REDIS_URI);
        const mongo = await new mooring.MongoClient(process.env.MONGODB_URI).connect();
        const pool = new mooring.ConnectionPool({ endpoints: process.env.SOLANA_RPC_ENDPOINTS.split(',') });
        await Promise.all([redis.ping(), mongo.db('jest').command({ ping: 1 }), pool.request('getSlot', [])]);
        await mooring.gracefulShutdown({ logger: { info() {}, error() {} } });
      });`;
    writeFileSync(join(folder, 'handles.fixture.js'), body);
    const config = { rootDir: folder, testMatch: ['**/*.fixture.js'], testEnvironment: 'node', transform: {} };
    try {
      const jestBin = join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js');
      const { stdout, stderr } = await promisify(execFile)(
        process.execPath,
        [jestBin, '--detectOpenHandles', '--config', JSON.stringify(config)],
        {
          timeout: 60_000,
        },
      );
      expect(stderr).toContain('1 passed');
      expect(stdout + stderr).not.toMatch(/open handle|did not exit/i);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }, 60_000);
});
