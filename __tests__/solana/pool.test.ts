/** @module __tests__/solana/pool: reads through the pool, on a real SVM behind two endpoints with faults. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Keypair, PublicKey, SolanaJSONRPCError } from '@solana/web3.js';
import { type ConnectionPool, type MooringError, SolanaConnectionPool } from '../../dist/index.js';
import { failure } from '../support/failure';
import { RpcService } from '../support/solana';

const keys = Array.from({ length: 100 }, () => Keypair.generate().publicKey);
const [rich] = keys as [PublicKey];
const LAMPORTS = 5_000_000_000;
let rpc: RpcService;

beforeAll(async () => {
  rpc = await RpcService.start(2);
  await rpc.airdrop(rich, LAMPORTS);
});
afterEach(() => rpc.reset());
afterAll(() => rpc.stop());

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const started = performance.now();
  await work();
  return performance.now() - started;
};

describe('speed and sharing', () => {
  it('answers 100 different reads over endpoints of 20 ms latency in less than 0.3 s', async () => {
    const pool = rpc.pool();
    await pool.getBalance(rich);
    await rpc.fault('all', { kind: 'delay', ms: 20 });
    let best = Infinity;
    let rounds = 0;
    // The best of up to ten: the bound is the pool's, not that of a machine busy with other work.
    for (; rounds < 10 && best >= 300; rounds++) {
      pool.clearCache();
      best = Math.min(best, await timed(() => Promise.all(keys.map((key) => pool.getBalance(key)))));
    }
    expect(best).toBeLessThan(300);
    expect(await rpc.count('getBalance')).toBe(1 + 100 * rounds);
  });

  it('makes at most two upstream calls for 100 identical reads', async () => {
    const pool = rpc.pool();
    const balances = await Promise.all(keys.map(() => pool.getBalance(rich)));
    expect(new Set(balances)).toEqual(new Set([LAMPORTS]));
    expect(await rpc.count('getBalance')).toBeLessThanOrEqual(2);
  });

  it('keeps a reply for its lifetime and forgets it on request', async () => {
    const pool = rpc.pool({ cacheConfig: { balanceTTL: 60_000 } });
    await pool.getBalance(rich);
    await pool.getBalance(rich);
    expect(await rpc.count('getBalance')).toBe(1);
    expect(pool.getPoolStats()).toMatchObject({ cacheSize: 1, cacheHitRate: 0.5 });
    pool.clearCache();
    await pool.getBalance(rich);
    expect(await rpc.count('getBalance')).toBe(2);
  });

  it('asks every time when the lifetime is 0', async () => {
    const pool = rpc.pool({ cacheConfig: { balanceTTL: 0 } });
    await pool.getBalance(rich);
    await pool.getBalance(rich);
    expect(await rpc.count('getBalance')).toBe(2);
  });

  it('never starts more reads in any second than the limit says', async () => {
    const pool = rpc.pool({ maxRequestsPerSecond: 20, probeIntervalMs: 60_000 });
    await Promise.all(keys.slice(0, 50).map((key) => pool.getBalance(key)));
    const starts = (await rpc.hits(true)).flatMap(({ arrivals = [] }) => arrivals.map(([ms]) => ms)).toSorted((a, b) => a - b);
    expect(starts.length).toBeGreaterThanOrEqual(50);
    const busiest = Math.max(...starts.map((from) => starts.filter((at) => at >= from && at < from + 1000).length));
    expect(busiest).toBeLessThanOrEqual(21);
  });
});

describe('one endpoint with a fault', () => {
  it.each([
    ['503', { kind: 'status', status: 503 }],
    ['429 with Retry-After', { kind: 'status', status: 429, retryAfter: 1 }],
    ['429 inside the envelope', { kind: 'envelope', code: 429, message: 'slow down' }],
    ['a reset', { kind: 'reset' }],
    ['a reset after the request', { kind: 'reset', when: 'after' }],
    ['a truncated reply', { kind: 'truncate' }],
    ['a well-formed but truncated body', { kind: 'truncate', clean: true }],
    ['another request’s id', { kind: 'wrongId' }],
    ['silence', { kind: 'hang' }],
    ['a refused connection', { kind: 'refuse' }],
  ])('20 reads finish within 2 s without an error when it answers with %s', async (_name, fault) => {
    for (const front of [0, 1]) {
      await rpc.fault(front, fault);
      const [together, oneByOne] = [rpc.pool(), rpc.pool()];
      expect(await timed(() => Promise.all(keys.slice(0, 20).map((key) => together.getBalance(key))))).toBeLessThan(2000);
      const serial = async (): Promise<void> => {
        for (const key of keys.slice(0, 20)) await oneByOne.getBalance(key);
      };
      expect(await timed(serial)).toBeLessThan(2000);
      await rpc.clearFaults();
    }
  });

  it('is left alone for the time that a 429 asks for', async () => {
    const pool = rpc.pool();
    await rpc.fault(0, { kind: 'status', status: 429, retryAfter: 2 });
    for (const key of keys.slice(0, 30)) await pool.getBalance(key);
    const [limited] = await rpc.hits();
    expect(limited?.requests).toBeLessThanOrEqual(2);
  });

  it('is taken out, probed and brought back', async () => {
    const lines: string[] = [];
    const note = (line: string): unknown => lines.push(line);
    const pool = rpc.pool({ logger: { info: note, warn: note, error: note } });
    await rpc.fault(0, { kind: 'status', status: 503 });
    await Promise.all(keys.map((key) => pool.getBalance(key)));
    const sick = (): boolean => pool.getPoolStats().endpoints[0]?.healthy === false;
    expect(sick()).toBe(true);
    await rpc.clearFaults();
    const deadline = performance.now() + 8000;
    while (sick() && performance.now() < deadline) {
      await pool.getBalance(rich);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(sick()).toBe(false);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(lines.some((line) => line.includes('was taken out'))).toBe(true);
    expect(lines.some((line) => line.includes('is back'))).toBe(true);
  });

  it('is not asked while it lags behind', async () => {
    const pool = rpc.pool({ probeIntervalMs: 50 });
    await rpc.advance(200);
    await rpc.fault(0, { kind: 'lag', slots: 100 });
    await pool.request('getSlot');
    const lagging = (): boolean => (pool.getPoolStats().endpoints[0]?.slotLag ?? 0) > 20;
    const deadline = performance.now() + 5000;
    while (!lagging() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
    await rpc.call('resetHits');
    await Promise.all(keys.map((key) => pool.getBalance(key)));
    const [behind] = await rpc.hits();
    expect(behind?.methods['getBalance'] ?? 0).toBe(0);
  });
});

describe('when nothing helps', () => {
  it('rejects with the text that operators know when the pool is empty', async () => {
    const error = await failure(rpc.pool({ endpoints: [] }).getBalance(rich));
    expect(error).toMatchObject({ code: 'MOORING_NO_HEALTHY_ENDPOINT', message: 'No healthy RPC connections available' });
  });

  it('says how many attempts were made, where, and logs one error line', async () => {
    const lines: string[] = [];
    const pool = rpc.pool({ logger: { warn: (line) => lines.push(`warn ${line}`), error: (line) => lines.push(`error ${line}`) } });
    await rpc.fault('all', { kind: 'status', status: 503 });
    const error = await failure(pool.getBalance(rich));
    expect(error.message).toBe('Connection pool: Request failed after 3 attempts: http status 503');
    expect(error).toMatchObject({ code: 'MOORING_SERVER_ERROR', details: { attempts: 3, httpStatus: 503 } });
    expect(error.cause).toBeInstanceOf(Error);
    expect(String(error.details['tried']).split(';')).toHaveLength(3);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(lines.filter((line) => line === 'error Connection pool: Request failed after 3 attempts')).toHaveLength(1);
    expect(lines.filter((line) => line.startsWith('warn Connection pool: attempt'))).toHaveLength(2);
  });

  it('says that no endpoint was reached when all refuse', async () => {
    const error = await failure(rpc.pool({ endpoints: ['http://127.0.0.1:1', 'http://127.0.0.1:2'] }).getBalance(rich));
    expect(error.code).toBe('MOORING_NO_HEALTHY_ENDPOINT');
    expect(error.message).toContain('No healthy RPC connections available');
    expect(error.details['maybeExecuted']).toBe(false);
  });

  it('does not multiply traffic: with every endpoint failing, a call makes 1.2 attempts or so in the long run', async () => {
    const pool = rpc.pool();
    await rpc.fault('all', { kind: 'status', status: 503 });
    await Promise.allSettled(Array.from({ length: 200 }, () => pool.getBalance(Keypair.generate().publicKey)));
    // Two endpoints: the second one is tried without a token; third attempts are what the budget pays for.
    expect(await rpc.count('getBalance')).toBeLessThan(200 * 2 + 100);
  });

  it('asks once when the request itself is wrong, and throws the class of the peer', async () => {
    const error: unknown = await rpc
      .pool()
      .request('getBalance', ['not a key'])
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SolanaJSONRPCError);
    expect(error).toMatchObject({ code: -32602, cause: { code: 'MOORING_SERVER_ERROR', details: { serverCode: -32602 } } });
    expect(await rpc.count('getBalance')).toBe(1);
  });

  it('rejects at the deadline when everything hangs', async () => {
    await rpc.fault('all', { kind: 'hang' });
    const pool = rpc.pool({ readAttempts: 20 });
    let error: MooringError | undefined;
    const took = await timed(async () => (error = await failure(pool.getBalance(rich, { deadlineMs: 300 }))));
    expect(error?.code).toBe('MOORING_TIMEOUT');
    expect(took).toBeGreaterThan(250);
    expect(took).toBeLessThan(800);
  });

  it('rejects with MOORING_ABORTED when the signal fires, and leaves others in the shared request alone', async () => {
    await rpc.fault('all', { kind: 'delay', ms: 200 });
    const pool = rpc.pool();
    const controller = new AbortController();
    const aborted = failure(pool.getBalance(rich, { signal: controller.signal }));
    const other = pool.getBalance(rich);
    setTimeout(() => controller.abort(), 50);
    expect((await aborted).code).toBe('MOORING_ABORTED');
    expect(await other).toBe(LAMPORTS);
    expect(await rpc.count('getBalance')).toBe(1);
  });

  it('refuses at once what could not start before its deadline', async () => {
    const pool = rpc.pool({ maxRequestsPerSecond: 1, probeIntervalMs: 60_000 });
    await pool.getBalance(rich);
    const error = await failure(pool.getBalance(keys[1] as PublicKey, { deadlineMs: 100 }));
    expect(error).toMatchObject({ code: 'MOORING_RATE_LIMITED', details: { origin: 'local', maybeExecuted: false } });
    expect(error.details['retryAfterMs']).toBeGreaterThan(0);
  });

  it('refuses at once when too many wait', async () => {
    const pool = rpc.pool({ maxRequestsPerSecond: 5, queueMax: 2, probeIntervalMs: 60_000 });
    const results = await Promise.allSettled(keys.slice(0, 6).map((key) => pool.getBalance(key)));
    const codes = results.map((result) => (result.status === 'rejected' ? (result.reason as MooringError).code : 'fine'));
    expect(codes).toContain('MOORING_POOL_EXHAUSTED');
    expect(codes).toContain('fine');
  });
});

describe('methods', () => {
  let pool: ConnectionPool;
  beforeAll(() => {
    pool = rpc.pool();
  });

  it('is also called SolanaConnectionPool', () => {
    expect(SolanaConnectionPool.name).toBe('ConnectionPool');
  });

  it('reads balances in order, 250 keys in three requests, and shares them with getBalance', async () => {
    const fresh = rpc.pool({ cacheConfig: { balanceTTL: 60_000 } });
    const many = [...keys, ...Array.from({ length: 149 }, () => Keypair.generate().publicKey), rich];
    const balances = await fresh.getBatchBalances(many);
    expect(balances).toHaveLength(250);
    expect([balances[0], balances[1], balances[249]]).toEqual([LAMPORTS, 0, LAMPORTS]);
    expect(await rpc.count('getMultipleAccounts')).toBe(3);
    expect(await fresh.getBalance(rich)).toBe(LAMPORTS);
    expect(await rpc.count('getBalance')).toBe(0);
    expect(await fresh.getBatchBalances([])).toEqual([]);
  });

  it('reads a blockhash that the chain knows', async () => {
    const fresh = rpc.pool();
    const { blockhash, lastValidBlockHeight } = await fresh.getLatestBlockhash();
    expect(lastValidBlockHeight).toBeGreaterThan(0);
    const valid = await fresh.request<{ value: boolean }>('isBlockhashValid', [blockhash, { commitment: 'processed' }]);
    expect(valid.value).toBe(true);
  });

  it('reads accounts with the caller’s own key class, a fresh object each, and null for those that do not exist', async () => {
    const fresh = rpc.pool();
    const [one, two] = await Promise.all([fresh.getAccountInfo(rich), fresh.getAccountInfo(rich)]);
    expect(one).toEqual(two);
    expect(one).not.toBe(two);
    expect(one?.owner).toBeInstanceOf(PublicKey);
    expect(one).toMatchObject({ lamports: LAMPORTS, executable: false, data: Buffer.alloc(0) });
    expect(await fresh.getAccountInfo(keys[1] as PublicKey)).toBeNull();
    const several = await fresh.getMultipleAccounts([rich, keys[1] as PublicKey]);
    expect(several.map((account) => account?.lamports)).toEqual([LAMPORTS, undefined]);
  });

  it('reads token accounts in the shapes of web3.js', async () => {
    const fresh = rpc.pool();
    const [mint, account, owner] = [Keypair.generate().publicKey, Keypair.generate().publicKey, Keypair.generate().publicKey];
    await rpc.call('setMint', { key: mint.toBase58(), decimals: 2, supply: '1000' });
    await rpc.call('setTokenAccount', { key: account.toBase58(), mint: mint.toBase58(), owner: owner.toBase58(), amount: '125' });
    await rpc.advance(2);
    const balance = await fresh.getTokenAccountBalance(account);
    expect(balance.value).toMatchObject({ amount: '125', decimals: 2, uiAmountString: '1.25' });
    const { value } = await fresh.getParsedTokenAccountsByOwner(owner, { mint });
    expect(value).toHaveLength(1);
    expect(value[0]?.pubkey.equals(account)).toBe(true);
    expect(value[0]?.account.data.parsed).toMatchObject({ info: { owner: owner.toBase58(), tokenAmount: { amount: '125' } } });
  });

  it('reports what it is doing', async () => {
    const fresh = rpc.pool();
    await fresh.getBalance(rich);
    const stats = fresh.getPoolStats();
    expect(stats).toMatchObject({ connections: 2, requestQueueLength: 0, transactionQueueLength: 0, transactionCount: 0, inFlight: 0 });
    expect(stats.requestCount).toBeGreaterThanOrEqual(1);
    expect(stats.rateLimits).toEqual({ maxRequestsPerSecond: 10_000, maxTransactionsPerSecond: 10_000, shared: null });
    expect(stats.endpoints.map(({ name }) => name)).toEqual(rpc.urls.map((url) => new URL(url).host));
    expect(pool.getPoolStats().connections).toBe(2);
  });

  it('serves through an endpoint added later', async () => {
    const fresh = rpc.pool({ endpoints: [] });
    expect(fresh.addEndpoint({ url: rpc.urls[0] as string, name: 'late' })).toBe('late');
    expect(await fresh.getBalance(rich)).toBe(LAMPORTS);
  });
});
