/**
 * @module dev/check/solana-faults
 *
 * Every fault of the Solana RPC server's HTTP side, its filters and its counters.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { controlSolanaRpc, startSolanaRpc } from '../solana-rpc.mjs';
import { newSigner } from '../solana-rpc/transfer.mjs';
import { post, rpc, transfer } from './rpc-client.mjs';

let solana;
let url;

before(async () => {
  solana = await startSolanaRpc({ fronts: 2, slotMs: 0 });
  url = solana.endpoints[0].url;
});
after(() => solana.stop());
afterEach(async () => {
  await solana.clearFaults();
  await solana.resetHits();
});

const body = JSON.stringify({ id: 7, jsonrpc: '2.0', method: 'getSlot' });

/** One request over plain node:http: `{ status, headers, text }`, or the error's code. */
function raw({ headers = {} } = {}) {
  return new Promise((resolve) => {
    const req = request(url, { method: 'POST', agent: false, headers: { 'content-type': 'application/json', ...headers } }, (res) => {
      const chunks = [];
      res.on('data', (chunk) => chunks.push(chunk));
      res.on('error', (error) => resolve({ code: error.code }));
      res.on('end', () => resolve({ status: res.statusCode, headers: res.headers, bytes: Buffer.concat(chunks) }));
    });
    req.on('error', (error) => resolve({ code: error.code }));
    req.end(body);
  });
}

test('faults: a status with Retry-After in seconds or as a date, with a JSON or HTML body', async () => {
  await solana.fault(0, { kind: 'status', status: 429, retryAfter: 3, count: 1 });
  const limited = await post(url, 'getSlot');
  assert.deepEqual([limited.status, limited.headers.get('retry-after'), (await limited.json()).error.code], [429, '3', 429]);
  await solana.fault(0, { kind: 'status', status: 503, retryAfter: 'date', body: 'html', count: 1 });
  const down = await post(url, 'getSlot');
  const wait = Date.parse(down.headers.get('retry-after')) - Date.now();
  assert.ok(wait > 500 && wait < 3000, String(wait));
  assert.match(await down.text(), /^<html>/);
  assert.equal((await post(url, 'getSlot')).status, 200);
});

test('faults: method filter, probability, count, one front or all', async () => {
  await solana.fault(0, { kind: 'status', status: 500, methods: ['getBalance'] });
  assert.equal((await post(url, 'getSlot')).status, 200);
  assert.equal((await post(url, 'getBalance')).status, 500);
  assert.equal((await post(solana.endpoints[1].url, 'getBalance')).status, 200);
  await solana.clearFaults();
  await solana.fault('all', { kind: 'status', status: 500, probability: 0.5 });
  const statuses = await Promise.all(Array.from({ length: 100 }, () => post(solana.endpoints[1].url, 'getSlot').then((res) => res.status)));
  const failed = statuses.filter((status) => status === 500).length;
  assert.ok(failed > 20 && failed < 80, String(failed));
  await assert.rejects(solana.fault(0, { kind: 'nonsense' }), /unknown fault kind/);
  await assert.rejects(solana.fault(0, { kind: 'delay', ms: 1, speed: 2 }), /no option speed/);
  await assert.rejects(solana.fault(0, { kind: 'delay' }), /needs the option ms/);
  await assert.rejects(solana.fault(0, { kind: 'freeze', count: 1 }), /no option count/);
  await assert.rejects(solana.fault(9, { kind: 'freeze' }), /no front 9/);
});

test('faults: an HTTP status inside the envelope', async () => {
  await solana.fault(0, { kind: 'envelope', code: -32429, message: 'rate limited', data: { wait: 1 } });
  const answer = await post(url, 'getSlot');
  assert.equal(answer.status, 200);
  assert.deepEqual((await answer.json()).error, { code: -32429, message: 'rate limited', data: { wait: 1 } });
});

test('faults: reset before the request is read, before and after it ran', async () => {
  const payer = newSigner();
  await solana.airdrop(payer.address, 5e9);
  await solana.fault(0, { kind: 'reset', count: 1 });
  assert.equal((await raw()).code, 'ECONNRESET');
  const config = { encoding: 'base64', skipPreflight: true };
  const { blockhash } = (await rpc(url, 'getLatestBlockhash', [{ commitment: 'processed' }])).value;
  for (const [when, landed] of [
    ['before', 0],
    ['after', 1],
  ]) {
    const { base64, signature } = transfer({ from: payer, to: payer.address, lamports: 1 + landed, blockhash });
    await solana.fault(0, { kind: 'reset', when, methods: ['sendTransaction'], count: 1 });
    await assert.rejects(post(url, 'sendTransaction', [base64, config]));
    assert.equal((await solana.landed()).filter((one) => one.signature === signature).length, landed);
  }
});

