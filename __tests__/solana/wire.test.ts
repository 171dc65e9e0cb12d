/** @module __tests__/solana/wire: how endpoints are reached. Compressed replies, TLS, proxies, the life of sockets. */
import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Keypair } from '@solana/web3.js';
import { ConnectionPool, type ConnectionPoolOptions, openThings } from '../../dist/index.js';
import { failure } from '../support/failure';
import { connectProxy, socksProxy, type TestProxy } from '../support/proxy';
import { http, RawServer, reply } from '../support/raw-server';
import { RpcService } from '../support/solana';

const key = Keypair.generate().publicKey;
const other = (): ReturnType<typeof key.toBase58> => Keypair.generate().publicKey.toBase58();
const quiet = { warn: () => {}, error: () => {} };
const cleanup: (() => Promise<unknown>)[] = [];
let plain: RpcService;
let secure: RpcService;

/** Idle while the other tests run. */
let idle: { server: RawServer; pool: ConnectionPool; since: number };

beforeAll(async () => {
  [plain, secure] = await Promise.all([RpcService.start(2), RpcService.start(1, 400, 0, true)]);
  const server = await RawServer.start((request, socket) => socket.write(http(reply(request, { context: { slot: 1 }, value: 7 }))));
  const pool = new ConnectionPool({ endpoints: [server.url] });
  await pool.getBalance(key);
  await pool.getBalance(other());
  idle = { server, pool, since: performance.now() };
});
afterEach(async () => {
  await Promise.all(cleanup.splice(0).map((end) => end()));
  await Promise.all([plain.reset(), secure.reset()]);
});
afterAll(async () => {
  await idle.pool.close();
  await Promise.all([plain.stop(), secure.stop(), idle.server.stop()]);
});

const open = (options: ConnectionPoolOptions): ConnectionPool => {
  const pool = new ConnectionPool({ maxRequestsPerSecond: 10_000, logger: quiet, ...options });
  cleanup.push(() => pool.close());
  return pool;
};
const raw = async (answer: Parameters<typeof RawServer.start>[0]): Promise<RawServer> => {
  const server = await RawServer.start(answer);
  cleanup.push(() => server.stop());
  return server;
};

describe('compressed replies', () => {
  const heavy = (pool: ConnectionPool): Promise<unknown> => pool.request('getSignaturesForAddress', [other()]);

  it('are asked for by heavy reads and decoded, whoever asked', async () => {
    const pool = plain.pool({ endpoints: [plain.urls[0] as string] });
    await plain.fault(0, { kind: 'gzip' });
    expect(await heavy(pool)).toEqual([]);
    expect(await pool.getBalance(key)).toBe(0);
    const faults = (): Promise<unknown> => plain.hits().then(([hits]) => (hits as unknown as { faults: unknown }).faults);
    expect(await faults()).toEqual({ gzip: 1 });
    await plain.fault(0, { kind: 'gzip', force: true });
    expect(await pool.getBalance(other())).toBe(0);
    expect(await faults()).toEqual({ gzip: 2 });
  });

  it.each([
    ['cut', { kind: 'truncate' }],
    ['cut cleanly', { kind: 'truncate', clean: true }],
  ])('that are %s count as cut: the read goes elsewhere', async (_name, fault) => {
    await plain.fault('all', { kind: 'gzip', force: true });
    await plain.fault(0, fault);
    const [cutting, whole] = plain.urls as [string, string];
    const pool = plain.pool({ endpoints: [cutting, { url: whole, tier: 1 }] });
    for (let round = 0; round < 10; round++) expect(await heavy(pool)).toEqual([]);
    expect(pool.getPoolStats().endpoints[0]?.failures).toBeGreaterThan(0);
    expect(pool.getPoolStats().endpoints[1]?.failures).toBe(0);
  });

  it('that never end stop at the bound, without holding others up', async () => {
    // Seventeen members of 16 MiB: 272 KiB on the wire, 272 MiB decoded.
    const bomb = Buffer.concat(new Array<Buffer>(17).fill(gzipSync(Buffer.alloc(16 << 20))));
    const server = await raw((request, socket) => {
      const body = request.method === 'getBlock' ? bomb : gzipSync(reply(request, { context: { slot: 1 }, value: 7 }));
      socket.write(http(body, { headers: { 'content-encoding': 'gzip' } }));
    });
    const pool = open({ endpoints: [server.url], readAttempts: 1 });
    const bombed = failure(pool.request('getBlock', [1]));
    for (let round = 0; round < 20; round++) expect(await pool.getBalance(other())).toBe(7);
    expect(await bombed).toMatchObject({ code: 'MOORING_PROTOCOL', message: expect.stringContaining('too large') as unknown });
  });
});

