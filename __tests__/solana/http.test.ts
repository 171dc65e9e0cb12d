/** @module __tests__/solana/http: what servers and what stands before them answer besides JSON. Statuses, pages, framings, old versions. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { Keypair } from '@solana/web3.js';
import { ConnectionPool, type ConnectionPoolOptions } from '../../dist/index.js';
import { failure } from '../support/failure';
import { type Answer, http, type RawRequest, RawServer, reply } from '../support/raw-server';

const key = (): string => Keypair.generate().publicKey.toBase58();
const cleanup: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(cleanup.splice(0).map((end) => end()));
});

const server = async (answer: Answer): Promise<RawServer> => {
  const made = await RawServer.start(answer);
  cleanup.push(() => made.stop());
  return made;
};
const open = (servers: RawServer[], options: ConnectionPoolOptions = {}): ConnectionPool => {
  const logger = { warn: () => {}, error: () => {} };
  const pool = new ConnectionPool({ endpoints: servers.map(({ url }) => url), maxRequestsPerSecond: 10_000, logger, ...options });
  cleanup.push(() => pool.close());
  return pool;
};
const seven = (request: RawRequest): string => reply(request, { context: { slot: 1 }, value: 7 });
const good: Answer = (request, socket) => socket.write(http(seven(request)));
const always =
  (bytes: (request: RawRequest) => string | Buffer): Answer =>
  (request, socket) =>
    socket.write(bytes(request));
const count = (made: RawServer, method: string): number => made.requests.filter((request) => request.method === method).length;

describe('framings', () => {
  const chunks = (text: string): string => text.replaceAll(/[^]/g, '1\r\n$&\r\n') + '0\r\nx-trailer: 1\r\n\r\n';
  it.each<[string, Answer, boolean]>([
    ['chunks with a trailer', always((r) => `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${chunks(seven(r))}`), true],
    ['HTTP/1.0 that ends with the connection', (r, s) => s.end(`HTTP/1.0 200 OK\r\n\r\n${seven(r)}`), false],
    ['HTTP/1.1 without a length', (r, s) => s.end(`HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${seven(r)}`), false],
    ['connection: close with a length', (r, s) => s.end(http(seven(r), { headers: { connection: 'close' } })), false],
    ['an informational answer first', always((r) => `HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n${String(http(seven(r)))}`), true],
    [
      'no reason phrase, 201, other type',
      always((r) => Buffer.from(String(http(seven(r), { headers: { 'content-type': 'text/plain' } })).replace('200 X', '201'))),
      true,
    ],
  ])('%s: are understood', async (_name, answer, keeps) => {
    const made = await server(answer);
    const pool = open([made], { readAttempts: 1 });
    for (let round = 0; round < 5; round++) expect(await pool.getBalance(key())).toBe(7);
    expect(made.connections).toBe(keeps ? 1 : 5);
    expect(pool.getPoolStats().endpoints[0]?.failures).toBe(0);
  });

  it.each<[string, Answer, string]>([
    ['chunks that break off', (_r, s) => s.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"js'), 'MOORING_DISCONNECTED'],
    ['a chunk size that is none', always(() => 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'), 'MOORING_DISCONNECTED'],
    ['HTTP/1.0 cut by the end of the connection', (r, s) => s.end(`HTTP/1.0 200 OK\r\n\r\n${seven(r).slice(0, -3)}`), 'MOORING_PROTOCOL'],
    ['two lengths', always((r) => `HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 9\r\n\r\n${seven(r)}`), 'MOORING_DISCONNECTED'],
    ['no HTTP', always(() => 'SSH-2.0-OpenSSH\r\n\r\n'), 'MOORING_DISCONNECTED'],
    ['a head without end', always(() => `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(600_000)}`), 'MOORING_DISCONNECTED'],
    ['a page with status 200', always(() => http('<html>ok</html>', { headers: { 'content-type': 'text/html' } })), 'MOORING_PROTOCOL'],
    ['nothing with status 200', always(() => http('')), 'MOORING_PROTOCOL'],
    ['status 204', always(() => 'HTTP/1.1 204 No Content\r\n\r\n'), 'MOORING_PROTOCOL'],
  ])('%s: the read goes elsewhere, and alone it is a typed error', async (_name, answer, code) => {
    const bad = await server(answer);
    const pool = open([bad, await server(good)]);
    await Promise.all(Array.from({ length: 10 }, async () => expect(await pool.getBalance(key())).toBe(7)));
    expect(await failure(open([bad], { readAttempts: 1 }).getBalance(key()))).toMatchObject({ code });
  });

  it('bytes that nobody asked for do not become an answer', async () => {
    // The second answer on the wire belongs to no request: the socket is given up, or the answer has a foreign id.
    const made = await server((request, socket) =>
      socket.write(Buffer.concat([http(seven(request)), http(reply({ ...request, id: request.id + 1 }, { value: 666 }))])),
    );
    const pool = open([made]);
    for (let round = 0; round < 20; round++) expect(await pool.getBalance(key())).toBe(7);
  });
});

describe('statuses', () => {
  it.each([301, 302, 303, 307, 308])('%i: is not followed, and takes the endpoint out', async (status) => {
    const target = await server(good);
    const away = await server(always(() => http('', { status, headers: { location: target.url } })));
    const error = await failure(open([away], { readAttempts: 2 }).getBalance(key()));
    expect(error).toMatchObject({ code: 'MOORING_SERVER_ERROR', details: { httpStatus: status } });
    expect(target.requests).toEqual([]);
    const pool = open([away, await server(good)]);
    for (let round = 0; round < 5; round++) expect(await pool.getBalance(key())).toBe(7);
    expect(pool.getPoolStats().endpoints[0]?.requests).toBeLessThanOrEqual(1);
  });

  it.each<[string, () => string, number, [number, number] | undefined]>([
    ['seconds', () => '1', 950, [1000, 1000]],
    ['a date', () => new Date(Date.now() + 2500).toUTCString(), 1000, [1000, 2500]],
    ['a date that has passed', () => new Date(Date.now() - 9000).toUTCString(), 0, [0, 0]],
    ['a fraction, which is none', () => '1.5', 300, undefined],
    ['nonsense', () => 'soon', 300, undefined],
    ['more than is believed', () => '86400', 1000, [30_000, 30_000]],
  ])('429 with %s: is left alone for that long', async (_name, after, pauseMs, told) => {
    const limited = await server(always(() => http('{}', { status: 429, headers: { 'retry-after': after() } })));
    const error = await failure(open([limited], { readAttempts: 1 }).getBalance(key()));
    expect(error).toMatchObject({ code: 'MOORING_RATE_LIMITED', details: { httpStatus: 429 } });
    const { retryAfterMs } = error.details as { retryAfterMs?: number };
    const [least, most] = told ?? [-1, -1];
    expect(retryAfterMs ?? -1).toBeGreaterThanOrEqual(least);
    expect(retryAfterMs ?? -1).toBeLessThanOrEqual(most);
    const pool = open([limited, await server(good)]);
    const begun = performance.now();
    // Both are asked at once; then the limited one is left alone.
    await Promise.all(Array.from({ length: 20 }, () => pool.getBalance(key())));
    const before = limited.requests.length;
    while (performance.now() - begun < Math.min(pauseMs, 400) - 50) {
      await pool.getBalance(key());
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    // Without a time it is asked at half the rate, and at half of that again.
    expect(limited.requests.length - before).toBeLessThanOrEqual(told === undefined ? 3 : 0);
  });

  it.each([400, 405, 413, 415, 422])('%i: final, unless a JSON-RPC error in the body says more', async (status) => {
    const page = await server(always(() => http('<html>', { status })));
    expect(await failure(open([page, page]).getBalance(key()))).toMatchObject({ details: { httpStatus: status } });
    expect(count(page, 'getBalance')).toBe(1);
    const told = await server(always((r) => http(JSON.stringify({ id: r.id, error: { code: -32602, message: 'told you' } }), { status })));
    await expect(open([told, told]).getBalance(key())).rejects.toMatchObject({
      code: -32602,
      message: expect.stringContaining('told you') as unknown,
    });
    const foreign = await server(
      always((r) => http(JSON.stringify({ id: r.id + 1, error: { code: -32602, message: 'not yours' } }), { status })),
    );
    expect(await failure(open([foreign]).getBalance(key()))).toMatchObject({ details: { httpStatus: status } });
  });

  it.each([401, 402, 403, 404, 408, 410, 500, 502, 503, 504, 522])('%i: with any body, goes elsewhere', async (status) => {
    for (const body of ['', '<html>', '{"error":{"code":-32602,"message":"no"}}', '\0'.repeat(200_000)]) {
      const bad = await server(always(() => http(body, { status })));
      const pool = open([bad, await server(good)]);
      await Promise.all(Array.from({ length: 4 }, async () => expect(await pool.getBalance(key())).toBe(7)));
      const alone = await failure(open([bad], { readAttempts: 1 }).getBalance(key()));
      expect(alone).toMatchObject({ details: { httpStatus: status } });
    }
  });

  it('an error page that never ends does not hold the call', async () => {
    const endless = await server((_request, socket) => {
      socket.write('HTTP/1.1 503 X\r\nretry-after: 1\r\ncontent-length: 1000000\r\n\r\n<html>');
    });
    const error = await failure(open([endless], { readAttempts: 1 }).getBalance(key()));
    expect(error).toMatchObject({ details: { httpStatus: 503, retryAfterMs: 1000 } });
    expect(error.details['elapsedMs']).toBeLessThan(900);
  });

  it('an error keeps the socket', async () => {
    const made = await server((request, socket) =>
      socket.write(made.requests.length % 2 === 1 ? http('{"a":1}', { status: 503 }) : http(seven(request))),
    );
    const pool = open([made]);
    for (let round = 0; round < 6; round++) await pool.getBalance(key()).catch(() => {});
    expect(made.connections).toBe(1);
  });
});
