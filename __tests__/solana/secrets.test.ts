/**
 * @module __tests__/solana/secrets
 *
 * Keys in path, query, user info, headers and proxy URLs, under every failure, and with servers that quote them: none shows in errors, log lines, statistics,
 * listings or inspections.
 */
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { Keypair } from '@solana/web3.js';
import { ConnectionPool, type ConnectionPoolOptions, type EndpointOptions, openThings } from '../../dist/index.js';
import { createPoolTransport } from '../../dist/solana/kit.js';
import { connectProxy } from '../support/proxy';
import { type Answer, http, RawServer } from '../support/raw-server';
import { RpcService } from '../support/solana';

/** Every planted text holds this, and so do its encodings in base64 and percent-encoding that are looked for below. */
const SENTINEL = 'S3CR3T';
const PLANTED = ['path', 'query', 'user', 'password', 'bearer', 'token', 'proxy-user', 'proxy-password'].map(
  (name) => `${SENTINEL}-${name}/x`,
);
const [path, query, user, password, bearer, token, proxyUser, proxyPassword] = PLANTED as [
  string,
  string,
  string,
  string,
  string,
  string,
  string,
  string,
];
const enc = encodeURIComponent;
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const FORBIDDEN = [SENTINEL, base64(`${user}:${password}`), base64(`${proxyUser}:${proxyPassword}`), ...PLANTED.map(base64)];
const PROXY_LOGIN = `${enc(proxyUser)}:${enc(proxyPassword)}`;
const key = (): string => Keypair.generate().publicKey.toBase58();

/** A signed transaction, as far as the pool reads it. */
const transaction = new Uint8Array([1, ...new Array<number>(64).fill(7), 1, 0, 0, 1, ...new Array<number>(70).fill(9)]);

let rpc: RpcService;
const cleanup: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  rpc = await RpcService.start(1);
});
afterEach(async () => {
  await Promise.all(cleanup.splice(0).map((end) => end()));
  await rpc.reset();
});
afterAll(() => rpc.stop());

/** An endpoint with a key in every place that one can be. */
const planted = (base: string): EndpointOptions => {
  const { protocol, host } = new URL(base);
  return {
    url: `${protocol}//${enc(user)}:${enc(password)}@${host}/v1/${enc(path)}?api-key=${enc(query)}`,
    headers: { 'x-token': token, 'x-auth': `Bearer ${bearer}` },
  };
};

/** Everything that can be read off a value. */
function everythingOf(value: unknown, depth = 0): string {
  const parts = [
    String(value),
    inspect(value, { depth: 12, showHidden: true, getters: true, maxStringLength: null, maxArrayLength: null }),
  ];
  if (typeof value === 'object' && value !== null) {
    parts.push(JSON.stringify(value) ?? '', JSON.stringify(value, Object.getOwnPropertyNames(value)) ?? '');
    const { stack, message, cause } = value as Partial<Error>;
    parts.push(String(stack), String(message));
    if (cause !== undefined && depth < 10) parts.push(everythingOf(cause, depth + 1));
  }
  return parts.join('\n');
}

/** Calls of every kind on a pool that cannot answer them, and all that was seen: errors, log lines, statistics, listings. */
async function drive(options: ConnectionPoolOptions): Promise<{ text: string; failures: number }> {
  const seen: unknown[] = [];
  const log = (...line: unknown[]): unknown => seen.push(line);
  const pool = new ConnectionPool({
    deadlineMs: 150,
    maxRequestsPerSecond: 10_000,
    maxTransactionsPerSecond: 10_000,
    logger: { info: log, warn: log, error: log },
    ...options,
  });
  const deadline = { deadlineMs: 150 };
  const transport = createPoolTransport(pool);
  const calls: Promise<unknown>[] = [
    pool.getBalance(key()),
    pool.getBatchBalances([key(), key()]),
    pool.getAccountInfo(key()),
    pool.getSignatureStatuses(['5'.repeat(88)]),
    pool.request('getProgramAccounts', [key()]),
    pool.request('someVendorMethod', [{ a: 1 }]),
    pool.sendRawTransaction(transaction),
    pool.sendAndConfirm(transaction, deadline),
    pool.confirm('5'.repeat(88), deadline),
    pool.respond(
      JSON.stringify([
        { id: 'a', method: 'getSlot' },
        { id: 'b', method: 'getBalance', params: [key()] },
      ]),
    ),
    pool.fetch('http://ignored', { body: JSON.stringify({ id: 'c', method: 'getSlot' }) }).then(async (response) => {
      throw new Error(await response.text());
    }),
    pool.getConnection().getBalance(Keypair.generate().publicKey),
    pool.getConnection().sendRawTransaction(transaction),
    pool.executeWithRetry((connection) => connection.getSlot(), 2),
    transport({ payload: { id: 1, jsonrpc: '2.0', method: 'getSlot', params: [] } }).then((response) => {
      throw new Error(JSON.stringify(response));
    }),
  ];
  const settled = await Promise.allSettled(calls);
  seen.push(pool, inspect(pool, { depth: 12, showHidden: true }), pool.getPoolStats(), openThings());
  await pool.close();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const failed = settled.filter((one) => one.status === 'rejected');
  seen.push(...failed.map(({ reason }) => reason as unknown), openThings());
  return { text: seen.map((one) => everythingOf(one)).join('\n'), failures: failed.length };
}

