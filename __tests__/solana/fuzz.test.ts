/**
 * @module __tests__/solana/fuzz
 *
 * Endpoints that answer some calls with fuzzed bytes (one of the three with replies that are sound but for what they say) and others well, over the same sockets: every call settles before its deadline, with a typed error or a
 * value; the good ones get their right answer. `MOORING_CHAOS=500` makes it a million; a failing run prints its seed (`MOORING_CHAOS_SEED` replays it).
 */
import { inspect } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { isSolanaError } from '@solana/kit';
import { Keypair, SendTransactionError, SolanaJSONRPCError } from '@solana/web3.js';
import { ConnectionPool, isMooringError, openThings } from '../../dist/index.js';
import { createPoolTransport } from '../../dist/solana/kit.js';
import { limitMs, random, rounds, seed } from '../support/chaos';
import { fuzzer } from '../support/fuzz-replies';
import { http, type RawRequest, RawServer, reply } from '../support/raw-server';

const CALLS = rounds(400);
const WORKERS = 80;
const GOOD_PER_BAD = 5;
const DEADLINE_MS = 2000;
/** Of calls that take no options. */
const POOL_DEADLINE_MS = 10_000;
/** A settled promise may be seen late by a busy event loop. */
const SLACK_MS = 3000;

const draw = random(seed);
const fuzz = fuzzer(draw);
const bad = new Set(Array.from({ length: 64 }, () => Keypair.generate().publicKey.toBase58()));
const badKeys = [...bad];
const pick = (): string => badKeys[Math.floor(draw() * badKeys.length)] as string;
const servers: RawServer[] = [];
let pool: ConnectionPool;

/** Signatures of transactions hold this one byte only. */
const signedBy = (byte: number): Uint8Array =>
  new Uint8Array([1, ...new Array<number>(64).fill(byte), 1, 0, 0, 1, ...new Array<number>(70).fill(9)]);
const lamportsOf = (key: string): number => [...Buffer.from(key)].reduce((sum, byte) => (sum * 31 + byte) % 1e9, 7);

/** What is right for a request; of a bad one only its shape matters. */
function right({ method, params }: RawRequest): unknown {
  const context = { slot: 100 };
  const account = {
    lamports: 5,
    owner: '11111111111111111111111111111111',
    data: ['AQID', 'base64'],
    executable: false,
    rentEpoch: 0,
    space: 3,
  };
  if (method === 'getBalance') return { context, value: lamportsOf(String(params[0])) };
  if (method === 'getAccountInfo') return { context, value: account };
  if (method === 'getMultipleAccounts') return { context, value: (params[0] as unknown[]).map(() => account) };
  if (method === 'getTokenAccountBalance') return { context, value: { amount: '5', decimals: 0, uiAmount: 5 } };
  if (method === 'getTokenAccountsByOwner') return { context, value: [{ pubkey: account.owner, account }] };
  if (method === 'getSignatureStatuses')
    return { context, value: (params[0] as unknown[]).map(() => ({ slot: 5, confirmations: null, err: null })) };
  if (method === 'getSlot') return 100;
  return { echo: params };
}

const isBad = ({ body, method }: RawRequest): boolean => method === 'sendTransaction' || badKeys.some((key) => body.includes(key));

beforeAll(async () => {
  for (let n = 0; n < 3; n++) {
    const pending = new Set<number>();
    servers.push(
      await RawServer.start((request, socket) => {
        // A million requests are too much to keep.
        servers[n]?.requests.splice(0);
        if (!isBad(request)) {
          pending.add(request.id);
          // Late enough that others are under way whose ids a bad answer can take.
          setImmediate(() => {
            pending.delete(request.id);
            socket.write(http(reply(request, right(request))));
          });
          return;
        }
        fuzz.answer(request, right(request), socket, { foreign: [...pending], sound: n === 2 });
      }),
    );
  }
  pool = new ConnectionPool({
    endpoints: servers.map(({ url }) => url),
    maxRequestsPerSecond: 1e6,
    maxTransactionsPerSecond: 1e6,
    deadlineMs: POOL_DEADLINE_MS,
    logger: { warn: () => {}, error: () => {} },
    cacheConfig: { balanceTTL: 0, accountInfoTTL: 0, signatureStatusTTL: 0, blockhashTTL: 0 },
  });
});
afterAll(async () => {
  await pool.close();
  await Promise.all(servers.map((server) => server.stop()));
});

