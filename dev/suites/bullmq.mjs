/**
 * @module dev/suites/bullmq
 *
 * BullMQ's own tests, run on ioredis and on mooring: the module `ioredis` is the target, everything else is BullMQ's. Two targets are ours: `mooring`, the
 * look-alike under BullMQ's ioredis adapter, and `native`, whose client BullMQ takes as its own `IRedisClient`. The conformance suite tests what BullMQ
 * itself would use: the adapter around ioredis and the look-alike, and what `bullmqConnection` makes as it is.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { checkout, ROOT, run } from './checkout.mjs';

export const SOURCE = { name: 'bullmq', repository: 'https://github.com/taskforcesh/bullmq', tag: 'v6.2.0' };
/** Seconds for one file. */
export const TIMEOUT = 600;
/** Clusters that a test file expects on these ports, with these passwords. */
export const CLUSTERS = { 'tests/cluster.test.ts': ['7001', '7101:testpassword'] };
/** Other adapters and backends. */
const LEFT_OUT = ['node-redis', 'bun-redis', 'bun-adapter-suite', 'postgres-queue-backend'].map((name) => `tests/${name}.test.ts`);
const CONFORMANCE = 'tests/adapter-conformance.test.ts';
/** Where the conformance suite finds `bullmqConnection`; unset for the targets that go through BullMQ's adapter. */
const NATIVE = 'MOORING_BULLMQ';
const CONFORMANCE_CLIENT = `async function createTestClient(): Promise<IRedisClient> {
  const native = process.env.${NATIVE};
  const adapter = native
    ? createRequire(__filename)(native).bullmqConnection({ host: redisHost, port: redisPort })
    : createIORedisClient(new IORedis({ host: redisHost, port: redisPort, lazyConnect: true, maxRetriesPerRequest: null }) as never);
  await adapter.connect();
  return adapter;
}`;

/** Prepares the suite: its tools, its generated Lua scripts, its two configurations. */
export async function prepare() {
  const folder = await checkout(SOURCE);
  if (!existsSync(join(folder, 'node_modules', 'vitest')))
    await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder });
  if (!existsSync(join(folder, 'src', 'scripts'))) {
    await run('npx', ['ts-node', '--project', 'tsconfig-cjs.json', 'scripts/generateRawScripts.ts'], { cwd: folder });
    await run(process.execPath, ['scripts/commandTransform.js', './rawScripts', './src/scripts'], { cwd: folder });
  }
  // Sandboxed processors run BullMQ's built files.
  if (!existsSync(join(folder, 'dist', 'cjs'))) await run('npx', ['tsc', '-p', 'tsconfig-cjs.json'], { cwd: folder });
  conformance(folder);
  const peer = createRequire(join(folder, 'package.json')).resolve('ioredis');
  return {
    folder,
    targets: {
      reference: configured(folder, 'reference', peer),
      mooring: configured(folder, 'mooring', wrapped(folder, 'mooring', 'ioredis', 'ours')),
      native: configured(folder, 'native', wrapped(folder, 'native', 'bullmq', 'ours.BullmqClient')),
    },
  };
}

/** Changes only the client under test, as the suite's own comment asks. */
function conformance(folder) {
  const file = join(folder, CONFORMANCE);
  const text = readFileSync(file, 'utf8');
  if (!text.includes('createNodeRedisClient')) return;
  const start = text.indexOf('async function createTestClient');
  const end = text.indexOf('\n}', start) + 2;
  const changed = `${text.slice(0, start)}${CONFORMANCE_CLIENT}${text.slice(end)}`
    .replace(/import \{ createClient.*\n/, "import { createRequire } from 'node:module';\nimport { default as IORedis } from 'ioredis';\n")
    .replace(/import \{ createNodeRedisClient.*\n/, "import { createIORedisClient } from '../src/classes/ioredis-client';\n");
  writeFileSync(file, changed);
}

/** What the native target's processes need besides. */
export function environment(target) {
  return target === 'native' ? { [NATIVE]: join(ROOT, 'dist', 'redis', 'bullmq.js') } : {};
}

/** The module `ioredis` of a target: the class `client` of our built file `entry`. Vitest would transform that file: this one requires it as Node does. */
function wrapped(folder, target, entry, client) {
  const file = join(folder, `mooring-${target}.mjs`);
  const ours = JSON.stringify(join(ROOT, 'dist', 'redis', `${entry}.js`));
  const names = ['Cluster', 'Command', 'Pipeline', 'ScanStream', 'ReplyError'].map((name) => `export const ${name} = client.${name};`);
  const text = [
    "import { createRequire } from 'node:module';",
    `const ours = createRequire(import.meta.url)(${ours});`,
    `const client = ${client};`,
    'export default client;',
    'export const Redis = client;',
    ...names,
  ];
  writeFileSync(file, `${text.join('\n')}\n`);
  return file;
}

function configured(folder, name, ioredis) {
  const file = join(folder, `vitest.suite-${name}.config.ts`);
  const test = {
    ...{ include: ['tests/**/*.test.ts'], setupFiles: ['./vitest.setup.ts'], testTimeout: 10_000, hookTimeout: 10_000 },
    ...{ sequence: { concurrent: false }, server: { deps: { external: ['.*/dist/redis/.*'] } } },
  };
  writeFileSync(
    file,
    `export default ${JSON.stringify({ resolve: { alias: [{ find: '^ioredis$', replacement: ioredis }] }, test })};\n`.replace(
      '"^ioredis$"',
      '/^ioredis$/',
    ),
  );
  return file;
}

/** The test files. */
export function files(folder) {
  const all = readdirSync(join(folder, 'tests')).filter((name) => name.endsWith('.test.ts'));
  return all
    .map((name) => `tests/${name}`)
    .filter((name) => !LEFT_OUT.includes(name))
    .toSorted();
}

/** Node's arguments for one test file. */
export function command(folder, output, file, target) {
  return [
    join(folder, 'node_modules', 'vitest', 'vitest.mjs'),
    'run',
    '--config',
    target,
    '--no-file-parallelism',
    '--reporter=json',
    `--outputFile=${output}`,
    file,
  ];
}

/** `[{ file, title, state, error }]` of one run. */
export function results(output, folder) {
  const states = { passed: 'pass', failed: 'fail' };
  return JSON.parse(readFileSync(output, 'utf8')).testResults.flatMap(({ name, message, assertionResults }) => {
    const file = relative(folder, name);
    if (assertionResults.length === 0 && message)
      return [{ file, title: '(the whole file)', state: 'fail', error: message.split('\n')[0] }];
    return assertionResults.map(({ fullName, status, failureMessages }) => ({
      ...{ file, title: fullName, state: states[status] ?? 'pending', error: failureMessages?.[0]?.split('\n')[0] },
    }));
  });
}
