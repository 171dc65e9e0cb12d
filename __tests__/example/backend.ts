/**
 * @module __tests__/example/backend
 *
 * The example backend inside a test file: compiled with tsc, on a database and a Redis database of its own, with wallets that are funded on the real SVM.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type * as Base58 from '../../examples/token-launch/src/blockchain/base58.js';
import type * as WalletKey from '../../examples/token-launch/src/blockchain/wallet-key.js';
import type * as Delivery from '../../examples/token-launch/src/blockchain/delivery.js';
import type * as Functions from '../../examples/token-launch/src/backend/functions.js';
import type * as Db from '../../examples/token-launch/src/jobs/db.js';
import type * as Queues from '../../examples/token-launch/src/jobs/queues.js';
import type * as Reconcile from '../../examples/token-launch/src/jobs/reconcile.js';
import type * as Transfer from '../../examples/token-launch/src/jobs/transfer.js';
import type * as Workers from '../../examples/token-launch/src/jobs/workers.js';
import type * as Models from '../../examples/token-launch/src/models/index.js';
import type * as Seed from '../../examples/token-launch/src/demo/seed.js';
import type * as Mooring from '../../dist/index.js';

const ROOT = join(__dirname, '..', '..');
const EXAMPLE = join(ROOT, 'examples', 'token-launch');

/** The compiled entry of the backend as a process. */
export const MAIN = join(EXAMPLE, 'dist', 'main.js');
/** The trap for peers' sockets, for child processes. */
export const TRAP = join(ROOT, 'dev', 'peer-sockets.cjs');

/** The modules of the example. */
export type Backend = typeof Functions &
  typeof Db &
  typeof Queues &
  typeof Reconcile &
  typeof Transfer &
  typeof Workers &
  typeof Models &
  typeof Seed &
  typeof WalletKey &
  typeof Base58 &
  typeof Delivery & { mooring: typeof Mooring; env: NodeJS.ProcessEnv };

/** Compiles the example and loads it on databases named after the test file. `redisDb` is a number that no other file uses. */
export function loadBackend(name: string, redisDb: number): Backend {
  execFileSync(process.execPath, [join(ROOT, 'scripts', 'example.mjs')], { stdio: 'pipe' });
  const mongo = new URL(String(process.env['MONGODB_URI']).replace('mongodb:', 'http:').replaceAll(',', '%2C'));
  mongo.pathname = `/example-${name}`;
  const env = {
    MONGODB_URI: mongo.href.replace('http:', 'mongodb:').replaceAll('%2C', ','),
    REDIS_URI: `${process.env['REDIS_URI']}/${redisDb}`,
    WALLET_KEY: 'c0ffee'.repeat(11).slice(0, 64),
  };
  Object.assign(process.env, env, { LOG_LEVEL: 'silent' });
  const load = (path: string): object => require(join(EXAMPLE, 'dist', path)) as object;
  const files = [
    'backend/functions',
    'jobs/db',
    'jobs/queues',
    'jobs/reconcile',
    'jobs/transfer',
    'jobs/workers',
    'models/index',
    'demo/seed',
    'blockchain/delivery',
    'blockchain/wallet-key',
    'blockchain/base58',
  ];
  const mooring = require(require.resolve('mooring', { paths: [join(EXAMPLE, 'dist')] })) as object;
  return Object.assign({}, ...files.map((file) => load(`${file}.js`)), { mooring, env }) as Backend;
}

/** Empties what an earlier run left, and connects. */
export async function connectFresh(backend: Backend): Promise<void> {
  await backend.connect();
  await backend.redisClient.flushdb();
  await Promise.all([
    backend.UserModel.deleteMany({}),
    backend.WalletModel.deleteMany({}),
    backend.TokenModel.deleteMany({}),
    backend.TransferModel.deleteMany({}),
  ]);
}

/** Repeats `look` until it returns something other than undefined or false. */
export async function eventually<T>(what: string, look: () => Promise<T | undefined | false>, limitMs = 20_000): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
