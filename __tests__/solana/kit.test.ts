/** @module __tests__/solana/kit: the pool as transport of `@solana/kit`. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type Address,
  address,
  createSolanaRpcFromTransport,
  createSolanaRpcSubscriptionsFromTransport,
  isSolanaError,
  type RpcSubscriptions,
  type RpcSubscriptionsTransport,
  SOLANA_ERROR__JSON_RPC__INVALID_PARAMS,
  SOLANA_ERROR__RPC__TRANSPORT_HTTP_ERROR,
  SOLANA_ERROR__RPC_SUBSCRIPTIONS__CHANNEL_CONNECTION_CLOSED,
  type Signature,
  type SolanaRpcSubscriptionsApi,
} from '@solana/kit';
import { Keypair } from '@solana/web3.js';
import type { ConnectionPool } from '../../dist/index.js';
import { createPoolSubscriptionsTransport, createPoolTransport } from '../../dist/solana/kit.js';
import { runChild } from '../support/child';
import { RpcService } from '../support/solana';
import { until } from '../support/until';

const rich = Keypair.generate().publicKey.toBase58();
let rpc: RpcService;

beforeAll(async () => {
  rpc = await RpcService.start(2);
  await rpc.call('setAccount', { key: rich, lamports: '9007199254740993', owner: '11111111111111111111111111111111' });
  await rpc.advance(2);
});
afterEach(() => rpc.reset());
afterAll(() => rpc.stop());

const kit = (): ReturnType<typeof createSolanaRpcFromTransport> => createSolanaRpcFromTransport(createPoolTransport(rpc.pool()) as never);

it('reads integers beyond 2^53 exactly', async () => {
  const { value, context } = await (
    kit() as never as { getBalance(key: string): { send(): Promise<{ value: bigint; context: { slot: bigint } }> } }
  )
    .getBalance(address(rich))
    .send();
  expect(value).toBe(9_007_199_254_740_993n);
  expect(typeof context.slot).toBe('bigint');
});

it('takes bigint in arguments, and leaves strings that look like marks alone', async () => {
  const transport = createPoolTransport(rpc.pool());
  const rent = await transport<{ result: bigint }>({
    payload: { jsonrpc: '2.0', id: '1', method: 'getMinimumBalanceForRentExemption', params: [80n] },
  });
  expect(rent.result).toBeGreaterThan(0n);
  const echo = await transport<{ id: string }>({ payload: { jsonrpc: '2.0', id: '\u007f5', method: 'getSlot', params: [] } });
  expect(echo.id).toBe('\u007f5');
});

it('keeps plain numbers for methods that are not the node’s', async () => {
  const transport = createPoolTransport(rpc.pool());
  const { error } = await transport<{ error: { code: number } }>({ payload: { jsonrpc: '2.0', id: 1, method: 'getAsset', params: [] } });
  expect(error.code).toBe(-32601);
});

it('throws the class of the peer for an HTTP failure', async () => {
  await rpc.fault('all', { kind: 'status', status: 503 });
  const transport = createPoolTransport(rpc.pool());
  const error: unknown = await transport({ payload: { jsonrpc: '2.0', id: 1, method: 'getSlot', params: [] } }).catch(
    (reason: unknown) => reason,
  );
  expect(isSolanaError(error, SOLANA_ERROR__RPC__TRANSPORT_HTTP_ERROR)).toBe(true);
  expect((error as { context: { statusCode: number } }).context.statusCode).toBe(503);
});

it('stops when the signal fires', async () => {
  await rpc.fault('all', { kind: 'hang' });
  const transport = createPoolTransport(rpc.pool());
  const reason = new Error('enough');
  const controller = new AbortController();
  const pending = transport({ payload: { jsonrpc: '2.0', id: 1, method: 'getSlot', params: [] }, signal: controller.signal });
  setTimeout(() => controller.abort(reason), 30);
  await expect(pending).rejects.toBe(reason);
});

const subscriptionsOf = (pool: ConnectionPool): RpcSubscriptions<SolanaRpcSubscriptionsApi> =>
  createSolanaRpcSubscriptionsFromTransport(createPoolSubscriptionsTransport(pool) as RpcSubscriptionsTransport);

it('subscribes: bigints in notifications, an end by the signal, nothing left at the node', async () => {
  const pool = rpc.pool();
  const controller = new AbortController();
  const key = address(Keypair.generate().publicKey.toBase58());
  const notifications = await subscriptionsOf(pool)
    .accountNotifications(key, { commitment: 'confirmed', encoding: 'base64' })
    .subscribe({ abortSignal: controller.signal });
  await rpc.call('setAccount', { key, lamports: '9007199254740995', owner: '11111111111111111111111111111111' });
  for await (const { context, value } of notifications) {
    expect(value.lamports).toBe(9_007_199_254_740_995n);
    expect(typeof context.slot).toBe('bigint');
    controller.abort();
  }
  await until(() => pool.getPoolStats().subscriptions === 0);
  await until(async () => (await rpc.sockets()).every(({ subscriptions }) => subscriptions <= 1));
});

it('tells the end of a signature that landed before, and slots', async () => {
  const pool = rpc.pool();
  const controller = new AbortController();
  const signature = await pool.request<Signature>('requestAirdrop', [Keypair.generate().publicKey.toBase58(), 1_000_000]);
  const ends = await subscriptionsOf(pool)
    .signatureNotifications(signature, { commitment: 'confirmed' })
    .subscribe({ abortSignal: controller.signal });
  for await (const { value } of ends) {
    expect(value).toEqual({ err: null });
    break;
  }
  const slots = await subscriptionsOf(pool).slotNotifications().subscribe({ abortSignal: controller.signal });
  for await (const { slot, parent } of slots) {
    expect(slot).toBeGreaterThan(parent);
    break;
  }
  controller.abort();
  await until(() => pool.getPoolStats().subscriptions === 0);
});

it('throws the class of the peer when a node refuses a subscription, and when the pool closes', async () => {
  const pool = rpc.pool();
  const { signal } = new AbortController();
  const refused: unknown = await subscriptionsOf(pool)
    .accountNotifications('nonsense' as Address)
    .subscribe({ abortSignal: signal })
    .catch((reason: unknown) => reason);
  expect(isSolanaError(refused, SOLANA_ERROR__JSON_RPC__INVALID_PARAMS)).toBe(true);
  const slots = await subscriptionsOf(pool).slotNotifications().subscribe({ abortSignal: signal });
  const reading = (async () => {
    for await (const slot of slots) void slot;
  })().catch((reason: unknown) => reason);
  await pool.close();
  expect(isSolanaError(await reading, SOLANA_ERROR__RPC_SUBSCRIPTIONS__CHANNEL_CONNECTION_CLOSED)).toBe(true);
});

describe('the process', () => {
  it('stays while notifications are listened to, and goes when their signal fires', async () => {
    const child = await runChild(`
      const { createSolanaRpcSubscriptionsFromTransport } = require('@solana/kit');
      const { createPoolSubscriptionsTransport } = require('./dist/solana/kit.js');
      const pool = new mooring.ConnectionPool({ endpoints: [${rpc.urls.map((url) => `'${url}'`).join(', ')}] });
      const end = new AbortController();
      const rpc = createSolanaRpcSubscriptionsFromTransport(createPoolSubscriptionsTransport(pool));
      let told = 0;
      for await (const _slot of await rpc.slotNotifications().subscribe({ abortSignal: end.signal })) if (++told === 3) break;
      console.log('three');
      end.abort();`);
    expect(child).toMatchObject({ code: 0, stdout: 'three\n', stderr: '' });
    expect(child.sinceLastOutputMs).toBeLessThan(1000);
  });
});
