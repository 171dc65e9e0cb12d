/**
 * @module __tests__/package/servers
 *
 * The packed package at work, without any peer: a Redis client and an RPC pool on real servers, side by side, then one shutdown for both.
 */
const assert = require('node:assert/strict');
const { ConnectionPool, gracefulShutdown, openThings, Redis } = require('mooring');

async function main() {
  const redis = new Redis(process.env.REDIS_URI);
  const pool = new ConnectionPool({ endpoints: process.env.SOLANA_RPC_ENDPOINTS.split(',') });
  const [written, read, balance] = await Promise.all([
    redis.set('package:test', 'packed'),
    redis.get('package:test'),
    pool.getBalance('11111111111111111111111111111111'),
  ]);
  assert.deepEqual([written, read, typeof balance], ['OK', 'packed', 'number']);
  assert.equal(openThings().length, 2);
  const report = await gracefulShutdown({ logger: { info() {}, error() {} } });
  assert.equal(report.clean, true);
  assert.deepEqual(openThings(), []);
}

void main().then(() => process.stdout.write('used\n'));
