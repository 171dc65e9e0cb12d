/**
 * @module __tests__/redis/cluster
 *
 * `Cluster` on a real cluster of three masters and three replicas: routing, redirections while slots move, pipelines, scripts, subscriptions, statuses.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import keySlot from 'cluster-key-slot';
import { once } from 'node:events';
import { inspect } from 'node:util';
import { Cluster, ClusterAllFailedError, type ClusterOptions, Redis } from '../../dist/index.js';
import IORedis from '../../dist/redis/ioredis.js';
import { runChild } from '../support/child';
import { freePort } from './server';
import { TestCluster, type TestNode, until } from './cluster-server';

let servers: TestCluster;
const clusters: Cluster[] = [];

function client(options: ClusterOptions = {}): Cluster {
  const made = new Cluster(servers.startup.slice(0, 1), options);
  made.on('error', () => {});
  clusters.push(made);
  return made;
}

/** Nobody listens there. */
async function nowhere(options: ClusterOptions): Promise<Cluster> {
  const made = new Cluster([{ host: '127.0.0.1', port: await freePort() }], options);
  clusters.push(made);
  return made;
}

async function rejected(promise: Promise<unknown>): Promise<Error & { sent?: string }> {
  return await promise.then(
    () => Promise.reject(new Error('not rejected')),
    (error: Error) => error,
  );
}

beforeAll(async () => {
  servers = await TestCluster.start();
}, 60_000);

afterEach(async () => {
  for (const made of clusters.splice(0)) made.disconnect();
  await Promise.all(servers.nodes.slice(0, 3).map((node) => node.command('FLUSHALL')));
});

afterAll(async () => {
  await servers.stop();
});

describe('routing', () => {
  test('sends each key to the master of its slot', async () => {
    const cluster = client();
    const keys = Array.from({ length: 300 }, (_, index) => `key:${index}`);
    await Promise.all(keys.map((key) => cluster.set(key, `of ${key}`)));
    expect(await Promise.all(keys.map((key) => cluster.get(key)))).toEqual(keys.map((key) => `of ${key}`));
    const sizes = await Promise.all(cluster.nodes('master').map((node) => node.dbsize()));
    expect(sizes.every((size) => size > 0)).toBe(true);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(keys.length);
    expect([cluster.nodes().length, cluster.nodes('master').length, cluster.nodes('slave').length]).toEqual([6, 3, 3]);
    expect(() => cluster.nodes('some' as never)).toThrow('Invalid role "some". Expected "all", "master" or "slave"');
  });

  test('knows keys of every shape: prefixes, hash tags, Buffers, several at once', async () => {
    const cluster = client({ keyPrefix: '{p}:' });
    await cluster.mset({ a: 1, b: 2 });
    expect(await cluster.mget(Buffer.from('a'), 'b')).toEqual(['1', '2']);
    expect(await cluster.getBuffer('a')).toEqual(Buffer.from('1'));
    expect(await cluster.call('GET', '{p}:a')).toBeNull();
    expect((await rejected(client().mget('a', 'b'))).message).toMatch(/^CROSSSLOT/);
    const answer = await new Promise((resolve) => void cluster.get('b', (error: unknown, value: unknown) => resolve([error, value])));
    expect(answer).toEqual([null, '2']);
  });

  test('reads go to replicas with scaleReads, writes do not', async () => {
    const calls = async (node: TestNode, name: string): Promise<number> => {
      const stats = String(await node.command('INFO', 'commandstats'));
      return Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
    };
    const replicas = servers.nodes.slice(3);
    const count = async (name: string): Promise<number> =>
      (await Promise.all(replicas.map((node) => calls(node, name)))).reduce((sum, each) => sum + each);
    const before = await count('get');
    const cluster = client({ scaleReads: 'slave' });
    await cluster.set('read', 'me');
    const node = servers.nodes.find((each) => each.port === cluster.nodes('master')[0]?.options.port);
    expect(node).toBeDefined();
    await until(async () => (await cluster.get('read')) === 'me');
    const values = await Promise.all(Array.from({ length: 20 }, () => cluster.get('read')));
    expect(new Set(values)).toEqual(new Set(['me']));
    expect(await count('get')).toBeGreaterThanOrEqual(before + 20);
    const seen: string[] = [];
    const chosen = client({
      scaleReads: (nodes, command) => {
        seen.push(command.name);
        return nodes[1];
      },
    });
    await chosen.get('read');
    await chosen.set('read', 'again');
    expect(seen).toEqual(['get']);
    expect(() => client({ scaleReads: 'some' as never })).toThrow(
      'Invalid option scaleReads "some". Expected "all", "master", "slave" or a custom function',
    );
  });

  test('reaches nodes behind natMap', async () => {
    const cluster = client({ natMap: (key) => ({ host: 'localhost', port: Number(key.split(':')[1]) }) });
    await cluster.set('k', 'v');
    expect(new Set(cluster.nodes().map((node) => node.options.host))).toEqual(new Set(['localhost']));
  });

  test('scans one node, and a key anywhere', async () => {
    const cluster = client();
    await cluster.sadd('set', ...Array.from({ length: 50 }, (_, index) => index));
    const members: string[] = [];
    for await (const batch of cluster.sscanStream('set')) members.push(...(batch as string[]));
    expect(new Set(members).size).toBe(50);
    const found: string[] = [];
    for (const node of cluster.nodes('master')) for await (const batch of node.scanStream()) found.push(...(batch as string[]));
    expect(found).toEqual(['set']);
  });
});

