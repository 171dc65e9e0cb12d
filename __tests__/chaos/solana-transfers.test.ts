/**
 * @module __tests__/chaos/solana-transfers: money is sent while nodes drop, delay, lag, lie and come and go. Every outcome is checked against the ledger, every
 * lamport is counted, and no node ever sees a signature that was not the one of its intent.
 */
import { randomBytes } from 'node:crypto';
import { setInterval } from 'node:timers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Keypair, PublicKey, Transaction } from '@solana/web3.js';
import { type ConnectionPool, isMooringError, type Tracked } from '../../dist/index.js';
import { limitMs, random, rounds, seed } from '../support/chaos';
import { compiled, transfer } from '../support/payment';
import { RpcService } from '../support/solana';

const TRANSFERS = rounds(100);
const PENDING = rounds(100);
const FRONTS = 3;
const SLOT_MS = 50;
/** How old the blockhash of a late transfer is: one in twenty slots has no block, and 150 blocks is the end. */
const OLD_SLOTS = [145, 175] as const;
const PAYERS = 8;
/** Transfers under way at once. */
const WINDOW = 400;
const FEE = 5000;
const FUNDS = 2_000_000_000_000;
const TOO_MUCH = 900_000_000_000_000;
/** Longer than any outage here and a blockhash's life together: whoever says `unknown` has missed something. */
const DEADLINE_MS = 90_000;

