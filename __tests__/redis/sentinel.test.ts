/**
 * @module __tests__/redis/sentinel
 *
 * Clients whose server is named by sentinels, on a real set of a master, two replicas and three sentinels, also while the master dies.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Queue, Worker } from 'bullmq';
import { createRedisClient, MooringError, Redis, type RedisOptions } from '../../dist/index.js';
import { until } from '../support/until';
import { freePort } from './server';
import { NAME, SentinelSet } from './sentinel-set';

const QUIET = { warn: (): void => {}, error: (): void => {} };
const SET_LIMIT_MS = 60_000;

const made: Redis[] = [];
/** Workers and queues: a worker that outlives its test would connect again. */
const users: { close: (force?: boolean) => Promise<void> }[] = [];

/** A look-alike that is ended after its test. */
function lookAlike(options: RedisOptions): Redis {
  const client = new Redis({ name: NAME, ...options });
  client.on('error', () => {});
  made.push(client);
  return client;
}

function managed(options: object): Redis {
  const client = createRedisClient({ name: NAME, logger: QUIET, ...options });
  client.on('error', () => {});
  made.push(client);
  return client;
}

async function role(client: Redis): Promise<string> {
  return ((await client.call('role')) as string[])[0]!;
}

afterEach(async () => {
  await Promise.all(users.splice(0).map((user) => user.close(true)));
  await Promise.all(made.splice(0).map((client) => client.closeFamily(200)));
});

