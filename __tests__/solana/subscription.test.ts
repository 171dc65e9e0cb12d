/** @module __tests__/solana/subscription: subscriptions of the pool over real websockets of the development RPC, through every fault it knows. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Keypair } from '@solana/web3.js';
import { type ConnectionPool, type Gap, isMooringError, type Subscription, type SubscriptionGap } from '../../dist/index.js';
import { runChild } from '../support/child';
import { RpcService } from '../support/solana';
import { until } from '../support/until';

const LIMITS = { subscribe: 1000 };
const SYSTEM = '11111111111111111111111111111111';
let rpc: RpcService;

beforeAll(async () => {
  rpc = await RpcService.start(2, 100);
});
afterEach(() => rpc.reset());
afterAll(() => rpc.stop());

interface Notification {
  readonly context: { readonly slot: number };
  readonly value: { readonly lamports: number; readonly err: unknown; readonly signature: string; readonly pubkey: string };
}

const open = (): ConnectionPool => rpc.pool({ endpoints: rpc.urls.map((url) => ({ url, limits: LIMITS })) });
const newKey = (): string => Keypair.generate().publicKey.toBase58();

/** Everything a subscription has told so far. */
function record<T = Notification>(subscription: Subscription): T[] {
  const told: T[] = [];
  subscription.listen((one) => told.push(one as T));
  return told;
}

/** The front end that has our sockets. */
async function busyFront(): Promise<number> {
  const hits = await rpc.sockets();
  return hits.findIndex(({ subscriptions }) => subscriptions > 0);
}

const noneLeft = async (): Promise<void> => {
  await until(async () => (await rpc.sockets()).every((one) => one.subscriptions === 0 && one.wsSockets === 0));
};

describe('kinds', () => {
  it('tells changes of an account, and iterates', async () => {
    const key = newKey();
    const subscription = open().subscribe<Notification>('account', [key, { commitment: 'confirmed', encoding: 'base64' }]);
    await subscription.ready();
    await rpc.airdrop(key, 5_000_000);
    for await (const { context, value } of subscription) {
      expect(context.slot).toBeGreaterThan(0);
      expect(value.lamports).toBe(5_000_000);
      break;
    }
    await until(async () => (await rpc.sockets()).every((one) => one.subscriptions <= 1));
  });

  it('tells changes of a program, logs, slots and roots', async () => {
    const pool = open();
    const key = newKey();
    const all = [
      pool.subscribe('program', [SYSTEM, { encoding: 'base64' }]),
      pool.subscribe('logs', [{ mentions: [key] }]),
      pool.subscribe('slot'),
      pool.subscribe('root'),
    ];
    await Promise.all(all.map((one) => one.ready()));
    const [programs, logs, slots, roots] = all.map((one) => record(one)) as unknown as [
      Notification[],
      Notification[],
      unknown[],
      unknown[],
    ];
    const signature = await pool.request<string>('requestAirdrop', [key, 7_000_000]);
    await until(() => programs.some(({ value }) => value.pubkey === key) && logs.length > 0 && slots.length > 3 && roots.length > 3);
    expect(logs[0]?.value).toMatchObject({ signature, err: null });
    expect(slots[0]).toMatchObject({ slot: expect.any(Number), parent: expect.any(Number) });
    expect(roots[0]).toEqual(expect.any(Number));
    expect(pool.getPoolStats()).toMatchObject({ subscriptions: 4, websockets: 1, feedDropped: 0 });
    await Promise.all(all.map((one) => one.close()));
    expect(pool.getPoolStats().subscriptions).toBe(0);
  });

  it('tells the end of a signature once and ends, also when it landed before', async () => {
    const pool = open();
    const signature = await pool.request<string>('requestAirdrop', [newKey(), 9_000_000]);
    for (let round = 0; round < 2; round++) {
      const told: Notification[] = [];
      for await (const one of pool.subscribe<Notification>('signature', [signature, { commitment: 'confirmed' }])) told.push(one);
      expect(told).toEqual([{ context: expect.objectContaining({ slot: expect.any(Number) }), value: { err: null } }]);
    }
    expect(pool.getPoolStats().subscriptions).toBe(0);
  });

  it('tells equal ones the same, each to its own end: nodes give them one number', async () => {
    const pool = open();
    const key = newKey();
    const equal = (): Subscription[] => [
      pool.subscribe('account', [key, { commitment: 'processed', encoding: 'base64' }]),
      pool.subscribe('slot'),
    ];
    const [first, second] = [equal(), equal()];
    await Promise.all([...first, ...second].map((one) => one.ready()));
    const [told, slots] = second.map((one) => record(one)) as [Notification[], Notification[]];
    const others = first.map((one) => record(one));
    await rpc.airdrop(key, 1_000_000);
    await until(() => [told, slots, ...others].every(({ length }) => length > 0));
    await Promise.all(first.map((one) => one.close()));
    const seen = slots.length;
    await rpc.airdrop(key, 2_000_000);
    await until(() => told.length > 1 && slots.length > seen + 2);
    expect(told.map(({ value }) => value.lamports)).toEqual([1_000_000, 3_000_000]);
    expect(pool.getPoolStats()).toMatchObject({ subscriptions: 2, websockets: 1 });
  });

  it('gives integers as bigint when asked', async () => {
    const [slot] = [await open().subscribe<{ slot: bigint }>('slot', [], { integers: 'bigint' })[Symbol.asyncIterator]().next()];
    expect(typeof (slot.value as { slot: bigint }).slot).toBe('bigint');
  });
});