/** One payment that somebody wants made, once. */
interface Intent {
  readonly payer: Keypair;
  readonly to: PublicKey;
  readonly lamports: number;
  readonly kind: 'legacy' | 'bytes' | 'stale' | 'poor';
  readonly ends: Tracked[];
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const fault = (from: () => number): { front: number; spec: object; ms: number } => {
  const kinds = [
    { kind: 'blackhole', probability: 0.5 },
    { kind: 'blackhole' },
    { kind: 'late', slots: 1 + Math.floor(from() * 40), probability: 0.5 },
    { kind: 'fork', slots: 2 + Math.floor(from() * 20), probability: 0.5 },
    { kind: 'lag', slots: 1 + Math.floor(from() * 120), healthy: true },
    { kind: 'freeze' },
    { kind: 'slotAsHeight' },
    { kind: 'wrongSignature', probability: 0.3 },
    { kind: 'reset', when: 'after', probability: 0.5 },
    { kind: 'hang', when: 'after', probability: 0.3, methods: ['sendTransaction'] },
    { kind: 'status', status: 503, probability: 0.7 },
    { kind: 'status', status: 429, probability: 0.5 },
    { kind: 'truncate', probability: 0.3 },
    { kind: 'delay', ms: 300, probability: 0.3 },
    { kind: 'refuse' },
    { kind: 'hang' },
  ];
  const spec = kinds[Math.floor(from() * kinds.length)] as object;
  return { front: Math.floor(from() * FRONTS), spec, ms: 200 + from() * 1500 };
};

describe(`transfers under faults (seed ${seed})`, () => {
  const payers = Array.from({ length: PAYERS }, () => Keypair.generate());
  let rpc: RpcService;
  let pool: ConnectionPool;

  beforeAll(async () => {
    rpc = await RpcService.start(FRONTS, SLOT_MS, 0.05);
    for (const payer of payers) await rpc.airdrop(payer.publicKey, FUNDS);
    await rpc.advance(3);
    pool = rpc.pool({ maxTransactionsPerSecond: 600, maxRequestsPerSecond: 2000 });
  });
  afterAll(() => rpc.stop());

  /** Sends one intent as a careful host does: the same bytes again after an error, new ones only after `expired`. */
  async function carryOut(intent: Intent, hashes: Hashes, next: () => number): Promise<void> {
    for (let attempt = 0; attempt < 4; attempt++) {
      const { blockhash, lastValidBlockHeight } = attempt === 0 && intent.kind === 'stale' ? hashes.oldest(next) : await hashes.latest();
      const end = await toTheEnd(intent, blockhash, lastValidBlockHeight);
      intent.ends.push(end);
      if (end.status !== 'expired') return;
    }
  }

  async function toTheEnd(intent: Intent, blockhash: string, lastValidBlockHeight: number): Promise<Tracked> {
    const options = { lastValidBlockHeight, deadlineMs: DEADLINE_MS, skipPreflight: intent.kind === 'poor' };
    const instruction = transfer(intent.payer, intent.to, intent.lamports);
    let { bytes } = compiled(intent.payer, [instruction], blockhash);
    if (intent.kind === 'legacy') {
      const transaction = new Transaction({ feePayer: intent.payer.publicKey, blockhash, lastValidBlockHeight }).add(instruction);
      const end = await pool.sendAndConfirm(transaction, { ...options, signers: [intent.payer] }).catch(unsent);
      if (end !== undefined) return end;
      bytes = transaction.serialize();
    }
    for (;;) {
      const end = await pool.sendAndConfirm(bytes, options).catch(unsent);
      if (end !== undefined) return end;
      await wait(100);
    }
  }

  /** An error of the first send says that nothing was sent: anything else must be an outcome. */
  function unsent(error: unknown): undefined {
    const sent = isMooringError(error)
      ? error.details['sent']
      : (error as { cause?: { details?: { sent?: string } } }).cause?.details?.sent;
    if (sent !== 'no') throw error;
  }

  // oxlint-disable-next-line jest/expect-expect -- `audit` expects
  test(
    'every outcome is right, and nothing is paid twice',
    async () => {
      const next = random(seed);
      const intents: Intent[] = Array.from({ length: TRANSFERS }, (_, index) => {
        const kind = index % 25 === 0 ? 'poor' : index % 10 === 0 ? 'stale' : index % 3 === 0 ? 'legacy' : 'bytes';
        const payer = payers[index % PAYERS] as Keypair;
        return { payer, to: new PublicKey(randomBytes(32)), lamports: kind === 'poor' ? TOO_MUCH : 1_000_000 + index, kind, ends: [] };
      });
      const hashes = new Hashes(rpc.pool({ maxRequestsPerSecond: 50 }));
      await hashes.age();
      const trouble = new Trouble(rpc, next);
      const queue = [...intents];
      const host = async (): Promise<void> => {
        for (let intent = queue.shift(); intent !== undefined; intent = queue.shift()) await carryOut(intent, hashes, next);
      };
      await Promise.all(Array.from({ length: WINDOW }, host));
      await trouble.end();
      hashes.end();
      // What is late lands now, if it may.
      await rpc.advance(60);
      await wait(500);
      await audit(intents);
    },
    limitMs(120_000),
  );

  async function audit(intents: readonly Intent[]): Promise<void> {
    const ledger = new Map((await rpc.landed()).map((one) => [one.signature, one]));
    const counts = { landed: 0, failed: 0, expired: 0, unknown: 0 };
    const signatures = new Set<string>();
    const spent = new Map<string, number>();
    const wrong: string[] = [];
    for (const { payer, ends, lamports } of intents) {
      const key = payer.publicKey.toBase58();
      for (const { signature, status, slot } of ends) {
        counts[status] += 1;
        signatures.add(signature);
        const fact = ledger.get(signature);
        const right = {
          landed: fact?.err === null && fact.slot === slot,
          failed: fact !== undefined && fact.err !== null,
          expired: fact === undefined,
          unknown: true,
        };
        if (!right[status]) wrong.push(`${signature} is ${status} but ${JSON.stringify(fact ?? 'not on chain')}`);
        if (fact !== undefined) spent.set(key, (spent.get(key) ?? 0) + FEE + (fact.err === null ? lamports : 0));
      }
      const paid = ends.filter(({ signature }) => ledger.get(signature)?.err === null);
      if (paid.length > 1) wrong.push(`paid ${paid.length} times`);
    }
    const sends = await rpc.sends();
    const most = Math.max(...sends.map(({ received }) => received));
    process.stdout.write(
      `transfers: ${intents.length} intents, ${signatures.size} signatures, ${JSON.stringify(counts)}, received ${sends.reduce((sum, { received }) => sum + received, 0)} times, one at most ${most} times\n`,
    );
    expect(wrong).toEqual([]);
    expect(counts.unknown).toBe(0);
    // Nodes saw the signature of each attempt and no other: nothing was signed again.
    const funding = sends.filter(({ signature }) => !signatures.has(signature));
    expect(funding).toEqual([]);
    pool.clearCache();
    const balances = await pool.getBatchBalances(intents.map(({ to }) => to));
    const expected = intents.map(({ ends, lamports }) => (ends.some(({ status }) => status === 'landed') ? lamports : 0));
    expect(balances).toEqual(expected);
    const left = await pool.getBatchBalances(payers.map(({ publicKey }) => publicKey));
    expect(left).toEqual(payers.map(({ publicKey }) => FUNDS - (spent.get(publicKey.toBase58()) ?? 0)));
  }
});

/** Blockhashes of the last minutes, by a pool of its own that no fault of the moment stops for long. */
class Hashes {
  readonly #pool: ConnectionPool;
  readonly #kept: { at: number; blockhash: string; lastValidBlockHeight: number }[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(pool: ConnectionPool) {
    this.#pool = pool;
    this.#timer = setInterval(() => void this.#keep(), 500);
  }

