/**
 * @module dev/suites/mongoose
 *
 * Runs Mongoose's own test suite twice on fresh replica sets, on the Node driver and on mooring, and prints which tests pass on the first and not on the
 * second. The checkout of Mongoose (with its development dependencies installed) stays outside of the repository:
 * `node dev/suites/mongoose.mjs <checkout> [--only native|mooring] [test files]`.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { startMongod } from '../mongod.mjs';
import { ROOT } from './checkout.mjs';
import { compare, counts } from './compare.mjs';

const HERE = import.meta.dirname;
/** Results stay there after the run: one JSON line a test. */
const OUT = join(ROOT, '.cache', 'mongoose-suite');
const TTL = { ttlMonitorEnabled: true, ttlMonitorSleepSecs: 1 };

function mocha(folder, driver, { files, uri, out }) {
  const args = ['--no-config', '--exit', '--reporter', join(HERE, 'mongoose', 'reporter.cjs'), '--ignore', 'test/encryption/**'];
  const install = driver === 'mooring' ? ['--require', join(HERE, 'mongoose', 'install.cjs')] : [];
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
  const lines = readFileSync(join(OUT, `${driver}.jsonl`), 'utf8').split('\n');
  return lines.filter(Boolean).map((line) => JSON.parse(line));
}

async function run(folder, driver, files) {
  const mongod = await startMongod({ setParameter: TTL });
  const uri = mongod.uri.replace('/?', '/mongoose_test?');
  try {
    await mocha(folder, driver, { files, uri, out: join(OUT, `${driver}.jsonl`) });
  } finally {
    await mongod.stop();
  }
  process.stdout.write(`${driver}: ${counts(results(driver))}\n`);
}

function report() {
  const { passing, missing } = compare(results('native'), results('mooring'));
  for (const { name, error } of missing) process.stdout.write(`- ${name}\n    ${error.split('\n').find(Boolean) ?? ''}\n`);
  const passed = passing - missing.length;
  const share = ((100 * passed) / passing).toFixed(2);
  process.stdout.write(`of ${passing} tests that pass on the Node driver ${passed} pass on mooring (${share} %)\n`);
}

const [folder, ...rest] = process.argv.slice(2);
if (folder === undefined)
  throw new Error('usage: node dev/suites/mongoose.mjs <checkout of mongoose> [--only native|mooring] [test files]');
const only = rest[0] === '--only' ? rest.splice(0, 2)[1] : undefined;
const files = rest.length === 0 ? ['test/**/*.test.js'] : rest;
mkdirSync(OUT, { recursive: true });
for (const driver of only === undefined ? ['native', 'mooring'] : [only]) await run(resolve(folder), driver, files);
if (only !== 'native') report();
