/** @module __tests__/chaos/subscriptions: endpoints killed under subscriptions. Nothing is missed without being told, and nothing grows or stays behind. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { Keypair } from '@solana/web3.js';
import { type ConnectionPool, type Gap, openThings } from '../../dist/index.js';
import { limitMs, random, rounds, seed } from '../support/chaos';
import { RpcService } from '../support/solana';
import { until } from '../support/until';

const KILLS = Math.min(50, rounds(4));
const ACCOUNTS = 90;
const LOGS = 40;
const SLOTS = 20;
const SIGNATURES = 50;
/** Of the closing run: 10 000 in full. */
const MANY = Math.min(10_000, rounds(400));

interface Told {
  readonly context: { readonly slot: number };
  readonly value: { readonly lamports: number; readonly err: unknown; readonly signature: string };
}

/** What one subscription has told: notifications and gaps in order. */
interface Story {
  readonly key: string;
  readonly told: Told[];
  readonly gaps: Gap[];
}

let rpc: RpcService;
beforeAll(async () => {
  rpc = await RpcService.start(3, 100);
});
afterEach(() => rpc.reset());
afterAll(() => rpc.stop());

const newKey = (): string => Keypair.generate().publicKey.toBase58();
const open = (): ConnectionPool => rpc.pool({ endpoints: rpc.urls.map((url) => ({ url, limits: { subscribe: 100_000 } })) });
const covered = (slot: number, gaps: readonly Gap[]): boolean => gaps.some(({ fromSlot, toSlot }) => slot >= fromSlot && slot <= toSlot);

function follow(pool: ConnectionPool, kind: 'account' | 'logs' | 'slot', key: string): Story {
  const story: Story = { key, told: [], gaps: [] };
  const params = {
    account: [key, { commitment: 'confirmed', encoding: 'base64' }],
    logs: [{ mentions: [key] }, { commitment: 'confirmed' }],
    slot: [],
  };
  pool.subscribe<Told>(kind, params[kind], { onGap: (gap) => story.gaps.push(gap) }).listen((one) => story.told.push(one));
  return story;
}

/** One transaction after another, noted in `sent` and watched to its end; says how many ends each had. */
async function transact(
  pool: ConnectionPool,
  [keys, sent]: readonly [readonly string[], Map<string, string>],
  goOn: () => boolean,
): Promise<number[]> {
  const ends: number[] = [];
  for (let round = 0; goOn(); round++) {
    const key = keys[round % keys.length] as string;
    const signature = await pool.request<string>('requestAirdrop', [key, 1_000_000 + round]);
    sent.set(signature, key);
    let count = 0;
    for await (const { value } of pool.subscribe<Told>('signature', [signature, { commitment: 'confirmed' }]))
      count += value.err === null ? 1 : 100;
    ends.push(count);
  }
  return ends;
}

