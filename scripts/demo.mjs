/**
 * @module scripts/demo
 *
 * `npm run demo`: sets everything up, starts real servers, and runs the example backend in a process of its own while this one injects the faults.
 * Exit code 0 when every check of the demo holds. `npm run demo -- --release` builds and uses the release addon (several minutes the first time).
 */
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, openSync } from 'node:fs';
import { join, relative } from 'node:path';
import { EXAMPLE_DIST, ensureExample } from './example.mjs';
import { addonFile, RELEASE_FOLDER, setUp } from './setup.mjs';
import { progress, ROOT, runSteps, StepFailed } from './steps.mjs';

const RPC_FRONTS = 3;
/** Faster than the real 400 ms: what has to expire does so in a quarter of a minute. */
const SLOT_MS = 100;
/** The backend ends by itself in about a minute; this is for a defect that keeps it. */
const LIMIT_MS = 240_000;
const TRANSIENT = { failCommands: ['commitTransaction'], errorCode: 112, errorLabels: ['TransientTransactionError'] };
const CUT = { failCommands: ['commitTransaction'], closeConnection: true };

/** What the backend may ask of its world. */
function worldOf({ mongod, redis, solana }) {
  return {
    'mongo.failCommits': (times) => mongod.failCommand({ times }, TRANSIENT),
    'mongo.cutCommits': (times) => mongod.failCommand({ times }, CUT),
    'mongo.clear': () => mongod.clearFailCommand(),
    'mongo.kill': () => mongod.kill(),
    'mongo.restart': () => mongod.restart(),
    'mongo.openTransactions': async () => Number((await mongod.serverStatus()).transactions.currentOpen),
    'redis.killClients': async () => Number(await redis.killClients()),
    'redis.suspend': () => redis.suspend(),
    'redis.resume': () => redis.resume(),
    'rpc.fault': (i, name) => solana.fault(i, RPC_FAULTS[name]),
    'rpc.gone': () => solana.fault('all', { kind: 'reset' }),
    'rpc.clear': () => solana.clearFaults(),
  };
}

const RPC_FAULTS = { limited: { kind: 'status', status: 429, retryAfter: 1 }, hanging: { kind: 'hang' } };

async function answer(child, world, { id, what, args }) {
  try {
    const work = world[what];
    if (work === undefined) throw new Error(`the world knows no ${what}`);
    const value = await work(...args);
    child.send({ id, value: typeof value === 'number' ? value : undefined });
  } catch (error) {
    child.send({ id, error: error.message });
  }
}

/** Runs the backend process to its end. Its log goes to a file: the demo's own output stays readable. */
function runBackend(stack, { release }) {
  const folder = join(ROOT, 'artifacts');
  mkdirSync(folder, { recursive: true });
  const log = join(folder, 'demo.log');
  const env = { ...process.env, ...stack.env, WALLET_KEY: randomBytes(32).toString('hex') };
  if (release) env.NAPI_RS_NATIVE_LIBRARY_PATH = join(ROOT, RELEASE_FOLDER, addonFile());
  progress(`the backend's log: ${relative(process.cwd(), log)}`);
  const child = fork(join(EXAMPLE_DIST, 'demo', 'main.js'), {
    execArgv: ['--require', join(ROOT, 'dev', 'peer-sockets.cjs')],
    env,
    stdio: ['ignore', 'inherit', openSync(log, 'w'), 'ipc'],
  });
  const world = worldOf(stack);
  child.on('message', (question) => void answer(child, world, question));
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve();
      else reject(new StepFailed(`the demo ended with ${signal ?? code}; its log is ${log}`));
    });
  });
}

async function main(steps) {
  const release = process.argv.includes('--release');
  const required = { required: true };
  await setUp(steps, { release });
  await steps.run('example', ensureExample, required);
  let stack;
  const start = async () => {
    const { startStack } = await import('../dev/stack.mjs');
    stack = await startStack({ mongo: { nodes: 1 }, redis: {}, solana: { fronts: RPC_FRONTS, slotMs: SLOT_MS } });
    return `mongod, redis-server, ${RPC_FRONTS} RPC endpoints over one SVM`;
  };
  await steps.run('servers', start, required);
  progress(`addon: the ${release ? 'release' : 'debug'} build${release ? '' : ' (npm run demo -- --release uses the other)'}`);
  try {
    await steps.run('demo', () => runBackend(stack, { release }));
  } finally {
    await stack.stop();
  }
}

await runSteps(main);