describe('a set of three servers and three sentinels', () => {
  let set: SentinelSet;

  beforeAll(async () => {
    set = await SentinelSet.start();
  }, SET_LIMIT_MS);

  afterAll(() => set.stop());

  test('look-alike and managed clients find the master, and a replica when that is asked for', async () => {
    const { sentinels } = set;
    const master = await set.master();
    for (const client of [lookAlike({ sentinels }), managed({ sentinels })]) {
      expect(await role(client)).toBe('master');
      expect(client.stream.remotePort).toBe(master);
      expect(await client.set('k', 'v')).toBe('OK');
    }
    for (const client of [lookAlike({ sentinels, role: 'slave' }), managed({ sentinels, role: 'slave' })]) {
      expect(await role(client)).toBe('slave');
      // The replica refuses it by right: no reason to look for another server.
      await expect(client.set('k', 'x')).rejects.toThrow('READONLY');
      expect(client.status).toBe('ready');
    }
  });

  test('a preferred replica is taken: by a list, or by a function that sees what the sentinel tells', async () => {
    const { sentinels } = set;
    const master = await set.master();
    const wanted = set.ports.findLast((port) => port !== master)!;
    const seen: string[] = [];
    const preferences: NonNullable<RedisOptions['preferredSlaves']>[] = [
      [
        { ip: '127.0.0.1', port: '1', prio: 1 },
        { ip: '127.0.0.1', port: String(wanted), prio: 2 },
      ],
      { ip: '127.0.0.1', port: wanted },
      (replicas) => {
        seen.push(...replicas.map(({ ip, port, flags }) => `${ip}:${port} ${flags}`));
        return replicas.find(({ port }) => port === String(wanted));
      },
    ];
    for (const preferredSlaves of preferences) {
      const client = lookAlike({ sentinels, role: 'slave', preferredSlaves });
      await client.ping();
      expect(client.stream.remotePort).toBe(wanted);
    }
    const replicas = set.ports.filter((port) => port !== master).map((port) => `127.0.0.1:${port} slave`);
    expect(seen.toSorted()).toEqual(replicas.toSorted());
    // A function that throws leaves the choice to chance; what it threw is an uncaught exception, so that one that answers nothing must do here.
    const client = lookAlike({ sentinels, role: 'slave', preferredSlaves: () => null });
    expect(await role(client)).toBe('slave');
  });

  test('addresses are translated by a map or a function, those of sentinels too', async () => {
    const master = await set.master();
    const asked: string[] = [];
    const natMap = (address: string): { host: string; port: number } | null => {
      asked.push(address);
      return address === `127.0.0.1:${master}` ? { host: 'localhost', port: master } : null;
    };
    const byFunction = lookAlike({ sentinels: set.sentinels, natMap });
    expect(await role(byFunction)).toBe('master');
    expect(asked).toContain(`127.0.0.1:${master}`);
    expect(asked.some((address) => set.sentinelPorts.includes(Number(address.split(':')[1])))).toBe(true);
    const wrong = await freePort();
    const byMap = lookAlike({
      sentinels: set.sentinels,
      natMap: { [`127.0.0.1:${master}`]: { host: '127.0.0.1', port: wrong } },
      retryStrategy: null,
      lazyConnect: true,
    });
    const failure = new Promise<Error>((resolve) => byMap.once('error', resolve));
    await expect(byMap.connect()).rejects.toThrow('Connection is closed.');
    expect((await failure).message).toBe(`connect ECONNREFUSED 127.0.0.1:${wrong}`);
  });

  test('sentinels that are learnt are asked when the given ones are gone, also by a client that is opened again', async () => {
    const given = set.sentinelPorts[0]!;
    const client = lookAlike({ sentinels: [{ host: '127.0.0.1', port: given }] });
    const forgetful = lookAlike({ sentinels: [{ host: '127.0.0.1', port: given }], updateSentinels: false, sentinelRetryStrategy: null });
    await Promise.all([client.ping(), forgetful.ping()]);
    client.disconnect();
    forgetful.disconnect();
    await until(() => client.status === 'end' && forgetful.status === 'end');
    await set.kill(given);
    try {
      await client.connect();
      expect(await role(client)).toBe('master');
      await expect(forgetful.connect()).rejects.toThrow(
        `All sentinels are unreachable and retry is disabled. Last error: connect ECONNREFUSED 127.0.0.1:${given}`,
      );
      expect(forgetful.status).toBe('end');
    } finally {
      await set.revive(given);
    }
  });

  test(
    'a switch that sentinels announce is followed at once, subscriptions and commands included',
    async () => {
      const { sentinels } = set;
      const before = await set.master();
      const client = lookAlike({ sentinels, failoverDetector: true });
      const watched = once(client, 'failoverSubscribed');
      const subscriber = managed({ sentinels, failoverDetector: true });
      const heard: string[] = [];
      subscriber.on('message', (_channel: string, message: string) => heard.push(message));
      await subscriber.subscribe('news');
      await watched;
      const after = await set.failover();
      expect(after).not.toBe(before);
      await until(() => client.stream.remotePort === after);
      expect(await client.set('after', 'switch')).toBe('OK');
      await until(async () => {
        await client.publish('news', 'hello');
        return heard.includes('hello');
      });
      expect(await role(client)).toBe('master');
    },
    SET_LIMIT_MS,
  );

  test(
    'the master is killed while commands and a worker run: no job is lost, nothing settles twice',
    async () => {
      const { sentinels } = set;
      const queueClient = managed({ sentinels });
      const workerClient = lookAlike({ sentinels, maxRetriesPerRequest: null });
      const counter = managed({ sentinels });
      const queue = new Queue('failover', { connection: queueClient });
      const done = new Map<string, number>();
      const worker = new Worker(
        'failover',
        async (job) => {
          await delay(5);
          done.set(job.id!, (done.get(job.id!) ?? 0) + 1);
        },
        { connection: workerClient, concurrency: 4, lockDuration: 2000, stalledInterval: 1000, maxStalledCount: 10 },
      );
      users.push(worker, queue);
      worker.on('error', () => {});
      queue.on('error', () => {});
      await worker.waitUntilReady();

      const before = await set.master();
      const gaps: number[] = [];
      const running = new AbortController();
      let outcomes = 0;
      let sent = 0;
      const commands = (async (): Promise<void> => {
        let last = performance.now();
        while (!running.signal.aborted) {
          sent += 1;
          await counter.incr('commands').catch(() => {});
          outcomes += 1;
          const now = performance.now();
          gaps.push(now - last);
          last = now;
          await delay(2);
        }
      })();
      const add = async (jobId: string): Promise<void> => {
        // A job is there when a replica has it too; one whose `add` failed may be added again under its own id.
        for (;;) {
          const added = await queue
            .add('work', {}, { jobId })
            .then(() => queueClient.wait(1, 500) as Promise<number>)
            .catch(() => 0);
          if (added >= 1) return;
          await delay(50);
        }
      };
      const JOBS = 150;
      const killAt = 50;
      let killed: Promise<void> | undefined;
      for (let n = 0; n < JOBS; n++) {
        if (n === killAt) killed = set.kill(before);
        await add(`job-${n}`);
      }
      await killed;
      await until(() => done.size === JOBS, 30_000);
      running.abort();
      await commands;
      expect([...done.keys()].toSorted()).toEqual(Array.from({ length: JOBS }, (_, n) => `job-${n}`).toSorted());
      expect(outcomes).toBe(sent);
      expect(await set.master()).not.toBe(before);
      expect(await role(counter)).toBe('master');
      const twice = [...done.values()].filter((times) => times > 1).length;
      const recovery = Math.round(Math.max(...gaps));
      process.stdout.write(
        `master killed: ${JOBS} of ${JOBS} jobs processed, ${twice} of them more than once; commands served again after ${recovery} ms\n`,
      );
      await set.revive(before);
    },
    SET_LIMIT_MS,
  );

  test('a closed client leaves nothing behind at its sentinels', async () => {
    const { sentinels } = set;
    const client = managed({ sentinels, failoverDetector: true });
    const subscribed = once(client, 'failoverSubscribed');
    await client.ping();
    await subscribed;
    const connections = async (): Promise<number> => {
      const admin = new Redis({ port: set.sentinelPorts[0]!, host: '127.0.0.1', enableReadyCheck: false });
      const list = (await admin.call('client', 'list')) as string;
      admin.disconnect();
      return list.split('\n').filter((line) => line.includes('sub=1') && !line.includes('name=sentinel-')).length;
    };
    await until(async () => (await connections()) === 1);
    await client.close();
    await until(async () => (await connections()) === 0);
    expect(client.status).toBe('end');
  });
});

