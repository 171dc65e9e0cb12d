/**
 * @module __tests__/redis/cluster-failover
 *
 * A cluster that loses nodes while it is used: commands, a BullMQ queue, subscriptions.
 */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Queue, Worker } from 'bullmq';
import keySlot from 'cluster-key-slot';
import { setTimeout as delay } from 'node:timers/promises';
import { Cluster, type ClusterOptions } from '../../dist/index.js';
import { TestCluster, until } from './cluster-server';

const TAG = '{bull}';
const KEYS = Array.from({ length: 12 }, (_, index) => `counter:${index}`);

let servers: TestCluster;
const clusters: Cluster[] = [];

function client(options: ClusterOptions = {}): Cluster {
  const made = new Cluster(servers.startup, options);
  made.on('error', () => {});
  clusters.push(made);
  return made;
}

beforeEach(async () => {
  servers = await TestCluster.start({ nodeTimeoutMs: 1000 });
}, 60_000);

afterEach(async () => {
  for (const made of clusters.splice(0)) made.disconnect();
  await servers.stop();
});

test('commands go on when a master dies, and none is executed twice with resend safe', async () => {
  // A failover takes about two seconds here: long enough to need more redirections than the default.
  const cluster = client({ maxRedirections: 200, redisOptions: { resend: 'safe' } });
  const acknowledged = new Map(KEYS.map((key) => [key, 0]));
  const doubtful = new Map(KEYS.map((key) => [key, 0]));
  const running = { on: true };
  const count = (counts: Map<string, number>, key: string): unknown => counts.set(key, (counts.get(key) ?? 0) + 1);
  const traffic = KEYS.map(async (key) => {
    while (running.on) {
      await cluster.incr(key).then(
        () => count(acknowledged, key),
        (error: Error & { sent?: string }) => {
          if (error.sent === 'maybe') count(doubtful, key);
        },
      );
    }
  });
  await until(() => [...acknowledged.values()].every((value) => value > 50));
  const slot = keySlot(KEYS[0] as string);
  const victim = await servers.masterOf(slot);
  await victim.kill();
  const heir = await servers.masterOf(slot);
  expect(heir).not.toBe(victim);
  const before = new Map(acknowledged);
  await until(() => [...acknowledged].every(([key, value]) => value > (before.get(key) ?? 0) + 50));
  running.on = false;
  await Promise.all(traffic);
  for (const key of KEYS) {
    // A master that dies may take acknowledged writes with it; what must not be is more than was asked for.
    const value = Number(await cluster.get(key));
    expect(value).toBeLessThanOrEqual((acknowledged.get(key) ?? 0) + (doubtful.get(key) ?? 0));
    expect(value).toBeGreaterThan(before.get(key) === 0 ? 0 : 50);
  }
  expect(cluster.nodes('master').map((node) => node.options.port)).toContain(heir.port);
}, 60_000);

test('a BullMQ queue with a hash-tagged prefix survives a failover', async () => {
  const connection = client({ maxRedirections: 200, redisOptions: { maxRetriesPerRequest: null } });
  const done = new Set<string>();
  const queue = new Queue('mail', { connection, prefix: TAG });
  queue.on('error', () => {});
  const worker = new Worker(
    'mail',
    async (job) => {
      await delay(5);
      done.add(String(job.data.id));
    },
    { connection, prefix: TAG, concurrency: 4, lockDuration: 3000, stalledInterval: 1000 },
  );
  worker.on('error', () => {});
  const add = (from: number, to: number): Promise<unknown> =>
    Promise.all(Array.from({ length: to - from }, (_, index) => queue.add('send', { id: from + index }, { jobId: `job-${from + index}` })));
  await add(0, 200);
  await until(() => done.size > 20);
  const slot = keySlot(`${TAG}:mail:wait`);
  const victim = await servers.masterOf(slot);
  // What was added is with the replica; only what happens from now on is at stake.
  expect(await victim.command('WAIT', 1, 5000)).toBe(1);
  await victim.kill();
  await add(200, 260);
  await until(() => done.size === 260);
  expect(await queue.getWaitingCount()).toBe(0);
  await worker.close();
  await queue.close();
}, 90_000);

test('comes back with its subscriptions when the whole cluster was away', async () => {
  const cluster = client({ clusterRetryStrategy: () => 50, maxRedirections: 50 });
  const received: string[] = [];
  cluster.on('message', (_channel, text: string) => received.push(text));
  await cluster.subscribe('news');
  await cluster.set('k', 'v');
  const statuses: string[] = [];
  for (const event of ['close', 'reconnecting', 'ready']) cluster.on(event, () => statuses.push(event));
  for (const node of servers.nodes) await node.kill();
  const waiting = cluster.set('later', 'written');
  await until(() => cluster.status === 'reconnecting' || cluster.status === 'connecting');
  for (const node of servers.nodes) await node.start();
  expect(await waiting).toBe('OK');
  expect(statuses.slice(0, 2)).toEqual(['close', 'reconnecting']);
  await until(async () => {
    await cluster.publish('news', 'again');
    return received.length > 0;
  });
  expect(received[0]).toBe('again');
}, 60_000);
