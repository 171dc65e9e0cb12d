/** @module __tests__/redis/ecosystem-web: @fastify/redis, connect-redis with express-session, and bull-board, unchanged, on our clients, asked over HTTP. */
import { createBullBoard } from '@bull-board/api';
import { BullAdapter } from '@bull-board/api/bullAdapter';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import fastifyRedis from '@fastify/redis';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import Bull from 'bull';
import { Queue, Worker } from 'bullmq';
import { RedisStore } from 'connect-redis';
import express, { type Express } from 'express';
import session from 'express-session';
import Fastify from 'fastify';
import { once } from 'node:events';
import { request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRedisClient, Redis } from '../../dist/index.js';
import { bullClients } from '../../dist/redis/bull.js';
import { until } from '../support/until';
import { redisUri } from './server';

const QUIET = { warn: (): void => {}, error: (): void => {} };
const made: Redis[] = [];
const servers: Server[] = [];
const kinds: Record<string, () => Redis> = {
  'a look-alike': () => new Redis(redisUri(), { maxRetriesPerRequest: null }),
  'a managed client': () => createRedisClient({ url: redisUri(), logger: QUIET }),
};

function open(kind: string): Redis {
  const client = (kinds[kind] as () => Redis)();
  made.push(client);
  return client;
}

beforeEach(async () => {
  const client = new Redis(redisUri());
  await client.flushall();
  await client.quit();
});

afterEach(async () => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
  for (const client of made.splice(0)) await client.closeFamily(1000);
});

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly cookie: string | undefined;
}

/** One request; a cookie is sent along. */
async function ask(port: number, path: string, options: { method?: string; cookie?: string | undefined } = {}): Promise<Reply> {
  const { method = 'GET', cookie } = options;
  const req = request({ host: '127.0.0.1', port, path, method, agent: false, headers: cookie === undefined ? {} : { cookie } });
  req.end();
  const [res] = (await once(req, 'response')) as [import('node:http').IncomingMessage];
  const chunks = (await res.toArray()) as Buffer[];
  return { status: res.statusCode ?? 0, body: Buffer.concat(chunks).toString(), cookie: res.headers['set-cookie']?.[0]?.split(';')[0] };
}