it(
  `keeps 200 subscriptions through ${KILLS} kills (seed ${seed})`,
  async () => {
    const pool = open();
    const next = random(seed);
    const accounts = Array.from({ length: ACCOUNTS }, () => follow(pool, 'account', newKey()));
    const logs = Array.from({ length: LOGS }, (_, index) => follow(pool, 'logs', accounts[index]?.key ?? ''));
    const slots = Array.from({ length: SLOTS }, () => follow(pool, 'slot', ''));
    await until(() => slots.every(({ told }) => told.length > 2));
    let running = true;
    const sent = new Map<string, string>();
    const keys = accounts.map(({ key }) => key);
    const transactions = Array.from({ length: SIGNATURES }, (_, index) =>
      transact(pool, [[...keys.slice(index), ...keys.slice(0, index)], sent], () => running),
    );
    await delay(1000);
    const first = slots.map(({ told }) => told.length);
    const before = process.memoryUsage.rss();
    let mostSockets = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      // One of few endpoints may have no socket at that moment: all of them have some.
      const front = kill % 10 === 3 ? 'all' : Math.floor(next() * rpc.urls.length);
      await rpc.fault(front, { kind: 'wsClose', code: next() < 0.5 ? 1006 : 1013 });
      for (let look = 0; look < 10; look++) {
        await delay(50 + next() * 100);
        mostSockets = Math.max(mostSockets, pool.getPoolStats().websockets);
      }
    }
    running = false;
    const ends = (await Promise.all(transactions)).flat();
    expect(ends.length).toBeGreaterThanOrEqual(SIGNATURES);
    expect(ends.filter((count) => count !== 1)).toEqual([]);
    const balances = await pool.getBatchBalances(keys);
    await until(() => accounts.every(({ told }, index) => (told.at(-1)?.value.lamports ?? 0) === balances[index]));
    await rpc.advance(2);

    // Each slot is told, or lies in a gap that was told.
    const missing = slots.flatMap(({ told, gaps }, index) => {
      const seen = (told as unknown as { slot: number }[]).slice(first[index]).map(({ slot }) => slot);
      const known = new Set(seen);
      const all = Array.from({ length: Math.max(...seen) - Math.min(...seen) }, (_, at) => Math.min(...seen) + at);
      expect(known.size).toBe(seen.length);
      return all.filter((slot) => !known.has(slot) && !covered(slot, gaps));
    });
    expect(missing).toEqual([]);
    // Each transaction is told to those that watch its logs, once, or lies in a gap.
    const landed = await rpc.landed();
    const lines = new Map(logs.map(({ key, told }) => [key, told.map(({ value }) => value.signature)]));
    for (const signatures of lines.values()) expect(new Set(signatures).size).toBe(signatures.length);
    const heard = new Set([...lines.values()].flat());
    const gapsOfLogs = logs.flatMap(({ gaps }) => gaps);
    const watched = new Set(logs.map(({ key }) => key));
    const unheard = landed.filter(({ signature }) => watched.has(sent.get(signature) ?? '') && !heard.has(signature));
    expect(unheard.filter(({ slot }) => !covered(slot, gapsOfLogs))).toEqual([]);

    const moves = slots.reduce((sum, { gaps }) => sum + gaps.length, 0) + gapsOfLogs.length;
    const growth = (process.memoryUsage.rss() - before) / 2 ** 20;
    process.stdout.write(
      `${KILLS} kills: ${ends.length} signatures, each with one end; ${moves} gaps of feeds, ${accounts.reduce((sum, { gaps }) => sum + gaps.length, 0)} of accounts; ` +
        `at most ${mostSockets} sockets; memory +${growth.toFixed(1)} MiB; ${unheard.length} log lines missed, all in told gaps\n`,
    );
    expect(moves).toBeGreaterThan(0);
    // 200 subscriptions are three sockets; as many again may be opening while the old ones end.
    expect(mostSockets).toBeLessThanOrEqual(8);
    expect(growth).toBeLessThan(96);
    await pool.close();
    await until(async () => (await rpc.sockets()).every((one) => one.subscriptions === 0 && one.wsSockets === 0));
    expect(openThings().filter(({ kind }) => kind === 'solana')).toEqual([]);
  },
  limitMs(60_000),
);

it(
  `tells ${MANY} subscriptions the gap when every socket is lost, and leaves none at the nodes`,
  async () => {
    const pool = open();
    const gaps = new Uint32Array(MANY);
    const all = Array.from({ length: MANY }, (_, index) => {
      const options = { deadlineMs: 120_000, onGap: () => void (gaps[index] = (gaps[index] ?? 0) + 1) };
      const subscription =
        index % 2 === 0 ? pool.subscribe('account', [newKey()], options) : pool.subscribe('logs', [{ mentions: [newKey()] }], options);
      return subscription.listen(() => {});
    });
    await Promise.all(all.map((one) => one.ready()));
    const sockets = pool.getPoolStats().websockets;
    expect(sockets).toBe(Math.ceil(MANY / 99));
    let lost = 0;
    for (const target of ['all', 0, 1, 2] as const) {
      const before = Uint32Array.from(gaps);
      const hits = await rpc.sockets();
      const hit = target === 'all' ? hits : [hits[target]];
      lost += hit.reduce((sum, one) => sum + (one?.wsSockets ?? 0), 0);
      const moved = hit.reduce((sum, one) => sum + (one?.subscriptions ?? 0) - (one?.wsSockets ?? 0), 0);
      await rpc.fault(target, { kind: 'wsClose' });
      await until(() => gaps.reduce((sum, count, index) => sum + (count > (before[index] ?? 0) ? 1 : 0), 0) === moved, 120_000);
    }
    await until(async () => (await rpc.sockets()).reduce((sum, one) => sum + one.subscriptions - one.wsSockets, 0) === MANY, 120_000);
    const started = performance.now();
    await pool.close();
    const took = performance.now() - started;
    await until(async () => (await rpc.sockets()).every((one) => one.subscriptions === 0 && one.wsSockets === 0));
    process.stdout.write(
      `${MANY} subscriptions on ${sockets} sockets: ${lost} sockets lost, every move told; closed in ${took.toFixed(0)} ms, none left\n`,
    );
  },
  limitMs(60_000),
);
