/** @module __tests__/solana/transaction-expiry: `expired` is said when it is true and can be known, and never for want of an answer. Blockhashes and durable nonces. */
import { describe, expect, it } from '@jest/globals';
import { Keypair, type PublicKey, TransactionExpiredBlockheightExceededError, TransactionExpiredNonceInvalidError } from '@solana/web3.js';
import type { ConnectionPool } from '../../dist/index.js';
import { nonceAccount, noncePayment, nonceValue, onChain, payment } from '../support/payment';
import type { RpcService } from '../support/solana';

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const url = (rpc: RpcService, front: number): string => rpc.urls[front] as string;
const landings = async (rpc: RpcService, signature: string) => (await rpc.landed()).filter((one) => one.signature === signature);
/** What is known after so many milliseconds; `undefined`: nothing yet. */
const after = <T>(ms: number, promise: Promise<T>): Promise<T | undefined> => Promise.race([promise, wait(ms).then(() => undefined)]);

describe('by block height', () => {
  it.concurrent('expires when two endpoints are past the limit, and not before', () =>
    onChain(async (rpc, payer) => {
      const pool = rpc.pool();
      const { bytes, lastValidBlockHeight } = await payment(pool, payer);
      await rpc.fault('all', { kind: 'blackhole' });
      const tracking = pool.sendAndConfirm(bytes, { lastValidBlockHeight });
      let { height } = await rpc.advance(1);
      while (height < lastValidBlockHeight - 30) ({ height } = await rpc.advance(10));
      expect(await after(1200, tracking)).toBeUndefined();
      await rpc.advance(60);
      expect(await tracking).toMatchObject({ status: 'expired', slot: null, err: null, logs: null });
    }),
  );

  it.concurrent('is not fooled by slots given for heights, and still expires when the blockhash is gone', () =>
    onChain(async (rpc, payer) => {
      const pool = rpc.pool();
      const { bytes, lastValidBlockHeight } = await payment(pool, payer);
      await rpc.fault('all', { kind: 'slotAsHeight' });
      await rpc.fault('all', { kind: 'blackhole' });
      const tracking = pool.sendAndConfirm(bytes, { lastValidBlockHeight });
      expect(await after(3000, tracking)).toBeUndefined();
      await rpc.advance(250);
      expect((await tracking).status).toBe('expired');
    }),
  );

  it.concurrent('is not fooled by a limit that belongs to another blockhash', () =>
    onChain(async (rpc, payer) => {
      const pool = rpc.pool();
      const { bytes, signature } = await payment(pool, payer);
      await rpc.fault('all', { kind: 'late', slots: 25 });
      expect(await pool.sendAndConfirm(bytes, { lastValidBlockHeight: 1 })).toMatchObject({ status: 'landed', signature });
    }),
  );

  it.concurrent('expires with one of two endpoints gone: its blockhash tells', () =>
    onChain(async (rpc, payer) => {
      const pool = rpc.pool({ endpoints: [url(rpc, 0), url(rpc, 1)] });
      const { bytes, lastValidBlockHeight } = await payment(pool, payer);
      await rpc.fault('all', { kind: 'blackhole' });
      await rpc.fault(1, { kind: 'refuse' });
      await rpc.fault(1, { kind: 'reset' });
      const tracking = pool.sendAndConfirm(bytes, { lastValidBlockHeight });
      await wait(500);
      await rpc.advance(250);
      expect((await tracking).status).toBe('expired');
    }),
  );

  it.concurrent('says unknown, not expired, when only a node that lags answers', () =>
    onChain(async (rpc, payer) => {
      const pool = rpc.pool({ endpoints: [url(rpc, 0), { url: url(rpc, 1), tier: 1 }], maxSlotLag: 1000 });
      const { bytes, lastValidBlockHeight, signature } = await payment(pool, payer);
      // It has landed, but the node that is asked first cannot have seen it.
      await rpc.fault(0, { kind: 'lag', slots: 120, healthy: true });
      const tracked = await pool.sendAndConfirm(bytes, { lastValidBlockHeight, skipPreflight: true, deadlineMs: 2500 });
      expect(await landings(rpc, signature)).toHaveLength(1);
      expect(tracked.status).not.toBe('expired');
      await rpc.advance(60);
      expect((await pool.confirm(signature, { lastValidBlockHeight, deadlineMs: 2000 })).status).not.toBe('expired');
    }),
  );

  it.concurrent.each([
    ['the history', ['getSignatureStatuses']],
    ['heights nor blockhashes', ['getEpochInfo', 'isBlockhashValid']],
  ])('says unknown when no endpoint can tell %s', (_name, methods) =>
    onChain(async (rpc, payer) => {
      const pool = rpc.pool();
      const { bytes, lastValidBlockHeight } = await payment(pool, payer);
      await rpc.fault('all', { kind: 'blackhole' });
      await rpc.fault('all', { kind: 'envelope', code: -32011, methods });
      const tracking = pool.sendAndConfirm(bytes, { lastValidBlockHeight, deadlineMs: 3000 });
      await rpc.advance(250);
      expect((await tracking).status).toBe('unknown');
    }),
  );
});