async function listen(app: Express): Promise<number> {
  const server = app.listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

describe.each(Object.keys(kinds))('@fastify/redis on %s', (kind) => {
  test('waits for ready, serves requests and quits the client with the server', async () => {
    const client = open(kind);
    const app = Fastify();
    await app.register(fastifyRedis, { client: client as never, closeClient: true });
    app.get('/count/:name', async (req) => ({ n: await app.redis.incr((req.params as { name: string }).name) }));
    await app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = app.server.address() as AddressInfo;
    expect(client.status).toBe('ready');
    const replies = await Promise.all(Array.from({ length: 10 }, () => ask(port, '/count/visits')));
    const counts = replies.map(({ body }) => (JSON.parse(body) as { n: number }).n).toSorted((a, b) => a - b);
    expect(counts).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    await app.close();
    // QUIT is answered before the socket is gone.
    await until(() => client.status === 'end');
  });

  test('keeps several by namespace', async () => {
    const app = Fastify();
    await app.register(fastifyRedis, { client: open(kind) as never, namespace: 'one' });
    await app.register(fastifyRedis, { client: open(kind) as never, namespace: 'two', closeClient: true });
    const byName = app.redis as unknown as Record<'one' | 'two', Redis>;
    await byName.one.set('k', 'v');
    expect(await byName.two.get('k')).toBe('v');
    await app.close();
    await until(() => byName.two.status === 'end');
    expect(byName.one.status).toBe('ready');
  });
});

describe.each(Object.keys(kinds))('connect-redis on %s', (kind) => {
  test('keeps a session of express-session, touches it and destroys it', async () => {
    const client = open(kind);
    const store = new RedisStore({ client, prefix: 'sess:', ttl: 100 });
    const app = express();
    app.use(session({ store, secret: 's3cr3t', resave: false, saveUninitialized: false }));
    app.get('/visit', (req, res) => {
      const visits = ((req.session as { visits?: number }).visits ?? 0) + 1;
      Object.assign(req.session, { visits });
      res.json({ visits });
    });
    app.get('/look', (req, res) => void res.json({ visits: (req.session as { visits?: number }).visits ?? null }));
    app.get('/leave', (req, res) => void req.session.destroy(() => res.end('bye')));
    const port = await listen(app);
    const first = await ask(port, '/visit');
    const { cookie } = first;
    expect(cookie).toMatch(/^connect\.sid=/);
    expect((await ask(port, '/visit', { cookie })).body).toBe('{"visits":2}');
    const [key] = (await client.keys('sess:*')) as [string];
    await client.expire(key, 5);
    expect((await ask(port, '/look', { cookie })).body).toBe('{"visits":2}');
    expect(await client.ttl(key)).toBeGreaterThan(5);
    await ask(port, '/leave', { cookie });
    expect(await client.exists(key)).toBe(0);
    expect((await ask(port, '/look', { cookie })).body).toBe('{"visits":null}');
  });

  test('lists, counts and clears more sessions than one SCAN brings', async () => {
    const client = open(kind);
    const store = new RedisStore({ client, prefix: 'many:', ttl: 100, scanCount: 10 });
    const data = (n: number): session.SessionData => ({ cookie: { originalMaxAge: null }, n }) as unknown as session.SessionData;
    await Promise.all(Array.from({ length: 300 }, (_, n) => store.set(`id-${n}`, data(n))));
    expect(await store.length()).toBe(300);
    const all = (await store.all()) as unknown as { id: string; n: number }[];
    expect(all.map(({ id }) => id).toSorted()).toEqual(Array.from({ length: 300 }, (_, n) => `id-${n}`).toSorted());
    for (const { id, n } of all) expect(id).toBe(`id-${n}`);
    await store.clear();
    expect(await store.ids()).toEqual([]);
  });
});

/** What the board's page asks for. */
interface BoardQueues {
  readonly queues: readonly {
    readonly name: string;
    readonly type: string;
    readonly counts: Record<string, number>;
    readonly jobs: readonly {
      readonly id: string;
      readonly name: string;
      readonly returnValue?: unknown;
      readonly failedReason?: string;
    }[];
  }[];
}

describe('bull-board', () => {
  test.each(Object.keys(kinds))('shows and retries BullMQ and Bull jobs on %s', async (kind) => {
    const connection = open(kind);
    const bull = bullClients(redisUri());
    made.push(bull.client);
    const queue = new Queue('board', { connection });
    const older = new Bull('older', { createClient: bull.createClient });
    let refuse = true;
    const worker = new Worker(
      'board',
      async ({ data }) => {
        if (refuse && data.n === 2) throw new Error('not today');
        return data.n * 10;
      },
      { connection },
    );
    const board = new ExpressAdapter();
    board.setBasePath('/ui');
    createBullBoard({ queues: [new BullMQAdapter(queue), new BullAdapter(older)], serverAdapter: board });
    const app = express();
    app.use('/ui', board.getRouter() as express.Router);
    const port = await listen(app);
    const ended = new Promise<void>((resolve) => {
      let left = 3;
      const count = (): void => void (--left === 0 && resolve());
      worker.on('completed', count).on('failed', count);
    });
    const jobs = await queue.addBulk([1, 2, 3].map((n) => ({ name: 'tenfold', data: { n } })));
    await older.add('old', { n: 1 }, { delay: 60_000 });
    await ended;

    const page = await ask(port, '/ui/');
    expect(page.status).toBe(200);
    expect(page.body).toContain('<title>');
    const shown = async (query: string): Promise<BoardQueues> =>
      JSON.parse((await ask(port, `/ui/api/queues?${query}`)).body) as BoardQueues;
    const completed = (await shown('activeQueue=board&status=completed&page=1&jobsPerPage=10')).queues;
    expect(completed.find(({ name }) => name === 'board')).toMatchObject({ type: 'bullmq', counts: { completed: 2, failed: 1 } });
    expect(completed.find(({ name }) => name === 'board')?.jobs.map(({ returnValue }) => returnValue)).toEqual([30, 10]);
    const delayed = (await shown('activeQueue=older&status=delayed&page=1&jobsPerPage=10')).queues;
    expect(delayed.find(({ name }) => name === 'older')).toMatchObject({ type: 'bull', counts: { delayed: 1 }, jobs: [{ name: 'old' }] });
    expect(JSON.parse((await ask(port, '/ui/api/redis/stats')).body)).toMatchObject({ version: expect.stringMatching(/^\d+\./) });

    refuse = false;
    const retried = once(worker, 'completed');
    const { id } = jobs[1] as { id: string };
    expect((await ask(port, `/ui/api/queues/board/${id}/retry`, { method: 'PUT' })).status).toBeLessThan(300);
    await retried;
    expect(await queue.getJobCounts('completed', 'failed')).toEqual({ completed: 3, failed: 0 });
    await worker.close();
    await queue.close();
    await older.close();
  });
});
