/** @module __tests__/redis/heartbeat-half-open: a heartbeat's connection that nobody closed and nobody answers on, while Redis itself is well: the locks are kept over another one. */
import { afterAll, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createRedisClient, Redis } from '../../dist/index.js';
import { WIRE } from '../../dist/native.js';
import { Beats } from '../../dist/redis/heartbeat.js';
import { until } from '../support/until';
import { redisUri } from './server';

const LOCK_MS = 3000;
const PAIRS: [Socket, Socket][] = [];
/** As BullMQ's `extendLocks`. */
const EXTEND = `
  local tokens, ids, refused = cmsgpack.unpack(ARGV[2]), cmsgpack.unpack(ARGV[3]), {}
  for i, id in ipairs(ids) do
    local key = ARGV[1] .. id .. ':lock'
    if redis.call('GET', key) == tokens[i] then redis.call('SET', key, tokens[i], 'PX', ARGV[4]) else refused[#refused + 1] = id end
  end
  return refused`;

const target = new URL(redisUri());
const proxy = createServer((near) => {
  const far = connect(Number(target.port), target.hostname);
  PAIRS.push([near, far]);
  for (const [from, to] of [
    [near, far],
    [far, near],
  ] as const) {
    from.on('error', () => {}).on('close', () => to.destroy());
    from.pipe(to);
  }
});

/** Connections of now stay open, and nothing passes any more. */
function freeze(): void {
  for (const socket of PAIRS.flat()) socket.unpipe().pause();
}

afterAll(() => {
  for (const socket of PAIRS.flat()) socket.destroy();
  proxy.close();
});

test('locks are renewed over a new connection when the old one does not answer', async () => {
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const admin = new Redis(redisUri());
  const client = createRedisClient({ host: '127.0.0.1', port: (proxy.address() as AddressInfo).port });
  await client.ping();
  const lost: string[] = [];
  const options = { batch: true, source: EXTEND, prefix: 'half:', stalled: 'half:stalled', lockMs: LOCK_MS, maxBlockedMs: 300_000 };
  const beats = new Beats({
    open: () => ({ wire: client[WIRE]!, options }),
    onRenewed: () => {},
    onLost: (ids) => lost.push(...ids),
    onError: () => {},
  });
  await admin.set('half:1:lock', 'token', 'PX', LOCK_MS);
  beats.track('1', 'token', Date.now());
  await until(() => PAIRS.length === 2);
  await delay(200);
  freeze();
  await delay(LOCK_MS * 1.5);
  expect(await admin.get('half:1:lock')).toBe('token');
  expect(lost).toEqual([]);
  expect(PAIRS.length).toBeGreaterThan(2);
  beats.stop();
  client.disconnect();
  await admin.quit();
}, 20_000);
