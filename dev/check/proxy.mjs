/**
 * @module dev/check/proxy
 *
 * Every switch of the TCP proxy, in front of an echo server.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startProxy } from '../tcp-proxy.mjs';

let echo;
let proxy;

before(async () => {
  echo = createServer((socket) => socket.on('error', () => {}).pipe(socket));
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  proxy = await startProxy({ target: { host: '127.0.0.1', port: echo.address().port } });
});

after(async () => {
  await proxy.stop();
  echo.close();
});

async function open() {
  const socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
  socket.failure = new Promise((resolve) => {
    socket.on('error', (error) => resolve(error.code));
  });
  await once(socket, 'connect');
  return socket;
}

async function ask(socket, text) {
  socket.write(text);
  let got = '';
  while (got.length < text.length) got += (await once(socket, 'data'))[0];
  return got;
}

test('proxy: passes bytes, counts them, keeps 20 MB in order', async () => {
  const socket = await open();
  assert.equal(await ask(socket, 'hello'), 'hello');
  assert.deepEqual(proxy.stats(), { accepted: 1, bytes: 10 });
  assert.equal(proxy.connections(), 1);
  const big = Array.from({ length: 2_500_000 }, (_, i) => String(i).padStart(8, '0')).join('');
  assert.ok((await ask(socket, big)) === big);
  socket.destroy();
});

test('proxy: delays, and never reorders when the delay is taken back', async () => {
  const socket = await open();
  await ask(socket, 'x');
  proxy.setDelay(100);
  const begun = performance.now();
  assert.equal(await ask(socket, 'slow'), 'slow');
  assert.ok(performance.now() - begun >= 190);
  socket.write('first');
  await delay(20);
  proxy.setDelay(0);
  assert.equal(await ask(socket, 'second').then((text) => text.slice(0, 5)), 'first');
  socket.destroy();
});

test('proxy: cuts at once and after a number of bytes', async () => {
  const socket = await open();
  await ask(socket, 'x');
  proxy.cut();
  assert.equal(await socket.failure, 'ECONNRESET');
  const second = await open();
  proxy.cutAfterBytes(13); // 10 there, 3 back
  let got = '';
  second.on('data', (chunk) => (got += chunk));
  second.write('0123456789');
  await Promise.race([second.failure, once(second, 'end')]); // libuv reports a reset after data as an end
  assert.ok(got.length <= 3, got);
});

test('proxy: a black hole swallows bytes and closes, keeps the connection', async () => {
  const socket = await open();
  await ask(socket, 'x');
  proxy.blackhole(true);
  const answered = once(socket, 'data');
  socket.write('lost');
  assert.equal(await Promise.race([answered.then(() => 'answered'), delay(150).then(() => 'silent')]), 'silent');
  proxy.blackhole(false);
  socket.write('heard');
  assert.equal(String((await answered)[0]), 'heard');
  socket.destroy();
});

test('proxy: half-closes towards the client only', async () => {
  const socket = await open();
  await ask(socket, 'x');
  const earlier = proxy.stats().bytes;
  proxy.halfClose();
  await once(socket, 'end');
  socket.write('still read');
  await delay(50);
  assert.ok(proxy.stats().bytes >= earlier + 10);
  socket.destroy();
});

test('proxy: refuses new connections, keeps living ones, accepts again', async () => {
  const socket = await open();
  await proxy.refuse(true);
  await assert.rejects(open(), { code: 'ECONNREFUSED' });
  assert.equal(await ask(socket, 'alive'), 'alive');
  await proxy.refuse(false);
  (await open()).destroy();
  socket.destroy();
});

test('proxy: hands on slices, in order', async () => {
  const socket = await open();
  await ask(socket, 'x');
  proxy.setSlice(1);
  const sizes = [];
  socket.on('data', (chunk) => sizes.push(chunk.length));
  const text = 'abcdefghij'.repeat(20);
  assert.equal(await ask(socket, text), text);
  assert.ok(sizes.length > 20, `${sizes.length} pieces`);
  proxy.setSlice(0);
  socket.destroy();
});

test('proxy: stalls, then hands on what came meanwhile', async () => {
  const socket = await open();
  await ask(socket, 'x');
  proxy.stall(true);
  const answered = ask(socket, 'held');
  assert.equal(await Promise.race([answered, delay(150).then(() => 'silent')]), 'silent');
  proxy.stall(false);
  assert.equal(await answered, 'held');
  socket.destroy();
});

test('proxy: half-open connections stay silent, new ones work', async () => {
  const socket = await open();
  await ask(socket, 'x');
  const reset = proxy.halfOpen();
  const answered = ask(socket, 'lost');
  const other = await open();
  assert.equal(await ask(other, 'heard'), 'heard');
  assert.equal(await Promise.race([answered, socket.failure, delay(100).then(() => 'silent')]), 'silent');
  reset();
  assert.equal(await socket.failure, 'ECONNRESET');
  other.destroy();
});

test('proxy: leads new connections elsewhere', async () => {
  const loud = createServer((socket) => socket.on('error', () => {}).on('data', (chunk) => socket.write(String(chunk).toUpperCase())));
  loud.listen(0, '127.0.0.1');
  await once(loud, 'listening');
  const earlier = await open();
  await ask(earlier, 'x');
  const target = { host: '127.0.0.1', port: echo.address().port };
  proxy.retarget({ host: '127.0.0.1', port: loud.address().port });
  const later = await open();
  assert.deepEqual([await ask(earlier, 'quiet'), await ask(later, 'loud')], ['quiet', 'LOUD']);
  proxy.retarget(target);
  earlier.destroy();
  later.destroy();
  loud.close();
});
