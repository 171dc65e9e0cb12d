/**
 * @module __tests__/chaos/redis-leaks: clients that open and close in every way leave nothing: no descriptor, no thread, no task, no connection on the server, no
 * memory. In a process of its own, whose memory is its own. `MOORING_CHAOS=50` makes it 10,000 cycles.
 */
import { describe, expect, it } from '@jest/globals';
import { limitMs, rounds } from '../support/chaos';
import { runChild } from '../support/child';

type Mooring = typeof import('../../dist/index.js');

interface Settings {
  readonly cycles: number;
  /** Looks taken on the way: a leak grows from each to the next, what is kept for use does not. */
  readonly parts: number;
  readonly warmUp: number;
  readonly addon: string;
}

interface Held {
  readonly tasks: number;
  readonly descriptors: number;
  readonly threads: number;
  readonly connections: number;
  readonly open: number;
  readonly rss: number;
}

/** Runs in the child: everything it needs comes as an argument. */
async function cycle(mooring: Mooring, { cycles, parts, warmUp, addon }: Settings): Promise<void> {
  // oxlint-disable typescript/no-require-imports -- this is the body of another process
  const { readdirSync, readFileSync } = require('node:fs') as typeof import('node:fs');
  const { connect, createServer } = require('node:net') as typeof import('node:net');
  const { setFlagsFromString } = require('node:v8') as typeof import('node:v8');
  const { runInNewContext } = require('node:vm') as typeof import('node:vm');
  const { aliveTasks } = require(addon) as { aliveTasks: () => number };
  // oxlint-enable typescript/no-require-imports
  const { createRedisClient, openThings, Redis } = mooring;
  const url = process.env['REDIS_URI'] as string;
  const quiet = { warn: (): void => {}, error: (): void => {} };
  const ca = readFileSync(process.env['REDIS_TLS_CA'] as string, 'utf8');
  const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const { hostname, port } = new URL(url);

  /** By a socket of this test's own: a client of ours would count itself. */
  const connections = (): Promise<number> =>
    new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => socket.write('INFO clients\r\n'));
      socket.once('error', reject).once('data', (reply) => {
        socket.destroy();
        resolve(Number(/connected_clients:(\d+)/.exec(String(reply))?.[1]));
      });
    });
  const count = (folder: string): number => (process.platform === 'linux' ? readdirSync(folder).length : 0);
  const held = async (): Promise<Held> => {
    await wait(500);
    for (let i = 0; i < 3; i++) collect();
    const [descriptors, threads] = [count('/proc/self/fd'), count('/proc/self/task')];
    const { rss } = process.memoryUsage();
    return { tasks: aliveTasks(), descriptors, threads, connections: await connections(), open: openThings().length, rss };
  };
  const ended = (client: InstanceType<typeof Redis>): Promise<void> =>
    new Promise((resolve) => (client.status === 'end' ? resolve() : void client.once('end', () => resolve())));
  const managed = (more: object = {}): InstanceType<typeof Redis> => createRedisClient({ url, logger: quiet, ...more });

  // Accepts, listens and says nothing.
  const silent = createServer((socket) => socket.on('error', () => {}).resume());
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const silentPort = (silent.address() as import('node:net').AddressInfo).port;

  const kinds: readonly (() => Promise<unknown>)[] = [
    async () => {
      const client = new Redis(url);
      await client.ping();
      await client.quit();
      await ended(client);
    },
    async () => {
      const client = new Redis(url);
      await client.set('leaks', 'x'.repeat(100_000));
      client.disconnect();
      await ended(client);
    },
    async () => {
      const client = managed();
      const duplicate = client.duplicate();
      await Promise.all([client.get('leaks'), duplicate.get('leaks'), client.subscribe('news')]);
      await client.closeFamily(1000);
    },
    async () => {
      const client = managed();
      await client.ping();
      const blocked = client.blpop('nothing', 0).catch((error: Error) => error.message);
      await wait(1);
      await client.close(0);
      if ((await blocked) !== 'Connection is closed.') throw new Error('a blocked command was not let go');
    },
    async () => {
      // In the middle of opening.
      const client = new Redis(url);
      client.get('leaks').catch(() => {});
      await wait(Math.random() * 2);
      client.disconnect();
      await ended(client);
    },
    async () => {
      // In the middle of the handshake.
      const client = new Redis(silentPort, '127.0.0.1', { disconnectTimeout: 20 });
      client.on('error', () => {});
      client.get('leaks').catch(() => {});
      await wait(2);
      client.disconnect();
      await ended(client);
    },
    async () => {
      const client = new Redis(1, '127.0.0.1', { retryStrategy: () => null, lazyConnect: true });
      client.on('error', () => {});
      await client.connect().catch(() => {});
      await ended(client);
    },
    async () => {
      const client = managed({ url: process.env['REDIS_TLS_URI'], tls: { ca } });
      await client.get('leaks');
      await client.close();
    },
    async () => {
      // A second life after the first has ended in the middle of a command.
      const client = managed();
      const late = client.blpop('nothing', 0).catch(() => {});
      await wait(2);
      client.disconnect();
      await Promise.all([ended(client), late]);
      await client.connect();
      await client.quit();
      await ended(client);
    },
  ];
  const run = async (cycleCount: number): Promise<void> => {
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let index = next++; index < cycleCount; index = next++) await (kinds[index % kinds.length] as () => Promise<unknown>)();
    };
    await Promise.all(Array.from({ length: 10 }, worker));
  };
  await run(warmUp);
  const before = await held();
  const series: Held[] = [];
  for (let part = 0; part < parts; part++) {
    await run(cycles / parts);
    series.push(await held());
  }
  silent.close();
  process.stdout.write(JSON.stringify({ before, series }));
}

describe('clients', () => {
  it(
    'that open and close in every way leave nothing',
    async () => {
      const cycles = rounds(200);
      // 50,000 cycles in one process: memory rises by 10 to 16 MiB over the first 10,000 and then stays (152, 157, 152, 151, 150 MB), the heap of V8 by 0.4 MiB.
      // What the allocator keeps for ten clients at once is there after some thousands.
      const settings: Settings = { cycles, parts: 5, warmUp: Math.max(400, cycles / 2), addon: require.resolve('../../binding.js') };
      const result = await runChild(`await (${cycle.toString()})(mooring, ${JSON.stringify(settings)});`, { timeoutMs: limitMs(60_000) });
      expect(result).toMatchObject({ code: 0, signal: null, stderr: '' });
      const { before, series } = JSON.parse(result.stdout) as { before: Held; series: Held[] };
      const after = series.at(-1) as Held;
      const grown = series.map(({ rss }) => ((rss - before.rss) / 1024 / 1024).toFixed(1)).join(', ');
      process.stderr.write(
        `leaks: before ${JSON.stringify(before)}, after ${cycles} cycles ${JSON.stringify(after)}; memory ${grown} MiB\n`,
      );
      expect(after.open).toBe(0);
      expect(after.tasks).toBeLessThanOrEqual(before.tasks);
      expect(after.descriptors).toBeLessThanOrEqual(before.descriptors);
      // A thread that resolves names may still be waiting for the next one.
      expect(after.threads).toBeLessThanOrEqual(before.threads + 1);
      expect(after.connections).toBeLessThanOrEqual(before.connections);
      expect(after.rss - before.rss).toBeLessThan(10 * 1024 * 1024);
    },
    limitMs(90_000),
  );
});
