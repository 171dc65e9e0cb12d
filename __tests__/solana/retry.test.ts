/** @module __tests__/solana/retry: `executeWithRetry` repeats what another try may cure, and rethrows by identity. */
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { Connection, Keypair } from '@solana/web3.js';
import { isRetryable } from '../../dist/index.js';
import { RpcService } from '../support/solana';

let rpc: RpcService;
beforeAll(async () => {
  rpc = await RpcService.start(1);
});
afterEach(() => rpc.reset());
afterAll(() => rpc.stop());

it('runs the work again until it succeeds', async () => {
  let runs = 0;
  const result = await rpc.pool().executeWithRetry(() => {
    runs += 1;
    if (runs < 3) throw Object.assign(new Error('busy'), { code: -32603 });
    return runs;
  });
  expect(result).toBe(3);
});

it('throws the last error itself and logs the line that operators watch', async () => {
  const lines: string[] = [];
  const pool = rpc.pool({ logger: { warn: () => {}, error: (line) => lines.push(line) } });
  const errors = [new Error('one'), new Error('two'), new Error('three')];
  let runs = 0;
  const thrown: unknown = await pool.executeWithRetry(() => Promise.reject(errors[runs++] as Error)).catch((reason: unknown) => reason);
  expect(thrown).toBe(errors[2]);
  expect(lines).toEqual(['Connection pool: Request failed after 3 attempts']);
});

it.each([
  ['a failed simulation', new Error('Transaction simulation failed: custom'), false],
  ['an invalid signature', new Error('Invalid signature'), false],
  ['an unknown blockhash', new Error('Blockhash not found'), false],
  ['invalid params', { code: -32602 }, false],
  ['an internal error', { code: -32603 }, true],
  ['a node that is behind', { code: -32005 }, true],
  ['HTTP 503', { status: 503 }, true],
  ['HTTP 400', { status: 400 }, false],
  ['a socket error', Object.assign(new Error('reset'), { code: 'ECONNRESET' }), true],
  ['something that is no error', 'text', true],
])('judges %s', (_name, error, retryable) => {
  expect(isRetryable(error)).toBe(retryable);
});

it('hands the pooled connection to work that asks for it', async () => {
  const balance = await rpc.pool().executeWithRetry(async (connection) => {
    expect(connection).toBeInstanceOf(Connection);
    return await connection.getBalance(Keypair.generate().publicKey);
  });
  expect(balance).toBe(0);
});

it('holds no queue: work of one caller does not wait for the pauses of another', async () => {
  const pool = rpc.pool();
  const slow = pool.executeWithRetry(() => Promise.reject(new Error('down')), 6).catch(() => 'gave up');
  const started = performance.now();
  await pool.executeWithRetry(() => Promise.resolve());
  expect(performance.now() - started).toBeLessThan(500);
  expect(await slow).toBe('gave up');
});

it('ends its pause when the signal fires, and keeps its deadline', async () => {
  const pool = rpc.pool();
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 30);
  const aborted = pool.executeWithRetry(() => Promise.reject(new Error('down')), 100, { signal: controller.signal });
  await expect(aborted).rejects.toMatchObject({ code: 'MOORING_ABORTED' });
  const started = performance.now();
  await expect(pool.executeWithRetry(() => Promise.reject(new Error('down')), 100, { deadlineMs: 300 })).rejects.toThrow('down');
  expect(performance.now() - started).toBeLessThan(1000);
});

it('does not wait for work that hangs beyond the deadline or the signal', async () => {
  const pool = rpc.pool();
  const hang = (): Promise<never> => new Promise(() => {});
  await expect(pool.executeWithRetry(hang, 3, { deadlineMs: 20 })).rejects.toMatchObject({ code: 'MOORING_TIMEOUT' });
  const abort = new AbortController();
  const hanging = pool.executeWithRetry(hang, 3, { signal: abort.signal });
  abort.abort();
  await expect(hanging).rejects.toMatchObject({ code: 'MOORING_ABORTED' });
  // The last error of the work itself counts for more than the deadline.
  const failed = new Error('busy');
  let runs = 0;
  const second = (): Promise<never> => (runs++ === 0 ? Promise.reject(failed) : hang());
  await expect(pool.executeWithRetry(second, 3, { deadlineMs: 300 })).rejects.toBe(failed);
});

it('refuses to begin on a closed pool', async () => {
  const pool = rpc.pool();
  await pool.close();
  await expect(pool.executeWithRetry(() => 1)).rejects.toMatchObject({ code: 'MOORING_CLOSED' });
});
