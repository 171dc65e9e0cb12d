/** @module __tests__/solana/transaction-follow: how transactions that are followed are sent again and seen, under faults. The chain's own ledger is the judge. */
import { describe, expect, it } from '@jest/globals';
import { Keypair, Transaction } from '@solana/web3.js';
import { type ConnectionPool, isMooringError, type TransactionEvent } from '../../dist/index.js';
import { onChain, payment, transfer } from '../support/payment';
import type { RpcService } from '../support/solana';

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const url = (rpc: RpcService, front: number): string => rpc.urls[front] as string;
const sendsOf = async (rpc: RpcService, signature: string) => (await rpc.sends()).find((one) => one.signature === signature);
const landings = async (rpc: RpcService, signature: string) => (await rpc.landed()).filter((one) => one.signature === signature);
const balance = async (pool: ConnectionPool, to: Parameters<ConnectionPool['getBalance']>[0]): Promise<number> => {
  pool.clearCache();
  return pool.getBalance(to);
};

describe('repetitions', () => {
  it.concurrent('go to the best endpoints without a simulation and without retries of the node; the first send is simulated once', () =>
    onChain(async (rpc, payer) => {
      const pool = rpc.pool();
      const { bytes, lastValidBlockHeight, signature } = await payment(pool, payer);
      await rpc.fault('all', { kind: 'blackhole' });
      const tracked = await pool.sendAndConfirm(bytes, { lastValidBlockHeight, fanout: 3, deadlineMs: 2800 });
      expect(tracked.status).toBe('unknown');
      const sends = await sendsOf(rpc, signature);
      expect(sends?.received).toBeGreaterThanOrEqual(6);
      expect(sends?.fronts).toEqual([0, 1, 2]);
      expect(sends?.simulated).toBe(1);
      expect(sends?.unretried).toBe((sends?.received ?? 0) - 1);
    }),
  );

  it.concurrent('end when it has landed', () =>
    onChain(async (rpc, payer) => {
      const pool = rpc.pool();
      const { bytes, lastValidBlockHeight, signature } = await payment(pool, payer);
      expect(await pool.sendAndConfirm(bytes, { lastValidBlockHeight })).toMatchObject({ status: 'landed', logs: null });
      const before = (await sendsOf(rpc, signature))?.received;
      await wait(2600);
      expect((await sendsOf(rpc, signature))?.received).toBe(before);
    }),
  );

  it.concurrent('stay within the limit of sends, after first sends', () =>
    onChain(async (rpc, payer) => {
      const pool = rpc.pool({ maxTransactionsPerSecond: 20 });
      const began = performance.now();
      await rpc.fault('all', { kind: 'blackhole' });
      const all = await Promise.all(Array.from({ length: 40 }, () => payment(pool, payer)));
      await Promise.all(all.map(({ bytes }) => pool.sendAndConfirm(bytes, { deadlineMs: 3500 })));
      const seconds = (performance.now() - began) / 1000;
      const received = await rpc.count('sendTransaction');
      expect(received).toBeLessThanOrEqual(20 * seconds + 2);
      expect(received).toBeGreaterThan(45);
    }),
  );

  it.concurrent('of three hundred share requests for statuses, and one look at the heights', () =>
    onChain(async (rpc, payer) => {
      const pool = rpc.pool();
      await rpc.fault('all', { kind: 'blackhole' });
      const all = await Promise.all(Array.from({ length: 300 }, () => payment(pool, payer)));
      await rpc.call('resetHits');
      await Promise.all(
        all.map(({ bytes, lastValidBlockHeight }) => pool.sendAndConfirm(bytes, { lastValidBlockHeight, deadlineMs: 3000 })),
      );
      expect(await rpc.count('getSignatureStatuses')).toBeLessThanOrEqual(16);
      expect(await rpc.count('getEpochInfo')).toBeLessThanOrEqual(8);
    }),
  );
});

