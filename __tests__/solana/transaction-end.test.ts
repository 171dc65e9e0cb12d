/** @module __tests__/solana/transaction-end: what is known of a transaction when its caller, its deadline or its pool gives up, and the errors of web3.js. */
import { request } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Connection, Keypair, SendTransactionError, SystemProgram, TransactionExpiredTimeoutError } from '@solana/web3.js';
import { gracefulShutdown, isMooringError } from '../../dist/index.js';
import { confirmation, type Tracked } from '../../dist/solana/confirm.js';
import { payment } from '../support/payment';
import { RpcService } from '../support/solana';

const payer = Keypair.generate();
let rpc: RpcService;

beforeAll(async () => {
  rpc = await RpcService.start(2, 100);
  await rpc.airdrop(payer.publicKey, 100_000_000_000);
  await rpc.advance(2);
});
afterEach(() => rpc.reset());
afterAll(() => rpc.stop());

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const failed = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    (reason: unknown) => reason,
  );
const details = (error: unknown): unknown => (isMooringError(error) ? { code: error.code, ...error.details } : error);

describe('a caller that gives up', () => {
  it('learns that the transaction may be on its way', async () => {
    const pool = rpc.pool();
    const { bytes, signature } = await payment(pool, payer);
    await rpc.fault('all', { kind: 'blackhole' });
    const error = await failed(pool.sendAndConfirm(bytes, { signal: AbortSignal.timeout(600) }));
    expect(details(error)).toMatchObject({ code: 'MOORING_ABORTED', signature, sent: 'maybe' });
    await rpc.clearFaults();
    // Nobody follows it any more: nothing is sent again.
    const before = await rpc.count('sendTransaction');
    await wait(2600);
    expect(await rpc.count('sendTransaction')).toBe(before);
  });

  it('learns that nothing was sent while the limiter held it back', async () => {
    const pool = rpc.pool({ maxTransactionsPerSecond: 1 });
    const [first, second] = [await payment(pool, payer), await payment(pool, payer)];
    await pool.sendRawTransaction(first.bytes);
    const error = await failed(pool.sendAndConfirm(second.bytes, { signal: AbortSignal.timeout(100) }));
    expect(details(error)).toMatchObject({ code: 'MOORING_ABORTED', signature: second.signature, sent: 'no' });
    expect((await rpc.sends()).some(({ signature }) => signature === second.signature)).toBe(false);
  });

  it('by its deadline learns what was seen so far', async () => {
    const pool = rpc.pool();
    const { bytes, signature } = await payment(pool, payer);
    const tracked = await pool.sendAndConfirm(bytes, { commitment: 'finalized', deadlineMs: 1500 });
    const landed = (await rpc.landed()).find((one) => one.signature === signature);
    expect(tracked).toMatchObject({ status: 'unknown', slot: landed?.slot });
    expect((await pool.confirm(signature, { commitment: 'finalized' })).status).toBe('landed');
  });

  it('by its deadline while no node answers learns that it may have been sent', async () => {
    const pool = rpc.pool();
    const { bytes, signature } = await payment(pool, payer);
    await rpc.fault('all', { kind: 'hang', methods: ['sendTransaction'] });
    const error = await failed(pool.sendRawTransaction(bytes, { deadlineMs: 300 }));
    expect(details(error)).toMatchObject({ code: 'MOORING_TIMEOUT', signature, sent: 'maybe' });
  });

  it('by its deadline also when not even the history answers', async () => {
    const pool = rpc.pool();
    const { signature } = await payment(pool, payer);
    await rpc.fault('all', { kind: 'hang', methods: ['getSignatureStatuses'] });
    const began = performance.now();
    expect((await pool.confirm(signature, { deadlineMs: 200 })).status).toBe('unknown');
    // That look alone may take five seconds.
    expect(performance.now() - began).toBeLessThan(3000);
  });
});

describe('a pool that closes', () => {
  it('names what is unconfirmed, with the bytes that the next one goes on with', async () => {
    const pool = rpc.pool();
    const one = await payment(pool, payer);
    const other = await payment(pool, payer);
    await rpc.fault('all', { kind: 'blackhole' });
    const tracking = failed(pool.sendAndConfirm(one.bytes));
    await pool.sendRaw(other.bytes);
    await wait(300);
    const { unconfirmed, aborted } = await pool.drain(200);
    expect(aborted).toBe(1);
    const named = new Map(unconfirmed.map(({ signature, bytes }) => [signature, bytes]));
    expect([...named.keys()].toSorted()).toEqual([one.signature, other.signature].toSorted());
    expect(named.get(one.signature)?.equals(one.bytes)).toBe(true);
    expect(details(await tracking)).toMatchObject({ code: 'MOORING_CLOSED', signature: one.signature, sent: 'maybe' });
    await rpc.clearFaults();
    for (const { bytes } of unconfirmed) expect((await rpc.pool().sendAndConfirm(bytes as Buffer)).status).toBe('landed');
  });

  it('in a shutdown as well; a drain that suffices names nothing', async () => {
    const pool = rpc.pool();
    const { bytes, signature } = await payment(pool, payer);
    const quiet = { info: () => {}, error: () => {} };
    const tracking = pool.sendAndConfirm(bytes);
    await wait(50);
    expect((await gracefulShutdown({ deadlineMs: 8000, logger: quiet })).unconfirmed).toEqual([]);
    expect(await tracking).toMatchObject({ status: 'landed', signature });
    const next = rpc.pool();
    const lost = await payment(next, payer);
    await rpc.fault('all', { kind: 'blackhole' });
    const cut = failed(next.sendAndConfirm(lost.bytes));
    await wait(300);
    const report = await gracefulShutdown({ deadlineMs: 500, logger: quiet });
    expect(report.unconfirmed).toEqual([{ signature: lost.signature, bytes: Buffer.from(lost.bytes) }]);
    expect(report.clean).toBe(false);
    expect(details(await cut)).toMatchObject({ code: 'MOORING_CLOSED', sent: 'maybe' });
  });
});