describe('errors and ends', () => {
  it('refuses wrong arguments before anything is sent', () => {
    const pool = open();
    const argument = (run: () => unknown): unknown => {
      try {
        run();
      } catch (error) {
        if (isMooringError(error, 'MOORING_INVALID_ARGUMENT')) return error.details['argument'];
      }
      return undefined;
    };
    expect(argument(() => pool.subscribe('vote' as never))).toBe('kind');
    expect(argument(() => pool.subscribe('slot', {} as never))).toBe('params');
    expect(argument(() => pool.subscribe('slot', [], { queueMax: 0 }))).toBe('queueMax');
    expect(argument(() => pool.subscribe('slot', [], { onGap: 1 as never }))).toBe('onGap');
    expect(argument(() => pool.subscribe('slot', [], { nope: 1 } as never))).toBe('nope');
    expect(argument(() => pool.on('nope' as never, () => {}))).toBe('name');
    const slots = pool.subscribe('slot');
    slots.listen(() => {});
    expect(argument(() => slots[Symbol.asyncIterator]())).toBe('subscription');
  });

  it('ends for good when nodes refuse its parameters, without asking again', async () => {
    const pool = open();
    const subscription = pool.subscribe('account', ['nonsense']);
    await expect(subscription.ready()).rejects.toMatchObject({ code: -32602 });
    await expect(subscription[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: -32602 });
    await delay(500);
    expect((await rpc.sockets()).reduce((sum, one) => sum + one.wsMessages, 0)).toBe(2);
    expect(pool.getPoolStats().subscriptions).toBe(0);
  });

  it('ends by its signal, by close and with its pool, and tells listeners', async () => {
    const pool = open();
    const controller = new AbortController();
    const ended: (Error | undefined)[] = [];
    const all = [pool.subscribe('slot', [], { signal: controller.signal }), pool.subscribe('slot'), pool.subscribe('slot')];
    for (const one of all)
      one.listen(
        () => {},
        (error) => ended.push(error),
      );
    await Promise.all(all.map((one) => one.ready()));
    controller.abort();
    await all[1]?.close();
    expect(ended).toEqual([undefined, undefined]);
    await pool.close();
    expect(ended[2]).toMatchObject({ code: 'MOORING_CLOSED' });
    expect(() => pool.subscribe('slot')).toThrow(expect.objectContaining({ code: 'MOORING_CLOSED' }));
    await noneLeft();
  });

  it('unsubscribes also when the confirmation comes late', async () => {
    const pool = open();
    const all = Array.from({ length: 20 }, () => pool.subscribe('account', [newKey()]));
    await Promise.all(all.map((one) => one.close()));
    expect(pool.getPoolStats().subscriptions).toBe(0);
    await until(async () => (await rpc.sockets()).every((one) => one.subscriptions <= 1));
    await pool.close();
    await noneLeft();
  });

  it('drops the oldest notifications of a feed that nobody takes, and counts them', async () => {
    const pool = open();
    const slots = pool.subscribe<{ slot: number }>('slot', [], { queueMax: 2 });
    await slots.ready();
    const first = await slots[Symbol.asyncIterator]().next();
    await until(() => pool.getPoolStats().feedDropped >= 5);
    expect(first.done).toBe(false);
    const kept: number[] = [];
    const more = pool.subscribe<{ slot: number }>('slot', [], { queueMax: 2 });
    await more.ready();
    await until(() => pool.getPoolStats().feedDropped >= 12);
    more.listen(({ slot }) => kept.push(slot));
    await until(() => kept.length >= 2);
    expect(more.dropped).toBeGreaterThan(0);
  });
});

