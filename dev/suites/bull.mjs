/**
 * @module dev/suites/bull
 *
 * Bull 4's own tests, run on ioredis and on mooring: `require('ioredis')` in the library and in its tests is the target, everything else is Bull's.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { checkout, ROOT, run } from './checkout.mjs';

export const SOURCE = { name: 'bull', repository: 'https://github.com/OptimalBits/bull', tag: 'v4.15.0' };
/** Seconds for one file. */
export const TIMEOUT = 600;

/** Prepares the suite: its tools and its generated Lua scripts. */
export async function prepare() {
  const folder = await checkout(SOURCE);
  if (!existsSync(join(folder, 'node_modules', 'mocha')))
    await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--legacy-peer-deps'], { cwd: folder });
  if (!existsSync(join(folder, 'lib', 'scripts'))) {
    await run(process.execPath, ['generateRawScripts.js'], { cwd: folder });
    await run(process.execPath, ['commandTransform.js', './rawScripts', './lib/scripts'], { cwd: folder });
  }
  const peer = createRequire(join(folder, 'package.json')).resolve('ioredis');
  return { folder, targets: { reference: peer, mooring: join(ROOT, 'dist', 'redis', 'ioredis.js') } };
}

/** The test files. */
export function files(folder) {
  return readdirSync(join(folder, 'test'))
    .filter((name) => name.startsWith('test_'))
    .map((name) => join('test', name))
    .toSorted();
}

/** Node's arguments for one test file. */
export function command(folder, output, file) {
  return [
    join(folder, 'node_modules', 'mocha', 'bin', 'mocha'),
    ...['--exit', '--require', join(ROOT, 'dev', 'suites', 'bull', 'target.cjs')],
    ...['--reporter', join(ROOT, 'dev', 'suites', 'mongoose', 'reporter.cjs'), '--reporter-option', `output=${output}`, file],
  ];
}

/** `[{ file, title, state, error }]` of one run. */
export function results(output) {
  const lines = readFileSync(output, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line)).map((test) => ({ ...test, error: test.error?.split('\n')[0] }));
}