const expectNone = (text: string): void => {
  for (const secret of FORBIDDEN) {
    const at = text.indexOf(secret);
    expect(at < 0 ? undefined : text.slice(Math.max(0, at - 200), at + 100)).toBeUndefined();
  }
};

it.each<[string, object]>([
  ['status 401', { kind: 'status', status: 401, body: 'html' }],
  ['status 404', { kind: 'status', status: 404 }],
  ['status 429', { kind: 'status', status: 429, retryAfter: 1 }],
  ['status 503', { kind: 'status', status: 503, body: 'html' }],
  ['envelope', { kind: 'envelope', code: -32005, data: { numSlotsBehind: 7 } }],
  ['reset', { kind: 'reset' }],
  ['hang', { kind: 'hang' }],
  ['drip', { kind: 'drip', ms: 100, bytes: 1 }],
  ['truncate', { kind: 'truncate' }],
  ['truncate cleanly', { kind: 'truncate', clean: true }],
  ['wrongId', { kind: 'wrongId' }],
  ['refuse', { kind: 'refuse' }],
])('a node with the fault %s', async (_name, fault) => {
  await rpc.fault('all', fault);
  const { text, failures } = await drive({ endpoints: [planted(rpc.urls[0] as string)] });
  expect(failures).toBeGreaterThan(8);
  expectNone(text);
});

it.each<[string, ConnectionPoolOptions]>([
  ['nobody listens', { endpoints: [planted('http://127.0.0.1:1')] }],
  ['nobody has the name', { endpoints: [planted('http://nobody.invalid')] }],
  ['nobody speaks TLS', { endpoints: [] }],
  ['no proxy listens', { endpoints: [planted('http://127.0.0.1:1')], proxy: `http://${PROXY_LOGIN}@127.0.0.1:1` }],
  ['no SOCKS proxy listens', { endpoints: [planted('https://h.invalid')], proxy: `socks5://${PROXY_LOGIN}@127.0.0.1:1` }],
])('where %s', async (name, options) => {
  const tls = name.endsWith('TLS') ? { endpoints: [planted((rpc.urls[0] as string).replace('http:', 'https:'))] } : {};
  const { text, failures } = await drive({ ...options, ...tls });
  expect(failures).toBeGreaterThan(8);
  expectNone(text);
});

it('a proxy that wants another password', async () => {
  const proxy = await connectProxy({ user: 'x', password: 'y' });
  cleanup.push(() => proxy.stop());
  const { text, failures } = await drive({ endpoints: [planted(rpc.urls[0] as string)], proxy: `http://${PROXY_LOGIN}@${proxy.host}` });
  expect(failures).toBeGreaterThan(8);
  expectNone(text);
});

/** What a server may say about a request: its head as it came, decoded, and the parts of it. */
const quotes = (head: string): string[] => {
  const lines = head.split('\r\n');
  const login = /authorization: Basic (\S+)/i.exec(head)?.[1] ?? '';
  return [head, decodeURIComponent(lines[0] as string), ...lines, Buffer.from(login, 'base64').toString(), ...PLANTED.slice(0, 6)];
};

