/** @module __tests__/redis/ecosystem-socket-io: the adapters of @socket.io/redis-adapter, unchanged, on our clients: two socket.io servers, a client on each. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter';
import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from 'socket.io';
import { io, type Socket } from 'socket.io-client';
import { createRedisClient, Redis } from '../../dist/index.js';
import { until } from '../support/until';
import { redisUri } from './server';

const clients: Redis[] = [];
const servers: Server[] = [];
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.disconnect();
  await Promise.all(servers.splice(0).map((server) => server.close()));
  for (const client of clients.splice(0)) await client.closeFamily(1000);
});

/** Publisher and subscriber of one server. */
type Pair = () => readonly [pub: Redis, sub: Redis];
const pairs: Record<string, Pair> = {
  'a look-alike and its duplicate': () => {
    const pub = new Redis(redisUri());
    clients.push(pub);
    return [pub, pub.duplicate()];
  },
  'one managed client for both': () => {
    const client = createRedisClient({ url: redisUri(), logger: { warn: () => {}, error: () => {} } });
    client.on('error', () => {});
    clients.push(client);
    return [client, client];
  },
};
const adapters = {
  createAdapter: (pair: readonly [Redis, Redis]) => createAdapter(...pair),
  createShardedAdapter: (pair: readonly [Redis, Redis]) => createShardedAdapter(...pair),
};

/** A server on a free port, and a client connected to it. */
async function place(pair: Pair, adapter: (pair: readonly [Redis, Redis]) => unknown): Promise<{ server: Server; socket: Socket }> {
  const http: HttpServer = createServer();
  const server = new Server(http, { adapter: adapter(pair()) as never, transports: ['polling'] });
  servers.push(server);
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  // A websocket would be the client's own: the trap for peers' sockets does not know that it is not of the code under test.
  const socket = io(`http://127.0.0.1:${(http.address() as AddressInfo).port}`, { transports: ['polling'], reconnection: false });
  sockets.push(socket);
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('connect_error', reject));
  return { server, socket };
}

const heard = (socket: Socket, event: string): Promise<unknown[]> =>
  new Promise((resolve) => socket.once(event, (...args: unknown[]) => resolve(args)));

describe.each(Object.keys(adapters) as (keyof typeof adapters)[])('%s', (name) => {
  test.each(Object.keys(pairs))('joins two servers over %s', async (kind) => {
    const pair = pairs[kind] as Pair;
    const [one, two] = [await place(pair, adapters[name]), await place(pair, adapters[name])];
    // Each server's subscriptions stand when both answer.
    await until(async () => (await one.server.fetchSockets()).length === 2 && (await two.server.fetchSockets()).length === 2);

    const everywhere = Promise.all([heard(one.socket, 'news'), heard(two.socket, 'news')]);
    one.server.emit('news', 'text ü', Buffer.from([0, 255, 13, 10]), { deep: [1, null] });
    for (const args of await everywhere) expect(args).toEqual(['text ü', Buffer.from([0, 255, 13, 10]), { deep: [1, null] }]);

    // A room on the other server; a member of it answers.
    two.server.in(one.socket.id as string).socketsJoin('room');
    await until(async () => (await two.server.in('room').fetchSockets()).length === 1);
    const inRoom = heard(one.socket, 'room only');
    two.server.to('room').emit('room only', 7);
    expect(await inRoom).toEqual([7]);
    one.socket.on('ask', (n: number, answer: (n: number) => void) => answer(n + 1));
    two.socket.on('ask', (n: number, answer: (n: number) => void) => answer(n + 2));
    const answers = (await one.server.timeout(4000).emitWithAck('ask', 1)) as number[];
    expect(answers.toSorted((a, b) => a - b)).toEqual([2, 3]);

    // Servers talk to each other.
    two.server.on('between', (word: string, answer: (word: string) => void) => answer(word.toUpperCase()));
    expect(await one.server.serverSideEmitWithAck('between', 'hello')).toEqual(['HELLO']);

    const gone = heard(two.socket, 'disconnect');
    one.server.in(two.socket.id as string).disconnectSockets(true);
    await gone;
    await until(async () => (await one.server.fetchSockets()).length === 1);
  });
});
