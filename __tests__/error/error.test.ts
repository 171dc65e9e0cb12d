/** @module __tests__/error/error: what a MooringError carries, and how it is recognised. */
import { describe, expect, test } from '@jest/globals';
import { isMooringError, MooringError, Redis } from '../../dist/index.js';

describe('MooringError', () => {
  test('carries code, labels, details and cause', () => {
    const cause = new Error('inner');
    const error = new MooringError('MOORING_TIMEOUT', 'operation timed out', { labels: ['A'], details: { phase: 'acquire' }, cause });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: 'MooringError', code: 'MOORING_TIMEOUT', labels: ['A'], details: { phase: 'acquire' } });
    expect(error.cause).toBe(cause);
    expect(String(error)).toBe('MooringError: operation timed out');
  });

  test('narrows by code', () => {
    const error: unknown = new MooringError('MOORING_CLOSED', 'client is closed');
    expect(isMooringError(error)).toBe(true);
    expect(isMooringError(error, 'MOORING_CLOSED')).toBe(true);
    expect(isMooringError(error, 'MOORING_TIMEOUT')).toBe(false);
    for (const other of [null, undefined, 'MOORING_CLOSED', { code: 'MOORING_CLOSED' }, new Error('x')])
      expect(isMooringError(other)).toBe(false);
  });

  test('of a failed call shows the frames of its caller', async () => {
    const redis = new Redis('redis://127.0.0.1:1', { lazyConnect: true, retryStrategy: () => null, showFriendlyErrorStack: true });
    redis.on('error', () => {});
    const error = await redis.get('k').catch((thrown: Error) => thrown);
    expect((error as Error).stack).toContain('error.test.ts');
    redis.disconnect();
  });
});
