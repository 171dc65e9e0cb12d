/**
 * @module scripts/test
 *
 * `npm test`: all set-up, then the Rust tests, Jest and the type tests against real servers that are started once for all of them.
 *
 *   node scripts/test.mjs                    everything
 *   node scripts/test.mjs rust [filter]      unit tests and tidy only
 *   node scripts/test.mjs servers [filter]   Rust rooms against servers
 *   node scripts/test.mjs jest [pattern..]   Jest, with its own arguments
 *   node scripts/test.mjs types              type tests, and the examples of the documents
 *   node scripts/test.mjs stack              the development stack's own tests
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { checkDocExamples } from './doc-examples.mjs';
import { cargoArguments, ensureTypes, setUp } from './setup.mjs';
import { progress, ROOT, run, runSteps, StepFailed, tool } from './steps.mjs';

const SUITES = ['rust', 'stack', 'servers', 'jest', 'types'];
const [suite, ...rest] = process.argv.slice(2);
const ROOMS = ['mongo', 'redis', 'solana'];
/** Longer than the longest test file takes on a slow machine. */
const JEST_SILENCE_MS = 10 * 60_000;
/** Inputs of property tests and chaos: the same in every run of `npm test`, so that it says something about a change and not about its luck. Long runs draw others. */
const SEEDS = { PROPTEST_RNG_SEED: '20261128', MOORING_CHAOS_SEED: '20261128' };

/** Variables that tell tests where the servers are. */
function serverVariables(stack) {
  return {
    ...stack.env,
    MOORING_TEST_MONGODB_URI: stack.env.MONGODB_URI,
    MOORING_TEST_REDIS_URL: stack.env.REDIS_URI,
    MOORING_TEST_SOLANA_ENDPOINTS: stack.env.SOLANA_RPC_ENDPOINTS,
  };
}

/** The environment's own seeds go first. */
const seeds = Object.fromEntries(Object.entries(SEEDS).map(([name, seed]) => [name, process.env[name] ?? seed]));

/** Runs `work` with servers; they are stopped whatever happens. */
async function withServers(steps, work) {
  let stack;
  await steps.run(
    'start servers',
    async () => {
      const { startStack } = await import('../dev/stack.mjs');
      stack = await startStack({ mongo: { nodes: 1 }, redis: { tls: true }, solana: { fronts: 2 } });
    },
    { required: true },
  );
  try {
    await work(serverVariables(stack));
  } finally {
    await stack.stop();
    progress('servers stopped');
  }
}

async function main(steps) {
  if (suite !== undefined && !SUITES.includes(suite)) throw new StepFailed(`no suite ${suite}: choose of ${SUITES.join(', ')}`);
  const chosen = (name) => suite === undefined || suite === name;
  const rooms = ROOMS.filter((room) => existsSync(join(ROOT, 'tests', `${room}.rs`)));
  await setUp(steps);
  const cargoTest = ['test', ...(await cargoArguments())];
  if (chosen('rust')) {
    await steps.run('rust: units, loom, tidy', () =>
      run('cargo', [...cargoTest, '--no-fail-fast', '--lib', '--test', 'tidy', '--test', 'lane_loom', ...rest], { env: seeds }),
    );
  }
  if (chosen('stack')) await steps.run('development stack', () => run(process.execPath, ['--test', ...rest, 'dev/check.mjs']));
  if (chosen('servers') || chosen('jest')) {
    await withServers(steps, async (env) => {
      if (chosen('servers') && rooms.length > 0) {
        const tests = rooms.flatMap((room) => ['--test', room]);
        await steps.run('rust: rooms on servers', () =>
          run('cargo', [...cargoTest, '--no-fail-fast', ...tests, ...rest, '--', '--test-threads=1'], { env }),
        );
      }
      if (chosen('jest')) await steps.run('jest', () => tool('jest', rest, { env: { ...env, ...seeds }, silenceMs: JEST_SILENCE_MS }));
    });
  }
  if (chosen('types')) {
    await steps.run('types', async () => {
      await ensureTypes();
      await tool('tsd', ['--typings', 'dist/index.d.ts', '--files', '__tests__/types/*.test-d.ts']);
      return checkDocExamples();
    });
  }
}

await runSteps(async (steps) => {
  try {
    await main(steps);
  } catch (error) {
    if (error instanceof StepFailed) progress(error.message);
    throw error;
  }
});