describe('events', () => {
  it('tell of every send and how following it ended, and end with off', async () => {
    const pool = rpc.pool();
    const told: string[] = [];
    const listener = ({ signature, status }: { signature: string; status: string }): unknown => told.push(`${signature} ${status}`);
    expect(pool.on('transaction', listener)).toBe(pool);
    const [one, two, three] = [await payment(pool, payer), await payment(pool, payer), await payment(pool, payer)];
    await pool.sendRawTransaction(one.bytes);
    await pool.sendAndConfirm(two.bytes);
    await wait(50);
    pool.off('transaction', listener);
    await pool.sendRawTransaction(three.bytes);
    await wait(50);
    expect(told).toEqual([`${one.signature} sending`, `${two.signature} sending`, `${two.signature} landed`]);
  });

  it('survive a listener that throws, and refuse what is none', async () => {
    const lines: string[] = [];
    const pool = rpc.pool({ logger: { warn: () => {}, error: (line) => lines.push(line) } });
    pool.on('transaction', () => {
      throw new Error('mine');
    });
    await pool.sendRawTransaction((await payment(pool, payer)).bytes);
    await wait(50);
    expect(lines).toEqual(['Connection pool: a listener of transaction threw']);
    expect(() => pool.on('transaction', 1 as never)).toThrow('listener must be a function');
    expect(() => pool.on('nonsense' as never, () => {})).toThrow('name must be one of transaction, gap');
  });
});

/** A fetch for the stock `Connection`, started outside of its stack: the trap for peers' sockets is not meant for the peer that is compared with. */
function outside(url: string, { body, headers }: { body: string; headers: Record<string, string> }): Promise<object> {
  return new Promise((resolve, reject) => {
    setImmediate(() => {
      const req = request(url, { method: 'POST', agent: false, headers }, (res) => {
        let text = '';
        res.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        res.on('end', () => resolve({ ok: res.statusCode === 200, status: res.statusCode, text: () => Promise.resolve(text) }));
      });
      req.on('error', reject).end(body);
    });
  });
}

describe('errors of web3.js', () => {
  const forged = (bytes: Uint8Array): Uint8Array => {
    const copy = Uint8Array.from(bytes);
    copy[10] = (copy[10] as number) ^ 1;
    return copy;
  };

  it.each([
    ['a failed simulation', async () => (await payment(rpc.pool(), payer, 999_000_000_000_000)).bytes],
    ['a wrong signature', async () => forged((await payment(rpc.pool(), payer)).bytes)],
    ['a transaction that was processed', async () => (await landed()).bytes],
  ])('are equal for %s', async (_name, make) => {
    const bytes = await make();
    const stock = new Connection(rpc.urls[0] as string, { commitment: 'processed', fetch: outside as never });
    const theirs = await failed(stock.sendRawTransaction(bytes));
    const ours = await failed(rpc.pool().sendRawTransaction(bytes));
    expect(theirs).toBeInstanceOf(SendTransactionError);
    expect(ours).toEqual(theirs);
    expect({ ...(ours as object) }).toEqual({ ...(theirs as object) });
    expect((ours as SendTransactionError).transactionError).toEqual((theirs as SendTransactionError).transactionError);
    expect((ours as Error).cause).toMatchObject({ code: 'MOORING_SERVER_ERROR', details: { sent: 'no' } });
  });

  async function landed(): Promise<{ bytes: Uint8Array }> {
    const pool = rpc.pool();
    const made = await payment(pool, payer);
    await pool.sendAndConfirm(made.bytes);
    return made;
  }

  it('are equal for a bare signature that is not confirmed in time', async () => {
    const unknown = async (signature: string, options: object): Promise<Tracked> => {
      expect(options).toMatchObject({ deadlineMs: 30_000, commitment: 'confirmed' });
      return { signature, status: 'unknown', slot: null, err: null, logs: null };
    };
    const error = await failed(confirmation('sig', 'confirmed', unknown, () => ({ TransactionExpiredTimeoutError }) as never));
    expect(error).toEqual(new TransactionExpiredTimeoutError('sig', 30));
  });

  it('is the reason of the signal that gave a confirmation up', async () => {
    const pool = rpc.pool();
    const { signature } = await payment(pool, payer);
    const controller = new AbortController();
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 100);
    const strategy = {
      signature,
      blockhash: SystemProgram.programId.toBase58(),
      lastValidBlockHeight: 1e9,
      abortSignal: controller.signal,
    };
    expect(await failed(pool.confirmTransaction(strategy))).toBe(reason);
  });
});