describe('tls', () => {
  const pem = (name: 'ca' | 'clientCert' | 'clientKey' | 'serverCert'): Buffer =>
    readFileSync((secure.certificates as Record<string, string>)[name] as string);

  it('trusts the authority given, as buffer or text, for the pool or one endpoint', async () => {
    const [url] = secure.urls as [string];
    const ca = pem('ca');
    expect(await open({ endpoints: [url], tls: { ca } }).getBalance(key)).toBe(0);
    expect(await open({ endpoints: [{ url, tls: { ca: [String(ca)] } }] }).getBalance(key)).toBe(0);
    const later = open({ endpoints: [] });
    later.addEndpoint({ url, tls: { ca } });
    expect(await later.getBalance(key)).toBe(0);
  });

  it('refuses a server it cannot verify, and says why', async () => {
    const [url] = secure.urls as [string];
    const error = await failure(open({ endpoints: [url] }).getBalance(key));
    expect(error).toMatchObject({ code: 'MOORING_NO_HEALTHY_ENDPOINT', details: { maybeExecuted: false } });
    expect(error.message).toContain('UnknownIssuer');
    const named = await failure(open({ endpoints: [url], tls: { ca: pem('ca'), servername: 'other.example' } }).getBalance(key));
    expect(named.message).toContain('not valid for name "other.example"');
    expect(await secure.count('getBalance')).toBe(0);
  });

  it('sends and verifies another name, and verifies nothing when told so', async () => {
    const [url] = secure.urls as [string];
    expect(await open({ endpoints: [url], tls: { ca: pem('ca'), servername: 'localhost' } }).getBalance(key)).toBe(0);
    const [hits] = (await secure.hits()) as unknown as { serverName: string }[];
    expect(hits?.serverName).toBe('localhost');
    expect(await open({ endpoints: [url], tls: { rejectUnauthorized: false } }).getBalance(key)).toBe(0);
  });

  it('shows its own certificate', async () => {
    const [url] = secure.urls as [string];
    const tls = { ca: pem('ca'), cert: pem('clientCert'), key: String(pem('clientKey')) };
    expect(await open({ endpoints: [url], tls }).getBalance(key)).toBe(0);
    const [hits] = (await secure.hits()) as unknown as { clientCertificates?: number }[];
    expect(hits?.clientCertificates).toBe(1);
  });

  it('is checked before anything is opened', () => {
    const before = openThings().length;
    const [cert, clientKey] = [String(pem('clientCert')), String(pem('clientKey'))];
    for (const [tls, option] of [
      [{ ca: 'S3CR3T' }, 'tls.ca'],
      [{ ca: Buffer.alloc(10) }, 'tls.ca'],
      [{ cert }, 'tls.key'],
      [{ cert, key: 'S3CR3T' }, 'tls.key'],
      [{ cert: String(pem('serverCert')), key: clientKey }, 'tls.key'],
      [{ servername: 'no host' }, 'tls.servername'],
      [{ rejectUnauthorized: 'no' }, 'tls.rejectUnauthorized'],
      [{ passphrase: 'S3CR3T' }, 'tls.passphrase'],
      [{ host: 'h' }, 'tls.host'],
      ['S3CR3T', 'tls'],
    ] as [never, string][]) {
      for (const [prefix, options] of [
        ['', { endpoints: [], tls }],
        ['endpoints.', { endpoints: [{ url: 'https://h', tls }] }],
      ] as const) {
        let thrown: unknown;
        try {
          open(options);
        } catch (error) {
          thrown = error;
        }
        expect(thrown).toMatchObject({ code: 'MOORING_INVALID_CONFIG', details: { option: prefix + option } });
        expect(inspect(thrown, { depth: 9 })).not.toMatch(/S3CR3T|BEGIN/);
      }
    }
    expect(openThings()).toHaveLength(before);
  });
});

