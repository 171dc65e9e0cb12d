/**
 * @module dev/check/solana-subscriptions
 *
 * The websocket side of the Solana RPC server: every subscription, and every fault of sockets.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { startSolanaRpc } from '../solana-rpc.mjs';
import { newSigner } from '../solana-rpc/transfer.mjs';
import { rpc, transfer } from './rpc-client.mjs';

const SYSTEM = '11111111111111111111111111111111';
let solana;
let url;
let payer;

before(async () => {
  solana = await startSolanaRpc({ fronts: 1, slotMs: 0 });
  url = solana.endpoints[0].url;
  payer = newSigner();
  await solana.airdrop(payer.address, 100e9);
  await solana.advance(40);
});
after(() => solana.stop());
afterEach(() => solana.clearFaults());

async function open() {
  const ws = new WebSocket(solana.endpoints[0].wsUrl);
  const notes = [];
  const replies = new Map();
  ws.on('error', () => {});
  ws.on('message', (text) => {
    const message = JSON.parse(text);
    if (message.method !== undefined) notes.push([message.method, message.params.subscription, message.params.result]);
    else replies.get(message.id)?.(message);
  });
  await once(ws, 'open');
  let id = 0;
  const call = (method, ...params) =>
    new Promise((resolve) => {
      replies.set(++id, resolve);
      ws.send(JSON.stringify({ id, jsonrpc: '2.0', method, params }));
    });
  const settle = async () => {
    await delay(60);
    return notes.splice(0);
  };
  return { ws, call, settle };
}

async function sendTransfer() {
  const { blockhash } = (await rpc(url, 'getLatestBlockhash', [{ commitment: 'processed' }])).value;
  const to = newSigner().address;
  const made = { to, ...transfer({ from: payer, to, lamports: 1e9, blockhash }) };
  const send = () => rpc(url, 'sendTransaction', [made.base64, { encoding: 'base64', skipPreflight: true }]);
  return { ...made, send };
}

test('subscriptions: signature, account, logs, program, slot and root notify at their commitment', async () => {
  const { ws, call, settle } = await open();
  const { to, signature, send } = await sendTransfer();
  const kinds = [
    ['signatureSubscribe', signature, { commitment: 'processed' }],
    ['signatureSubscribe', signature, { commitment: 'confirmed' }],
    ['accountSubscribe', to, { commitment: 'processed', encoding: 'base64' }],
    ['logsSubscribe', { mentions: [to] }, { commitment: 'processed' }],
    ['programSubscribe', SYSTEM, { commitment: 'confirmed', encoding: 'base64' }],
    ['slotSubscribe'],
    ['rootSubscribe'],
  ];
  for (const [method, ...params] of kinds) assert.equal(typeof (await call(method, ...params)).result, 'number');
  await send();
  const first = await settle();
  assert.deepEqual(
    first.map(([method]) => method),
    ['signatureNotification', 'accountNotification', 'logsNotification'],
  );
  assert.deepEqual(first[0][2].value, { err: null });
  assert.equal(first[1][2].value.lamports, 1e9);
  assert.equal(first[2][2].value.signature, signature);
  const { slot } = await solana.advance(1);
  const second = await settle();
  assert.deepEqual(
    second.map(([method]) => method),
    ['signatureNotification', 'programNotification', 'programNotification', 'slotNotification', 'rootNotification'],
  );
  assert.deepEqual(second[3][2], { parent: slot - 1, root: slot - 32, slot });
  assert.ok(second.slice(1, 3).some((note) => note[2].value.pubkey === to));
  assert.equal((await solana.hits())[0].subscriptions, kinds.length - 2); // signatures are done
  ws.close();
  await once(ws, 'close');
  await delay(30);
  assert.equal((await solana.hits())[0].subscriptions, 0);
});

test('subscriptions: unsubscribe stops, bad parameters and unknown methods are refused, a late one is told at once', async () => {
  const { ws, call, settle } = await open();
  const { result } = await call('slotSubscribe');
  assert.equal((await call('slotUnsubscribe', result)).result, true);
  assert.equal((await call('slotUnsubscribe', result)).error.code, -32602);
  assert.equal((await call('getSlot')).error.code, -32601);
  assert.equal((await call('accountSubscribe', 'x')).error.code, -32602);
  await solana.advance(1);
  assert.deepEqual(await settle(), []);
  const { signature, send } = await sendTransfer();
  await send();
  await call('signatureSubscribe', signature, { commitment: 'processed' });
  assert.equal((await settle()).length, 1);
  ws.close();
});

test('subscriptions: sockets fall silent, send twice, ignore pings, go half-open, hit a limit', async () => {
  const { ws, call, settle } = await open();
  await call('slotSubscribe');
  await solana.fault(0, { kind: 'wsSilence' });
  await solana.advance(1);
  assert.deepEqual(await settle(), []);
  await solana.clearFaults();
  await solana.fault(0, { kind: 'wsDuplicate' });
  await solana.advance(1);
  assert.equal((await settle()).length, 2);
  await solana.fault(0, { kind: 'wsLimit', max: 1 });
  assert.match((await call('slotSubscribe')).error.message, /limit/);
  const pong = () => Promise.race([once(ws, 'pong').then(() => 'pong'), delay(100, 'none')]);
  const ping = () => {
    ws.ping();
    return pong();
  };
  await solana.clearFaults();
  assert.equal(await ping(), 'pong');
  await solana.fault(0, { kind: 'wsNoPong' });
  assert.equal(await ping(), 'none');
  await solana.clearFaults();
  await solana.fault(0, { kind: 'wsHalfOpen' });
  assert.equal(await ping(), 'none');
  assert.equal(await Promise.race([call('slotSubscribe'), delay(100, 'none')]), 'none');
  ws.terminate();
});

test('subscriptions: sockets are closed with 1006 or 1013, new ones refused', async () => {
  for (const code of [1006, 1013]) {
    const { ws } = await open();
    const closed = once(ws, 'close');
    await solana.fault(0, { kind: 'wsClose', code });
    assert.equal((await closed)[0], code);
  }
  await solana.fault(0, { kind: 'wsRefuse', status: 429, count: 1 });
  await assert.rejects(open(), /429/);
  (await open()).ws.close();
});
