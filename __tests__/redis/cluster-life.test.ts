/** @module __tests__/redis/cluster-life: how a cluster's lives begin and end, whatever listeners, redirections and calls come in between. */
import { afterEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Cluster, type ClusterOptions, type Redis } from '../../dist/index.js';
import { runChild } from '../support/child';
import { until } from '../support/until';
import { type Answer, ScriptedRedis } from './scripted-redis';

const servers: ScriptedRedis[] = [];
const clusters: Cluster[] = [];
const STATUSES = ['connecting', 'connect', 'ready', 'close', 'reconnecting', 'end'];

/** One node that serves all slots and answers the usual things, unless `answer` knows better. */
async function node(answer: Answer = () => undefined): Promise<ScriptedRedis> {
  const server: ScriptedRedis = await ScriptedRedis.start((args, socket) => {
    const [name, first] = args;
    const shape = `*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:${server.port}\r\n`;
    const own = answer(args, socket);
    if (own !== undefined || name !== 'cluster') return own;
    return first?.toLowerCase() === 'slots' ? shape : '$16\r\ncluster_state:ok\r\n';
  });
  servers.push(server);
  return server;
}

/** One that says nothing more on a connection on which GET came. */
async function silentNode(): Promise<{ server: ScriptedRedis; held: Socket[] }> {
  const held: Socket[] = [];
  const server = await node(([name], socket) => {
    if (name === 'get') held.push(socket);
    return held.includes(socket) ? '' : undefined;
  });
  return { server, held };
}

/** A cluster of these nodes that connects when it is told to, and the statuses that it tells. */
function client(nodes: readonly ScriptedRedis[], options: ClusterOptions = {}): { redis: Cluster; statuses: string[] } {
  const startup = nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
  const redis = new Cluster(startup, { lazyConnect: true, ...options });
  const statuses: string[] = [];
  for (const status of STATUSES) redis.on(status, () => statuses.push(status));
  redis.on('error', () => {});
  clusters.push(redis);
  return { redis, statuses };
}

/** What `code` prints in a process of its own, in which what listeners throw ends nothing; `redis` is a cluster that is not connected yet. */
async function printed(code: string, options = ''): Promise<string[]> {
  const { port } = await node();
  const redis = `const redis = new mooring.Cluster([{ host: '127.0.0.1', port: ${port} }], { lazyConnect: true, ${options} });`;
  const {
    stdout,
    stderr,
    code: exit,
  } = await runChild(`process.on('uncaughtException', (error) => console.log(error.message)); ${redis} ${code}`, { timeoutMs: 8000 });
  expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
  return stdout.trim().split('\n');
}

afterEach(async () => {
  for (const redis of clusters.splice(0)) redis.disconnect();
  for (const server of servers.splice(0)) await server.stop();
});

test('events come in order when the listener of one throws', async () => {
  const lines = await printed(`
    for (const event of ['close', 'end', 'connecting']) redis.on(event, () => console.log(event));
    redis.once('end', () => {
      throw new Error('thrown by a listener');
    });
    process.once('uncaughtException', () => redis.disconnect());
    redis.disconnect();
    redis.connect().catch(() => {});
  `);
  expect(lines).toEqual(['close', 'end', 'thrown by a listener', 'connecting', 'close', 'end']);
});

test('what listeners throw does not stop the cluster', async () => {
  const natMap = `natMap: () => {
    if (redis.listenerCount('node error') > 0) throw new Error('no address');
  }`;
  const lines = await printed(
    `
    for (const event of ['+node', 'node error', 'error', 'refresh', '-node']) {
      redis.once(event, () => {
        throw new Error('thrown in ' + event);
      });
    }
    redis.connect().catch((error) => console.log(error.message));
    await new Promise((resolve) => redis.once('ready', resolve));
    redis.once('end', () => console.log('end'));
    redis.disconnect();
  `,
    natMap,
  );
  const thrown = ['+node', 'node error', 'error', '-node', 'refresh'].map((event) => `thrown in ${event}`);
  expect(lines).toEqual([...thrown.slice(0, 4), 'None of startup nodes is available', ...thrown.slice(4), 'end']);
});

