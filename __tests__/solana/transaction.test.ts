/** @module __tests__/solana/transaction: sends and confirmations on a real SVM. The chain's own ledger says what landed, and how often it was received. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Keypair,
  SendTransactionError,
  SystemProgram,
  Transaction,
  TransactionExpiredBlockheightExceededError,
  TransactionMessage,
  VersionedTransaction,
} from '@solana/web3.js';
import { type ConnectionPool, isMooringError } from '../../dist/index.js';
import { RpcService } from '../support/solana';

const payer = Keypair.generate();
let rpc: RpcService;
/** Half of its slots have no block: heights and slots are far apart. */
let skipping: RpcService;

beforeAll(async () => {
  rpc = await RpcService.start(2, 100);
  skipping = await RpcService.start(2, 400, 0.5);
  await rpc.airdrop(payer.publicKey, 100_000_000_000);
  await rpc.advance(2);
});
afterEach(() => rpc.reset());
afterAll(async () => {
  await Promise.all([rpc.stop(), skipping.stop()]);
});

const transferTo = (to: Keypair, lamports = 1_000_000): Transaction =>
  new Transaction().add(SystemProgram.transfer({ fromPubkey: payer.publicKey, toPubkey: to.publicKey, lamports }));

async function signed(
  pool: ConnectionPool,
  to = Keypair.generate(),
  lamports = 1_000_000,
): Promise<{ bytes: Uint8Array; lastValidBlockHeight: number; to: Keypair }> {
  const { blockhash, lastValidBlockHeight } = await pool.getLatestBlockhash('confirmed');
  const message = new TransactionMessage({
    payerKey: payer.publicKey,
    recentBlockhash: blockhash,
    instructions: transferTo(to, lamports).instructions,
  });
  const transaction = new VersionedTransaction(message.compileToV0Message());
  transaction.sign([payer]);
  return { bytes: transaction.serialize(), lastValidBlockHeight, to };
}

describe('sendTransaction', () => {
  it('sends a signed versioned transaction and returns its signature', async () => {
    const pool = rpc.pool();
    const { bytes } = await signed(pool);
    const transaction = VersionedTransaction.deserialize(bytes);
    const signature = await pool.sendTransaction(transaction);
    const landed = await rpc.landed();
    expect(landed.find((one) => one.signature === signature)).toMatchObject({ err: null, received: 1 });
  });

  it('signs a legacy transaction once, with signers as array or as option', async () => {
    const pool = rpc.pool();
    const [one, two] = [Keypair.generate(), Keypair.generate()];
    const first = await pool.sendTransaction(transferTo(one), [payer]);
    const second = await pool.sendTransaction(transferTo(two), { signers: [payer] });
    expect(first).not.toBe(second);
    expect(await pool.getBatchBalances([one.publicKey, two.publicKey])).toEqual([1_000_000, 1_000_000]);
  });

  it('makes two payments of two equal transfers, although the blockhash is cached', async () => {
    const pool = rpc.pool({ cacheConfig: { blockhashTTL: 2000, balanceTTL: 0 } });
    const to = Keypair.generate();
    const first = await pool.sendTransaction(transferTo(to), [payer]);
    await rpc.advance(2);
    const second = await pool.sendTransaction(transferTo(to), [payer]);
    expect(second).not.toBe(first);
    expect(await pool.getBalance(to.publicKey)).toBe(2_000_000);
  });

  it.each([
    ['resets after it has executed the transaction', { kind: 'reset', when: 'after', methods: ['sendTransaction'] }],
    ['answers 503', { kind: 'status', status: 503, methods: ['sendTransaction'] }],
    ['cuts its reply', { kind: 'truncate', methods: ['sendTransaction'] }],
  ])('pays once when the first endpoint %s', async (_name, fault) => {
    const pool = rpc.pool({ cacheConfig: { balanceTTL: 0 } });
    for (const front of [0, 1]) {
      await rpc.clearFaults();
      const { bytes, to } = await signed(pool);
      await rpc.fault(front, fault);
      const signature = await pool.sendRawTransaction(bytes);
      expect((await rpc.landed()).filter((one) => one.signature === signature)).toHaveLength(1);
      expect(await pool.getBalance(to.publicKey)).toBe(1_000_000);
    }
  });

  it('does not repeat a transaction that the simulation refuses, and throws the class of the peer with its logs', async () => {
    const pool = rpc.pool();
    const { bytes } = await signed(pool, Keypair.generate(), 999_000_000_000_000);
    const error: unknown = await pool.sendRawTransaction(bytes).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SendTransactionError);
    expect(error).toMatchObject({ code: -32002, cause: { code: 'MOORING_SERVER_ERROR' } });
    expect((error as SendTransactionError).logs?.length).toBeGreaterThan(0);
    expect(await rpc.count('sendTransaction')).toBe(1);
  });

  it.each([
    ['unsigned bytes', new Uint8Array(200)],
    ['too many bytes', new Uint8Array(1233).fill(1)],
    ['no bytes', new Uint8Array()],
    ['a text', 'nonsense' as unknown as Uint8Array],
    ['null', null as unknown as Uint8Array],
  ])('refuses %s before anything is sent', async (_name, bytes) => {
    const error: unknown = await rpc
      .pool()
      .sendRawTransaction(bytes)
      .catch((reason: unknown) => reason);
    expect(isMooringError(error, 'MOORING_INVALID_ARGUMENT') && error.details['argument']).toBe('transaction');
    expect(await rpc.count('sendTransaction')).toBe(0);
  });

  it('counts sends by a limit of their own', async () => {
    const pool = rpc.pool({ maxTransactionsPerSecond: 2 });
    const all = [await signed(pool), await signed(pool), await signed(pool)];
    const started = performance.now();
    await Promise.all(all.map(({ bytes }) => pool.sendRawTransaction(bytes)));
    expect(performance.now() - started).toBeGreaterThan(900);
    expect(pool.getPoolStats().transactionCount).toBeGreaterThanOrEqual(2);
  });
});