it.each<[string, (head: string, id: number) => string | Buffer]>([
  ['a page', (head) => http(`<html>${quotes(head).join()}</html>`)],
  ['an error page', (head) => http(`<html>${quotes(head).join()}</html>`, { status: 500 })],
  ['a message', (head, id) => http(JSON.stringify({ id, error: { code: -32602, message: quotes(head).join(' ') } }))],
  ['a message that may be repeated', (head, id) => http(JSON.stringify({ id, error: { code: -32603, message: quotes(head).join(' ') } }))],
  [
    'a message beside a status',
    (head, id) => http(JSON.stringify({ id, error: { code: -32602, message: quotes(head).join(' ') } }), { status: 400 }),
  ],
  ['data', (head, id) => http(JSON.stringify({ id, error: { code: -32602, message: 'no', data: { [head]: quotes(head) } } }))],
  [
    'slashes quoted',
    (head, id) => http(JSON.stringify({ id, error: { code: -32602, message: quotes(head).join(' ') } }).replaceAll('/', '\\/')),
  ],
  ['logs', (head, id) => http(JSON.stringify({ id, error: { code: -32002, message: 'failed', data: { err: 'x', logs: quotes(head) } } }))],
  ['a foreign id', (head) => http(JSON.stringify({ id: quotes(head).join(), result: 1 }))],
  ['a reason phrase', (head) => `HTTP/1.1 502 ${decodeURIComponent(head.split('\r\n')[0] as string)}\r\ncontent-length: 0\r\n\r\n`],
  ['a redirect', (head) => http('', { status: 302, headers: { location: `http://h${head.split(' ')[1]}` } })],
  ['headers', (head) => http('{}', { status: 503, headers: { 'retry-after': head.split(' ')[1] as string, 'content-encoding': token } })],
  ['no HTTP', (head) => `${head}\r\n\r\n`],
  ['a broken chunk', (head) => `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${head}`],
])('a server that quotes the request in %s', async (_name, answer) => {
  const quoted: string[] = [];
  const echo: Answer = ({ head, id }, socket) => {
    const bytes = answer(head, id);
    quoted.push(bytes.toString());
    socket.write(bytes);
  };
  const server = await RawServer.start(echo);
  cleanup.push(() => server.stop());
  const { text, failures } = await drive({ endpoints: [planted(server.url)] });
  expect(quoted.join()).toMatch(SENTINEL);
  expect(failures).toBeGreaterThan(8);
  expectNone(text);
});

it('options that are refused', async () => {
  const good = planted('http://127.0.0.1:1');
  const wrong: unknown[] = [
    { endpoints: [SENTINEL] },
    { endpoints: [{ ...good, url: good.url.replace('http', 'ftp') }] },
    { endpoints: [{ ...good, url: `${good.url} ${SENTINEL}` }] },
    { endpoints: [{ ...good, url: 5, x: SENTINEL }] },
    { endpoints: [{ ...good, headers: { a: `${SENTINEL}\n` } }] },
    { endpoints: [{ ...good, headers: { [`${SENTINEL} x`]: 'a' } }] },
    { endpoints: [{ ...good, headers: SENTINEL }] },
    { endpoints: [{ ...good, weight: -1 }] },
    { endpoints: good.url },
    { endpoints: [good], proxy: `ftp://${PROXY_LOGIN}@h` },
    { endpoints: [good], proxy: `http://${SENTINEL} ${PROXY_LOGIN}@h` },
    { endpoints: [good], proxy: { http: `ftp://${PROXY_LOGIN}@h` } },
    { endpoints: [good], tls: { key: SENTINEL } },
    { endpoints: [good], tls: { cert: SENTINEL, key: SENTINEL } },
    { endpoints: [good], tls: { ca: SENTINEL } },
    { endpoints: [good], commitment: SENTINEL },
  ];
  const pool = new ConnectionPool({ endpoints: [] });
  cleanup.push(() => pool.close());
  const seen: string[] = [];
  for (const options of wrong) {
    const { endpoints } = options as { endpoints: readonly string[] };
    const attempts = [() => new ConnectionPool(options as ConnectionPoolOptions), () => pool.addEndpoint(endpoints[0] as string)];
    for (const attempt of attempts.slice(0, Array.isArray(endpoints) && endpoints[0] !== (good as unknown) ? 2 : 1)) {
      let thrown: unknown;
      try {
        attempt();
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toMatchObject({ code: 'MOORING_INVALID_CONFIG' });
      seen.push(everythingOf(thrown));
    }
  }
  expectNone(seen.join('\n'));
});
