/**
 * @module dev/suites/run
 *
 * Runs a peer's suite on the peer and on mooring and prints both scores and every test that only one of them passes.
 *
 *   node dev/suites/run.mjs ioredis|bullmq|bull [--target NAME].. [--list] [test files..]
 *
 * The suites want redis on port 6379 and ports of their own: they run in a network namespace of their own where the system allows it.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findRedisServer } from '../binaries.mjs';
import { ROOT, run } from './checkout.mjs';
import { compare, counts } from './compare.mjs';
import * as bull from './bull.mjs';
import * as bullmq from './bullmq.mjs';
import * as ioredis from './ioredis.mjs';

const SUITES = { bull, bullmq, ioredis };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { target: { type: 'string', multiple: true }, list: { type: 'boolean', default: false } },
});
const [name, ...files] = positionals;
const suite = SUITES[name];
if (suite === undefined) throw new Error(`name a suite: ${Object.keys(SUITES).join(', ')}`);
const { folder, targets } = await suite.prepare();
const wanted = values.target ?? Object.keys(targets);
const scores = {};
for (const target of wanted) scores[target] = await score(target);
report(scores);

/** Whether processes may have a network of their own. */
function isolated() {
  return spawnSync('unshare', ['-rn', 'true']).status === 0;
}

/** Every file in a process of its own, so that one that crashes or whose hooks fail costs only its own tests. */
async function score(target) {
  const scratch = mkdtempSync(join(tmpdir(), 'mooring-suite-'));
  const server = `"${await findRedisServer()}" --save '' --appendonly no --dir "${scratch}" --enable-debug-command yes --loglevel warning`;
  const network = isolated() ? 'ip link set lo up || exit 1' : ':';
  const script = `${network}; ${server} >/dev/null & redis=$!; sleep 1; "$@"; kill $redis; wait $redis`;
  const tests = files.length > 0 ? files : suite.files(folder);
  const commands = tests.map((file, index) => suite.command(folder, join(scratch, `${index}.json`), file, targets[target]));
  const request = JSON.stringify({ folder, tests, commands, timeout: suite.TIMEOUT });
  const each = [process.execPath, join(ROOT, 'dev', 'suites', 'each.mjs'), request];
  const clusters = tests.flatMap((file) => suite.CLUSTERS?.[file] ?? []);
  const around = clusters.length > 0 ? [process.execPath, join(ROOT, 'dev', 'suites', 'with-clusters.mjs'), ...clusters, '--'] : [];
  const command = ['sh', '-c', script, 'suite', ...around, ...each];
  const env = { TARGET: targets[target], TS_NODE_TRANSPILE_ONLY: 'true', NODE_ENV: 'test', ...suite.environment?.(target) };
  const [program, ...args] = isolated() ? ['unshare', '-rn', ...command] : command;
  try {
    await run(program, args, { cwd: folder, env, anyCode: true });
    return tests.flatMap((file, index) => {
      const output = join(scratch, `${index}.json`);
      return existsSync(output)
        ? suite.results(output, folder)
        : [{ file, title: '(the whole file)', state: 'fail', error: 'the process crashed' }];
    });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function report(all) {
  for (const [target, tests] of Object.entries(all)) console.log(`${name} on ${target}: ${counts(tests)} of ${tests.length}`);
  const { reference, ...ours } = all;
  for (const [target, tests] of Object.entries(ours)) {
    if (reference === undefined) list(target, tests);
    else for (const test of compare(reference, tests).missing) console.log(`- ${target}: ${test.name}\n    ${test.error}`);
  }
  if (values.list) list('reference', reference ?? []);
}

function list(target, tests) {
  const failed = tests.filter(({ state }) => state === 'fail');
  for (const { file, title, error } of failed) console.log(`- ${target} fails ${file} | ${title}\n    ${error}`);
}