describe('by blockhash alone', () => {
  it.concurrent('expires when the blockhash is gone', () =>
    onChain(async (rpc, payer) => {
      const pool = rpc.pool();
      const { bytes } = await payment(pool, payer);
      await rpc.fault('all', { kind: 'blackhole' });
      const tracking = pool.sendAndConfirm(bytes);
      await wait(500);
      await rpc.advance(250);
      expect((await tracking).status).toBe('expired');
    }),
  );

  it.concurrent('does not take the word of a node that cannot know the blockhash yet', () =>
    onChain(async (rpc, payer) => {
      const { bytes, signature } = await payment(rpc.pool({ endpoints: [url(rpc, 1)] }), payer);
      await rpc.fault(0, { kind: 'lag', slots: 25, healthy: true });
      const pool = rpc.pool({ endpoints: [url(rpc, 0)] });
      expect(await pool.sendAndConfirm(bytes)).toMatchObject({ status: 'landed', signature });
    }),
  );
});

describe('a durable nonce', () => {
  /** Uses the nonce up, by the one front end that the pools under test do not know. */
  const useUp = async (rpc: RpcService, payer: Keypair, account: PublicKey): Promise<void> => {
    const pool = rpc.pool({ endpoints: [url(rpc, 2)] });
    const { bytes } = noncePayment(payer, account, await nonceValue(pool, account));
    expect((await pool.sendAndConfirm(bytes)).status).toBe('landed');
  };
  const blackholed = async (rpc: RpcService): Promise<ConnectionPool> => {
    for (const front of [0, 1]) await rpc.fault(front, { kind: 'blackhole' });
    return rpc.pool({ endpoints: [url(rpc, 0), url(rpc, 1)] });
  };

  it.concurrent.each(['legacy', 0] as const)('keeps a transaction alive for hundreds of blocks (version %s)', (version) =>
    onChain(async (rpc, payer) => {
      const account = await nonceAccount(rpc, rpc.pool(), payer);
      const pool = await blackholed(rpc);
      const { bytes, signature, to } = noncePayment(payer, account, await nonceValue(pool, account), version);
      const tracking = pool.sendAndConfirm(bytes, { lastValidBlockHeight: 1 });
      await wait(300);
      await rpc.advance(400);
      expect(await after(2500, tracking)).toBeUndefined();
      await rpc.clearFaults();
      expect(await tracking).toMatchObject({ status: 'landed', signature });
      pool.clearCache();
      expect(await pool.getBalance(to)).toBe(1_000_000);
    }),
  );

  it.concurrent('that moves on ends it, by bytes and by signature', () =>
    onChain(async (rpc, payer) => {
      const account = await nonceAccount(rpc, rpc.pool(), payer);
      const pool = await blackholed(rpc);
      const nonce = await nonceValue(pool, account);
      const { bytes, signature } = noncePayment(payer, account, nonce);
      const tracking = pool.sendAndConfirm(bytes);
      const bySignature = pool.confirm(signature, { nonce: { account, value: nonce } });
      expect(await after(2500, Promise.race([tracking, bySignature]))).toBeUndefined();
      await useUp(rpc, payer, account);
      expect(await tracking).toMatchObject({ status: 'expired', signature });
      expect(await bySignature).toMatchObject({ status: 'expired', signature });
      const strategy = { signature, minContextSlot: 0, nonceAccountPubkey: account, nonceValue: nonce };
      await expect(pool.confirmTransaction(strategy)).rejects.toBeInstanceOf(TransactionExpiredNonceInvalidError);
    }),
  );

  it.concurrent('is used up by a transaction that fails', () =>
    onChain(async (rpc) => {
      const pool = rpc.pool();
      const poor = Keypair.generate();
      await rpc.airdrop(poor.publicKey, 20_000_000);
      await rpc.advance(2);
      const own = await nonceAccount(rpc, pool, poor);
      const nonce = await nonceValue(pool, own);
      const tooMuch = noncePayment(poor, own, nonce);
      // The account keeps less than the payment now.
      await rpc.call('setAccount', { key: poor.publicKey.toBase58(), lamports: '900000', owner: '11111111111111111111111111111111' });
      expect((await pool.sendAndConfirm(tooMuch.bytes, { skipPreflight: true })).status).toBe('failed');
      expect(await nonceValue(pool, own)).not.toBe(nonce);
    }),
  );

  it.concurrent('is not mistaken for a blockhash by web3.js’s strategy of heights', () =>
    onChain(async (rpc, payer) => {
      const pool = rpc.pool();
      const { bytes, lastValidBlockHeight, signature, blockhash } = await payment(pool, payer);
      await rpc.fault('all', { kind: 'blackhole' });
      await pool.sendRawTransaction(bytes);
      await rpc.advance(250);
      const error: unknown = await pool
        .confirmTransaction({ signature, blockhash, lastValidBlockHeight })
        .catch((reason: unknown) => reason);
      expect(error).toEqual(new TransactionExpiredBlockheightExceededError(signature));
    }),
  );
});