describe('following a transaction', () => {
  it('says landed, with its slot', async () => {
    const pool = rpc.pool();
    const { bytes, lastValidBlockHeight } = await signed(pool);
    const tracked = await pool.sendAndConfirm(bytes, { lastValidBlockHeight });
    expect(tracked).toMatchObject({ status: 'landed', err: null });
    expect((await rpc.landed()).find((one) => one.signature === tracked.signature)?.slot).toBe(tracked.slot);
  });

  it('says landed again for bytes that landed before, also when their blockhash has expired since', async () => {
    const pool = rpc.pool();
    const { bytes, lastValidBlockHeight } = await signed(pool);
    const first = await pool.sendAndConfirm(bytes, { lastValidBlockHeight });
    expect(await pool.sendAndConfirm(bytes, { lastValidBlockHeight })).toEqual(first);
    await rpc.advance(200);
    expect(await pool.sendAndConfirm(bytes, { lastValidBlockHeight })).toEqual(first);
    expect((await rpc.landed()).filter((one) => one.signature === first.signature)).toHaveLength(1);
  });

  it('says failed when it is on chain with an error', async () => {
    const pool = rpc.pool();
    const { bytes, lastValidBlockHeight } = await signed(pool, Keypair.generate(), 999_000_000_000_000);
    const tracked = await pool.sendAndConfirm(bytes, { lastValidBlockHeight, skipPreflight: true });
    expect(tracked.status).toBe('failed');
    expect(tracked.err).toMatchObject({ InstructionError: [0, expect.anything()] });
  });

  it('says expired only when it can no longer land', async () => {
    const pool = rpc.pool();
    const { bytes, lastValidBlockHeight } = await signed(pool);
    await rpc.fault('all', { kind: 'blackhole' });
    const tracking = pool.sendAndConfirm(bytes, { lastValidBlockHeight, deadlineMs: 20_000 });
    await new Promise((resolve) => setTimeout(resolve, 500));
    await rpc.advance(200);
    expect(await tracking).toMatchObject({ status: 'expired', slot: null, err: null });
  });

  it('says expired for bytes that are first sent long after their blockhash', async () => {
    const pool = rpc.pool();
    const { bytes, lastValidBlockHeight } = await signed(pool);
    await rpc.advance(1000);
    const tracked = await pool.sendAndConfirm(bytes, { lastValidBlockHeight });
    expect(tracked.status).toBe('expired');
    expect(await pool.sendAndConfirm(bytes)).toEqual(tracked);
    expect(await pool.confirm(tracked.signature, { lastValidBlockHeight })).toEqual(tracked);
  });

  it('does not believe a slot that is given as a height', async () => {
    const pool = skipping.pool();
    await skipping.airdrop(payer.publicKey, 100_000_000_000);
    await skipping.advance(3000);
    const { bytes, lastValidBlockHeight } = await signed(pool);
    await skipping.fault('all', { kind: 'slotAsHeight' });
    await skipping.fault('all', { kind: 'blackhole' });
    const tracked = await pool.sendAndConfirm(bytes, { lastValidBlockHeight, deadlineMs: 3000 });
    expect(tracked.status).toBe('unknown');
    await skipping.reset();
  });

  it('says unknown when the deadline comes first', async () => {
    const pool = rpc.pool();
    const { bytes, lastValidBlockHeight } = await signed(pool);
    await rpc.fault('all', { kind: 'blackhole' });
    expect(await pool.sendAndConfirm(bytes, { lastValidBlockHeight, deadlineMs: 1500 })).toMatchObject({ status: 'unknown' });
  });

  it('sends the same bytes again until they land', async () => {
    const pool = rpc.pool();
    const { bytes, lastValidBlockHeight } = await signed(pool);
    await rpc.fault('all', { kind: 'blackhole', count: 1 });
    const tracked = await pool.sendAndConfirm(bytes, { lastValidBlockHeight, deadlineMs: 20_000 });
    expect(tracked.status).toBe('landed');
    const received = (await rpc.sends()).find((one) => one.signature === tracked.signature)?.received ?? 0;
    expect(received).toBeGreaterThan(1);
  });

  it('confirms as web3.js does, and throws its class for an expired transaction', async () => {
    const pool = rpc.pool();
    const { bytes, lastValidBlockHeight } = await signed(pool);
    const signature = await pool.sendRawTransaction(bytes);
    const confirmed = await pool.confirmTransaction({ signature, lastValidBlockHeight, blockhash: 'unused' }, 'confirmed');
    expect(confirmed.value.err).toBeNull();
    expect(confirmed.context.slot).toBeGreaterThan(0);
    // A signature that nobody ever sent.
    const unsent = signature.slice(0, 40) + signature.slice(40).split('').toReversed().join('');
    const { height } = await rpc.advance(10);
    const error: unknown = await pool
      .confirmTransaction({ signature: unsent, lastValidBlockHeight: height - 5 })
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TransactionExpiredBlockheightExceededError);
  });

  it('asks for all pending signatures in one request', async () => {
    const pool = rpc.pool();
    await rpc.fault('all', { kind: 'blackhole' });
    const many = await Promise.all(Array.from({ length: 20 }, () => signed(pool)));
    await Promise.all(many.map(({ bytes }) => pool.sendAndConfirm(bytes, { deadlineMs: 1500 })));
    expect(await rpc.count('getSignatureStatuses')).toBeLessThan(10);
  });
});

describe('getSignatureStatuses', () => {
  it('keeps statuses that were found and asks again for those that were not', async () => {
    const pool = rpc.pool({ cacheConfig: { signatureStatusTTL: 60_000 } });
    const { bytes, lastValidBlockHeight } = await signed(pool);
    const { signature } = await pool.sendAndConfirm(bytes, { lastValidBlockHeight });
    const unknown = '5'.repeat(88);
    await rpc.call('resetHits');
    for (let round = 0; round < 2; round++) {
      const { value } = await pool.getSignatureStatuses([signature, unknown]);
      expect(value[0]).toMatchObject({ err: null });
      expect(value[1]).toBeNull();
    }
    expect(await rpc.count('getSignatureStatuses')).toBe(2);
    await pool.getSignatureStatuses([signature]);
    expect(await rpc.count('getSignatureStatuses')).toBe(2);
  });
});
