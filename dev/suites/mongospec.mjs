/**
 * @module dev/suites/mongospec
 *
 * Runs the tests of MongoDB's driver specifications over mooring's API on a fresh replica set, by the unified runner of `__tests__/mongo/unified`, and prints
 * per suite what passes, what does not apply to this deployment, and every failure by name. The specifications (github.com/mongodb/specifications) stay
 * outside of the repository:
 *
 *   node dev/suites/mongospec.mjs [checkout] [--suite crud,sessions] [--only text] [--nodes 3] [--inapplicable]
 *
 * Without an argument the checkout is the folder that `MOORING_SPEC_DIR` names.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startMongod } from '../mongod.mjs';
import { ROOT, run } from './checkout.mjs';

/** Outcomes stay there after the run: one JSON line a test. */
const OUT = join(ROOT, '.cache', 'mongospec');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    suite: { type: 'string' },
    only: { type: 'string' },
    nodes: { type: 'string', default: '3' },
    inapplicable: { type: 'boolean', default: false },
  },
});
const checkout = positionals[0] ?? process.env.MOORING_SPEC_DIR;
if (checkout === undefined || !existsSync(join(checkout, 'source')))
  throw new Error('name a checkout of github.com/mongodb/specifications, as the argument or in MOORING_SPEC_DIR');

mkdirSync(OUT, { recursive: true });
const out = join(OUT, 'outcomes.jsonl');
writeFileSync(out, '');
const mongod = await startMongod({ nodes: Number(values.nodes) });
try {
  await jest(mongod.uri);
} finally {
  await mongod.stop();
}
report();

function jest(uri) {
  const env = {
    MOORING_SPEC_DIR: resolve(checkout),
    MOORING_SPEC_OUT: out,
    ...(values.suite === undefined ? {} : { MOORING_SPEC_SUITES: values.suite }),
    ...(values.only === undefined ? {} : { MOORING_SPEC_ONLY: values.only }),
    // All are named, so that Jest starts no servers of its own.
    MONGODB_URI: uri,
    REDIS_URI: process.env.REDIS_URI ?? 'redis://127.0.0.1:1',
    SOLANA_RPC_ENDPOINTS: process.env.SOLANA_RPC_ENDPOINTS ?? '[]',
  };
  const args = [join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js'), '__tests__/mongo/unified', '-t', 'specification suite'];
  const shown = process.env.MOORING_SUITES_VERBOSE ? 'inherit' : 'ignore';
  return run(process.execPath, args, { cwd: ROOT, env, anyCode: true, stdio: ['ignore', shown, shown] });
}

function report() {
  const outcomes = readFileSync(out, 'utf8').split('\n').filter(Boolean).map((each) => JSON.parse(each)); // prettier-ignore
  if (outcomes.length === 0) throw new Error('no test ran: see the output with MOORING_SUITES_VERBOSE=1');
  for (const { suite, name, reason } of outcomes.filter(({ state }) => state === 'fail'))
    console.log(`- ${suite}/${name}\n    ${reason.split('\n').slice(0, 3).join('\n    ')}`);
  if (values.inapplicable) for (const [reason, number] of reasons(outcomes)) console.log(`${String(number).padStart(5)} x ${reason}`);
  const suites = grouped(outcomes);
  for (const [suite, tests] of [...Object.entries(suites), ['all', outcomes]]) console.log(line(suite, tests));
}

function line(suite, tests) {
  const number = (state) => tests.filter((test) => test.state === state).length;
  const [pass, fail] = [number('pass'), number('fail')];
  const share = pass + fail === 0 ? '' : ` (${((100 * pass) / (pass + fail)).toFixed(2)} %)`;
  return `${suite}: ${pass} of ${pass + fail} applicable tests pass${share}, ${number('inapplicable')} do not apply`;
}

/** Why tests do not apply, the most frequent reason first. */
function reasons(outcomes) {
  const counts = new Map();
  for (const { state, reason } of outcomes) if (state === 'inapplicable') counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].toSorted((a, b) => b[1] - a[1]);
}

function grouped(outcomes) {
  const suites = {};
  for (const outcome of outcomes) (suites[outcome.suite] ??= []).push(outcome);
  return suites;
}