test('faults: hang, delay, drip, truncation, wrong id, gzip', async () => {
  await solana.fault(0, { kind: 'hang', count: 1 });
  assert.equal(await Promise.race([raw().then(() => 'answered'), delay(150, 'silent')]), 'silent');
  await solana.fault(0, { kind: 'delay', ms: 120, count: 1 });
  let begun = performance.now();
  await raw();
  assert.ok(performance.now() - begun >= 115);
  await solana.fault(0, { kind: 'drip', ms: 10, bytes: 4, count: 1 });
  begun = performance.now();
  assert.equal(JSON.parse((await raw()).bytes).id, 7);
  assert.ok(performance.now() - begun >= 80);
  await solana.fault(0, { kind: 'truncate', count: 1 });
  assert.equal((await raw()).code, 'ECONNRESET');
  await solana.fault(0, { kind: 'truncate', clean: true, count: 1 });
  const half = await raw();
  assert.equal(half.status, 200);
  assert.throws(() => JSON.parse(half.bytes));
  await solana.fault(0, { kind: 'wrongId', count: 1 });
  assert.notEqual(JSON.parse((await raw()).bytes).id, 7);
  await solana.fault(0, { kind: 'gzip' });
  assert.equal((await raw()).headers['content-encoding'], undefined);
  const zipped = await raw({ headers: { 'accept-encoding': 'gzip' } });
  assert.deepEqual([zipped.headers['content-encoding'], zipped.bytes.readUInt16BE(0)], ['gzip', 0x1f8b]);
  const [{ faults }] = await solana.hits();
  assert.deepEqual(faults, { hang: 1, delay: 1, drip: 1, truncate: 2, wrongId: 1, gzip: 1 });
});

test('faults: a rate limit per method over a sliding second', async () => {
  await solana.fault(0, { kind: 'rateLimit', perSecond: 5, methods: ['getSlot'], retryAfter: 1 });
  const burst = await Promise.all(Array.from({ length: 8 }, () => post(url, 'getSlot')));
  assert.equal(burst.filter((res) => res.status === 200).length, 5);
  assert.equal(burst.find((res) => res.status === 429).headers.get('retry-after'), '1');
  assert.equal((await post(url, 'getBlockHeight')).status, 200);
  await delay(1050);
  assert.equal((await post(url, 'getSlot')).status, 200);
});

test('faults: a cap on sockets, refusal, idle close', async () => {
  const open = async () => {
    const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1' });
    socket.ended = new Promise((resolve) => {
      socket.on('error', () => resolve('reset'));
      socket.on('end', () => resolve('end'));
    });
    await once(socket, 'connect');
    return socket;
  };
  await delay(20); // sockets of the tests before are closing
  const { sockets } = (await solana.hits())[0];
  await solana.fault(0, { kind: 'socketCap', max: sockets + 1 });
  const first = await open();
  const second = await open().then(
    (socket) => socket.ended,
    (error) => error.code,
  );
  assert.match(second, /reset/i);
  first.destroy();
  await solana.clearFaults();
  await solana.fault(0, { kind: 'refuse' });
  assert.equal((await raw()).code, 'ECONNRESET');
  await solana.clearFaults();
  await solana.fault(0, { kind: 'idleClose', ms: 100 });
  const kept = await open();
  kept.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  assert.doesNotMatch(String((await once(kept, 'data'))[0]), /timeout=/); // a surprise, not an announcement
  assert.equal(await Promise.race([kept.ended, delay(4000, 'open')]), 'end');
});

test('faults: batches, bad bodies, unknown methods and the counters', async () => {
  const ask = async (text) => (await fetch(url, { method: 'POST', body: text })).json();
  assert.deepEqual(
    (await ask('[{"jsonrpc":"2.0","id":1,"method":"getSlot"},{"jsonrpc":"2.0","id":2,"method":"nope"}]')).map((one) => [
      one.id,
      one.error?.code,
    ]),
    [
      [1, undefined],
      [2, -32601],
    ],
  );
  assert.equal((await ask('{"jsonrpc"')).error.code, -32700);
  assert.equal((await ask('{"id":1}')).error.code, -32600);
  assert.equal((await fetch(url)).status, 405);
  const [hits] = await solana.hits({ times: true });
  assert.deepEqual(hits.methods, { getSlot: 1, nope: 1, invalid: 2 });
  assert.equal(hits.requests, 3);
  assert.equal(hits.arrivals.length, 4);
});

test('faults: another process switches them through any front end', async () => {
  await controlSolanaRpc(solana.endpoints[1].url).fault(0, { kind: 'status', status: 502, count: 1 });
  assert.equal((await post(url, 'getSlot')).status, 502);
  const direct = await fetch(`${url}/__ctl`, {
    method: 'POST',
    body: JSON.stringify({ action: 'fault', spec: { kind: 'status', status: 418, count: 1 } }),
  });
  assert.equal(direct.status, 200);
  assert.equal((await post(solana.endpoints[1].url, 'getSlot')).status, 200);
  assert.equal((await post(url, 'getSlot')).status, 418);
});
