/**
 * @module __tests__/chaos/solana-leaks: calls that are aborted, run out of time or hang, and pools that open and close around transactions under way, leave
 * nothing behind: no place in a queue, no flight, no socket, no descriptor, no thread, no task of the runtime, no memory. `MOORING_CHAOS=20` makes it 10,000 calls.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { Keypair } from '@solana/web3.js';
import { ConnectionPool, openThings } from '../../dist/index.js';
import { limitMs, rounds } from '../support/chaos';
import { onChain, payment } from '../support/payment';
import { http, RawServer, reply } from '../support/raw-server';

const CALLS = rounds(500);
const CYCLES = rounds(12);
const IN_FLIGHT = 50;
const logger = { warn: () => {}, error: () => {} };

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
// oxlint-disable-next-line typescript/no-require-imports -- an export of test builds only
const { aliveTasks } = require(join(__dirname, '../../binding.js')) as { aliveTasks: () => number };
const count = (folder: string): number => (process.platform === 'linux' ? readdirSync(folder).length : 0);

interface Held {
  readonly tasks: number;
  readonly descriptors: number;
  readonly threads: number;
  readonly rss: number;
}

async function held(): Promise<Held> {
  await delay(300);
  collect();
  return { tasks: aliveTasks(), descriptors: count('/proc/self/fd'), threads: count('/proc/self/task'), rss: process.memoryUsage.rss() };
}

function expectNoMore(after: Held, before: Held, growth: number): void {
  process.stderr.write(`leaks: before ${JSON.stringify(before)}, after ${JSON.stringify(after)}\n`);
  expect(after.tasks).toBeLessThanOrEqual(before.tasks);
  expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + 2);
  expect(after.threads).toBeLessThanOrEqual(before.threads + 1);
  expect(after.rss - before.rss).toBeLessThan(growth);
}

/** Whether it was answered. */
const answered = (call: Promise<unknown>): Promise<boolean> =>
  call.then(
    () => true,
    () => false,
  );

describe('calls', () => {
  it(
    'that are aborted, run out of time or hang leave nothing',
    async () => {
      const servers = await Promise.all(
        [0, 1].map(() =>
          RawServer.start((request, socket) => {
            if (!request.method.startsWith('hang')) socket.write(http(reply(request, 7)));
          }),
        ),
      );
      const pool = new ConnectionPool({
        endpoints: servers.map(({ url }) => url),
        logger,
        maxRequestsPerSecond: 2000,
        cacheConfig: { balanceTTL: 0 },
      });
      const aborted = (ms: number): AbortSignal => (ms === 0 ? AbortSignal.abort() : AbortSignal.timeout(ms));
      const kinds: readonly ((index: number) => Promise<unknown>)[] = [
        (index) => pool.request('echo', [index]),
        (index) => pool.request('echo', [index], { signal: aborted(index % 3) }),
        (index) => pool.request('hang', [index], { deadlineMs: 5 + (index % 20) }),
        (index) => pool.request('hang', [index], { signal: aborted(1 + (index % 20)) }),
        // One flight of many callers.
        (index) => pool.request('hangTogether', [], { signal: aborted(1 + (index % 20)) }),
        (index) => pool.request('getProgramAccounts', [index], { deadlineMs: 1 + (index % 5) }),
      ];
      let answers = 0;
      const batch = async (calls: number): Promise<void> => {
        let next = 0;
        const worker = async (): Promise<void> => {
          for (let index = next++; index < calls; index = next++) {
            if (await answered((kinds[index % kinds.length] as (index: number) => Promise<unknown>)(index))) answers++;
          }
        };
        await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
        for (const server of servers) server.requests.length = 0;
      };
      const nothing = await held();
      await batch(500);
      const idle = (): number => servers.reduce((sum, { open }) => sum + open, 0);
      // Sockets kept for the next call differ by a few; each has its task, and a descriptor on both sides.
      const without = (all: Held): Held => ({ ...all, tasks: all.tasks - idle(), descriptors: all.descriptors - 2 * idle() });
      const before = without(await held());
      await batch(CALLS);
      const after = without(await held());
      expect(answers).toBeGreaterThan(CALLS / 12);
      const { endpoints, ...stats } = pool.getPoolStats();
      expect(stats).toMatchObject({
        inFlight: 0,
        requestQueueLength: 0,
        transactionQueueLength: 0,
        heavyQueueLength: 0,
        subscriptions: 0,
        websockets: 0,
      });
      expect(endpoints.map(({ inFlight }) => inFlight)).toEqual([0, 0]);
      expect(idle()).toBeLessThanOrEqual(2 * IN_FLIGHT);
      // What the allocators keep levels off: 10,000 calls and 20,000 keep about the same.
      expectNoMore(after, before, 80 * 1024 * 1024 + CALLS * 256);
      await pool.close();
      const closed = await held();
      expect(servers.map(({ open }) => open)).toEqual([0, 0]);
      expectNoMore(closed, nothing, Infinity);
      await Promise.all(servers.map((server) => server.stop()));
    },
    limitMs(30_000),
  );
});

describe('pools', () => {
  it(
    'that open and close around transactions leave nothing',
    () =>
      onChain(async (rpc, payer) => {
        let landed = 0;
        const cycle = async (): Promise<void> => {
          const pool = new ConnectionPool({ endpoints: rpc.urls, logger });
          const pay = async (options: object): Promise<void> => {
            const { bytes, lastValidBlockHeight } = await payment(pool, payer);
            const { status } = await pool.sendAndConfirm(bytes, { lastValidBlockHeight, commitment: 'processed', ...options });
            if (status === 'landed') landed++;
          };
          const never = Keypair.generate().publicKey.toBase58().repeat(2).slice(0, 87);
          await Promise.all([
            pay({}),
            answered(pay({ signal: AbortSignal.timeout(30) })),
            answered(pay({ deadlineMs: 20, commitment: 'finalized' })),
            answered(pool.confirm(never, { signal: AbortSignal.timeout(150) })),
            answered(pool.confirm(never, { deadlineMs: 100 })),
          ]);
          // Still under way when the pool closes.
          const cut = answered(pool.confirm(never, { deadlineMs: 60_000 }));
          await pool.drain(50);
          expect(await cut).toBe(false);
        };
        for (let i = 0; i < 3; i++) await cycle();
        const before = await held();
        for (let i = 0; i < CYCLES; i++) await cycle();
        const after = await held();
        expect(landed).toBeGreaterThanOrEqual(CYCLES);
        expect(openThings()).toEqual([]);
        expect((await rpc.hits()).map((hits) => ({ ...hits }))).toMatchObject(rpc.urls.map(() => ({ wsSockets: 0, subscriptions: 0 })));
        expectNoMore(after, before, 24 * 1024 * 1024 + CYCLES * 16 * 1024);
      }, 50),
    limitMs(60_000),
  );
});
