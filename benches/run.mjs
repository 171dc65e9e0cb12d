/**
 * @module benches/run
 *
 * `npm run bench -- redis|mongo|solana|bullmq [--quick] [--tls] [--only TEXT] [--json FILE]`: mooring and each peer in one go, each in its own process, the order
 * shuffled in every round, the best round kept. `--only` takes the cases whose name has the text. The process that runs mooring has the peers' sockets trapped.
 */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { startStack } from '../dev/stack.mjs';
import { addonFile, ensureAddon, ensureDependencies, ensureFacade, ensureStack, RELEASE_FOLDER } from '../scripts/setup.mjs';
import { ROOT } from '../scripts/steps.mjs';
import { table, withRatios } from './report.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const SUITES = ['redis', 'mongo', 'solana', 'bullmq'];
const RELEASE_ADDON = join(ROOT, RELEASE_FOLDER, addonFile());
const run = promisify(execFile);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'string' },
    only: { type: 'string', default: '' },
    quick: { type: 'boolean', default: false },
    tls: { type: 'boolean', default: false },
  },
});
const [suiteName] = positionals;
if (!SUITES.includes(suiteName) || positionals.length !== 1) {
  console.error(`usage: npm run bench -- ${SUITES.join('|')} [--quick] [--tls] [--only TEXT] [--json FILE]`);
  process.exit(2);
}

function shuffled(list) {
  return list
    .map((item) => [Math.random(), item])
    .toSorted((a, b) => a[0] - b[0])
    .map(([, item]) => item);
}

async function measureOne(client, bench, suite, env) {
  const trap = client.includes('mooring') ? ['--require', join(here, '..', 'dev', 'peer-sockets.cjs')] : [];
  const milliseconds = values.quick ? 600 : 3000;
  const args = [...trap, join(here, 'child.mjs'), suiteName, client, bench.name, String(milliseconds)];
  const { stdout } = await run(process.execPath, args, {
    env: { ...process.env, ...env, NAPI_RS_NATIVE_LIBRARY_PATH: RELEASE_ADDON },
    timeout: 120_000,
  });
  return { client, ...JSON.parse(stdout.trim().split('\n').at(-1)) };
}

async function measureCase(bench, suite, env) {
  const best = new Map();
  const names = Object.keys(suite.clients).filter((name) => bench.only === undefined || bench.only.includes(name));
  for (let round = 0; round < (values.quick ? 1 : 3); round++) {
    for (const name of shuffled(names)) {
      const result = await measureOne(name, bench, suite, env);
      const last = best.get(name);
      if (last === undefined || result.opsPerSecond > last.opsPerSecond) best.set(name, result);
    }
  }
  return withRatios(
    names.map((name) => best.get(name)),
    bench.ours,
  );
}

await ensureDependencies();
await ensureAddon({ release: true });
await ensureFacade();
await ensureStack();
await ensureDependencies({ folder: 'benches' });
const suite = await import(`./${suiteName}.bench.mjs`);
if (values.tls && !suite.supportsTls) {
  console.error(`the ${suiteName} suite has no TLS rows`);
  process.exit(2);
}
const stack = await startStack(suite.servers({ tls: values.tls }));
const own = await suite.start?.();
const results = [];
try {
  const env = own?.env ?? suite.connection(stack, { tls: values.tls });
  console.log(
    `${suiteName}${values.tls ? ' over TLS' : ''}: ${cpus().length} cores, Node ${process.version}, best of ${values.quick ? 1 : 3} rounds; x = peer against mooring`,
  );
  for (const bench of suite.cases) {
    if ((values.quick && bench.slow) || !bench.name.includes(values.only)) continue;
    const rows = await measureCase(bench, suite, env);
    results.push({ case: bench.name, rows });
    console.log(table(bench.name, rows));
  }
  if (suite.summary !== undefined) console.log(suite.summary(results));
} finally {
  await own?.stop();
  await stack.stop();
}
if (values.json !== undefined) {
  const record = { suite: suiteName, tls: values.tls, quick: values.quick, node: process.version, cores: cpus().length, results };
  writeFileSync(values.json, `${JSON.stringify(record, null, 2)}\n`);
}
