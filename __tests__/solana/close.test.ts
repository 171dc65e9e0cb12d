/** @module __tests__/solana/close: ends of a pool. Calls settle once, sockets go, the process exits by itself. */
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { Keypair } from '@solana/web3.js';
import { gracefulShutdown, openThings } from '../../dist/index.js';
import { runChild } from '../support/child';
import { RpcService } from '../support/solana';

const key = Keypair.generate().publicKey.toBase58();
let rpc: RpcService;
beforeAll(async () => {
  rpc = await RpcService.start(1);
});
afterEach(() => rpc.reset());
afterAll(() => rpc.stop());

const sockets = async (): Promise<number> => {
  const hits = (await rpc.hits()) as unknown as { sockets: number }[];
  return hits.reduce((sum, one) => sum + one.sockets, 0);
};

it('rejects calls in flight with MOORING_CLOSED, at once, and leaves no socket', async () => {
  await rpc.fault('all', { kind: 'hang' });
  const pool = rpc.pool();
  const pending = Array.from({ length: 20 }, () => pool.getBalance(Keypair.generate().publicKey));
  pending.push(
    pool.sendAndConfirm(new Uint8Array([1, ...new Array<number>(64).fill(7), 1, 0, 0, 1, ...new Array<number>(64).fill(9)])).then(() => 0),
  );
  await new Promise((resolve) => setTimeout(resolve, 50));
  const started = performance.now();
  await pool.close();
  const settled = await Promise.allSettled(pending);
  expect(performance.now() - started).toBeLessThan(300);
  expect(settled.every((one) => one.status === 'rejected' && (one.reason as { code: string }).code === 'MOORING_CLOSED')).toBe(true);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(await sockets()).toBe(0);
});

it('refuses calls after close, and closing again is fine', async () => {
  const pool = rpc.pool();
  await pool.getBalance(key);
  await Promise.all([pool.close(), pool.close()]);
  await pool.close();
  await expect(pool.getBalance(key)).rejects.toMatchObject({ code: 'MOORING_CLOSED' });
  await expect(pool.getConnection().getSlot()).rejects.toThrow('closed');
  expect(() => pool.addEndpoint('http://h')).toThrow(expect.objectContaining({ code: 'MOORING_CLOSED' }));
  expect(openThings().filter(({ kind }) => kind === 'solana')).toEqual([]);
});

it('drains: lets calls finish and refuses new ones', async () => {
  await rpc.fault('all', { kind: 'delay', ms: 200 });
  const pool = rpc.pool();
  const running = pool.getBalance(key);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const draining = pool.drain(5000);
  await expect(pool.getBalance(Keypair.generate().publicKey)).rejects.toMatchObject({ code: 'MOORING_CLOSED' });
  expect(await running).toBe(0);
  expect(await draining).toEqual({ drained: 1, aborted: 0, unconfirmed: [] });
});

it('is closed by gracefulShutdown, also with a call that hangs', async () => {
  await rpc.fault('all', { kind: 'hang' });
  const pool = rpc.pool();
  const pending = pool.getBalance(key).catch((reason: unknown) => reason);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const report = await gracefulShutdown({ deadlineMs: 1000, logger: { info: () => {}, error: () => {} } });
  expect(report.phases.find(({ name }) => name === 'solana')).toMatchObject({ closed: 1, aborted: 1 });
  expect(await pending).toMatchObject({ code: 'MOORING_CLOSED' });
});

it('is closed by await using', async () => {
  const pool = rpc.pool();
  await pool[Symbol.asyncDispose]();
  await expect(pool.getBalance(key)).rejects.toMatchObject({ code: 'MOORING_CLOSED' });
});

it('does not keep the process alive when idle', async () => {
  const child = await runChild(
    `const pool = new mooring.ConnectionPool({ endpoints: ['${rpc.urls[0]}'] }); await pool.getBalance('${key}'); console.log('idle');`,
  );
  expect(child).toMatchObject({ code: 0, stdout: 'idle\n', stderr: '' });
  expect(child.sinceLastOutputMs).toBeLessThan(1000);
});

it('keeps the process alive while a call is pending', async () => {
  await rpc.fault('all', { kind: 'delay', ms: 700 });
  const child = await runChild(
    `const pool = new mooring.ConnectionPool({ endpoints: ['${rpc.urls[0]}'] }); pool.getBalance('${key}').then((value) => console.log('answer', value));`,
  );
  expect(child).toMatchObject({ code: 0, stdout: 'answer 0\n' });
});

it('opens and closes many times without leaving anything', async () => {
  for (let round = 0; round < 200; round++) {
    const pool = rpc.pool();
    if (round % 10 === 0) await pool.getBalance(key);
    await pool.close();
  }
  expect(openThings().filter(({ kind }) => kind === 'solana')).toEqual([]);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(await sockets()).toBe(0);
});