describe('proxies', () => {
  const credentials = { user: 'us:er', password: 'S3CR3T/@' };
  const login = `${encodeURIComponent(credentials.user)}:${encodeURIComponent(credentials.password)}`;
  const kept = async (proxy: Promise<TestProxy>): Promise<TestProxy> => {
    const made = await proxy;
    cleanup.push(() => made.stop());
    return made;
  };
  const host = (url: string | undefined): string => new URL(url as string).host;

  it.each<[string, (proxy: TestProxy) => string, (wanted?: typeof credentials) => Promise<TestProxy>]>([
    ['HTTP', ({ host: at }) => `http://${at}`, connectProxy],
    ['SOCKS 5', ({ host: at }) => `socks5://${at}`, socksProxy],
    ['SOCKS 5 with names', ({ host: at }) => `socks5h://${at}`, socksProxy],
  ])('%s: leads to http and https endpoints', async (_name, url, start) => {
    const proxy = await kept(start());
    const ca = readFileSync(secure.certificates?.ca as string);
    const pool = open({ endpoints: [plain.urls[0] as string], proxy: url(proxy) });
    expect(await pool.getBalance(key)).toBe(0);
    expect(await open({ endpoints: [secure.urls[0] as string], proxy: url(proxy), tls: { ca } }).getBalance(key)).toBe(0);
    expect(proxy.targets).toEqual([host(plain.urls[0]), host(secure.urls[0])]);
    await Promise.all(Array.from({ length: 10 }, () => pool.getBalance(other())));
    expect(proxy.targets.length).toBeLessThanOrEqual(11);
  });

  it.each<[string, string, (wanted?: typeof credentials) => Promise<TestProxy>]>([
    ['HTTP', 'http', connectProxy],
    ['SOCKS 5', 'socks5h', socksProxy],
  ])('%s: gives user and password, and keeps them to itself when they are refused', async (_name, scheme, start) => {
    const endpoints = [plain.urls[0] as string];
    const proxy = await kept(start(credentials));
    expect(await open({ endpoints, proxy: `${scheme}://${login}@${proxy.host}` }).getBalance(key)).toBe(0);
    const wrong = await failure(open({ endpoints, proxy: `${scheme}://us%3Aer:S3CR3T@${proxy.host}` }).getBalance(key));
    expect(wrong).toMatchObject({ code: 'MOORING_NO_HEALTHY_ENDPOINT', details: { maybeExecuted: false } });
    expect(inspect(wrong, { depth: 9 })).not.toContain('S3CR3T');
    expect(proxy.targets).toHaveLength(1);
  });

  it('lead to websockets too, plain and over TLS', async () => {
    const proxy = await kept(connectProxy());
    const ca = readFileSync(secure.certificates?.ca as string);
    const urls = [plain.urls[0] as string, secure.urls[0] as string];
    for (const url of urls) {
      const slots = open({ endpoints: [url], proxy: `http://${proxy.host}`, tls: { ca } }).subscribe('slot');
      expect((await slots[Symbol.asyncIterator]().next()).value).toMatchObject({ slot: expect.any(Number) as unknown });
    }
    const next = (url: string): string => `127.0.0.1:${Number(new URL(url).port) + 1}`;
    expect(proxy.targets).toEqual(urls.map(next));
  });

  it('are read from the environment only when the option says so, and one endpoint may go without', async () => {
    const proxy = await kept(connectProxy());
    const names = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY', 'no_proxy', 'NO_PROXY'];
    const saved = names.map((name) => [name, process.env[name]] as const);
    for (const name of names) delete process.env[name];
    process.env['HTTP_PROXY'] = `http://${proxy.host}`;
    const endpoints = [plain.urls[0] as string];
    expect(await open({ endpoints }).getBalance(key)).toBe(0);
    expect(proxy.targets).toHaveLength(0);
    expect(await open({ endpoints, proxy: 'env' }).getBalance(key)).toBe(0);
    expect(proxy.targets).toHaveLength(1);
    expect(await open({ endpoints: [{ url: plain.urls[0] as string, proxy: false }], proxy: 'env' }).getBalance(key)).toBe(0);
    process.env['NO_PROXY'] = '127.0.0.0/8';
    expect(await open({ endpoints, proxy: 'env' }).getBalance(key)).toBe(0);
    expect(proxy.targets).toHaveLength(1);
    process.env['HTTP_PROXY'] = 'ftp://S3CR3T';
    expect(() => open({ endpoints, proxy: 'env' })).toThrow(/^proxy must be/);
    for (const [name, value] of saved) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });

  it('that are gone count as a failed connection: the read goes elsewhere', async () => {
    const [first, second] = plain.urls as [string, string];
    const pool = open({ endpoints: [{ url: first, proxy: 'http://127.0.0.1:1' }, second] });
    await Promise.all(Array.from({ length: 20 }, () => pool.getBalance(other())));
    expect(pool.getPoolStats().endpoints[0]?.requests).toBe(pool.getPoolStats().endpoints[0]?.failures);
  });

  it('may differ by scheme and host', async () => {
    const proxy = await kept(connectProxy());
    const endpoints = [plain.urls[0] as string];
    expect(await open({ endpoints, proxy: { https: `http://${proxy.host}` } }).getBalance(key)).toBe(0);
    expect(await open({ endpoints, proxy: { all: `http://${proxy.host}`, no: 'x.example, 127.0.0.1' } }).getBalance(key)).toBe(0);
    expect(proxy.targets).toHaveLength(0);
    expect(await open({ endpoints, proxy: { http: proxy.host, no: 'x.example' } }).getBalance(key)).toBe(0);
    expect(proxy.targets).toHaveLength(1);
  });

  it.each(['https://h', 'ftp://S3CR3T', 'socks4://h', 'http://', 5, true, { ftp: 'h' }, ['http://h']])(
    'refuses %p before anything is opened',
    (proxy) => {
      const options = { endpoints: [], proxy } as unknown as ConnectionPoolOptions;
      const details = expect.objectContaining({ option: 'proxy' }) as unknown;
      expect(() => open(options)).toThrow(expect.objectContaining({ code: 'MOORING_INVALID_CONFIG', details }));
    },
  );
});