describe('slots on the move', () => {
  test('follows ASK and MOVED without losing or repeating a command', async () => {
    const cluster = client();
    const slot = keySlot('{mover}');
    const keys = ['{mover}:a', '{mover}:b'];
    await cluster.set('{mover}:a', 0);
    const source = await servers.masterOf(slot);
    const target = servers.nodes.slice(0, 3).find((node) => node !== source) as TestNode;
    const running = { on: true };
    let count = 0;
    const traffic = (async () => {
      while (running.on) count = await cluster.incr('{mover}:a');
    })();
    let sent = 0;
    await servers.moveSlot(slot, target, async () => {
      // The source has given its keys away: these are answered with ASK.
      expect(await cluster.set('{mover}:b', 'asked')).toBe('OK');
      expect(await cluster.pipeline().get('{mover}:b').incr('{mover}:c').exec()).toEqual([
        [null, 'asked'],
        [null, 1],
      ]);
      expect(await cluster.multi().incr('{mover}:c').get('{mover}:b').exec()).toEqual([
        [null, 2],
        [null, 'asked'],
      ]);
      sent = count;
    });
    await until(() => count > sent + 20);
    running.on = false;
    await traffic;
    expect(await cluster.get('{mover}:a')).toBe(String(count));
    expect(await target.command('EXISTS', ...keys)).toBe(2);
    expect(cluster.slots[slot]?.[0]).toBe(`127.0.0.1:${target.port}`);
    await servers.moveSlot(slot, source);
    const pipelined = await cluster.pipeline().get('{mover}:b').incr('{mover}:c').exec();
    expect(pipelined).toEqual([
      [null, 'asked'],
      [null, 3],
    ]);
  });

  test('gives up after maxRedirections', async () => {
    const cluster = client({ maxRedirections: 2, retryDelayOnTryAgain: 1 });
    const slot = keySlot('{torn}');
    await cluster.set('{torn}:a', 1);
    const source = await servers.masterOf(slot);
    const target = servers.nodes.slice(0, 3).find((node) => node !== source) as TestNode;
    await target.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', source.id);
    await source.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', target.id);
    await source.command('MIGRATE', '127.0.0.1', target.port, '{torn}:a', 0, 5000);
    await target.command('CLUSTER', 'SETSLOT', slot, 'STABLE');
    // The source says ASK, the target MOVED, and so on.
    const error = await rejected(cluster.get('{torn}:a'));
    expect(error.message).toMatch(/^Too many Cluster redirections\. Last error: ReplyError: (ASK|MOVED)/);
    await source.command('CLUSTER', 'SETSLOT', slot, 'STABLE');
  });
});