const options = { deadlineMs: DEADLINE_MS };
const signature = (): string => '5'.repeat(88 - 44) + pick();
const transport = (): ((request: { payload: unknown }) => Promise<unknown>) => createPoolTransport(pool);
const badCalls: readonly (() => Promise<unknown>)[] = [
  () => pool.getBalance(pick(), options),
  () => pool.getBatchBalances([pick(), pick(), Keypair.generate().publicKey.toBase58()], options),
  () => pool.getAccountInfo(pick(), 'confirmed', options),
  () => pool.getMultipleAccounts([pick(), pick()], 'confirmed', options),
  () => pool.getTokenAccountBalance(pick(), 'confirmed', options),
  () => pool.getParsedTokenAccountsByOwner(Keypair.generate().publicKey, { mint: pick() }, 'confirmed', options),
  () => pool.getSignatureStatuses([signature()], {}, options),
  () => pool.sendRawTransaction(signedBy(1 + Math.floor(draw() * 250)), options),
  () => pool.request('getProgramAccounts', [pick()], options),
  () => pool.request('someVendorMethod', [pick(), draw()], options),
  () =>
    pool.respond(
      JSON.stringify([
        { id: 'a', method: 'getBalance', params: [pick()] },
        { id: 'b', method: 'getSlot' },
      ]),
      options,
    ),
  () => transport()({ payload: { id: 1, jsonrpc: '2.0', method: 'getBalance', params: [pick()] } }),
  () =>
    pool
      .getConnection()
      .getBalance(Keypair.generate().publicKey)
      .catch(() => {}),
];

/** Whether an error is one that callers can tell. */
function isTyped(error: unknown): boolean {
  return isMooringError(error) || error instanceof SolanaJSONRPCError || error instanceof SendTransactionError || isSolanaError(error);
}

async function badCall(): Promise<void> {
  const call = badCalls[Math.floor(draw() * badCalls.length)] as () => Promise<unknown>;
  const begun = performance.now();
  let outcome: unknown;
  try {
    outcome = await call();
  } catch (error) {
    if (!isTyped(error)) throw new Error(`an error without a type from ${String(call)}`, { cause: error });
    outcome = (error as Error).message;
  }
  const deadline = String(call).includes('options') ? DEADLINE_MS : POOL_DEADLINE_MS;
  if (performance.now() - begun > deadline + SLACK_MS) throw new Error(`late: ${performance.now() - begun} ms, ${String(call)}`);
  if (inspect(outcome, { depth: 8 }).includes('stolen')) throw new Error(`another call's answer was given to ${String(call)}`);
}

async function goodCall(): Promise<void> {
  const key = Keypair.generate().publicKey.toBase58();
  const note = draw();
  const [lamports, echo] = await Promise.all([pool.getBalance(key), pool.request<{ echo: unknown[] }>('echo', [note])]);
  if (lamports !== lamportsOf(key) || echo.echo[0] !== note) throw new Error(`a wrong answer: ${JSON.stringify({ lamports, echo })}`);
}

it(
  `${CALLS} fuzzed calls among good ones`,
  async () => {
    const begun = process.memoryUsage().rss;
    let left = CALLS;
    const worker = async (): Promise<void> => {
      for (; left > 0; left--) await Promise.all([badCall(), ...Array.from({ length: GOOD_PER_BAD }, goodCall)]);
    };
    await Promise.all(Array.from({ length: WORKERS }, worker)).catch((cause: unknown) => {
      throw new Error(`seed ${seed}, after ${CALLS - left} calls`, { cause });
    });
    expect(pool.getPoolStats().inFlight).toBe(0);
    const fuzzed = [...fuzz.counts.values()].reduce((sum, count) => sum + count, 0);
    const grown = (process.memoryUsage().rss - begun) >> 20;
    if (CALLS > 400)
      process.stdout.write(
        `fuzz: seed ${seed}, ${CALLS} calls, ${fuzzed} fuzzed replies, +${grown} MiB, ${JSON.stringify(Object.fromEntries(fuzz.counts))}\n`,
      );
    expect(fuzzed).toBeGreaterThan(CALLS / 2);
    expect(openThings().filter(({ kind }) => kind === 'solana')).toHaveLength(1);
  },
  limitMs(60_000),
);