describe('sockets', () => {
  it('are no more than asked for, and serve one request after another', async () => {
    await plain.fault('all', { kind: 'delay', ms: 5 });
    const pool = open({ endpoints: [plain.urls[0] as string], maxSocketsPerEndpoint: 3 });
    await Promise.all(Array.from({ length: 60 }, () => pool.getBalance(other())));
    const [hits] = (await plain.hits()) as unknown as { maxInFlight: number; connections: number }[];
    expect(hits?.maxInFlight).toBe(3);
    expect(hits?.connections).toBeLessThanOrEqual(6);
  });

  it('that the server has closed meanwhile cost no call', async () => {
    await plain.fault(0, { kind: 'idleClose', ms: 50 });
    const pool = open({ endpoints: [plain.urls[0] as string], readAttempts: 1 });
    for (let round = 0; round < 8; round++) {
      expect(await pool.getBalance(other())).toBe(0);
      // Around the moment at which the server closes.
      await new Promise((resolve) => setTimeout(resolve, 40 + round * 4));
    }
    expect(pool.getPoolStats().endpoints[0]).toMatchObject({ requests: 8, failures: 0 });
  });

  it('are not used again after 15 s', async () => {
    await new Promise((resolve) => setTimeout(resolve, idle.since + 15_300 - performance.now()));
    expect(idle.server.connections).toBe(1);
    await idle.pool.getBalance(other());
    expect(idle.server.connections).toBe(2);
  });
});