describe('pipelines and scripts', () => {
  test('a pipeline stays on the nodes of its slots', async () => {
    const cluster = client();
    expect(await cluster.pipeline().set('{t}:a', 1).incr('{t}:a').get('{t}:b').exec()).toEqual([
      [null, 'OK'],
      [null, 2],
      [null, null],
    ]);
    const keys = Array.from({ length: 100 }, (_, index) => `k${index}`);
    const master = (key: string): string | undefined => cluster.slots[keySlot(key)]?.[0];
    const together = keys.filter((key) => master(key) === master('k0')).slice(0, 3);
    const apart = keys.find((key) => master(key) !== master('k0')) as string;
    expect(await cluster.pipeline(together.map((key) => ['set', key, 'x'])).exec()).toEqual(together.map(() => [null, 'OK']));
    expect((await rejected(cluster.pipeline().get('k0').get(apart).exec())).message).toBe(
      'All keys in the pipeline should belong to the same slots allocation group',
    );
    expect((await rejected(cluster.pipeline().mget('k0', apart).exec())).message).toBe(
      'All the keys in a pipeline command should belong to the same slot',
    );
    expect((await rejected(cluster.multi().get('k0').get(apart).exec())).message).toMatch(/same slots allocation group/);
    expect(await cluster.pipeline().exec()).toEqual([]);
  });

  test('callbacks of members come before that of exec', async () => {
    const cluster = client();
    const order: string[] = [];
    await cluster
      .pipeline()
      .set('{c}', 1, () => order.push('set'))
      .incr('{c}', () => order.push('incr'))
      .exec(() => order.push('exec'));
    expect(order).toEqual(['set', 'incr', 'exec']);
  });

  test('transactions, and why not command by command', async () => {
    const cluster = client();
    expect(await cluster.multi().set('{m}', '1').incr('{m}').hset('{m}:h', { f: 1 }).hgetall('{m}:h').exec()).toEqual([
      [null, 'OK'],
      [null, 2],
      [null, 1],
      [null, { f: '1' }],
    ]);
    expect((await rejected(cluster.multi({ pipeline: false }))).message).toMatch(/use multi\(\)/);
    const error = await rejected(cluster.multi().incr('{m}:h').call('nonsense').exec());
    expect(error.message).toMatch(/^EXECABORT/);
  });

  test('scripts run everywhere, also on nodes that are met later', async () => {
    const cluster = client({ scripts: { both: { lua: 'return {KEYS[1], ARGV[1]}', numberOfKeys: 1 } } });
    const run = cluster as unknown as { both(key: string, value: string): Promise<string[]> };
    for (const key of ['a', 'b', 'c', 'd', 'e']) expect(await run.both(key, 'v')).toEqual([key, 'v']);
    cluster.defineCommand('sum', { lua: 'return KEYS[1] .. KEYS[2]' });
    const pipeline = cluster.pipeline() as unknown as { sum(...args: unknown[]): { exec(): Promise<unknown> } };
    expect(await pipeline.sum(2, '{s}a', '{s}b').exec()).toEqual([[null, '{s}a{s}b']]);
  });

  test('automatic pipelines are counted and go by node', async () => {
    const cluster = client({ enableAutoPipelining: true, keyPrefix: 'auto:' });
    await once(cluster, 'ready');
    const keys = Array.from({ length: 20 }, (_, index) => `k${index}`);
    const sets = keys.map((key) => cluster.set(key, key));
    expect(cluster.autoPipelineQueueSize).toBe(20);
    await Promise.all(sets);
    expect(cluster.autoPipelineQueueSize).toBe(0);
    expect(await Promise.all(keys.map((key) => cluster.get(key)))).toEqual(keys);
    expect((await rejected(cluster.hget('k1', 'f'))).message).toMatch(/^WRONGTYPE/);
  });
});

