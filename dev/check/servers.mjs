/**
 * @module dev/check/servers
 *
 * mongod, redis-server and the whole stack: start, break, repair, and leave nothing behind, not even after SIGKILL.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { startMongod } from '../mongod.mjs';
import { startRedis } from '../redis.mjs';

/** Whether a process runs; one that is dead but not yet collected does not. */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  if (!existsSync('/proc')) return true;
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

async function handshake(port, caFile) {
  const socket = connectTls({ port, host: 'localhost', ca: readFileSync(caFile) });
  await once(socket, 'secureConnect');
  socket.destroy();
}

test('redis: answers, speaks TLS, loses clients, freezes, dies, comes back, leaves nothing', async () => {
  const redis = await startRedis({ tls: true, password: 'secret', appendonly: true });
  await redis.command('SET', 'k', 'v');
  await handshake(redis.tlsPort, redis.ca);
  assert.equal(typeof (await redis.killClients()), 'number');
  redis.suspend();
  await assert.rejects(Promise.race([redis.command('PING'), delay(200).then(() => Promise.reject(new Error('frozen')))]), /frozen/);
  redis.resume();
  assert.equal(await redis.command('PING'), 'PONG');
  const before = redis.pid();
  await redis.kill();
  await assert.rejects(redis.command('PING'));
  await redis.restart();
  assert.notEqual(redis.pid(), before);
  assert.equal(await redis.command('GET', 'k'), 'v');
  await redis.stop();
  assert.equal(isAlive(redis.pid()), false);
});

test('mongod: one node takes fail points, steps down, freezes, dies, comes back with its data, speaks TLS', async () => {
  const mongod = await startMongod({ tls: true, setParameter: { transactionLifetimeLimitSeconds: 7 } });
  const insert = (id) => mongod.command({ insert: 'c', documents: [{ _id: id }], writeConcern: { w: 'majority' } }, { db: 'check' });
  await handshake(mongod.ports[0], mongod.ca);
  await insert(1);
  await mongod.failCommand({ times: 1 }, { failCommands: ['insert'], errorCode: 11600 });
  await assert.rejects(insert(2), { code: 11600 });
  await insert(2);
  await mongod.failCommand('alwaysOn', { failCommands: ['insert'], closeConnection: true });
  await assert.rejects(insert(3), /closed the connection/);
  await mongod.clearFailCommand();
  await mongod.stepDown();
  mongod.suspend(0);
  const answer = mongod.command({ ping: 1 });
  assert.equal(await Promise.race([answer, delay(300, 'frozen')]), 'frozen');
  mongod.resume(0);
  await answer;
  await mongod.kill(0);
  await mongod.restart(0);
  assert.equal((await mongod.command({ count: 'c' }, { db: 'check' })).n, 2);
  assert.equal((await mongod.serverStatus()).ok, 1);
  await mongod.stop();
  assert.deepEqual(mongod.pids().filter(isAlive), []);
});

test('mongod: three nodes elect another primary when the first is killed at once', async () => {
  const mongod = await startMongod({ nodes: 3 });
  const first = await mongod.primary();
  await mongod.kill(first);
  let next;
  for (let i = 0; i < 200 && next === undefined; i++) {
    next = await mongod.primary().catch(() => delay(100));
  }
  assert.notEqual(next, undefined);
  assert.notEqual(next, first);
  await mongod.restart(first);
  await mongod.stop();
  assert.deepEqual(mongod.pids().filter(isAlive), []);
});

const STACK = `
  import { startStack } from ${JSON.stringify(new URL('../stack.mjs', import.meta.url).href)};
  const stack = await startStack({ redis: {} });
  const pids = [...stack.mongod.pids(), stack.redis.pid(), stack.solana.pid()];
  console.log(JSON.stringify({ pids, env: stack.env, folders: [stack.mongod.folder, stack.redis.folder] }));
  setInterval(() => {}, 1000);
`;

for (const signal of ['SIGKILL', 'SIGTERM', 'SIGINT']) {
  test(`stack: no process and no folder survives ${signal} of its owner`, async () => {
    const owner = spawn(process.execPath, ['--input-type=module', '-e', STACK], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(owner.stdout, 'data');
    const { pids, env, folders } = JSON.parse(line);
    assert.equal(pids.length, 3);
    assert.ok(pids.every(isAlive));
    assert.deepEqual(Object.keys(env), ['MONGODB_URI', 'REDIS_URI', 'SOLANA_RPC_ENDPOINTS']);
    assert.deepEqual(
      folders.map((folder) => existsSync(folder)),
      [true, true],
    );
    owner.kill(signal);
    await once(owner, 'exit');
    for (let i = 0; i < 50 && (pids.some(isAlive) || folders.some((folder) => existsSync(folder))); i++) await delay(100);
    assert.deepEqual(pids.filter(isAlive), []);
    assert.deepEqual(
      folders.filter((folder) => existsSync(folder)),
      [],
    );
  });
}
