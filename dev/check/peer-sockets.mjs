/**
 * @module dev/check/peer-sockets
 *
 * The trap catches real peers in child processes, also when they swallow the error, and leaves the stack's own connections alone.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const TRAP = fileURLToPath(new URL('../peer-sockets.cjs', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SWALLOW = '.catch(() => {})';

/** Peer to the code that makes it connect to a port where nobody listens. */
const OFFENDERS = {
  mongodb: `new (require('mongodb').MongoClient)('mongodb://127.0.0.1:9', { serverSelectionTimeoutMS: 300 }).connect()${SWALLOW}`,
  'mongodb over TLS': `new (require('mongodb').MongoClient)('mongodb://127.0.0.1:9/?tls=true', { serverSelectionTimeoutMS: 300 }).connect()${SWALLOW}`,
  ioredis: `new (require('ioredis'))(9, { lazyConnect: true, retryStrategy: null }).on('error', () => {}).connect()${SWALLOW}`,
  '@solana': `new (require('@solana/web3.js').Connection)('http://127.0.0.1:9').getSlot()${SWALLOW}`,
  '@solana over the global fetch': `new (require('@solana/web3.js').Connection)('http://127.0.0.1:9', { fetch }).getSlot()${SWALLOW}`,
  ws: `try { new (require('ws').WebSocket)('ws://127.0.0.1:9').on('error', () => {}) } catch {}`,
};

async function run(code) {
  const child = spawn(process.execPath, ['--require', TRAP, '-e', code], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 20_000,
  });
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const [status] = await once(child, 'close');
  return { code: status, stderr };
}

for (const [name, code] of Object.entries(OFFENDERS)) {
  test(`trap: ${name} is caught and the process fails`, async () => {
    const { code: status, stderr } = await run(code);
    assert.match(stderr, new RegExp(`peer socket trap: ${name.split(' ')[0]} opened a connection`));
    assert.equal(status, 1);
  });
}

test('trap: an own connection and the test support pass', async () => {
  const own = `
    require('http').get('http://127.0.0.1:9').on('error', () => {});
    fetch('http://127.0.0.1:9').catch(() => {});
    import('./dev/resp.mjs').then((m) => m.redisCommand({ port: 9 }, 'PING')).catch((error) => { if (error.code !== 'ECONNREFUSED') throw error; });`;
  assert.deepEqual(await run(own), { code: 0, stderr: '' });
});
