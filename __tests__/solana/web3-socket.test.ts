/** @module __tests__/solana/web3-socket: the listeners of web3.js's own `Connection` over the pool's subscriptions. No socket but the pool's. */
import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { type AccountInfo, Connection, Keypair, type Logs, PublicKey, SystemProgram } from '@solana/web3.js';
import type { ConnectionPool } from '../../dist/index.js';
import { runChild } from '../support/child';
import { RpcService } from '../support/solana';
import { until } from '../support/until';

let rpc: RpcService;
beforeAll(async () => {
  rpc = await RpcService.start(2, 100);
});
afterEach(() => rpc.reset());
afterAll(() => rpc.stop());

const airdrop = (pool: ConnectionPool, key: PublicKey): Promise<string> =>
  pool.request<string>('requestAirdrop', [key.toBase58(), 3_000_000]);
const left = async (): Promise<number> => (await rpc.sockets()).reduce((sum, one) => sum + one.subscriptions, 0);

it('tells every kind of listener what web3.js tells them, and stops', async () => {
  const pool = rpc.pool();
  const connection = pool.getConnection();
  const { publicKey } = Keypair.generate();
  const accounts: AccountInfo<Buffer>[] = [];
  const programs: PublicKey[] = [];
  const logs: Logs[] = [];
  const slots: number[] = [];
  const roots: number[] = [];
  const ids = [
    connection.onAccountChange(publicKey, (account) => accounts.push(account), { commitment: 'confirmed' }),
    connection.onProgramAccountChange(SystemProgram.programId, ({ accountId }) => programs.push(accountId), { commitment: 'confirmed' }),
    connection.onLogs(publicKey, (one) => logs.push(one), 'confirmed'),
    connection.onSlotChange(({ slot }) => slots.push(slot)),
    connection.onRootChange((root) => roots.push(root)),
  ] as const;
  await until(() => slots.length > 0 && roots.length > 0);
  // The slots of `onSlotChange` and those of the socket's proof of life are one subscription at the node.
  await until(async () => (await left()) === 5);
  const signature = await airdrop(pool, publicKey);
  await until(() => accounts.length > 0 && programs.some((key) => key.equals(publicKey)) && logs.length > 0);
  expect(accounts[0]).toMatchObject({ lamports: 3_000_000, executable: false });
  expect(accounts[0]?.owner).toBeInstanceOf(PublicKey);
  expect(logs[0]).toMatchObject({ signature, err: null });
  await connection.removeAccountChangeListener(ids[0]);
  await connection.removeProgramAccountChangeListener(ids[1]);
  await connection.removeOnLogsListener(ids[2]);
  await connection.removeSlotChangeListener(ids[3]);
  await connection.removeRootChangeListener(ids[4]);
  expect(pool.getPoolStats().subscriptions).toBe(0);
  const told = slots.length;
  await airdrop(pool, publicKey);
  await until(async () => (await left()) <= 1);
  expect(slots.length).toBe(told);
  expect(accounts).toHaveLength(1);
  const again = connection.onSlotChange(({ slot }) => slots.push(slot));
  await until(() => slots.length > told);
  await connection.removeSlotChangeListener(again);
});

it('shares one subscription among equal listeners, as web3.js does, and keeps them when an endpoint is killed', async () => {
  const pool = rpc.pool();
  const connection = pool.getConnection();
  const told = [0, 0];
  const ids = told.map((_, index) => connection.onSlotChange(() => (told[index] = (told[index] ?? 0) + 1)));
  await until(() => told.every((count) => count > 2));
  expect(pool.getPoolStats().subscriptions).toBe(1);
  await rpc.fault('all', { kind: 'wsClose' });
  const before = [...told];
  await until(() => told.every((count, index) => count > (before[index] ?? 0) + 2));
  for (const id of ids) await connection.removeSlotChangeListener(id);
});

it('confirms by web3.js’s own websocket code, and tells signatures once', async () => {
  const pool = rpc.pool();
  const connection = pool.getConnection();
  const signature = await airdrop(pool, Keypair.generate().publicKey);
  const { blockhash, lastValidBlockHeight } = await connection.getLatestBlockhash();
  const strategy = { signature, blockhash, lastValidBlockHeight };
  const theirs = await Connection.prototype.confirmTransaction.call(connection, strategy as never, 'confirmed');
  expect(theirs.value).toEqual({ err: null });
  let ends = 0;
  connection.onSignature(signature, ({ err }) => (ends += err === null ? 1 : 100), 'finalized');
  const received = new Promise((resolve) => {
    connection.onSignatureWithOptions(signature, ({ type }) => resolve(type), {
      commitment: 'confirmed',
      enableReceivedNotification: false,
    });
  });
  expect(await received).toBe('status');
  await until(() => ends > 0);
  await until(() => pool.getPoolStats().subscriptions === 0);
  expect(ends).toBe(1);
});

it('says once what a node refuses, instead of asking again and again', async () => {
  const error = jest.fn();
  const pool = rpc.pool({ logger: { warn: () => {}, error } });
  const connection = pool.getConnection();
  const id = connection.onLogs('nonsense' as never, () => {}, 'confirmed');
  await until(() => error.mock.calls.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(error).toHaveBeenCalledTimes(1);
  expect(String(error.mock.calls[0]?.[0])).toContain('logsSubscribe was refused');
  await connection.removeOnLogsListener(id);
});

it('holds the process while it listens, as web3.js does, until the pool is closed', async () => {
  const child = await runChild(`
    const pool = new mooring.ConnectionPool({ endpoints: ['${rpc.urls[0]}'] });
    let told = 0;
    pool.getConnection().onSlotChange(() => { if (++told === 3) { console.log('three'); void pool.close(); } });`);
  expect(child).toMatchObject({ code: 0, stdout: 'three\n', stderr: '' });
  expect(child.sinceLastOutputMs).toBeLessThan(1500);
  await until(async () => (await left()) === 0);
});
