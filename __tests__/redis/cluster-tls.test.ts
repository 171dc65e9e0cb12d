/**
 * @module __tests__/redis/cluster-tls
 *
 * `Cluster` and BullMQ on it over TLS alone, with a private authority: three nodes, slots that move, a node that is killed and comes back.
 */
import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals';
import { Queue, QueueEvents, Worker } from 'bullmq';
import keySlot from 'cluster-key-slot';
import { readFileSync } from 'node:fs';
import { Cluster, ClusterAllFailedError, type ClusterOptions } from '../../dist/index.js';
import { heartbeat } from '../../dist/redis/bullmq.js';
import { authority, TestCluster, type TestNode, until } from './cluster-server';

const PREFIX = '{tls}';

let servers: TestCluster;
let ca: string;
const clusters: Cluster[] = [];

function client({ redisOptions, ...options }: ClusterOptions = {}): Cluster {
  const made = new Cluster(servers.startup.slice(0, 1), { ...options, redisOptions: { tls: { ca }, ...redisOptions } });
  made.on('error', () => {});
  clusters.push(made);
  return made;
}

/** How often a node has answered MOVED. */
async function moved(node: TestNode): Promise<number> {
  return Number(/errorstat_MOVED:count=(\d+)/.exec(String(await node.command('INFO', 'errorstats')))?.[1] ?? 0);
}

/** The node that has a slot, and another one. */
async function pair(slot: number): Promise<[source: TestNode, target: TestNode]> {
  const source = await servers.masterOf(slot);
  return [source, servers.nodes.find((node) => node !== source) as TestNode];
}

beforeAll(async () => {
  ca = readFileSync(authority(), 'utf8');
  servers = await TestCluster.start({ tls: true, replicas: false, persistent: true });
}, 60_000);

afterEach(() => {
  for (const made of clusters.splice(0)) made.disconnect();
});

afterAll(async () => {
  await servers.stop();
});

test('trusts the authority that it was given and no other', async () => {
  const cluster = client();
  expect(await cluster.set('k', 'v')).toBe('OK');
  const refused = new Cluster(servers.startup, { clusterRetryStrategy: null as never, redisOptions: { tls: {} } });
  const errors: Error[] = [];
  refused.on('error', (error: Error) => errors.push(error));
  await expect(refused.get('k')).rejects.toThrow('None of startup nodes is available');
  await until(() => errors.length > 0);
  expect(errors[0]).toBeInstanceOf(ClusterAllFailedError);
  expect((errors[0] as ClusterAllFailedError).lastNodeError?.message).toMatch(/certificate/);
  refused.disconnect();
  const plain = new Cluster(servers.startup, { clusterRetryStrategy: null as never });
  plain.on('error', () => {});
  await expect(plain.get('k')).rejects.toThrow('None of startup nodes is available');
  plain.disconnect();
});

test('reaches every node: keys, pipelines, transactions, subscriptions, names in the place of addresses', async () => {
  const port = servers.startup[0]?.port as number;
  const cluster = new Cluster([{ host: 'localhost', port }], {
    dnsLookup: (name, done) => done(null, name),
    natMap: (key) => ({ host: 'localhost', port: Number(key.split(':')[1]) }),
    redisOptions: { tls: { ca } },
  });
  clusters.push(cluster);
  const keys = Array.from({ length: 200 }, (_, index) => `key:${index}`);
  await Promise.all(keys.map((key) => cluster.set(key, key)));
  expect(await Promise.all(keys.map((key) => cluster.get(key)))).toEqual(keys);
  const nodes = cluster.nodes('master');
  expect(nodes.map((node) => node.options.host)).toEqual(['localhost', 'localhost', 'localhost']);
  expect((await Promise.all(nodes.map((node) => node.dbsize()))).every((size) => size > 0)).toBe(true);
  const counted = await cluster.pipeline().incr('{p}').incr('{p}').exec();
  expect(counted).toEqual([
    [null, 1],
    [null, 2],
  ]);
  expect(await cluster.multi().incr('{p}').exec()).toEqual([[null, 3]]);
  const received: string[] = [];
  cluster.on('message', (_channel, text: string) => received.push(text));
  cluster.on('smessage', (_channel, text: string) => received.push(text));
  await cluster.subscribe('news');
  await cluster.ssubscribe('{p}news');
  await until(async () => {
    await cluster.publish('news', 'one');
    await cluster.spublish('{p}news', 'two');
    return received.includes('one') && received.includes('two');
  });
});