describe('what is seen', () => {
  it.concurrent('at processed and then lost in a fork is pending again, and lands', () =>
    onChain(async (rpc, payer) => {
      const pool = rpc.pool();
      const { bytes, lastValidBlockHeight, signature, to } = await payment(pool, payer);
      await rpc.fault('all', { kind: 'fork', slots: 10 });
      const tracking = pool.sendAndConfirm(bytes, { lastValidBlockHeight });
      const status = async (): Promise<string | undefined> => (await pool.getSignatureStatuses([signature])).value[0]?.confirmationStatus;
      while ((await status()) !== 'processed') await wait(50);
      expect(await landings(rpc, signature)).toEqual([]);
      await rpc.clearFaults();
      const tracked = await tracking;
      const [landed] = await landings(rpc, signature);
      expect(tracked).toMatchObject({ status: 'landed', slot: landed?.slot });
      expect(await balance(pool, to)).toBe(1_000_000);
    }),
  );

  it.concurrent.each([
    ['hangs', { kind: 'hang', when: 'after', methods: ['sendTransaction'] }],
    ['resets', { kind: 'reset', when: 'after', methods: ['sendTransaction'] }],
  ])('counts when every node runs the transaction and then %s', (_name, fault) =>
    onChain(async (rpc, payer) => {
      const pool = rpc.pool();
      const { bytes, lastValidBlockHeight, signature } = await payment(pool, payer);
      await rpc.fault('all', fault);
      expect(await pool.sendAndConfirm(bytes, { lastValidBlockHeight })).toMatchObject({ status: 'landed', signature });
      expect(await landings(rpc, signature)).toHaveLength(1);
    }),
  );

  it.concurrent('late is waited for', () =>
    onChain(async (rpc, payer) => {
      const pool = rpc.pool();
      const { bytes, lastValidBlockHeight, signature } = await payment(pool, payer);
      await rpc.fault('all', { kind: 'late', slots: 15 });
      expect((await pool.sendAndConfirm(bytes, { lastValidBlockHeight })).status).toBe('landed');
      expect(await landings(rpc, signature)).toHaveLength(1);
    }),
  );

  it.concurrent('of a failed one comes with its logs', () =>
    onChain(async (rpc, payer) => {
      const pool = rpc.pool();
      const { bytes, lastValidBlockHeight } = await payment(pool, payer, 999_000_000_000_000);
      const tracked = await pool.sendAndConfirm(bytes, { lastValidBlockHeight, skipPreflight: true });
      expect(tracked).toMatchObject({ status: 'failed', err: { InstructionError: [0, { Custom: 1 }] } });
      expect(tracked.logs?.join('\n')).toContain('insufficient lamports');
    }),
  );

  it.concurrent('is told for a signature that landed long ago', () =>
    onChain(async (rpc, payer) => {
      const pool = rpc.pool();
      const { bytes, lastValidBlockHeight, signature } = await payment(pool, payer);
      await pool.sendAndConfirm(bytes, { lastValidBlockHeight });
      await rpc.advance(400);
      expect(await rpc.pool().confirm(signature)).toMatchObject({ status: 'landed', signature });
    }),
  );
});

describe('the websocket', () => {
  it.concurrent('tells when it is there, and is left afterwards', () =>
    onChain(async (rpc, payer) => {
      const pool = rpc.pool();
      const { bytes, lastValidBlockHeight } = await payment(pool, payer);
      expect((await pool.sendAndConfirm(bytes, { lastValidBlockHeight, commitment: 'finalized' })).status).toBe('landed');
      const sockets = async () => (await rpc.hits()) as unknown as { wsMessages: number; subscriptions: number }[];
      expect((await sockets()).some(({ wsMessages }) => wsMessages > 0)).toBe(true);
      while ((await sockets()).some(({ subscriptions }) => subscriptions > 0)) await wait(100);
    }),
  );

  it.concurrent('is not needed', () =>
    onChain(async (rpc, payer) => {
      const pool = rpc.pool();
      await rpc.fault('all', { kind: 'wsRefuse' });
      for (let round = 0; round < 2; round++) {
        const { bytes, lastValidBlockHeight } = await payment(pool, payer);
        expect((await pool.sendAndConfirm(bytes, { lastValidBlockHeight })).status).toBe('landed');
      }
    }),
  );

  it.concurrent('tells where statuses come late', () =>
    onChain(async (rpc, payer) => {
      const pool = rpc.pool();
      const { bytes, lastValidBlockHeight, signature } = await payment(pool, payer);
      await rpc.fault('all', { kind: 'late', slots: 12 });
      await rpc.fault('all', { kind: 'wsDuplicate' });
      expect(await pool.sendAndConfirm(bytes, { lastValidBlockHeight })).toMatchObject({ status: 'landed', signature });
    }),
  );
});

describe('the first send', () => {
  it.concurrent('goes on to a node that knows the blockhash', () =>
    onChain(async (rpc, payer) => {
      const { bytes, lastValidBlockHeight, signature } = await payment(rpc.pool({ endpoints: [url(rpc, 1)] }), payer);
      await rpc.fault(0, { kind: 'lag', slots: 15 });
      const pool = rpc.pool({ endpoints: [url(rpc, 0), { url: url(rpc, 1), tier: 1 }] });
      expect(await pool.sendAndConfirm(bytes, { lastValidBlockHeight })).toMatchObject({ status: 'landed', signature });
      const sends = await sendsOf(rpc, signature);
      expect(sends?.fronts).toEqual([0, 1]);
    }),
  );

  it.concurrent('does not believe an answer with another signature', () =>
    onChain(async (rpc, payer) => {
      const pool = rpc.pool({ endpoints: [url(rpc, 0), { url: url(rpc, 1), tier: 1 }] });
      const { bytes, signature } = await payment(pool, payer);
      await rpc.fault(0, { kind: 'wrongSignature' });
      // The other node has it already: that is a success.
      expect(await pool.sendRawTransaction(bytes)).toBe(signature);
      expect(await landings(rpc, signature)).toHaveLength(1);
      const again = await payment(pool, payer);
      await rpc.fault(1, { kind: 'wrongSignature' });
      const error: unknown = await pool.sendRawTransaction(again.bytes, { skipPreflight: true }).catch((reason: unknown) => reason);
      expect(isMooringError(error, 'MOORING_PROTOCOL') && error.details).toMatchObject({ signature: again.signature, sent: 'maybe' });
    }),
  );

  it.concurrent('that is refused after one that may have got through is followed, not thrown', () =>
    onChain(async (rpc) => {
      // All the money in one transfer: a second simulation fails when the first send has landed.
      const poor = Keypair.generate();
      await rpc.airdrop(poor.publicKey, 10_000_000);
      await rpc.advance(2);
      const pool = rpc.pool({ endpoints: [url(rpc, 0), { url: url(rpc, 1), tier: 1 }] });
      const { bytes, lastValidBlockHeight, signature } = await payment(pool, poor, 9_000_000);
      await rpc.fault(0, { kind: 'reset', when: 'after', methods: ['sendTransaction'] });
      // This node does not see the landing yet, but simulates on the newest state.
      await rpc.fault(1, { kind: 'lag', slots: 8 });
      expect(await pool.sendAndConfirm(bytes, { lastValidBlockHeight })).toMatchObject({ status: 'landed', signature });
      expect(await landings(rpc, signature)).toHaveLength(1);
    }),
  );
});