  async #keep(): Promise<void> {
    const latest = await this.#pool.getLatestBlockhash('confirmed', { deadlineMs: 400 }).catch(() => undefined);
    if (latest !== undefined) this.#kept.push({ at: Date.now(), ...latest });
  }

  /** Waits until there are old ones. */
  async age(): Promise<void> {
    await wait(OLD_SLOTS[1] * SLOT_MS);
  }

  async latest(): Promise<{ blockhash: string; lastValidBlockHeight: number }> {
    for (;;) {
      const latest = await this.#pool.getLatestBlockhash('confirmed').catch(() => undefined);
      if (latest !== undefined) return latest;
    }
  }

  /** One that is about to die: whether it lands is a matter of slots. */
  oldest(next: () => number): { blockhash: string; lastValidBlockHeight: number } {
    const slots = OLD_SLOTS[0] + next() * (OLD_SLOTS[1] - OLD_SLOTS[0]);
    const from = Date.now() - slots * SLOT_MS;
    const found = this.#kept.find(({ at }) => at >= from) ?? this.#kept.at(-1);
    if (found === undefined) throw new Error('no blockhash yet');
    return found;
  }

  end(): void {
    clearInterval(this.#timer);
  }
}

/** Faults that come and go at random until told to end; now and then everything is down for a moment. */
class Trouble {
  readonly #rpc: RpcService;
  readonly #next: () => number;
  readonly #running: Promise<void>;
  #ended = false;

  constructor(rpc: RpcService, next: () => number) {
    this.#rpc = rpc;
    this.#next = next;
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#ended) {
      const { front, spec, ms } = fault(this.#next);
      await this.#rpc.fault(this.#next() < 0.05 ? 'all' : front, spec);
      if (this.#next() < 0.3) await this.#rpc.fault(Math.floor(this.#next() * FRONTS), fault(this.#next).spec);
      await wait(ms);
      await this.#rpc.clearFaults();
      if (this.#next() < 0.3) await wait(300);
    }
  }

  async end(): Promise<void> {
    this.#ended = true;
    await this.#running;
    await this.#rpc.clearFaults();
  }
}

describe('many pending transactions', () => {
  test(
    'cost few requests, and memory by their bytes',
    async () => {
      const rpc = await RpcService.start(2, 400);
      try {
        const payer = Keypair.generate();
        await rpc.airdrop(payer.publicKey, FUNDS);
        await rpc.advance(2);
        const pool = rpc.pool({ maxTransactionsPerSecond: 400, maxRequestsPerSecond: 100 });
        const { blockhash, lastValidBlockHeight } = await pool.getLatestBlockhash();
        await rpc.fault('all', { kind: 'blackhole' });
        const all = Array.from({ length: PENDING }, (_, index) =>
          compiled(payer, [transfer(payer, payer.publicKey, index + 1)], blockhash),
        );
        await rpc.call('resetHits');
        const before = process.memoryUsage().rss;
        const tracking = all.map(({ bytes }) =>
          pool.sendAndConfirm(bytes, { lastValidBlockHeight, skipPreflight: true, deadlineMs: 120_000 }),
        );
        const seconds = 4 + PENDING / 300;
        await wait(seconds * 1000);
        const pending = process.memoryUsage().rss - before;
        const count = async (method: string): Promise<number> => (await rpc.count(method)) / seconds;
        const rates = {
          statuses: await count('getSignatureStatuses'),
          heights: await count('getEpochInfo'),
          sends: await count('sendTransaction'),
        };
        process.stdout.write(`pending: ${PENDING}, ${(pending / 2 ** 20).toFixed(1)} MiB, requests per second ${JSON.stringify(rates)}\n`);
        expect(rates.statuses).toBeLessThanOrEqual(21);
        expect(rates.heights).toBeLessThanOrEqual(3);
        // Still under the fault: one that goes out again now must not land.
        await rpc.advance(200);
        const ends = await Promise.all(tracking);
        expect(new Set(ends.map(({ status }) => status))).toEqual(new Set(['expired']));
      } finally {
        await rpc.stop();
      }
    },
    limitMs(120_000),
  );
});
