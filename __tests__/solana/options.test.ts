/** @module __tests__/solana/options: bad input is refused before any I/O, endpoints come from three places, keys never show. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Keypair } from '@solana/web3.js';
import { ConnectionPool, type ConnectionPoolOptions, isMooringError, type MooringError, openThings } from '../../dist/index.js';

const SECRET = 'S3CR3T';
const URL_WITH_KEY = `http://user:${SECRET}@127.0.0.1:1/${SECRET}?api-key=${SECRET}`;
const key = Keypair.generate().publicKey;
const BYTES = new Uint8Array(100);
const pools: ConnectionPool[] = [];
const circular: Record<string, unknown> = {};
circular['self'] = circular;
const throwing = Object.defineProperty({}, 'ca', {
  enumerable: true,
  get: () => {
    throw new Error(SECRET);
  },
});
const saved = { ...process.env };

const open = (options?: ConnectionPoolOptions): ConnectionPool => {
  const pool = new ConnectionPool(options);
  pools.push(pool);
  return pool;
};
const thrown = (work: () => unknown): MooringError => {
  try {
    work();
  } catch (error) {
    if (isMooringError(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

afterEach(async () => {
  process.env = { ...saved };
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

describe('options', () => {
  it.each<[string, unknown, string]>([
    ['an unknown option', { nope: 1 }, 'nope'],
    ['a negative limit', { maxRequestsPerSecond: -1 }, 'maxRequestsPerSecond'],
    ['a limit that is NaN', { maxRequestsPerSecond: Number.NaN }, 'maxRequestsPerSecond'],
    ['an infinite limit', { maxTransactionsPerSecond: Infinity }, 'maxTransactionsPerSecond'],
    ['a limit as text', { maxRequestsPerSecond: '5' }, 'maxRequestsPerSecond'],
    ['a wrong commitment', { commitment: 'recent' }, 'commitment'],
    ['an unknown cache option', { cacheConfig: { ttl: 1 } }, 'cacheConfig.ttl'],
    ['a NaN inside the cache options', { cacheConfig: { balanceTTL: Number.NaN } }, 'cacheConfig.balanceTTL'],
    ['an inherited option that is wrong', Object.create({ maxRequestsPerSecond: -1 }), 'maxRequestsPerSecond'],
    ['an inherited setting that is wrong', { hedge: Object.create({ maxExtra: 2 }) }, 'hedge.maxExtra'],
    ['a proxy without a scheme', { proxy: 'x' }, 'proxy'],
    ['a proxy that is a list', { endpoints: [{ url: URL_WITH_KEY, proxy: [] }] }, 'endpoints.proxy'],
    ['a tls that is a list', { tls: [] }, 'tls'],
    ['a tls that cannot be read', { tls: throwing }, 'tls'],
    ['a hedge whose least delay is above its greatest', { hedge: { minDelayMs: 50, maxDelayMs: 20 } }, 'hedge.minDelayMs'],
    ['a hedge whose greatest delay is below the least one of default', { hedge: { maxDelayMs: 5 } }, 'hedge.maxDelayMs'],
    ['settings that hold themselves', { cacheConfig: circular }, 'cacheConfig.self'],
    ['settings that are a date', { cacheConfig: new Date() }, 'cacheConfig'],
    ['a flag that is an object with toJSON', { readYourWrites: { toJSON: () => true } }, 'readYourWrites.toJSON'],
    ['a weight of an endpoint that is 0', { endpoints: [{ url: URL_WITH_KEY, weight: 0 }] }, 'endpoints.weight'],
    ['a header that frames the request', { endpoints: [{ url: URL_WITH_KEY, headers: { 'Content-Length': '5' } }] }, 'endpoints.headers'],
    ['endpoints that are no list', { endpoints: URL_WITH_KEY }, 'endpoints'],
    ['an endpoint with another scheme', { endpoints: [`ws://h/${SECRET}`] }, 'endpoints'],
    ['an endpoint that is no url', { endpoints: [SECRET] }, 'endpoints'],
    ['an endpoint that is null', { endpoints: [null] }, 'endpoints'],
    ['an unknown option of an endpoint', { endpoints: [{ url: URL_WITH_KEY, wieght: 2 }] }, 'endpoints.wieght'],
    ['a header that is none', { endpoints: [{ url: URL_WITH_KEY, headers: { a: `${SECRET}\n` } }] }, 'endpoints.headers'],
    ['a logger without functions', { logger: {} }, 'logger'],
    ['a web3 that is another module', { web3: {} }, 'web3'],
    ['a web3 that is no module', { web3: 'x' }, 'web3'],
    ['options that are null', null, 'options'],
    ['options that are a list', [], 'options'],
  ])('refuses %s and names it', (_name, options, option) => {
    const before = openThings().length;
    const error = thrown(() => open(options as ConnectionPoolOptions));
    expect(error).toMatchObject({ code: 'MOORING_INVALID_CONFIG', details: { option } });
    expect(inspect(error, { depth: 9 })).not.toContain(SECRET);
    expect(openThings()).toHaveLength(before);
  });

  it('takes URLs as objects, inherited and frozen options', () => {
    const options = Object.create(Object.freeze({ endpoints: [new URL('http://a:1'), { url: new URL('http://b:2') }] })) as never;
    expect(
      open(options)
        .getPoolStats()
        .endpoints.map(({ name }) => name),
    ).toEqual(['a:1', 'b:2']);
  });

  it('takes the endpoints from the options, else the environment, else the configuration file', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'mooring-')), 'config.json');
    writeFileSync(file, JSON.stringify({ solana: { endpoints: ['http://file:3'], maxRequestsPerSecond: 7, commitment: 'finalized' } }));
    const names = (pool: ConnectionPool): string[] => pool.getPoolStats().endpoints.map(({ name }) => name);
    delete process.env['SOLANA_RPC_ENDPOINTS'];
    delete process.env['MOORING_CONFIG'];
    expect(names(open())).toEqual([]);
    process.env['MOORING_CONFIG'] = file;
    expect(names(open())).toEqual(['file:3']);
    expect(open().getPoolStats().rateLimits.maxRequestsPerSecond).toBe(7);
    expect(open().getConnection().commitment).toBe('finalized');
    process.env['SOLANA_RPC_ENDPOINTS'] = 'http://env:1, http://env:2';
    expect(names(open())).toEqual(['env:1', 'env:2']);
    expect(names(open({ endpoints: ['http://own:4'] }))).toEqual(['own:4']);
    expect(names(open({ endpoints: [] }))).toEqual([]);
  });

  it.each([
    ['is missing', undefined],
    ['is not JSON', `{"solana": "${SECRET}`],
    ['holds something else', `{"solana": ["${SECRET}"]}`],
  ])('says so when the configuration file %s, without quoting it', (_name, text) => {
    const file = join(mkdtempSync(join(tmpdir(), 'mooring-')), 'config.json');
    if (text !== undefined) writeFileSync(file, text);
    delete process.env['SOLANA_RPC_ENDPOINTS'];
    process.env['MOORING_CONFIG'] = file;
    const error = thrown(() => open());
    expect(error).toMatchObject({ code: 'MOORING_INVALID_CONFIG', details: { option: 'MOORING_CONFIG' } });
    expect(inspect(error, { depth: 9 })).not.toContain(SECRET);
  });
});

describe('arguments', () => {
  const pool = (): ConnectionPool => open({ endpoints: ['http://127.0.0.1:1'] });
  it.each<[string, (p: ConnectionPool) => Promise<unknown>, string]>([
    ['a key that is none', (p) => p.getBalance('nope'), 'publicKey'],
    ['a key that is null', (p) => p.getBalance(null as never), 'publicKey'],
    ['keys that are no list', (p) => p.getBatchBalances('x' as never), 'publicKeys'],
    ['a wrong key among others', (p) => p.getBatchBalances([key, 'nope']), 'publicKeys'],
    ['a signature that is none', (p) => p.getSignatureStatuses(['nope']), 'signatures'],
    ['a filter that is none', (p) => p.getParsedTokenAccountsByOwner(key, {} as never), 'filter'],
    ['a method that is none', (p) => p.request('get"Balance'), 'method'],
    ['a method that is no text', (p) => p.request(5 as never), 'method'],
    ['params that are no list', (p) => p.request('getSlot', 'x' as never), 'params'],
    ['a deadline that is NaN', (p) => p.getBalance(key, { deadlineMs: Number.NaN }), 'deadlineMs'],
    ['a negative deadline', (p) => p.getBalance(key, { deadlineMs: -1 }), 'deadlineMs'],
    ['a signal that is none', (p) => p.getBalance(key, { signal: {} as never }), 'signal'],
    ['options that are null', (p) => p.getBalance(key, null as never), 'options'],
    ['work that is no function', (p) => p.executeWithRetry('x' as never), 'work'],
    ['an unknown option of retries', (p) => p.executeWithRetry(() => 1, 3, { deadline: 1 } as never), 'deadline'],
    ['retries that are NaN', (p) => p.executeWithRetry(() => 1, Number.NaN), 'maxRetries'],
    ['a time that is negative', (p) => p.drain(-1), 'timeoutMs'],
    ['an unknown option of a read', (p) => p.getBalance(key, { deadlineMS: 1 } as never), 'deadlineMS'],
    ['an unknown option of a send', (p) => p.sendRawTransaction(BYTES, { skipPrefligth: true } as never), 'skipPrefligth'],
    ['a preflight that is no flag', (p) => p.sendAndConfirm(BYTES, { skipPreflight: 1 as never }), 'skipPreflight'],
    ['retries of a node that are text', (p) => p.sendRaw(BYTES, { maxRetries: '5' as never }), 'maxRetries'],
    ['a slot that is negative', (p) => p.sendRawTransaction(BYTES, { minContextSlot: -1 }), 'minContextSlot'],
    ['a preflight commitment that is none', (p) => p.sendRaw(BYTES, { preflightCommitment: 'max' as never }), 'preflightCommitment'],
    ['options for a commitment', (p) => p.getAccountInfo(key, { deadlineMs: 5 } as never), 'commitment'],
    ['a commitment of accounts that is none', (p) => p.getMultipleAccounts([key], 'max' as never), 'commitment'],
    ['a commitment of a blockhash that is none', (p) => p.getLatestBlockhash('' as never), 'commitment'],
    ['a commitment of a token account that is none', (p) => p.getTokenAccountBalance(key, 1 as never), 'commitment'],
    [
      'a commitment of token accounts that is none',
      (p) => p.getParsedTokenAccountsByOwner(key, { mint: key }, 'max' as never),
      'commitment',
    ],
    ['a search that is no flag', (p) => p.getSignatureStatuses([], { searchTransactionHistory: 1 as never }), 'searchTransactionHistory'],
    ['an unknown setting of statuses', (p) => p.getSignatureStatuses([], { history: true } as never), 'history'],
    ['options of statuses that are null', (p) => p.getSignatureStatuses([], null as never), 'options'],
    ['options of a send that are null', (p) => p.sendTransaction({ serialize: () => BYTES }, null as never), 'options'],
    ['options of a raw send that are null', (p) => p.sendRaw(BYTES, null as never), 'options'],
    ['options of a followed send that are null', (p) => p.sendAndConfirm(BYTES, null as never), 'options'],
    ['options of following that are null', (p) => p.confirm('5'.repeat(88), null as never), 'options'],
    ['a nonce that is null', (p) => p.confirm('5'.repeat(88), { nonce: null as never }), 'nonce'],
    ['a nonce without its value', (p) => p.confirmTransaction({ signature: '5'.repeat(88), nonceAccountPubkey: key }), 'nonceValue'],
    ['a nonce without its account', (p) => p.confirmTransaction({ signature: '5'.repeat(88), nonceValue: '1' }), 'nonceAccountPubkey'],
    ['a deadline of retries that no timer takes', (p) => p.executeWithRetry(() => 1, 3, { deadlineMs: 1e21 }), 'deadlineMs'],
    ['an end of a subscription that is no function', async (p) => p.subscribe('slot').listen(() => {}, 5 as never), 'onEnd'],
    ['a commitment that is none', (p) => p.confirm('5'.repeat(88), { commitment: 'max' as never }), 'commitment'],
  ])('refuses %s by a rejection that names it', async (_name, work, argument) => {
    const rejected = await work(pool()).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(rejected).toMatchObject({ code: 'MOORING_INVALID_ARGUMENT', details: { argument } });
  });
});

describe('secrets', () => {
  it('show in no error, log line, statistic, name or inspection', async () => {
    const seen: unknown[] = [];
    const log = (...parts: unknown[]): unknown => seen.push(parts);
    const pool = open({
      endpoints: [URL_WITH_KEY, { url: `http://127.0.0.1:1/${SECRET}`, headers: { authorization: SECRET } }],
      logger: { info: log, warn: log, error: log },
    });
    for (const work of [pool.getBalance(key), pool.request('getSlot'), pool.sendRawTransaction(new Uint8Array(1300))]) {
      seen.push(await work.catch((reason: unknown) => reason));
    }
    seen.push(
      await pool
        .executeWithRetry(() => Promise.reject(new Error(`fetch failed for ${URL_WITH_KEY}`)), 2)
        .catch(() => 'the caller’s own error'),
    );
    seen.push(
      pool.addEndpoint(URL_WITH_KEY),
      pool.getPoolStats(),
      openThings(),
      pool,
      await pool.getBalance(key).catch((reason: unknown) => reason),
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(seen.length).toBeGreaterThan(10);
    expect(inspect(seen, { depth: 12, showHidden: true, getters: true })).not.toContain(SECRET);
  });
});