describe('sendRaw', () => {
  it.concurrent('returns the signature at once, goes on sending, and tells the end by an event', () =>
    onChain(async (rpc, payer) => {
      const pool = rpc.pool();
      const events: TransactionEvent[] = [];
      pool.on('transaction', (event) => events.push(event));
      const { bytes, lastValidBlockHeight, signature } = await payment(pool, payer);
      await rpc.fault('all', { kind: 'blackhole', count: 1 });
      expect(await pool.sendRaw(bytes, { lastValidBlockHeight })).toBe(signature);
      while (events.at(-1)?.status !== 'landed') await wait(50);
      expect(events.map(({ status }) => status)).toEqual(['sending', 'landed']);
      expect(events.every((event) => event.signature === signature)).toBe(true);
      expect(events[0]?.bytes?.equals(bytes)).toBe(true);
      expect(await landings(rpc, signature)).toHaveLength(1);
    }),
  );

  it.concurrent('throws what the simulation refuses', () =>
    onChain(async (rpc, payer) => {
      const pool = rpc.pool();
      const { bytes } = await payment(pool, payer, 999_000_000_000_000);
      await expect(pool.sendRaw(bytes)).rejects.toMatchObject({ name: 'Error', code: -32002 });
      await expect(pool.sendRaw(new Uint8Array(1233))).rejects.toMatchObject({ code: 'MOORING_INVALID_ARGUMENT' });
      expect(await rpc.count('sendTransaction')).toBe(1);
    }),
  );
});

describe('equal transfers', () => {
  it.concurrent('at once are as many payments, each signed once', () =>
    onChain(async (rpc, payer) => {
      const pool = rpc.pool();
      const to = Keypair.generate().publicKey;
      const send = (): Promise<string> => pool.sendTransaction(new Transaction().add(transfer(payer, to)), [payer]);
      const signatures = await Promise.all([send(), send(), send()]);
      expect(new Set(signatures).size).toBe(3);
      expect(await balance(pool, to)).toBe(3_000_000);
      expect((await rpc.sends()).filter(({ signature }) => signatures.includes(signature)).map(({ received }) => received)).toEqual([
        1, 1, 1,
      ]);
    }),
  );

  it.concurrent('of one object are as many payments; with a blockhash of the caller’s they are one', () =>
    onChain(async (rpc, payer) => {
      const pool = rpc.pool();
      const to = Keypair.generate().publicKey;
      const mine = new Transaction().add(transfer(payer, to));
      await pool.sendTransaction(mine, [payer]);
      expect((await pool.sendAndConfirm(mine, { signers: [payer] })).status).toBe('landed');
      expect(await balance(pool, to)).toBe(2_000_000);
      const { blockhash } = await pool.getLatestBlockhash();
      // Another amount: the blockhash may be that of the payment before.
      const given = (): Transaction => Object.assign(new Transaction().add(transfer(payer, to, 3_000_000)), { recentBlockhash: blockhash });
      const first = await pool.sendTransaction(given(), [payer]);
      await expect(pool.sendTransaction(given(), [payer])).rejects.toMatchObject({ code: -32002 });
      expect(await landings(rpc, first)).toHaveLength(1);
    }),
  );

  it.concurrent('are given up by the signal while the next blockhash is waited for', () =>
    // Its clock stands still.
    onChain(async (rpc, payer) => {
      const pool = rpc.pool();
      const to = Keypair.generate().publicKey;
      const send = (signal?: AbortSignal): Promise<string> =>
        pool.sendTransaction(new Transaction().add(transfer(payer, to)), { signers: [payer], ...(signal === undefined ? {} : { signal }) });
      await send();
      await expect(send(AbortSignal.timeout(300))).rejects.toMatchObject({ code: 'MOORING_ABORTED' });
      expect(await rpc.count('sendTransaction')).toBe(1);
    }, 0),
  );
});
