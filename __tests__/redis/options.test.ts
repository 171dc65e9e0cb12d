/**
 * @module __tests__/redis/options
 *
 * Every option in ioredis' types is honoured or refused by name: one that changed nothing would be found here.
 */
import { afterAll, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { Cluster, createRedisClient, Redis, type RedisOptions } from '../../dist/index.js';
import { LOOK_ALIKE_PRESET, resolveOptions, wireOptions } from '../../dist/redis/options.js';
import { redisUri } from './server';

const QUIET = { warn: (): void => {}, error: (): void => {} };
const SENTINELS = { sentinels: [{ host: 's', port: 1 }], name: 'm' };
const { hostname, port } = new URL(redisUri());

/** Options that reach the wire: a value other than the default, and what else must be given. */
const ON_THE_WIRE: Record<string, readonly [unknown, RedisOptions?]> = {
  port: [7000],
  host: ['h'],
  family: [6],
  path: ['/tmp/redis.sock'],
  tls: [{ rejectUnauthorized: false }],
  disconnectTimeout: [1],
  retryStrategy: [null],
  blockingTimeout: [5],
  blockingTimeoutGrace: [6],
  socketTimeout: [7],
  keepAlive: [8],
  noDelay: [false],
  connectionName: ['n'],
  disableClientInfo: [true],
  clientInfoTag: ['tag'],
  username: ['u'],
  password: ['p'],
  db: [3],
  autoResubscribe: [false],
  autoResendUnfulfilledCommands: [false],
  reconnectOnError: [() => true],
  readOnly: [true],
  connectTimeout: [9],
  monitor: [true],
  maxRetriesPerRequest: [2],
  maxLoadingRetryTime: [3],
  enableOfflineQueue: [false],
  enableReadyCheck: [false],
  sentinels: [[{ host: 'x' }], { name: 'm' }],
  name: ['other', SENTINELS],
  role: ['slave', SENTINELS],
  sentinelUsername: ['u', SENTINELS],
  sentinelPassword: ['p', SENTINELS],
  sentinelTLS: [{}, SENTINELS],
  sentinelRetryStrategy: [() => 5, SENTINELS],
  sentinelReconnectStrategy: [null, SENTINELS],
  preferredSlaves: [[{ ip: 'h', port: '1' }], SENTINELS],
  sentinelCommandTimeout: [5, SENTINELS],
  enableTLSForSentinelMode: [true, { ...SENTINELS, tls: {} }],
  natMap: [{ 'h:1': { host: 'x', port: 2 } }, SENTINELS],
  updateSentinels: [false, SENTINELS],
  sentinelMaxConnections: [3, SENTINELS],
  failoverDetector: [true, SENTINELS],
};

/** Options that this side honours: what a client with them does on a real server. */
const BY_BEHAVIOUR: Record<string, () => Promise<unknown>> = {
  keyPrefix: async () => {
    await lookAlike({ keyPrefix: 'options:' }).set('k', '1');
    expect(await lookAlike({}).get('options:k')).toBe('1');
  },
  showFriendlyErrorStack: async () => {
    const error = (await lookAlike({ showFriendlyErrorStack: true })
      .call('nonsense')
      .catch((caught: unknown) => caught)) as Error;
    expect(error.stack).toContain('options.test');
  },
  commandTimeout: async () => {
    const client = lookAlike({ commandTimeout: 30 });
    await client.ping();
    await expect(client.blpop('options:nothing', 0)).rejects.toThrow('Command timed out');
  },
  stringNumbers: async () => {
    await lookAlike({}).del('options:n');
    expect(await lookAlike({ stringNumbers: true }).incr('options:n')).toBe('1');
  },
  enableAutoPipelining: async () => {
    const client = lookAlike({ enableAutoPipelining: true });
    const pong = client.get('options:k');
    expect(client.autoPipelineQueueSize).toBe(1);
    await pong;
  },
  autoPipeliningIgnoredCommands: async () => {
    const client = lookAlike({ enableAutoPipelining: true, autoPipeliningIgnoredCommands: ['get'] });
    const pong = client.get('options:k');
    expect(client.autoPipelineQueueSize).toBe(0);
    await pong;
  },
  lazyConnect: async () => {
    const client = lookAlike({ lazyConnect: true });
    expect(client.status).toBe('wait');
    await client.connect();
    expect(client.status).toBe('ready');
  },
  scripts: async () => {
    const client = lookAlike({ scripts: { echoed: { lua: 'return ARGV[1]', numberOfKeys: 0 } } }) as Redis & {
      echoed(text: string): Promise<string>;
    };
    expect(await client.echoed('x')).toBe('x');
  },
};

/** Options that are refused: a connector of JavaScript cannot serve a socket of Rust; the other two the peer declares and never reads. */
const REFUSED = ['Connector', 'offlineQueue', 'commandQueue'];

/** The option names in ioredis' own declarations. */
function peerOptions(): string[] {
  const built = join(dirname(require.resolve('ioredis/package.json')), 'built');
  const interfaces = [
    ['redis/RedisOptions', 'CommonRedisOptions'],
    ['connectors/SentinelConnector/index', 'SentinelConnectionOptions'],
    ['utils/Commander', 'CommanderOptions'],
  ] as const;
  const members = interfaces.flatMap(([file, name]) => {
    const [, body = ''] =
      new RegExp(`interface ${name} .*?\\{\n(.*?)\n\\}`, 's').exec(readFileSync(join(built, `${file}.d.ts`), 'utf8')) ?? [];
    // Members have four spaces before them; deeper ones belong to a value's own type.
    return [...body.matchAll(/^ {4}(\w+)\?: /gm)];
  });
  // TcpNetConnectOpts and IpcNetConnectOpts are Node's; the peer picks these.
  const standalone = ['port', 'host', 'family', 'path', 'tls', 'disconnectTimeout'];
  // oxlint-disable-next-line typescript/no-require-imports -- the peer is CommonJS, and its defaults have no export of their own
  const { DEFAULT_REDIS_OPTIONS } = require(join(built, 'redis', 'RedisOptions.js')) as { DEFAULT_REDIS_OPTIONS: object };
  return [...new Set([...members.map(([, name]) => name!), ...standalone, ...Object.keys(DEFAULT_REDIS_OPTIONS)])].toSorted();
}

const made: Redis[] = [];

function lookAlike(options: RedisOptions): Redis {
  const client = new Redis({ host: hostname, port: Number(port), ...options });
  client.on('error', () => {});
  made.push(client);
  return client;
}

afterAll(() => {
  for (const client of made) client.disconnect();
});

test('the table names every option of the peer, and none twice', () => {
  const ours = [...Object.keys(ON_THE_WIRE), ...Object.keys(BY_BEHAVIOUR), ...REFUSED];
  expect(ours.toSorted()).toEqual(peerOptions());
});

test.each(Object.entries(ON_THE_WIRE))('%s reaches the wire', (name, [value, given = {}]) => {
  const wire = (options: object): unknown => {
    const resolved = resolveOptions([options]);
    return JSON.parse(wireOptions(resolved, LOOK_ALIKE_PRESET, { sentinels: resolved.sentinels ?? [], watchLost: false }));
  };
  expect(wire({ ...given, [name]: value })).not.toEqual(wire(given));
});

test.each(Object.entries(BY_BEHAVIOUR))('%s is honoured', async (_name, behaves) => {
  expect.hasAssertions();
  await behaves();
});

test.each(REFUSED)('%s is refused by name', (name) => {
  const value = name === 'Connector' ? Redis : false;
  expect(() => new Redis({ lazyConnect: true, [name]: value })).toThrow(
    expect.objectContaining({ code: 'MOORING_INVALID_CONFIG', message: `option ${name} is not supported` }),
  );
});

describe('what the server sees', () => {
  test.each([
    [{}, 'ioredis', /^mooring-\d/],
    [{ clientInfoTag: 'shop' }, 'ioredis(shop)', /^mooring-\d/],
  ])('a look-alike with %j goes by the name %s, with our version', async (options, name, version) => {
    expect(await announced((at) => lookAlike({ ...options, ...at }))).toEqual([name, expect.stringMatching(version)]);
  });

  test('a managed client goes by ours', async () => {
    const client = (at: RedisOptions): Redis => {
      const managed = createRedisClient({ ...at, logger: QUIET });
      made.push(managed);
      return managed;
    };
    expect(await announced(client)).toEqual(['mooring', expect.stringMatching(/^\d/)]);
  });

  /** Name and version that a client gives in its handshake, as a server hears them that says OK to everything: those before 7.2 refuse them. */
  async function announced(open: (at: RedisOptions) => Redis): Promise<string[]> {
    let heard = '';
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (chunk: Buffer) => {
        heard += chunk.toString();
        socket.write('+OK\r\n'.repeat(chunk.toString().split('*').length - 1));
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = open({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
    await client.ping();
    client.disconnect();
    server.close();
    const words = heard.split('\r\n');
    return ['LIB-NAME', 'LIB-VER'].map((key) => words[words.indexOf(key) + 2] ?? '');
  }
});

describe('the deadline of a close', () => {
  test.each([[Number.NaN], [-1], ['x'], [null], [{}]])('%p is refused by name, and the client stays open', async (deadline) => {
    const client = createRedisClient({ url: redisUri(), logger: QUIET });
    const cluster = new Cluster([1], { lazyConnect: true });
    made.push(client);
    await client.connect();
    const refused = { code: 'MOORING_INVALID_ARGUMENT', details: { argument: 'deadlineMs' } };
    for (const close of [client.close(deadline as never), client.closeFamily(deadline as never), cluster.close(deadline as never)])
      await expect(close).rejects.toMatchObject(refused);
    expect(await client.ping()).toBe('PONG');
    cluster.disconnect();
  });
});

test.each([[1], ['x'], [{ a: 1 }], [{ a: { lua: 1 } }]])('scripts that are %j are refused by name', (scripts) => {
  const make = (): unknown => createRedisClient({ url: redisUri(), scripts: scripts as never });
  expect(make).toThrow(
    expect.objectContaining({ code: 'MOORING_INVALID_CONFIG', details: expect.objectContaining({ option: 'scripts' }) as object }),
  );
});

describe('a managed client', () => {
  test.each([
    [{}, 'safe'],
    [{ autoResendUnfulfilledCommands: false }, 'none'],
    [{ autoResendUnfulfilledCommands: true }, 'all'],
    [{ autoResendUnfulfilledCommands: true, resend: 'safe' as const }, 'safe'],
  ])('with %j sends again: %s', (options, resend) => {
    const client = createRedisClient({ url: redisUri(), logger: QUIET, ...options });
    made.push(client);
    expect(client.options.resend).toBe(resend);
  });

  test.each([
    [{ natMap: {} }, 'natMap'],
    [{ failoverDetector: true }, 'failoverDetector'],
    [{ ...SENTINELS, host: 'h' }, 'host'],
    [{ ...SENTINELS, url: 'redis://h' }, 'url'],
    [{ ...SENTINELS, tls: {} }, 'enableTLSForSentinelMode'],
    [{ sentinelz: [] }, 'sentinelz'],
  ])('%j is refused: it would do nothing, or say two things', (options, name) => {
    const failure = (): unknown => createRedisClient({ logger: QUIET, ...options });
    expect(failure).toThrow(
      expect.objectContaining({ code: 'MOORING_INVALID_CONFIG', details: expect.objectContaining({ argument: name }) as object }),
    );
  });
});