test(
  'TLS, an ACL user of the sentinels and a password of the servers',
  async () => {
    const user = { name: 'application', password: 'S3CR3T-sentinel' };
    const set = await SentinelSet.start({ tls: true, user, password: 'S3CR3T-server', replicas: 1, sentinels: 1 });
    try {
      const ca = readFileSync(process.env['REDIS_TLS_CA']!, 'utf8');
      const base = {
        sentinels: set.sentinels,
        sentinelUsername: user.name,
        sentinelPassword: user.password,
        sentinelTLS: { ca },
        tls: { ca },
        enableTLSForSentinelMode: true,
        password: 'S3CR3T-server',
      };
      for (const make of [lookAlike, managed]) {
        expect(await role(make(base))).toBe('master');
        expect(await role(make({ ...base, role: 'slave' }))).toBe('slave');
      }
      // What is wrong is said, without a secret.
      const wrong = { ...base, sentinelRetryStrategy: null, lazyConnect: true };
      const refusals = [
        [{ ...wrong, sentinelPassword: 'S3CR3T-other' }, 'WRONGPASS'],
        [{ ...wrong, sentinelTLS: undefined }, 'Connection is closed.'],
        [{ ...wrong, sentinelTLS: true }, 'tls handshake failed'],
      ] as const;
      for (const [options, reason] of refusals) {
        const error = await lookAlike(options as RedisOptions)
          .connect()
          .then(
            () => undefined,
            (failure: Error) => failure,
          );
        expect(error?.message).toMatch(/^All sentinels are unreachable and retry is disabled\. Last error: /);
        expect(error?.message).toContain(reason);
        expect(error?.message).not.toContain('S3CR3T');
        expect(error?.cause).toBeInstanceOf(MooringError);
      }
    } finally {
      await set.stop();
    }
  },
  SET_LIMIT_MS,
);

describe('without a sentinel that answers', () => {
  test('the search goes on in rounds, each told with its pause and the last reason', async () => {
    const port = await freePort();
    const client = new Redis({ sentinels: [{ host: '127.0.0.1', port }], name: NAME });
    made.push(client);
    const errors: string[] = [];
    const problems: string[] = [];
    client.on('error', (error: Error) => errors.push(error.message));
    client.on('sentinelError', (error: Error) => problems.push(error.message));
    await until(() => errors.length >= 3);
    const reason = `connect ECONNREFUSED 127.0.0.1:${port}`;
    expect(errors.slice(0, 3)).toEqual(
      [10, 20, 30].map((ms) => `All sentinels are unreachable. Retrying from scratch after ${ms}ms. Last error: ${reason}`),
    );
    expect(problems[0]).toBe(`failed to connect to sentinel 127.0.0.1:${port} because ${reason}`);
    expect(client.status).toBe('connecting');
  });

  test('a strategy of the user decides, and its end is the end of the client', async () => {
    const port = await freePort();
    const times: number[] = [];
    const client = lookAlike({
      sentinels: [{ host: '127.0.0.1', port }],
      sentinelRetryStrategy: (time) => {
        times.push(time);
        return time < 3 ? 1 : null;
      },
    });
    await expect(client.get('k')).rejects.toThrow('All sentinels are unreachable and retry is disabled.');
    expect(times).toEqual([1, 2, 3]);
    await until(() => client.status === 'end');
    await expect(client.get('k')).rejects.toThrow('Connection is closed.');
  });

  test('a managed client gives up after its connect retries, with jittered pauses of its own', async () => {
    const port = await freePort();
    const client = managed({ sentinels: [{ host: '127.0.0.1', port }], maxConnectRetries: 2 });
    const pauses: number[] = [];
    client.on('reconnecting', (pause: number) => pauses.push(pause));
    await expect(client.get('k')).rejects.toThrow('Connection is closed.');
    expect(client.status).toBe('end');
    expect(pauses).toHaveLength(2);
  });

  test('a sentinel that says nothing costs its time limit and no more', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const client = lookAlike({ sentinels: [{ port, host: '127.0.0.1' }], sentinelCommandTimeout: 50, sentinelRetryStrategy: null });
    await expect(client.get('k')).rejects.toThrow('Last error: Command timed out');
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
});
