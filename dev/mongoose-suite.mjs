/**
 * @module dev/mongoose-suite
 *
 * Runs Mongoose's own test suite twice on fresh replica sets, on the Node driver and on mooring, and prints which tests pass on the first and not on the
 * second. The checkout of Mongoose (with its development dependencies installed) stays outside of the repository:
 * `node dev/mongoose-suite.mjs <checkout> [--only native|mooring] [test files]`.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { startMongod } from './mongod.mjs';

const HERE = import.meta.dirname;
/** Results stay there after the run: one JSON line a test. */
const OUT = join(HERE, '..', '.cache', 'mongoose-suite');
const TTL = { ttlMonitorEnabled: true, ttlMonitorSleepSecs: 1 };

function mocha(folder, driver, { files, uri, out }) {
  const args = ['--no-config', '--exit', '--reporter', join(HERE, 'mongoose-suite', 'reporter.cjs'), '--ignore', 'test/encryption/**'];
  const install = driver === 'mooring' ? ['--require', join(HERE, 'mongoose-suite', 'install.cjs')] : [];
  const env = {
    ...process.env,
    MONGOOSE_TEST_URI: uri,
    MONGOOSE_REPLSET_URI: uri,
    START_REPLICA_SET: '1',
    MOORING_MONGOOSE_DIR: folder,
    MOORING_SUITE_OUT: out,
    NODE_OPTIONS: '--no-warnings',
  };
  const child = spawn(process.execPath, [join(folder, 'node_modules', 'mocha', 'bin', 'mocha.js'), ...args, ...install, ...files], {
    cwd: folder,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return new Promise((done) => child.once('exit', done));
}

function results(driver) {
  const tests = new Map();
  for (const line of readFileSync(join(OUT, `${driver}.jsonl`), 'utf8')
    .split('\n')
    .filter(Boolean)) {
    const test = JSON.parse(line);
    // Some titles exist twice in a file.
    let key = `${test.file} | ${test.title}`;
    while (tests.has(key)) key += ' (again)';
    tests.set(key, test);
  }
  return tests;
}

async function run(folder, driver, files) {
  const mongod = await startMongod({ setParameter: TTL });
  const uri = mongod.uri.replace('/?', '/mongoose_test?');
  try {
    await mocha(folder, driver, { files, uri, out: join(OUT, `${driver}.jsonl`) });
  } finally {
    await mongod.stop();
  }
  const states = [...results(driver).values()].map(({ state }) => state);
  const counts = ['pass', 'fail', 'pending'].map((state) => `${states.filter((each) => each === state).length} ${state}`).join(', ');
  process.stdout.write(`${driver}: ${counts}\n`);
}

function compare() {
  const [native, mooring] = [results('native'), results('mooring')];
  const passing = [...native].filter(([, { state }]) => state === 'pass');
  const missing = passing.filter(([key]) => mooring.get(key)?.state !== 'pass');
  for (const [key] of missing) {
    const [first = 'not run'] = (mooring.get(key)?.error ?? '').split('\n').filter(Boolean);
    process.stdout.write(`- ${key}\n    ${first}\n`);
  }
  const passed = passing.length - missing.length;
  process.stdout.write(`of ${passing.length} tests that pass on the Node driver ${passed} pass on mooring (${((100 * passed) / passing.length).toFixed(2)} %)\n`); // prettier-ignore
}

const [folder, ...rest] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: node dev/mongoose-suite.mjs <checkout of mongoose> [--only native|mooring] [test files]');
const only = rest[0] === '--only' ? rest.splice(0, 2)[1] : undefined;
const files = rest.length === 0 ? ['test/**/*.test.js'] : rest;
mkdirSync(OUT, { recursive: true });
for (const driver of only === undefined ? ['native', 'mooring'] : [only]) await run(resolve(folder), driver, files);
if (only !== 'native') compare();
