/** @module __tests__/solana/transaction-follow: how transactions that are followed are sent again and seen, under faults. The chain's own ledger is the judge. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Keypair, Transaction } from '@solana/web3.js';
import { type ConnectionPool, isMooringError, type TransactionEvent } from '../../dist/index.js';
import { payment, transfer } from '../support/payment';
import { RpcService } from '../support/solana';

const payer = Keypair.generate();
let rpc: RpcService;

beforeAll(async () => {
  rpc = await RpcService.start(3, 100);
  await rpc.airdrop(payer.publicKey, 100_000_000_000);
  await rpc.advance(2);
});
afterEach(() => rpc.reset());
afterAll(() => rpc.stop());

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const url = (front: number): string => rpc.urls[front] as string;
const sendsOf = async (signature: string) => (await rpc.sends()).find((one) => one.signature === signature);
const landings = async (signature: string) => (await rpc.landed()).filter((one) => one.signature === signature);
const balance = async (pool: ConnectionPool, to: Parameters<ConnectionPool['getBalance']>[0]): Promise<number> => {
  pool.clearCache();
  return pool.getBalance(to);
};

describe('repetitions', () => {
  it('go to the best endpoints without a simulation and without retries of the node; the first send is simulated once', async () => {
    const pool = rpc.pool();
    const { bytes, lastValidBlockHeight, signature } = await payment(pool, payer);
    await rpc.fault('all', { kind: 'blackhole' });
    const tracked = await pool.sendAndConfirm(bytes, { lastValidBlockHeight, fanout: 3, deadlineMs: 4500 });
    expect(tracked.status).toBe('unknown');
    const sends = await sendsOf(signature);
    expect(sends?.received).toBeGreaterThanOrEqual(4);
    expect(sends?.fronts).toEqual([0, 1, 2]);
    expect(sends?.simulated).toBe(1);
    expect(sends?.unretried).toBe((sends?.received ?? 0) - 1);
  });

  it('end when it has landed', async () => {
    const pool = rpc.pool();
    const { bytes, lastValidBlockHeight, signature } = await payment(pool, payer);
    expect(await pool.sendAndConfirm(bytes, { lastValidBlockHeight })).toMatchObject({ status: 'landed', logs: null });
    const before = (await sendsOf(signature))?.received;
    await wait(2600);
    expect((await sendsOf(signature))?.received).toBe(before);
  });

  it('stay within the limit of sends, after first sends', async () => {
    const pool = rpc.pool({ maxTransactionsPerSecond: 20 });
    await rpc.fault('all', { kind: 'blackhole' });
    const all = await Promise.all(Array.from({ length: 40 }, () => payment(pool, payer)));
    await Promise.all(all.map(({ bytes }) => pool.sendAndConfirm(bytes, { deadlineMs: 4500 })));
    const starts = (await rpc.hits(true)).flatMap(({ arrivals }) => arrivals ?? []);
    const times = starts.filter(([, method]) => method === 'sendTransaction').map(([at]) => at);
    times.sort((left, right) => left - right);
    const most = Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + 1000).length));
    expect(most).toBeLessThanOrEqual(22);
    expect(times.length).toBeGreaterThan(50);
  });

  it('of three hundred share requests for statuses, and one look at the heights', async () => {
    const pool = rpc.pool();
    await rpc.fault('all', { kind: 'blackhole' });
    const all = await Promise.all(Array.from({ length: 300 }, () => payment(pool, payer)));
    await rpc.call('resetHits');
    await Promise.all(all.map(({ bytes, lastValidBlockHeight }) => pool.sendAndConfirm(bytes, { lastValidBlockHeight, deadlineMs: 3000 })));
    expect(await rpc.count('getSignatureStatuses')).toBeLessThanOrEqual(16);
    expect(await rpc.count('getEpochInfo')).toBeLessThanOrEqual(8);
  });
});

describe('what is seen', () => {
  it('at processed and then lost in a fork is pending again, and lands', async () => {
    const pool = rpc.pool();
    const { bytes, lastValidBlockHeight, signature, to } = await payment(pool, payer);
    await rpc.fault('all', { kind: 'fork', slots: 10 });
    const tracking = pool.sendAndConfirm(bytes, { lastValidBlockHeight });
    await wait(700);
    expect((await pool.getSignatureStatuses([signature])).value[0]?.confirmationStatus).toBe('processed');
    expect(await landings(signature)).toEqual([]);
    await rpc.clearFaults();
    const tracked = await tracking;
    const [landed] = await landings(signature);
    expect(tracked).toMatchObject({ status: 'landed', slot: landed?.slot });
    expect(await balance(pool, to)).toBe(1_000_000);
  });

  it.each([
    ['hangs', { kind: 'hang', when: 'after', methods: ['sendTransaction'] }],
    ['resets', { kind: 'reset', when: 'after', methods: ['sendTransaction'] }],
  ])('counts when every node runs the transaction and then %s', async (_name, fault) => {
    const pool = rpc.pool();
    const { bytes, lastValidBlockHeight, signature } = await payment(pool, payer);
    await rpc.fault('all', fault);
    expect(await pool.sendAndConfirm(bytes, { lastValidBlockHeight })).toMatchObject({ status: 'landed', signature });
    expect(await landings(signature)).toHaveLength(1);
  });

  it('late is waited for', async () => {
    const pool = rpc.pool();
    const { bytes, lastValidBlockHeight, signature } = await payment(pool, payer);
    await rpc.fault('all', { kind: 'late', slots: 15 });
    expect((await pool.sendAndConfirm(bytes, { lastValidBlockHeight })).status).toBe('landed');
    expect(await landings(signature)).toHaveLength(1);
  });

  it('of a failed one comes with its logs', async () => {
    const pool = rpc.pool();
    const { bytes, lastValidBlockHeight } = await payment(pool, payer, 999_000_000_000_000);
    const tracked = await pool.sendAndConfirm(bytes, { lastValidBlockHeight, skipPreflight: true });
    expect(tracked).toMatchObject({ status: 'failed', err: { InstructionError: [0, { Custom: 1 }] } });
    expect(tracked.logs?.join('\n')).toContain('insufficient lamports');
  });

  it('is told for a signature that landed long ago', async () => {
    const pool = rpc.pool();
    const { bytes, lastValidBlockHeight, signature } = await payment(pool, payer);
    await pool.sendAndConfirm(bytes, { lastValidBlockHeight });
    await rpc.advance(400);
    expect(await rpc.pool().confirm(signature)).toMatchObject({ status: 'landed', signature });
  });
});

describe('the first send', () => {
  it('goes on to a node that knows the blockhash', async () => {
    const { bytes, lastValidBlockHeight, signature } = await payment(rpc.pool({ endpoints: [url(1)] }), payer);
    await rpc.fault(0, { kind: 'lag', slots: 15 });
    const pool = rpc.pool({ endpoints: [url(0), { url: url(1), tier: 1 }] });
    expect(await pool.sendAndConfirm(bytes, { lastValidBlockHeight })).toMatchObject({ status: 'landed', signature });
    const sends = await sendsOf(signature);
    expect(sends?.fronts).toEqual([0, 1]);
  });

  it('does not believe an answer with another signature', async () => {
    const pool = rpc.pool({ endpoints: [url(0), { url: url(1), tier: 1 }] });
    const { bytes, signature } = await payment(pool, payer);
    await rpc.fault(0, { kind: 'wrongSignature' });
    // The other node has it already: that is a success.
    expect(await pool.sendRawTransaction(bytes)).toBe(signature);
    expect(await landings(signature)).toHaveLength(1);
    const again = await payment(pool, payer);
    await rpc.fault(1, { kind: 'wrongSignature' });
    const error: unknown = await pool.sendRawTransaction(again.bytes, { skipPreflight: true }).catch((reason: unknown) => reason);
    expect(isMooringError(error, 'MOORING_PROTOCOL') && error.details).toMatchObject({ signature: again.signature, sent: 'maybe' });
  });

  it('that is refused after one that may have got through is followed, not thrown', async () => {
    // All the money in one transfer: a second simulation fails when the first send has landed.
    const poor = Keypair.generate();
    await rpc.airdrop(poor.publicKey, 10_000_000);
    await rpc.advance(2);
    const pool = rpc.pool({ endpoints: [url(0), { url: url(1), tier: 1 }] });
    const { bytes, lastValidBlockHeight, signature } = await payment(pool, poor, 9_000_000);
    await rpc.fault(0, { kind: 'reset', when: 'after', methods: ['sendTransaction'] });
    // This node does not see the landing yet, but simulates on the newest state.
    await rpc.fault(1, { kind: 'lag', slots: 8 });
    expect(await pool.sendAndConfirm(bytes, { lastValidBlockHeight })).toMatchObject({ status: 'landed', signature });
    expect(await landings(signature)).toHaveLength(1);
  });
});

describe('sendRaw', () => {
  it('returns the signature at once, goes on sending, and tells the end by an event', async () => {
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
    expect(await landings(signature)).toHaveLength(1);
  });

  it('throws what the simulation refuses', async () => {
    const pool = rpc.pool();
    const { bytes } = await payment(pool, payer, 999_000_000_000_000);
    await expect(pool.sendRaw(bytes)).rejects.toMatchObject({ name: 'Error', code: -32002 });
    await expect(pool.sendRaw(new Uint8Array(1233))).rejects.toMatchObject({ code: 'MOORING_INVALID_ARGUMENT' });
    expect(await rpc.count('sendTransaction')).toBe(1);
  });
});

describe('equal transfers', () => {
  it('at once are as many payments, each signed once', async () => {
    const pool = rpc.pool();
    const to = Keypair.generate().publicKey;
    const send = (): Promise<string> => pool.sendTransaction(new Transaction().add(transfer(payer, to)), [payer]);
    const signatures = await Promise.all([send(), send(), send()]);
    expect(new Set(signatures).size).toBe(3);
    expect(await balance(pool, to)).toBe(3_000_000);
    expect((await rpc.sends()).filter(({ signature }) => signatures.includes(signature)).map(({ received }) => received)).toEqual([
      1, 1, 1,
    ]);
  });

  it('of one object are as many payments; with a blockhash of the caller’s they are one', async () => {
    const pool = rpc.pool();
    const to = Keypair.generate().publicKey;
    const mine = new Transaction().add(transfer(payer, to));
    await pool.sendTransaction(mine, [payer]);
    expect((await pool.sendAndConfirm(mine, { signers: [payer] })).status).toBe('landed');
    expect(await balance(pool, to)).toBe(2_000_000);
    const { blockhash } = await pool.getLatestBlockhash();
    const given = (): Transaction => Object.assign(new Transaction().add(transfer(payer, to)), { recentBlockhash: blockhash });
    const first = await pool.sendTransaction(given(), [payer]);
    await expect(pool.sendTransaction(given(), [payer])).rejects.toMatchObject({ code: -32002 });
    expect(await landings(first)).toHaveLength(1);
  });

  it('are given up by the signal while the next blockhash is waited for', async () => {
    const still = await RpcService.start(1, 0);
    try {
      await still.airdrop(payer.publicKey, 1_000_000_000);
      const pool = still.pool();
      const to = Keypair.generate().publicKey;
      const send = (signal?: AbortSignal): Promise<string> =>
        pool.sendTransaction(new Transaction().add(transfer(payer, to)), { signers: [payer], ...(signal === undefined ? {} : { signal }) });
      await send();
      await expect(send(AbortSignal.timeout(300))).rejects.toMatchObject({ code: 'MOORING_ABORTED' });
      expect(await still.count('sendTransaction')).toBe(1);
    } finally {
      await still.stop();
    }
  });
});