test('quit() that has nobody to wait for ends one life once', async () => {
  const { redis, statuses } = client([await node()]);
  const left = redis.quit();
  redis.disconnect();
  expect(await left).toBe('OK');
  await delay(20);
  expect(statuses).toEqual(['close', 'end']);
});

test('quit() that has nobody to wait for does not end the life that begins after it', async () => {
  const { redis, statuses } = client([await node()]);
  const left = redis.quit();
  await redis.connect();
  expect(await left).toBe('OK');
  await delay(20);
  expect(statuses).toEqual(['close', 'end', 'connecting', 'connect', 'ready']);
});

test.each(['+node', '-node', 'refresh', 'connecting', 'connect', 'ready'])(
  'a listener of %s ends the life that it hears of',
  async (event) => {
    const nodes = [await node(), await node(), await node()];
    const { redis } = client(nodes);
    redis.once(event, () => redis.disconnect());
    const ended = once(redis, 'end');
    redis.connect().catch(() => {});
    await ended;
    await delay(50);
    expect({ status: redis.status, nodes: redis.nodes(), subscriber: redis.subscriber.getInstance() }).toEqual({
      status: 'end',
      nodes: [],
    });
    expect(nodes.map(({ open }) => open)).toEqual([0, 0, 0]);
  },
);

test('a listener of error begins another life', async () => {
  let answers = 0;
  const { redis } = client([await node()], {
    clusterRetryStrategy: null,
    natMap: () => {
      if (answers++ === 0) throw new Error('no address');
      return undefined;
    },
  });
  let again: Promise<void> | undefined;
  redis.once('error', () => {
    redis.disconnect();
    again = redis.connect();
  });
  await expect(redis.connect()).rejects.toThrow('None of startup nodes is available');
  await again;
  expect(redis.status).toBe('ready');
});

test.each([
  ['is not answered in time', '', 'Command timed out'],
  ['is refused', '-ERR no\r\n', 'ERR no'],
])('a QUIT that %s rejects, and the cluster ends all the same', async (_what, answer, text) => {
  const server = await node(([name]) => (name === 'quit' ? answer : undefined));
  const { redis, statuses } = client([server], { redisOptions: { commandTimeout: 100 } });
  await redis.connect();
  const ended = once(redis, 'end');
  await expect(redis.quit()).rejects.toThrow(text);
  await ended;
  expect(statuses.slice(-2)).toEqual(['close', 'end']);
  expect(redis.nodes()).toEqual([]);
});

test.each(['quit', 'close'] as const)('connect() while %s() waits for an answer begins a life of its own', async (leave) => {
  const { server, held } = await silentNode();
  const { redis, statuses } = client([server]);
  const answered = redis.get('k');
  await until(() => held.length === 1);
  const left = redis[leave]();
  await redis.connect();
  held[0]?.write('$-1\r\n+OK\r\n');
  expect(await answered).toBeNull();
  await left;
  await delay(50);
  expect(await redis.set('k', 'v')).toBe('OK');
  expect(statuses).toEqual(['connecting', 'connect', 'ready', 'close', 'end', 'connecting', 'connect', 'ready']);
});

test('close() cuts what quit() waits for at its deadline', async () => {
  const { server, held } = await silentNode();
  const { redis } = client([server]);
  const outcome = redis.get('k').catch((error: Error) => error.message);
  await until(() => held.length === 1);
  const left = redis.quit();
  const ended = once(redis, 'end');
  await redis.close(20);
  await ended;
  expect(await Promise.all([outcome, left])).toEqual(['Connection is closed.', 'OK']);
});

test('disconnect() cuts what quit() waits for', async () => {
  const { server, held } = await silentNode();
  const { redis } = client([server]);
  const outcome = redis.get('k').catch((error: Error) => error.message);
  await until(() => held.length === 1);
  const left = redis.quit();
  const again = redis.connect();
  const ended = once(redis, 'end');
  redis.disconnect();
  expect(await Promise.all([outcome, left, again.catch((error: Error) => error.message), ended])).toHaveLength(4);
  await until(() => server.open === 0);
});

