/** @module __tests__/solana/connection: web3.js's own `Connection` over the pool, from `getConnection()` and from `pool.fetch`. No socket but the pool's. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Connection,
  Keypair,
  PublicKey,
  sendAndConfirmTransaction,
  SolanaJSONRPCError,
  SystemProgram,
  Transaction,
  TransactionExpiredBlockheightExceededError,
} from '@solana/web3.js';
import { isMooringError } from '../../dist/index.js';
import { ConnectionPool } from '../../dist/solana/web3.js';
import { payment } from '../support/payment';
import { RpcService } from '../support/solana';

const payer = Keypair.generate();
const LAMPORTS = 5_000_000_000;
let rpc: RpcService;

beforeAll(async () => {
  rpc = await RpcService.start(2, 100);
  await rpc.airdrop(payer.publicKey, LAMPORTS);
  await rpc.advance(2);
});
afterEach(() => rpc.reset());
afterAll(() => rpc.stop());

it('reads through the pool’s endpoints, with its commitment', async () => {
  const connection = rpc.pool().getConnection();
  expect(connection).toBeInstanceOf(Connection);
  expect(connection.commitment).toBe('processed');
  expect(await connection.getBalance(payer.publicKey)).toBe(LAMPORTS);
  const account = await connection.getAccountInfo(payer.publicKey);
  expect(account?.owner.equals(SystemProgram.programId)).toBe(true);
  expect(await connection.getSlot()).toBeGreaterThan(0);
  expect(await rpc.count('getBalance')).toBe(1);
});

it('gives the same accounts as the pool itself', async () => {
  const pool = rpc.pool();
  const keys = [payer.publicKey, Keypair.generate().publicKey, SystemProgram.programId];
  const theirs = await pool.getConnection().getMultipleAccountsInfo(keys, 'confirmed');
  const ours = await pool.getMultipleAccounts(keys, 'confirmed');
  expect(ours).toEqual(theirs);
  expect(ours[0]?.owner).toBeInstanceOf(PublicKey);
});

it('hands out the same connection each time', () => {
  const pool = rpc.pool();
  expect(pool.getConnection()).toBe(pool.getConnection());
});

it('fails over where web3.js would wait', async () => {
  await rpc.fault(0, { kind: 'status', status: 429, retryAfter: 5 });
  const connection = rpc.pool().getConnection();
  const started = performance.now();
  await Promise.all(Array.from({ length: 20 }, () => connection.getBalance(Keypair.generate().publicKey)));
  expect(performance.now() - started).toBeLessThan(2000);
});

it('sends and confirms by web3.js’s own helper', async () => {
  const connection = rpc.pool().getConnection();
  const to = Keypair.generate().publicKey;
  const transfer = new Transaction().add(SystemProgram.transfer({ fromPubkey: payer.publicKey, toPubkey: to, lamports: 1_000_000 }));
  const signature = await sendAndConfirmTransaction(connection, transfer, [payer], { commitment: 'confirmed' });
  expect((await rpc.landed()).filter((one) => one.signature === signature)).toHaveLength(1);
});

describe('confirmTransaction', () => {
  const sent = async (connection: Connection): Promise<{ signature: string; blockhash: string; lastValidBlockHeight: number }> => {
    const { bytes, ...rest } = await payment(rpc.pool(), payer);
    await connection.sendRawTransaction(bytes);
    return rest;
  };

  it('takes the strategies and commitments of web3.js', async () => {
    const connection = rpc.pool().getConnection();
    const one = await sent(connection);
    const landed = { context: { slot: expect.any(Number) }, value: { err: null } };
    expect(await connection.confirmTransaction(one, 'confirmed')).toEqual(landed);
    expect(await connection.confirmTransaction(one.signature, 'recent')).toEqual(landed);
    expect(await connection.confirmTransaction(one.signature)).toEqual(landed);
  });

  it('throws what web3.js throws', async () => {
    const connection = rpc.pool().getConnection();
    const unsent = await payment(rpc.pool(), payer);
    const lastValidBlockHeight = (await connection.getBlockHeight()) - 5;
    await expect(connection.confirmTransaction({ ...unsent, lastValidBlockHeight })).rejects.toBeInstanceOf(
      TransactionExpiredBlockheightExceededError,
    );
    await expect(connection.confirmTransaction('0OIl')).rejects.toThrow('signature must be base58 encoded: 0OIl');
    await expect(connection.confirmTransaction('2222')).rejects.toThrow('signature has invalid length');
    const reason = new Error('enough');
    const aborted = AbortSignal.abort(reason);
    await expect(connection.confirmTransaction({ ...unsent, abortSignal: aborted })).rejects.toBe(reason);
    const controller = new AbortController();
    const pending = connection.confirmTransaction({ ...unsent, abortSignal: controller.signal });
    setTimeout(() => controller.abort(reason), 30);
    await expect(pending).rejects.toBe(reason);
  });
});

it('surfaces a node’s error as web3.js does', async () => {
  const connection = rpc.pool().getConnection();
  const error: unknown = await connection.getTokenAccountBalance(payer.publicKey).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(SolanaJSONRPCError);
});

it('settles with an Error when nothing can be reached', async () => {
  await rpc.fault('all', { kind: 'refuse' });
  const error: unknown = await rpc
    .pool()
    .getConnection()
    .getBalance(payer.publicKey)
    .catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(Error);
  expect(String(error)).toContain('No healthy RPC connections available');
});

it('refuses what the pool does not subscribe to by a clear error', () => {
  const connection = rpc.pool().getConnection();
  let error: unknown;
  try {
    connection.onSlotUpdate(() => {});
  } catch (reason) {
    error = reason;
  }
  expect(isMooringError(error, 'MOORING_INVALID_ARGUMENT')).toBe(true);
});

it('serves batches of a connection of the caller’s own through pool.fetch, in order', async () => {
  const pool = rpc.pool();
  const own = new Connection('http://anything.invalid', { fetch: pool.fetch as never, httpAgent: false, disableRetryOnRateLimit: true });
  const response = await pool.fetch('ignored', {
    body: JSON.stringify([
      { jsonrpc: '2.0', id: 'a', method: 'getBalance', params: [payer.publicKey.toBase58()] },
      { jsonrpc: '2.0', id: 7, method: 'nonsense', params: [] },
      { jsonrpc: '2.0', id: null, method: 'getHealth' },
    ]),
  });
  expect(await response.json()).toMatchObject([
    { id: 'a', result: { value: expect.any(Number) } },
    { id: 7, error: { code: -32601 } },
    { id: null, result: 'ok' },
  ]);
  expect(await own.getBalance(payer.publicKey)).toBeGreaterThan(0);
  await expect(pool.fetch('ignored', { body: 'not json' })).rejects.toMatchObject({ code: 'MOORING_INVALID_ARGUMENT' });
  await expect(pool.fetch('ignored', {})).rejects.toMatchObject({ code: 'MOORING_INVALID_ARGUMENT' });
});

it('refuses a peer without a Connection', () => {
  expect(() => rpc.pool({ web3: {} as never })).toThrow(expect.objectContaining({ code: 'MOORING_INVALID_CONFIG' }));
});

it('comes typed from mooring/web3', async () => {
  const pool = new ConnectionPool({ endpoints: rpc.urls });
  const connection: Connection = pool.getConnection();
  expect(await connection.getBalance(payer.publicKey)).toBeGreaterThan(0);
  await pool.close();
});
