/**
 * @module __tests__/example/functions
 *
 * The four functions of the example on real servers, without workers: what they write, what they queue, what they answer.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { TransferKind } from '../../examples/token-launch/src/models/index.js';
import type { Launch } from '../../examples/token-launch/src/demo/seed.js';
import { type Backend, connectFresh, eventually, loadBackend } from './backend';

const UNITS_HELD = 1_000;

describe('the four functions', () => {
  let backend: Backend;
  let launch: Launch;

  beforeAll(async () => {
    backend = loadBackend('functions', 5);
    await connectFresh(backend);
  }, 60_000);

  beforeEach(async () => {
    launch = await backend.seedLaunch('TEST', { funded: false });
  });

  afterAll(async () => {
    await backend.mooring.gracefulShutdown({ queues: Object.values(backend.queues), logger: { info: () => {}, error: () => {} } });
  });

  const jobOf = (kind: TransferKind, jobId: string) => backend.queues[kind].getJob(jobId);
  const transfers = () => backend.TransferModel.find({ token: launch.tokenId });
  const token = () => backend.TokenModel.findById(launch.tokenId).orFail();
  const setToken = (set: object) => backend.TokenModel.updateOne({ _id: launch.tokenId }, { $set: set });
  const failCommits = (mode: unknown, data: object) =>
    backend.UserModel.db
      .getClient()
      .db('admin')
      .command({ configureFailPoint: 'failCommand', mode, data: { failCommands: ['commitTransaction'], ...data } });
  const clearFaults = () => backend.UserModel.db.getClient().db('admin').command({ configureFailPoint: 'failCommand', mode: 'off' });
  const sell = (units: number, requestId: string) =>
    backend.enqueueWalletSell({ userId: launch.userId, tokenAddress: launch.tokenAddress, walletAddress: launch.bundle, units, requestId });

  test('a launch changes the token, writes the transfer and adds one job that carries an id and nothing else', async () => {
    const answer = await backend.enqueueTokenLaunch(launch);
    expect(answer).toEqual({ success: true, message: 'launch of TEST enqueued' });
    expect((await token()).state).toBe('LAUNCHING');
    const [transfer, ...others] = await transfers();
    expect(others).toEqual([]);
    expect(transfer).toMatchObject({ state: 'QUEUED', jobId: `launch-${launch.tokenId}-1`, to: launch.treasury });
    const job = await jobOf('launch', `launch-${launch.tokenId}-1`);
    expect(job?.data).toEqual({ transferId: transfer?._id.toHexString() });
  });

  test('a second launch of the same token is refused and adds nothing', async () => {
    await backend.enqueueTokenLaunch(launch);
    const again = await backend.enqueueTokenLaunch(launch);
    expect(again).toEqual({ success: false, message: 'token TEST is LAUNCHING, not DRAFT' });
    expect(await transfers()).toHaveLength(1);
  });

  test('eight launches of one token at once launch it once', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => backend.enqueueTokenLaunch(launch)));
    expect(answers.filter((answer) => answer.success)).toHaveLength(1);
    expect(await transfers()).toHaveLength(1);
    expect((await token()).launch.attempt).toBe(1);
  });

  test('a commit that fails transiently is tried again and queues one job', async () => {
    const before = await backend.queues.launch.getJobCountByTypes('waiting');
    await failCommits({ times: 2 }, { errorCode: 112, errorLabels: ['TransientTransactionError'] });
    const answer = await backend.enqueueTokenLaunch(launch);
    await clearFaults();
    expect(answer.success).toBe(true);
    expect(await transfers()).toHaveLength(1);
    expect(await backend.queues.launch.getJobCountByTypes('waiting')).toBe(before + 1);
  });

  test('a commit whose answer is cut off is repeated and committed once', async () => {
    await failCommits({ times: 1 }, { closeConnection: true });
    const answer = await backend.enqueueTokenLaunch(launch);
    await clearFaults();
    expect(answer.success).toBe(true);
    expect((await token()).launch.attempt).toBe(1);
    expect(await transfers()).toHaveLength(1);
  });

  test('a commit that is refused answers success: false and leaves neither data nor job', async () => {
    await failCommits('alwaysOn', { errorCode: 20 });
    const answer = await backend.enqueueTokenLaunch(launch);
    await clearFaults();
    expect(answer.success).toBe(false);
    expect((await token()).state).toBe('DRAFT');
    expect(await transfers()).toEqual([]);
    expect(await jobOf('launch', `launch-${launch.tokenId}-1`)).toBeUndefined();
    expect((await backend.enqueueTokenLaunch(launch)).success).toBe(true);
  });

  test('a missing wallet rolls everything back and answers success: false', async () => {
    await backend.WalletModel.deleteOne({ address: launch.dev });
    expect(await backend.enqueueTokenLaunch(launch)).toEqual({ success: false, message: 'dev wallet not found' });
    expect(await token()).toMatchObject({ state: 'DRAFT', launch: { attempt: 0 } });
    expect(await transfers()).toEqual([]);
  });

  test('a retry is for failed launches only, and is an attempt and a job of its own', async () => {
    expect((await backend.enqueueTokenLaunchRetry(launch)).success).toBe(false);
    await backend.enqueueTokenLaunch(launch);
    await setToken({ state: 'FAILED' });
    const answer = await backend.enqueueTokenLaunchRetry(launch);
    expect(answer).toEqual({ success: true, message: 'attempt 2 to launch TEST enqueued' });
    expect(await jobOf('launch', `launch-${launch.tokenId}-2`)).toBeDefined();
  });

  test('a sale reserves units, and the same request is one sale', async () => {
    await setToken({ state: 'LAUNCHED' });
    expect((await sell(10, 'one')).success).toBe(true);
    expect(await sell(10, 'one')).toEqual({ success: true, message: 'sale one is enqueued already' });
    const holding = (await token()).holdings.find(({ reserved }) => reserved > 0);
    expect(holding).toMatchObject({ units: UNITS_HELD - 10, reserved: 10 });
    const dev = { userId: launch.userId, tokenAddress: launch.tokenAddress, units: 5, requestId: 'one' };
    expect((await backend.enqueueDevSell(dev)).success).toBe(true);
    expect((await transfers()).map(({ kind, lamports }) => [kind, lamports])).toEqual(
      expect.arrayContaining([
        ['wallet-sell', 100_000],
        ['dev-sell', 50_000],
      ]),
    );
  });

  test('sales at once never sell more than the wallet holds', async () => {
    await setToken({ state: 'LAUNCHED' });
    const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => sell(150, `rush-${i}`)));
    const sold = answers.filter((answer) => answer.success).length;
    expect(sold).toBeGreaterThan(0);
    expect(sold).toBeLessThanOrEqual(6);
    expect(await transfers()).toHaveLength(sold);
    const holding = (await token()).holdings.find(({ reserved }) => reserved > 0);
    expect(holding).toMatchObject({ units: UNITS_HELD - sold * 150, reserved: sold * 150 });
  });

  test('bad input of any kind is answered, never thrown, and writes nothing', async () => {
    await setToken({ state: 'LAUNCHED' });
    const bad: unknown[] = [null, undefined, '', 7, {}, { $gt: '' }, 'not an id', Symbol('x')];
    const answers = [];
    for (const value of bad) {
      const input = { userId: value, tokenAddress: value, walletAddress: value, units: value, requestId: value } as never;
      answers.push(await backend.enqueueTokenLaunch(input), await backend.enqueueTokenLaunchRetry(input));
      answers.push(await backend.enqueueDevSell(input), await backend.enqueueWalletSell(input));
    }
    for (const units of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) answers.push(await sell(units, 'bad'));
    answers.push(await sell(1, 'a:b'), await sell(UNITS_HELD + 1, 'much'));
    expect(answers.every((answer) => !answer.success && typeof answer.message === 'string')).toBe(true);
    expect(await transfers()).toEqual([]);
  });

  test('no function leaves a session or a transaction open', async () => {
    const stats = await eventually('sessions ended', async () => {
      const now = backend.mooring.getSessionStats();
      return now.open === 0 && now;
    });
    expect(stats.started).toBe(stats.ended);
    const status = await backend.UserModel.db.getClient().db('admin').command({ serverStatus: 1 });
    expect(Number(status['transactions'].currentOpen)).toBe(0);
  });
});
