/**
 * @module __tests__/example/process
 *
 * The example as a process: SIGTERM under work ends it in order, and what it had not finished the next process finishes, once.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { PublicKey } from '@solana/web3.js';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Backend, connectFresh, eventually, loadBackend, MAIN, TRAP } from './backend';

interface Running {
  child: ChildProcess;
  log(): string;
}

describe('the backend as a process', () => {
  let backend: Backend;
  const running: ChildProcess[] = [];

  beforeAll(async () => {
    backend = loadBackend('process', 7);
    await connectFresh(backend);
  }, 60_000);

  afterAll(async () => {
    for (const child of running) child.kill('SIGKILL');
    await backend.mooring.gracefulShutdown({ queues: Object.values(backend.queues), logger: { info: () => {}, error: () => {} } });
  });

  async function start(): Promise<Running> {
    const child = spawn(process.execPath, ['--require', TRAP, MAIN], {
      env: { ...process.env, ...backend.env, LOG_LEVEL: 'info' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    running.push(child);
    let text = '';
    child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await eventually(
      'backend ready',
      async () => text.includes('backend ready') || (child.exitCode !== null && Promise.reject(new Error(text))),
    );
    return { child, log: () => text };
  }

  test('SIGTERM under work: exit code 0, a clean report, and the next process loses and doubles nothing', async () => {
    const launches = await Promise.all(Array.from({ length: 4 }, (_, i) => backend.seedLaunch(`T${i}`, { funded: true })));
    const first = await start();
    const answers = await Promise.all(launches.map((launch) => backend.enqueueTokenLaunch(launch)));
    expect(answers.every((answer) => answer.success)).toBe(true);
    first.child.kill('SIGTERM');
    const [code, signal] = (await once(first.child, 'exit')) as [number | null, string | null];
    expect([code, signal, first.log()]).toEqual([0, null, expect.stringContaining('Graceful shutdown completed')]);
    expect(first.log()).toContain('Initiating graceful shutdown...');
    expect(first.log()).toMatch(/"message":"shutdown report","details":\[\{"clean":true,"reason":"SIGTERM"/);

    const second = await start();
    const all = { state: backend.TransferState.LANDED };
    await eventually('every launch landed', async () => (await backend.TransferModel.countDocuments(all)) === launches.length);
    backend.pool.clearCache();
    const balances = await backend.pool.getBatchBalances(launches.map((launch) => new PublicKey(launch.treasury)));
    expect(balances).toEqual(launches.map(() => backend.LIQUIDITY_LAMPORTS));
    second.child.kill('SIGTERM');
    expect((await once(second.child, 'exit'))[0]).toBe(0);
  }, 60_000);

  test('SIGKILL under work: the next process finishes it, once', async () => {
    const launches = await Promise.all(Array.from({ length: 4 }, (_, i) => backend.seedLaunch(`K${i}`, { funded: true })));
    const first = await start();
    await Promise.all(launches.map((launch) => backend.enqueueTokenLaunch(launch)));
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    const second = await start();
    const mine = { state: backend.TransferState.LANDED, token: { $in: launches.map(({ tokenId }) => tokenId) } };
    // A job that was active at the kill is given back by BullMQ's stalled check.
    await eventually('every launch landed', async () => (await backend.TransferModel.countDocuments(mine)) === launches.length, 40_000);
    backend.pool.clearCache();
    const balances = await backend.pool.getBatchBalances(launches.map((launch) => new PublicKey(launch.treasury)));
    expect(balances).toEqual(launches.map(() => backend.LIQUIDITY_LAMPORTS));
    second.child.kill('SIGTERM');
    expect((await once(second.child, 'exit'))[0]).toBe(0);
  }, 60_000);
});