describe('subscriptions', () => {
  test('ordinary and sharded messages arrive while commands go on', async () => {
    const cluster = client();
    const received: unknown[][] = [];
    for (const event of ['message', 'pmessage', 'smessage'])
      cluster.on(event, (...message: unknown[]) => received.push([event, ...message]));
    expect(await cluster.subscribe('news')).toBe(1);
    await cluster.psubscribe('n*');
    for (const channel of ['s1', 's2', 's3', 's4']) await cluster.ssubscribe(channel);
    await cluster.publish('news', 'hello');
    for (const channel of ['s1', 's2', 's3', 's4']) expect(await cluster.spublish(channel, channel)).toBe(1);
    await cluster.set('still', 'usable');
    await until(() => received.length === 6);
    expect(received).toContainEqual(['message', 'news', 'hello']);
    expect(received).toContainEqual(['pmessage', 'n*', 'news', 'hello']);
    expect(received).toContainEqual(['smessage', 's3', 's3']);
    expect((await rejected(cluster.ssubscribe('s1', 's2'))).message).toMatch(/CROSSSLOT/);
    expect(await cluster.unsubscribe('news')).toBe(1);
    await cluster.sunsubscribe('s1');
    expect(await cluster.spublish('s1', 'nobody')).toBe(0);
  });

  test('follow the slot of a sharded channel, and survive the loss of their connections', async () => {
    const cluster = client();
    const received: string[] = [];
    cluster.on('smessage', (_channel, text: string) => received.push(text));
    cluster.on('message', (_channel, text: string) => received.push(text));
    await cluster.ssubscribe('{wander}');
    await cluster.subscribe('plain');
    const slot = keySlot('{wander}');
    const source = await servers.masterOf(slot);
    const target = servers.nodes.slice(0, 3).find((node) => node !== source) as TestNode;
    await servers.moveSlot(slot, target);
    // The next command finds out that the slot has moved.
    await cluster.get('{wander}');
    await until(async () => (await cluster.spublish('{wander}', 'moved')) === 1);
    await until(() => received.includes('moved'));
    await Promise.all(servers.nodes.map((node) => node.command('CLIENT', 'KILL', 'TYPE', 'pubsub')));
    await until(async () => (await cluster.spublish('{wander}', 'again')) === 1 && (await cluster.publish('plain', 'here')) >= 0);
    await until(async () => {
      await cluster.publish('plain', 'here');
      return received.includes('here');
    });
    expect(received).toContain('again');
    await servers.moveSlot(slot, source);
  });
});