test('a command for an automatic pipeline that is called while the cluster ends settles', async () => {
  const { redis } = client([await node()], { enableAutoPipelining: true });
  const outcome = new Promise((resolve) => redis.once('close', () => void redis.get('k').catch(resolve)));
  redis.disconnect();
  expect(await outcome).toMatchObject({ message: 'Connection is closed.' });
});

test('automatic pipelines do not wait for slots that no node tells', async () => {
  const { redis } = client([await node()], { enableAutoPipelining: true });
  await redis.connect();
  redis.slots.length = 0;
  expect(await redis.set('k', 'v')).toBe('OK');
});

test('a refresh of an earlier life says nothing about the one that follows', async () => {
  const [silent, good] = [await node(([name]) => (name === 'cluster' ? '' : undefined)), await node()];
  const { redis, statuses } = client([silent], { clusterRetryStrategy: null, slotsRefreshTimeout: 200 });
  const first = redis.connect().catch((error: Error) => error.message);
  await until(() => silent.received.some(([name]) => name === 'cluster'));
  redis.disconnect();
  redis.startupNodes = [{ host: '127.0.0.1', port: good.port }];
  await redis.connect();
  expect(await first).toBe('None of startup nodes is available');
  await delay(250);
  expect(redis.nodes().map(({ options }) => options.port)).toEqual([good.port]);
  expect(statuses.slice(-3)).toEqual(['connecting', 'connect', 'ready']);
});

test('a cluster that gives up leaves no connection of a subscriber behind', async () => {
  const server = await node(([name]) => (name === 'ssubscribe' ? '*3\r\n$10\r\nssubscribe\r\n$1\r\nc\r\n:1\r\n' : undefined));
  const { redis } = client([server], { clusterRetryStrategy: null });
  await redis.connect();
  expect(await redis.ssubscribe('c')).toBe(1);
  const ended = once(redis, 'end');
  for (const each of redis.nodes()) each.disconnect();
  await ended;
  await until(() => server.open === 0);
});

test('ref() keeps the process alive in the next life, too', async () => {
  const lines = await printed(`
    redis.ref().disconnect();
    redis.once('end', () => console.log('end'));
    await redis.connect();
    setTimeout(() => {
      console.log('still here');
      redis.unref();
    }, 300).unref();
  `);
  expect(lines).toEqual(['end', 'still here']);
});

test('startup nodes of which one cannot be leave none behind', async () => {
  const { redis, statuses } = client([await node()], { clusterRetryStrategy: null });
  redis.startupNodes = [...redis.startupNodes, { host: '127.0.0.1', port: 99_999 }];
  await expect(redis.connect()).rejects.toThrow('port must be between');
  await until(() => redis.connectionPool.alive === 0);
  expect(redis.nodes()).toEqual([]);
  expect(statuses).toEqual(['connecting', 'close', 'end']);
});

test('a redirection that comes due while the cluster reconnects adds no node, and the command waits for the cluster', async () => {
  let moves = 1;
  const server = await node(([name]) => (name === 'get' ? (moves-- > 0 ? '-MOVED 1 127.0.0.1:1\r\n' : '$5\r\nvalue\r\n') : undefined));
  const { redis } = client([server], { retryDelayOnMoved: 50, clusterRetryStrategy: () => 150 });
  await redis.connect();
  const read = Promise.allSettled([redis.get('k')]);
  await until(() => moves === 0);
  for (const each of redis.nodes()) each.disconnect();
  await once(redis, 'reconnecting');
  const added: unknown[] = [];
  redis.on('+node', (each: Redis) => added.push(each.options.port));
  await once(redis, 'ready');
  expect(added).toEqual([server.port]);
  expect(await read).toMatchObject([{ value: 'value' }]);
});