test('follows MOVED once, and knows the slot from then on', async () => {
  const cluster = client();
  const slot = keySlot('{mover}');
  await cluster.set('{mover}:a', 1);
  const [source, target] = await pair(slot);
  const before = await moved(source);
  await servers.moveSlot(slot, target);
  expect(await cluster.incr('{mover}:a')).toBe(2);
  for (let count = 3; count < 10; count++) expect(await cluster.incr('{mover}:a')).toBe(count);
  expect(await moved(source)).toBe(before + 1);
  expect(cluster.slots[slot]?.[0]).toBe(`127.0.0.1:${target.port}`);
});

test('goes on when a node was killed and came back', async () => {
  const cluster = client({ maxRedirections: 500, redisOptions: { resend: 'safe' } });
  const keys = Array.from({ length: 30 }, (_, index) => `restart:${index}`);
  await Promise.all(keys.map((key) => cluster.set(key, 'before')));
  const node = await servers.masterOf(keySlot('restart:0'));
  await node.kill();
  const writes = Promise.all(keys.map((key) => cluster.set(key, 'after')));
  await until(() => cluster.nodes().length < 3 || cluster.status !== 'ready');
  await node.start();
  expect(new Set(await writes)).toEqual(new Set(['OK']));
  expect(new Set(await Promise.all(keys.map((key) => cluster.get(key))))).toEqual(new Set(['after']));
  expect(cluster.nodes('master').map(({ options }) => options.port)).toContain(node.port);
}, 60_000);

test('BullMQ loses and repeats no job when its slot moves and its node restarts', async () => {
  const connection = client({ maxRedirections: 500, redisOptions: { maxRetriesPerRequest: null } });
  const runs = new Map<string, number>();
  const completed = new Set<string>();
  const queue = new Queue('mail', { connection, prefix: PREFIX });
  const events = new QueueEvents('mail', { connection: client({ redisOptions: { maxRetriesPerRequest: null } }), prefix: PREFIX });
  const settings = { connection, prefix: PREFIX, concurrency: 5, lockDuration: 10_000, stalledInterval: 2000 };
  const work = async (job: { id?: string | undefined }): Promise<void> => {
    runs.set(String(job.id), (runs.get(String(job.id)) ?? 0) + 1);
  };
  const worker = new Worker('mail', work, settings);
  queue.on('error', () => {});
  events.on('error', () => {});
  worker.on('error', () => {});
  events.on('completed', ({ jobId }) => completed.add(jobId));
  const add = (from: number, to: number): Promise<unknown> =>
    Promise.all(Array.from({ length: to - from }, (_, index) => queue.add('send', {}, { jobId: `job-${from + index}` })));
  await events.waitUntilReady();
  await add(0, 50);
  await until(() => runs.size === 50);

  // The worker waits in BZPOPMIN at the node that gives the slot away.
  const slot = keySlot(`${PREFIX}:mail:wait`);
  const [source, target] = await pair(slot);
  const before = await moved(source);
  await servers.moveSlot(slot, target);
  await add(50, 100);
  await until(() => runs.size === 100);
  expect(await moved(source)).toBeGreaterThan(before);

  await target.kill();
  const adding = add(100, 150);
  await target.start();
  await adding;
  await until(() => runs.size === 150, 60_000);
  await until(async () => (await queue.getCompletedCount()) === 150);
  await until(() => completed.size === 150);
  expect([...runs.values()].every((count) => count === 1)).toBe(true);
  await Promise.all([worker.close(), events.close(), queue.close()]);
}, 120_000);

test('a worker on a cluster has no heartbeat, and is told so when nobody renews its locks', async () => {
  const warnings: string[] = [];
  const spy = jest.spyOn(process, 'emitWarning').mockImplementation((message: string | Error) => void warnings.push(String(message)));
  const connection = client({ redisOptions: { maxRetriesPerRequest: null } });
  const settings = { connection, prefix: PREFIX, lockDuration: 2000, stalledInterval: 60_000, skipLockRenewal: true };
  const worker = new Worker('unrenewed', async () => until(() => warnings.length > 0), settings);
  const refusal = 'worker must use a client of mooring for one server, such as bullmqConnection(): a Cluster has no heartbeat';
  expect(() => heartbeat(worker)).toThrow(refusal);
  const queue = new Queue('unrenewed', { connection, prefix: PREFIX });
  const completed = new Promise((resolve) => void worker.once('completed', resolve));
  await queue.add('n', {}, { jobId: 'slow' });
  await completed;
  spy.mockRestore();
  expect(warnings).toEqual([
    expect.stringMatching(/^nobody renews the lock of job slow of queue \{tls\}:unrenewed.* on a Cluster .* BullMQ/),
  ]);
  await Promise.all([worker.close(), queue.close()]);
});