describe('the process', () => {
  const program = (more: string): string => `
    const pool = new mooring.ConnectionPool({ endpoints: [${rpc.urls.map((url) => `'${url}'`).join(', ')}] });
    const slots = pool.subscribe('slot');
    let told = 0;
    slots.listen(() => { if (++told === 3) { console.log('three'); slots.unref(); } });
    await slots.ready();
    console.log('ready');
    ${more}`;

  it('exits by itself with an open subscription', async () => {
    const child = await runChild(program(''));
    expect(child).toMatchObject({ code: 0, stdout: 'ready\n', stderr: '' });
    expect(child.sinceLastOutputMs).toBeLessThan(1000);
    await noneLeft();
  });

  it('stays while a subscription is ref’d', async () => {
    expect(await runChild(program('slots.ref();'))).toMatchObject({ code: 0, stdout: 'ready\nthree\n', stderr: '' });
  });

  const iterating = (more: string): string => `
    const pool = new mooring.ConnectionPool({ endpoints: [${rpc.urls.map((url) => `'${url}'`).join(', ')}] });
    const slots = pool.subscribe('slot');
    const iterator = slots[Symbol.asyncIterator]();
    ${more}`;

  it('stays while next() is waited for, and not between', async () => {
    const more = `for (let told = 0; told < 3; told++) await iterator.next(); console.log('three');`;
    const child = await runChild(iterating(more));
    expect(child).toMatchObject({ code: 0, stdout: 'three\n', stderr: '' });
    expect(child.sinceLastOutputMs).toBeLessThan(1000);
  });

  it('stays for no next() of a subscription that is unref’d', async () => {
    const child = await runChild(iterating(`await slots.ready(); slots.unref(); void iterator.next(); console.log('ready');`));
    expect(child).toMatchObject({ code: 0, stdout: 'ready\n', stderr: '' });
    expect(child.sinceLastOutputMs).toBeLessThan(1000);
  });

  it('does not stay for a next() whose subscription was closed', async () => {
    const more = `await slots.ready(); void iterator.next().then(({ done }) => console.log(done)); await slots.close();`;
    expect(await runChild(iterating(more))).toMatchObject({ code: 0, stdout: 'true\n', stderr: '' });
  });
});

