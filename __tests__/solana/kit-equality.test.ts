/** @module __tests__/solana/kit-equality: what kit says over its own transport, it says over the pool's, errors included. */
import { deepStrictEqual } from 'node:assert';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  address,
  createDefaultRpcTransport,
  createSolanaRpcFromTransport,
  isSolanaError,
  type Rpc,
  type RpcTransport,
  SOLANA_ERROR__RPC__TRANSPORT_HTTP_ERROR,
  type SolanaRpcApi,
} from '@solana/kit';
import { Keypair } from '@solana/web3.js';
import { ConnectionPool } from '../../dist/index.js';
import { createPoolTransport } from '../../dist/solana/kit.js';
import { ScriptedRpc } from '../support/scripted-rpc';
import { RpcService } from '../support/solana';
import { post } from '../support/stock';

type Client = Rpc<SolanaRpcApi>;
const rich = Keypair.generate().publicKey.toBase58();
const nobody = address(Keypair.generate().publicKey.toBase58());
const realFetch = globalThis.fetch;
let rpc: RpcService;
let scripted: ScriptedRpc;
let slot = 0;
const pools: ConnectionPool[] = [];

/** kit's own transport; its requests are made for it, as in this process no peer may open a socket. */
const stock = (url: string): RpcTransport => createDefaultRpcTransport({ url });
const pooled = (url: string): RpcTransport => {
  const pool = new ConnectionPool({
    endpoints: [url],
    maxRequestsPerSecond: 100_000,
    logger: { warn: () => {}, error: () => {} },
    readAttempts: 1,
  });
  pools.push(pool);
  return createPoolTransport(pool);
};

beforeAll(async () => {
  globalThis.fetch = (async (url: string, { body, signal }: { body: string; signal?: AbortSignal }) => {
    signal?.throwIfAborted();
    const answer = await post(url, { body });
    return new Response(await answer.text(), { status: answer.status, statusText: answer.statusText });
  }) as never;
  rpc = await RpcService.start(1, 0);
  scripted = await ScriptedRpc.start();
  await rpc.call('setAccount', { key: rich, lamports: '9007199254740993', owner: '11111111111111111111111111111111', data: 'AQID' });
  slot = (await rpc.advance(40)).slot - 5;
});
afterAll(async () => {
  globalThis.fetch = realFetch;
  await Promise.all(pools.map((pool) => pool.close()));
  await Promise.all([rpc.stop(), scripted.stop()]);
});

async function said(ask: () => Promise<unknown>): Promise<unknown> {
  try {
    return { value: await ask() };
  } catch (reason) {
    const { name, message, context } = reason as Error & { context?: { headers?: Headers } };
    const headers = context?.headers instanceof Headers ? {} : undefined;
    return { error: { name, message, made: (reason as object).constructor, context: { ...context, ...(headers && { headers }) } } };
  }
}

async function bothSay(url: string, ask: (client: Client) => Promise<unknown>): Promise<unknown> {
  const clients = [stock(url), pooled(url)].map((transport) => createSolanaRpcFromTransport(transport));
  const [theirs, ours] = [await said(() => ask(clients[0] as Client)), await said(() => ask(clients[1] as Client))];
  deepStrictEqual(ours, theirs);
  return ours;
}

const ASKED: readonly (readonly [name: string, ask: (client: Client) => Promise<unknown>, end: 'value' | 'error'])[] = [
  ['getBalance', (c) => c.getBalance(address(rich), { commitment: 'processed' }).send(), 'value'],
  ['getAccountInfo', (c) => c.getAccountInfo(address(rich), { encoding: 'base64', commitment: 'processed' }).send(), 'value'],
  [
    'getMultipleAccounts',
    (c) => c.getMultipleAccounts([address(rich), nobody], { encoding: 'base64', commitment: 'confirmed' }).send(),
    'value',
  ],
  ['getLatestBlockhash', (c) => c.getLatestBlockhash({ commitment: 'confirmed' }).send(), 'value'],
  ['getSlot', (c) => c.getSlot({ commitment: 'processed' }).send(), 'value'],
  ['getBlockHeight', (c) => c.getBlockHeight({ commitment: 'processed' }).send(), 'value'],
  ['getEpochInfo', (c) => c.getEpochInfo({ commitment: 'processed' }).send(), 'value'],
  ['getBlock', (c) => c.getBlock(BigInt(slot), { commitment: 'confirmed', maxSupportedTransactionVersion: 0 }).send(), 'value'],
  ['getMinimumBalanceForRentExemption', (c) => c.getMinimumBalanceForRentExemption(165n).send(), 'value'],
  ['getVersion', (c) => c.getVersion().send(), 'value'],
  ['no token account', (c) => c.getTokenAccountBalance(address(rich), { commitment: 'processed' }).send(), 'error'],
  ['a transaction that is none', (c) => c.sendTransaction('AAAA' as never, { encoding: 'base64' }).send(), 'error'],
  ['a floor that is not reached', (c) => c.getBalance(nobody, { minContextSlot: 9_000_000n, commitment: 'processed' }).send(), 'error'],
  ['a method that the node lacks', (c) => c.getSupply({ commitment: 'processed' } as never).send(), 'error'],
];

it.each(ASKED)('%s', async (_name, ask, end) => {
  expect(await bothSay(rpc.urls[0] as string, ask)).toHaveProperty(end);
});

describe('replies of all kinds', () => {
  const RESULTS = [
    '18446744073709551615',
    '-9007199254740993',
    '[1.5,1e3,2E+2,1e-3,0.1,-0]',
    '{"a":{"b":[null,true,"12","\\u007f5","\\"7",{"c":12345678901234567890}]}}',
    '"text with 123 and \\\\ and \\" in it"',
    'null',
    '""',
  ];
  it.each(RESULTS)('%s', async (result) => {
    scripted.script = `"result":${result}`;
    const [theirs, ours] = await Promise.all(
      [stock(scripted.url), pooled(scripted.url)].map(async (transport) => transport({ payload: PAYLOAD })),
    );
    deepStrictEqual((ours as { result: unknown }).result, (theirs as { result: unknown }).result);
    expect(ours).toHaveProperty('result');
  });

  it.each([400, 403, 404, 429, 500, 503])('HTTP status %i', async (status) => {
    scripted.script = { status, body: 'no' };
    const outcome = await bothSay(scripted.url, (client) => client.getGenesisHash().send());
    expect(outcome).toMatchObject({ error: { context: { statusCode: status } } });
    const error: unknown = await pooled(scripted.url)({ payload: PAYLOAD }).catch((reason: unknown) => reason);
    expect(isSolanaError(error, SOLANA_ERROR__RPC__TRANSPORT_HTTP_ERROR)).toBe(true);
    expect(error).toMatchObject({ cause: { name: 'MooringError' } });
  });

  it('a signal that has fired', async () => {
    const reason = new Error('enough');
    scripted.script = '"result":1';
    await expect(pooled(scripted.url)({ payload: PAYLOAD, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

const PAYLOAD = { jsonrpc: '2.0', id: '1', method: 'getAccountInfo', params: [] };
