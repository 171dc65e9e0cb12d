/**
 * @module dev/suites/ioredis
 *
 * ioredis' own functional tests, run against ioredis and against mooring. The tests import `../../lib/..`: that folder is generated here and hands out the target.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { checkout, ROOT, run } from './checkout.mjs';

export const SOURCE = { name: 'ioredis', repository: 'https://github.com/redis/ioredis', tag: 'v5.11.1' };
/** Seconds for one file. */
export const TIMEOUT = 120;
const TOOLS = [
  'mocha@10',
  'chai@4',
  'chai-as-promised@7',
  'sinon@13',
  'ts-node@10',
  'typescript@5.3',
  'uuid@9',
  'server-destroy@1',
  'redis-parser@3',
  'cluster-key-slot@1',
];
/** Files of `lib/` that the tests import. Those that are left out of `OURS` are internals. */
const MODULES = [
  'index',
  'Redis',
  'Command',
  'Pipeline',
  'DataHandler',
  'tracing',
  'utils/index',
  'errors/index',
  'connectors/index',
  'cluster/index',
];
const INTERNALS = ['cluster/ClusterSubscriber', 'cluster/ConnectionPool', 'cluster/ShardedSubscriber'];

/** Prepares the suite; answers how mocha is to be started. */
export async function prepare() {
  const source = await checkout(SOURCE);
  const folder = join(dirname(source), 'ioredis-suite');
  if (!existsSync(join(folder, 'node_modules', 'mocha'))) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
    await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', ...TOOLS], { cwd: folder });
  }
  rmSync(join(folder, 'test'), { recursive: true, force: true });
  cpSync(join(source, 'test'), join(folder, 'test'), { recursive: true });
  cpSync(join(source, 'tsconfig.json'), join(folder, 'tsconfig.json'));
  rmSync(join(folder, 'lib'), { recursive: true, force: true });
  for (const name of [...MODULES, ...INTERNALS])
    write(join(folder, 'lib', `${name}.js`), `module.exports = require(process.env.TARGET + '/${name}.js');\n`);
  return { folder, targets: { reference: reference(folder), mooring: mooring(folder) } };
}

/** The test files. */
export function files(folder) {
  return readdirSync(join(folder, 'test', 'functional'), { recursive: true })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join('test', 'functional', name))
    .toSorted();
}

/** Node's arguments for one test file. */
export function command(folder, output, file) {
  const helpers = readdirSync(join(folder, 'test', 'helpers')).map((name) => join('test', 'helpers', name));
  return [
    join(folder, 'node_modules', 'mocha', 'bin', 'mocha.js'),
    ...['--no-config', '--exit', '--timeout', '8000', '--require', 'ts-node/register'],
    ...['--reporter', 'json', '--reporter-option', `output=${output}`, ...helpers, file],
  ];
}

function reference(folder) {
  const built = join(dirname(createRequire(join(ROOT, 'package.json')).resolve('ioredis/package.json')), 'built');
  const target = join(folder, 'reference');
  for (const name of [...MODULES, ...INTERNALS])
    write(join(target, `${name}.js`), `module.exports = require(${JSON.stringify(join(built, name))});\n`);
  return target;
}

/** Our exports under the peer's paths. Constants and the functions that the tests' own mock server uses are the peer's: they are not under test. */
function mooring(folder) {
  const target = join(folder, 'mooring');
  const ours = JSON.stringify(join(ROOT, 'dist', 'redis', 'ioredis.js'));
  const internal = (file, name) =>
    `module.exports = { default: require(${JSON.stringify(join(ROOT, 'dist', 'redis', 'cluster', `${file}.js`))}).${name}, __esModule: true };\n`;
  const peer = (name) => JSON.stringify(join(folder, 'reference', `${name}.js`));
  const part = (text) => `const ours = require(${ours});\nmodule.exports = ${text};\n`;
  const modules = {
    index: part('ours'),
    Redis: part('{ default: ours.Redis, __esModule: true }'),
    Command: part('{ default: ours.Command, __esModule: true }'),
    Pipeline: part('{ default: ours.Pipeline, __esModule: true }'),
    tracing: part('{ sanitizeArgs: ours.sanitizeArgs }'),
    'errors/index': part('{ MaxRetriesPerRequestError: ours.MaxRetriesPerRequestError }'),
    'connectors/index': part('{ StandaloneConnector: ours.StandaloneConnector, SentinelConnector: ours.SentinelConnector }'),
    'cluster/index': part('{ default: ours.Cluster, __esModule: true }'),
    // Internals of the same shape: what the tests ask of them is asked of ours.
    'cluster/ConnectionPool': internal('nodes', 'NodePool'),
    'cluster/ClusterSubscriber': internal('subscriber', 'ClusterSubscriber'),
    // Two tests of `scaleReads` replace `sample`, to see which replicas it is offered: they replace ours. The other functions are the peer's.
    'utils/index': `const { sample, ...others } = require(${peer('utils/index')});
module.exports = Object.assign(require(${JSON.stringify(join(ROOT, 'dist', 'redis', 'cluster', 'nodes.js'))}), others);
`,
  };
  for (const name of [...MODULES, ...INTERNALS]) write(join(target, `${name}.js`), modules[name] ?? 'module.exports = {};\n');
  return target;
}

function write(file, text) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** `[{ file, title, state, error }]` of one run. */
export function results(output, folder) {
  const { tests, passes, pending } = JSON.parse(readFileSync(output, 'utf8'));
  const passed = new Set(passes.map(key));
  const waiting = new Set(pending.map(key));
  return tests.map((test) => ({
    file: relative(folder, test.file ?? ''),
    title: test.fullTitle,
    state: passed.has(key(test)) ? 'pass' : waiting.has(key(test)) ? 'pending' : 'fail',
    error: test.err?.message?.split('\n')[0],
  }));
}

const key = (test) => `${test.file}|${test.fullTitle}`;