describe('faults', () => {
  it('moves to another endpoint when its own is killed, tells the gap, and catches up with an account', async () => {
    const pool = open();
    const key = newKey();
    const gaps: Gap[] = [];
    const events: SubscriptionGap[] = [];
    pool.on('gap', (gap) => events.push(gap));
    const account = pool.subscribe('account', [key, { commitment: 'processed', encoding: 'base64' }], { onGap: (gap) => gaps.push(gap) });
    const logs = pool.subscribe('logs', ['all'], { onGap: (gap) => gaps.push(gap) });
    const told = record(account);
    record(logs);
    await Promise.all([account.ready(), logs.ready()]);
    await rpc.airdrop(key, 1_000_000);
    await until(() => told.length === 1);
    const front = await busyFront();
    await rpc.fault(front, { kind: 'wsRefuse' });
    await rpc.fault(front, { kind: 'wsClose' });
    await rpc.airdrop(key, 1_000_000);
    await until(() => gaps.length === 2 && told.length === 2);
    expect(told[1]?.value.lamports).toBe(2_000_000);
    for (const gap of gaps) expect(gap.toSlot).toBeGreaterThanOrEqual(gap.fromSlot);
    expect(gaps.filter(({ lost }) => lost)).toHaveLength(1);
    expect(events.map(({ kind }) => kind).toSorted()).toEqual(['account', 'logs']);
    expect(await busyFront()).toBe(1 - front);
    await rpc.airdrop(key, 1_000_000);
    await until(() => told.length === 3);
  });

  it('tells nothing twice', async () => {
    await rpc.fault('all', { kind: 'wsDuplicate' });
    const pool = open();
    const key = newKey();
    const [account, slots, program] = [
      pool.subscribe('account', [key, { encoding: 'base64' }]),
      pool.subscribe('slot'),
      pool.subscribe('program', [SYSTEM, { encoding: 'base64' }]),
    ];
    const [told, seen, programs] = [record(account), record<{ slot: number }>(slots), record(program)];
    await Promise.all([account.ready(), slots.ready(), program.ready()]);
    await rpc.airdrop(key, 1_000_000);
    await until(() => told.length > 0 && seen.length > 5);
    await rpc.airdrop(key, 1_000_000);
    await until(() => told.length > 1 && seen.length > 10);
    expect(told.map(({ value }) => value.lamports)).toEqual([1_000_000, 2_000_000]);
    expect(new Set(seen.map(({ slot }) => slot)).size).toBe(seen.length);
    expect(programs.filter(({ value }) => value.pubkey === key)).toHaveLength(2);
  });

  it('replaces a socket that is silent, half open or without pongs, and closes one that nobody needs', async () => {
    const wide = await RpcService.start(8, 100);
    try {
      const replaced = ['wsSilence', 'wsHalfOpen', 'wsNoPong'].map(async (kind, index) => {
        const fronts = [2 * index, 2 * index + 1];
        const pool = wide.pool({ endpoints: fronts.map((front) => wide.urls[front] as string) });
        const gaps: Gap[] = [];
        const slots = pool.subscribe('slot', [], { onGap: (gap) => gaps.push(gap) });
        const told = record(slots);
        await slots.ready();
        const hits = await wide.sockets();
        const [front = 0, other = 0] = fronts.toSorted((one, two) => (hits[two]?.subscriptions ?? 0) - (hits[one]?.subscriptions ?? 0));
        await wide.fault(front, { kind });
        await until(() => gaps.length > 0, 18_000);
        const before = told.length;
        await until(() => told.length > before + 3);
        // One number for the slots and the sign of life, which are the same to a node.
        expect((await wide.sockets())[other]?.subscriptions).toBe(1);
      });
      const idle = wide.pool({ endpoints: wide.urls.slice(6) });
      const one = idle.subscribe('slot');
      await one.ready();
      await one.close();
      await until(() => idle.getPoolStats().websockets === 0, 10_000);
      expect((await wide.sockets()).slice(6).every(({ wsSockets }) => wsSockets === 0)).toBe(true);
      await Promise.all(replaced);
    } finally {
      await wide.stop();
    }
  });

  it('goes on elsewhere when a node takes no more, and never asks in a hot loop', async () => {
    await rpc.fault('all', { kind: 'wsLimit', max: 4 });
    const pool = open();
    const all = Array.from({ length: 10 }, () => pool.subscribe('account', [newKey()]));
    await Promise.all(all.map((one) => one.ready()));
    const hits = await rpc.sockets();
    expect(hits.reduce((sum, one) => sum + one.wsSockets, 0)).toBeGreaterThanOrEqual(4);
    expect(hits.reduce((sum, one) => sum + one.wsMessages, 0)).toBeLessThan(80);
  });

  it('shows no secret of a websocket’s URL when it cannot be reached or refuses', async () => {
    await rpc.fault(0, { kind: 'wsRefuse', status: 403 });
    const lines: string[] = [];
    const log = (...line: unknown[]): void => void lines.push(JSON.stringify(line));
    const wsUrls = [
      'ws://user:SENTINEL1@127.0.0.1:1/SENTINEL2?key=SENTINEL3',
      `ws://127.0.0.1:${Number(new URL(rpc.urls[0] as string).port) + 1}/SENTINEL4?key=SENTINEL5`,
    ];
    const pool = rpc.pool({
      endpoints: wsUrls.map((wsUrl) => ({ url: rpc.urls[0] as string, wsUrl })),
      logger: { warn: log, error: log, info: log },
    });
    const error: unknown = await pool
      .subscribe('slot', [], { deadlineMs: 1000 })
      .ready()
      .catch((reason: unknown) => reason);
    await until(() => lines.some((line) => line.includes('http status 403')) && lines.some((line) => line.includes('refused')));
    expect(`${lines.join()} ${String(error)} ${JSON.stringify(error)} ${JSON.stringify(pool.getPoolStats())}`).not.toContain('SENTINEL');
  });

  it('does nothing for a signal that has fired before', async () => {
    const pool = open();
    const slots = pool.subscribe('slot', [], { signal: AbortSignal.abort() });
    await expect(slots.ready()).rejects.toMatchObject({ code: 'MOORING_ABORTED' });
    expect(await slots[Symbol.asyncIterator]().next()).toEqual({ done: true, value: undefined });
    await slots.close();
    expect(pool.getPoolStats().subscriptions).toBe(0);
  });

  it('waits longer and longer while no endpoint takes a websocket, and comes back', async () => {
    await rpc.fault('all', { kind: 'wsRefuse' });
    const pool = open();
    const slots = pool.subscribe('slot', [], { deadlineMs: 1500 });
    await expect(slots.ready()).rejects.toMatchObject({ code: 'MOORING_TIMEOUT' });
    await rpc.clearFaults();
    expect((await slots[Symbol.asyncIterator]().next()).done).toBe(false);
  });

  it('never misses the end of a signature while its endpoints are killed', async () => {
    const pool = open();
    const ends = Array.from({ length: 20 }, async (_, index) => {
      const signature = await pool.request<string>('requestAirdrop', [newKey(), 1_000_000 + index]);
      const subscription = pool.subscribe<Notification>('signature', [signature, { commitment: 'finalized' }]);
      let count = 0;
      for await (const { value } of subscription) count += value.err === null ? 1 : 100;
      return count;
    });
    for (let kill = 0; kill < 6; kill++) {
      await delay(400);
      await rpc.fault(kill % 3 === 2 ? 'all' : kill % 2, { kind: 'wsClose' });
    }
    expect(await Promise.all(ends)).toEqual(new Array(20).fill(1));
  });
});