describe('life', () => {
  test('statuses, events and a second connect', async () => {
    const cluster = client({ lazyConnect: true });
    const seen: string[] = [];
    for (const event of ['wait', 'connecting', 'connect', 'ready', 'close', 'end', 'refresh', '+node'])
      cluster.on(event, () => seen.push(event));
    expect(cluster.status).toBe('wait');
    await cluster.connect();
    expect(cluster.status).toBe('ready');
    expect((await rejected(cluster.connect())).message).toBe('Redis is already connecting/connected');
    await cluster.set('k', 'v');
    await cluster.quit();
    await once(cluster, 'end');
    expect(seen.filter((event) => event !== '+node')).toEqual(['wait', 'connecting', 'refresh', 'connect', 'ready', 'close', 'end']);
    expect(seen.filter((event) => event === '+node')).toHaveLength(6);
    expect((await rejected(cluster.get('k'))).message).toBe('Connection is closed.');
    await cluster.connect();
    expect(await cluster.get('k')).toBe('v');
    cluster.disconnect(true);
    await once(cluster, 'ready');
    const other = cluster.duplicate();
    clusters.push(other);
    expect(await other.get('k')).toBe('v');
    await other.close(1000);
    await until(() => other.status === 'end');
  });

  test('disconnect settles everything and always ends', async () => {
    const cluster = client();
    await once(cluster, 'ready');
    const pending = Promise.allSettled([cluster.blpop('nothing', 0), cluster.pipeline().blpop('nothing', 0).exec(), cluster.get('k')]);
    // A command without a key could be sent to the blocked node, and wait behind.
    const node = await servers.masterOf(keySlot('nothing'));
    await until(async () => /blocked_clients:1/.test(String(await node.command('INFO', 'clients'))));
    cluster.disconnect();
    await once(cluster, 'end');
    const [blocked] = await pending;
    expect(blocked?.status).toBe('rejected');
    const connecting = client();
    const early = rejected(connecting.get('k'));
    connecting.disconnect();
    await once(connecting, 'end');
    expect((await early).message).toBe('Connection is closed.');
  });

  test('nobody there: the strategy decides, commands keep their deadline', async () => {
    const asked: number[] = [];
    const cluster = await nowhere({
      clusterRetryStrategy: (times) => {
        asked.push(times);
        return times < 3 ? 10 : null;
      },
    });
    const errors: Error[] = [];
    cluster.on('error', (error: Error) => errors.push(error));
    const error = await rejected(cluster.get('k'));
    expect(error.message).toBe('None of startup nodes is available');
    expect(asked).toEqual([1, 2, 3]);
    expect(errors[0]).toBeInstanceOf(ClusterAllFailedError);
    expect(errors[0]?.message).toBe('Failed to refresh slots cache.');
    expect((errors[0] as ClusterAllFailedError).lastNodeError?.message).toMatch(/ECONNREFUSED/);
    expect(cluster.status).toBe('end');
    const timed = await nowhere({ clusterRetryStrategy: () => 50, redisOptions: { commandTimeout: 300, offlineQueueMax: 2 } });
    timed.on('error', () => {});
    const late = [rejected(timed.get('a')), rejected(timed.incr('b'))];
    expect((await rejected(timed.get('c'))).message).toBe('Offline queue is full (2 commands)');
    for (const each of await Promise.all(late)) expect([each.message, each.sent]).toEqual(['Command timed out', 'no']);
    const strict = await nowhere({ enableOfflineQueue: false });
    strict.on('error', () => {});
    expect((await rejected(strict.get('k'))).message).toBe("Cluster isn't ready and enableOfflineQueue options is false");
  });

  test('shows no credential', async () => {
    const cluster = client({ lazyConnect: true, redisOptions: { password: 'planted-secret', username: 'planted-user' } });
    const shown = [
      inspect(cluster),
      inspect(cluster.options),
      JSON.stringify(cluster),
      JSON.stringify(cluster.options),
      inspect({ nested: cluster.options }),
    ].join();
    expect(shown).not.toMatch(/planted/);
    expect(cluster.options.redisOptions?.password).toBe('planted-secret');
  });

  test('is what other libraries look for', () => {
    expect(IORedis.Cluster).toBe(Cluster);
    expect(Redis.Cluster).toBe(Cluster);
    const cluster = client({ lazyConnect: true });
    expect([cluster.isCluster, cluster.constructor.name]).toEqual([true, 'Cluster']);
  });

  test('an idle cluster lets the process go, a command in flight does not, a shutdown ends it', async () => {
    const options = JSON.stringify(servers.startup.slice(0, 1));
    const idle = await runChild(`
      const cluster = new mooring.Cluster(${options});
      await cluster.set('k', 'v');
      await cluster.subscribe('c');
      console.log(await cluster.get('k'));`);
    expect([idle.code, idle.stdout]).toEqual([0, 'v\n']);
    expect(idle.sinceLastOutputMs).toBeLessThan(2000);
    const busy = await runChild(`
      const cluster = new mooring.Cluster(${options});
      console.log(await cluster.blpop('never', 1));`);
    expect([busy.code, busy.stdout]).toEqual([0, 'null\n']);
    const shut = await runChild(`
      const cluster = new mooring.Cluster(${options});
      await cluster.get('k');
      const ended = new Promise((resolve) => cluster.once('end', resolve));
      await mooring.gracefulShutdown({ logger: { info() {}, error() {} } });
      await ended;
      console.log(cluster.status, mooring.openThings().length);`);
    expect([shut.code, shut.stdout]).toEqual([0, 'end 0\n']);
  });
});
