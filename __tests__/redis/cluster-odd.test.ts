/** @module __tests__/redis/cluster-odd: nodes that name addresses and slots which cannot be, and functions of the user's that throw. Each command has its own outcome. */
import { afterEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Cluster, type ClusterOptions } from '../../dist/index.js';
import { SlotTable } from '../../dist/redis/cluster/slots.js';
import { ScriptedRedis } from './scripted-redis';

const clusters: Cluster[] = [];
const servers: ScriptedRedis[] = [];

/** One node that serves all slots and redirects reads of the keys `moved` and `asked` to `to`. */
async function cluster(to: () => string, options: ClusterOptions = {}): Promise<Cluster> {
  const server: ScriptedRedis = await ScriptedRedis.start(([name, first]) => {
    const shape = `*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:${server.port}\r\n`;
    if (name === 'cluster') return first?.toLowerCase() === 'slots' ? shape : '$16\r\ncluster_state:ok\r\n';
    if (name !== 'get') return undefined;
    if (first === 'asked') return `-ASK ${to()}\r\n`;
    return first === 'moved' ? `-MOVED ${to()}\r\n` : `$${first?.length}\r\n${first}\r\n`;
  });
  servers.push(server);
  const made = new Cluster([{ host: '127.0.0.1', port: server.port }], options);
  clusters.push(made);
  await once(made, 'ready');
  return made;
}

afterEach(async () => {
  for (const made of clusters.splice(0)) made.disconnect();
  for (const server of servers.splice(0)) await server.stop();
});

test('a node without a host is on the host of the one that named it', async () => {
  const other = await ScriptedRedis.start(([name]) => (name === 'get' ? '$5\r\nthere\r\n' : undefined));
  servers.push(other);
  const redis = await cluster(() => `1 :${other.port}`);
  expect(await Promise.all([redis.get('a'), redis.get('moved'), redis.get('b')])).toEqual(['a', 'there', 'b']);
});

test.each([
  ['an address that cannot be', '1 h:99999', {}, 'port must be between'],
  ['a slot that cannot be', '9000000000 127.0.0.1:1', {}, 'MOVED 9000000000'],
  [
    'a natMap that throws',
    '1 x:1',
    {
      natMap: (key: string) => {
        if (key.startsWith('x')) throw new Error('thrown by natMap');
        return undefined;
      },
    },
    'thrown by natMap',
  ],
])('%s fails the command that met it, and no other', async (_what, to, options, text) => {
  const redis = await cluster(() => to, options);
  const outcomes = await Promise.allSettled([redis.get('a'), redis.get('moved'), redis.get('b'), redis.pipeline().get('moved').exec()]);
  expect(outcomes[0]).toMatchObject({ value: 'a' });
  expect(outcomes[1]).toMatchObject({ reason: { message: expect.stringContaining(text) } });
  expect(outcomes[2]).toMatchObject({ value: 'b' });
});

test.each([
  ['MOVED', (redis: Cluster) => redis.get('moved'), {}],
  ['MOVED, followed later,', (redis: Cluster) => redis.get('moved'), { retryDelayOnMoved: 20 }],
  ['ASK', (redis: Cluster) => redis.get('asked'), {}],
  ['MOVED for a pipeline', (redis: Cluster) => redis.pipeline().get('moved').exec(), {}],
  ['ASK for a pipeline', (redis: Cluster) => redis.pipeline().get('asked').exec(), {}],
])('%s that arrives while the cluster disconnects does not keep it from its end', async (_what, read, options) => {
  const redis = await cluster(() => '1 127.0.0.1:1', options);
  const outcome = read(redis).then(
    (results) => (Array.isArray(results) ? results[0]?.[0]?.message : 'answered'),
    (error: Error) => error.message,
  );
  const ended = once(redis, 'end');
  redis.disconnect();
  await ended;
  expect(await outcome).toMatch(/^C(onnection is closed|luster is ended)\.$/);
  await delay(30);
  expect(redis.nodes()).toEqual([]);
});

test('slots that do not exist are passed over', () => {
  const table = new SlotTable();
  table.replace([
    { start: -3, end: 1, keys: ['h:1'] },
    { start: 2, end: 70_000, keys: ['h:1'] },
    { start: 5, end: 6, keys: ['h:1'] },
  ]);
  expect(Object.keys(table.slots)).toEqual(['5', '6']);
});
