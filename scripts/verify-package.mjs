/**
 * @module scripts/verify-package
 *
 * `npm run test:package`: packs what would be published for this machine, installs it offline into a new folder where there is no Rust, and uses it there
 * from CommonJS, ES modules, a worker thread, strict TypeScript and Jest, without any peer. Then the root package alone, which must fail in our words.
 * `--addon FOLDER` takes the addon and `binding.js` from there and builds none. Works in a copy: `napi pre-publish` rewrites package.json. Publishes nothing.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { addonFile, ensureAddon, ensureDependencies, ensureFacade, ensureStack, ensureTypes, RELEASE_FOLDER } from './setup.mjs';
import { npm, progress, ROOT, run, runSteps, StepFailed, tool } from './steps.mjs';

const SCENES = join(ROOT, '__tests__', 'package');
/** The time a process gets that has nothing left to do. */
const EXIT_MS = 1000;
const TARGETS = {
  'linux-x64-gnu': 'x86_64-unknown-linux-gnu',
  'linux-arm64-gnu': 'aarch64-unknown-linux-gnu',
  'darwin-arm64': 'aarch64-apple-darwin',
  'darwin-x64': 'x86_64-apple-darwin',
};

const writeJson = (path, value) => writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

function must(condition, sentence) {
  if (!condition) throw new StepFailed(sentence);
}

/** Where the release addon and its `binding.js` are; `--addon FOLDER` names one that was built elsewhere. */
const { values } = parseArgs({ options: { addon: { type: 'string' } } });
const ADDON_FOLDER = resolve(ROOT, values.addon ?? RELEASE_FOLDER);

/** The platform part of the addon's file name. */
const platform = addonFile().split('.')[1];

/** Copies what the root package is made of, and lets napi make the platform package out of the release addon. */
async function stage(folder) {
  const target = TARGETS[platform];
  must(target !== undefined, `test:package does not know the target of ${platform}`);
  for (const name of ['package.json', 'README.md', 'LICENSE', 'binding.d.ts', 'dist']) {
    if (existsSync(join(ROOT, name))) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  }
  cpSync(join(ADDON_FOLDER, 'binding.js'), join(folder, 'binding.js'));
  mkdirSync(join(folder, 'artifacts'));
  cpSync(join(ADDON_FOLDER, addonFile()), join(folder, 'artifacts', addonFile()));
  // Only this machine's target: napi fails on targets whose addon is missing.
  writeJson(join(folder, 'napi.json'), { binaryName: 'mooring', constEnum: false, targets: [target] });
  const napi = (...args) => tool('napi', [...args, '-c', 'napi.json'], { cwd: folder, quiet: true });
  await napi('create-npm-dirs');
  await napi('artifacts');
  await napi('pre-publish', '-t', 'npm', '--skip-optional-publish', '--no-gh-release');
}

async function pack(folder, out) {
  const listed = await npm(['pack', '--ignore-scripts', '--json', '--pack-destination', out], { cwd: folder, capture: true });
  const [{ filename, size, files }] = JSON.parse(listed);
  return { path: join(out, filename), size, files: files.map((file) => file.path) };
}

function checkContents(root, addon) {
  const folders = new Set(root.files.map((path) => path.split('/')[0]));
  const allowed = ['package.json', 'README.md', 'LICENSE', 'binding.d.ts', 'binding.js', 'dist'];
  const strange = [...folders].filter((name) => !allowed.includes(name));
  must(strange.length === 0, `the root package holds ${strange.join(', ')}`);
  must(
    !root.files.some((path) => path.endsWith('.node') || path.endsWith('.tsbuildinfo')),
    'the root package holds build output of this machine',
  );
  must(addon.files.includes(addonFile()), `the platform package lacks ${addonFile()}`);
}

/** Every path that `exports` names is in the package. */
function checkExports(folder, packed) {
  const paths = Object.values(readJson(join(folder, 'package.json')).exports).flatMap((entry) =>
    typeof entry === 'string' ? [entry] : Object.values(entry),
  );
  const missing = paths.filter((path) => !packed.files.includes(path.replace('./', '')));
  must(missing.length === 0, `exports names files that are not in the package: ${missing.join(', ')}`);
}

/** An environment without Rust, without npm's cache and without this repository's packages: node, npm and sh are all there is. */
function bareEnvironment(folder) {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  symlinkSync(process.execPath, join(bin, 'node'));
  for (const shell of ['/bin/sh', '/usr/bin/env'].filter(existsSync)) symlinkSync(realpathSync(shell), join(bin, shell.split('/').at(-1)));
  mkdirSync(join(folder, 'home'));
  return {
    PATH: bin,
    HOME: join(folder, 'home'),
    npm_config_cache: join(folder, 'cache'),
    npm_config_update_notifier: 'false',
    NODE_PATH: '',
    CARGO_HOME: '',
  };
}

/** Installs tarballs into a new folder, from nothing but the tarballs. */
async function install(folder, { root, overrides, env, args = [] }) {
  mkdirSync(folder);
  writeJson(join(folder, 'package.json'), {
    name: 'consumer',
    version: '1.0.0',
    private: true,
    dependencies: { mooring: `file:${root}` },
    overrides,
  });
  const options = { cwd: folder, env, quiet: true };
  await npm(['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', ...args], options);
  await npm(['ci', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', ...args], options);
  await npm(['ls', '--all', ...args], options);
  for (const scene of readdirSync(SCENES)) cpSync(join(SCENES, scene), join(folder, scene));
}

/** Runs a scene; it must say that it used the package, end with 0, and end by itself within a second of its last word. */
async function play(folder, scene, env) {
  const begin = performance.now();
  const output = await run(process.execPath, [scene], { cwd: folder, env, capture: true });
  must(output.endsWith('used\n'), `${scene} did not use the package: ${output}`);
  return `${Math.round(performance.now() - begin)} ms`;
}

/** A process that only loads the package, and one that is done with it, end at once. */
async function exitsByItself(folder, env) {
  for (const code of ["require('mooring')", "require('mooring').gracefulShutdown({ logger: { info() {}, error() {} } })"]) {
    const timed = `process.on('exit', () => process.stdout.write(String(performance.now()))); ${code};`;
    const begin = performance.now();
    await run(process.execPath, ['-e', timed], { cwd: folder, env, capture: true });
    const elapsed = performance.now() - begin;
    must(elapsed < EXIT_MS + 500, `a process that ran ${code} took ${Math.round(elapsed)} ms to end`);
  }
}

/** The packed package on real servers, which this repository's own process runs. */
async function worksOnServers(folder, env) {
  const { startStack } = await import('../dev/stack.mjs');
  const stack = await startStack({ mongo: false, redis: {}, solana: { fronts: 2 } });
  try {
    return await play(folder, 'servers.cjs', { ...env, ...stack.env });
  } finally {
    await stack.stop();
  }
}

async function compiles(folder, env) {
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    noEmit: true,
    target: 'es2022',
    module: 'node16',
    moduleResolution: 'node16',
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules', '@types')],
  };
  writeJson(join(folder, 'tsconfig.json'), { compilerOptions, files: readdirSync(SCENES).filter((name) => /\.[cm]ts$/.test(name)) });
  await run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json'], { cwd: folder, env });
}

async function jestRuns(folder, env) {
  const config = JSON.stringify({
    rootDir: folder,
    testEnvironment: 'node',
    transform: {},
    testMatch: ['**/*.test.cjs'],
    moduleFileExtensions: ['cjs', 'js', 'json', 'node'],
  });
  const jest = join(ROOT, 'node_modules/jest/bin/jest.js');
  const json = await run(process.execPath, [jest, '--config', config, '--runInBand', '--detectOpenHandles', '--ci', '--json', '--silent'], {
    cwd: folder,
    env,
    capture: true,
  });
  const { success, numPassedTests, openHandles } = JSON.parse(json);
  must(success && numPassedTests > 0, 'jest ran no test of the consumer');
  must(openHandles.length === 0, `jest found open handles: ${openHandles.map(String).join(', ')}`);
  return `${numPassedTests} tests`;
}

async function verify(steps, folder) {
  const required = { required: true };
  const out = join(folder, 'tarballs');
  const staged = join(folder, 'staged');
  const env = bareEnvironment(folder);
  const consumer = join(folder, 'consumer');
  const alone = join(folder, 'alone');
  mkdirSync(out);
  mkdirSync(staged);
  let packed;
  await steps.run('stage', () => stage(staged), required);
  await steps.run(
    'pack',
    async () => {
      const root = await pack(staged, out);
      const addon = await pack(join(staged, 'npm', platform), out);
      checkContents(root, addon);
      const overrides = { [`mooring-${platform}`]: `file:${addon.path}` };
      for (const name of Object.keys(readJson(join(ROOT, 'package.json')).dependencies))
        overrides[name] = `file:${(await pack(join(ROOT, 'node_modules', name), out)).path}`;
      packed = { root, overrides };
      const unpacked = statSync(join(staged, 'npm', platform, addonFile())).size;
      return `root ${Math.round(root.size / 1024)} KiB, ${platform} ${(addon.size / 2 ** 20).toFixed(1)} MiB packed, ${(unpacked / 2 ** 20).toFixed(1)} MiB unpacked`;
    },
    required,
  );
  await steps.run('exports', () => checkExports(staged, packed.root));
  await steps.run('install offline', () => install(consumer, { root: packed.root.path, overrides: packed.overrides, env }), required);
  for (const scene of ['commonjs.cjs', 'module.mjs', 'worker.cjs']) await steps.run(scene, () => play(consumer, scene, env));
  await steps.run('servers.cjs', () => worksOnServers(consumer, env));
  await steps.run('exits by itself', () => exitsByItself(consumer, env));
  await steps.run('typescript', () => compiles(consumer, env));
  await steps.run('jest', () => jestRuns(consumer, env));
  await steps.run(
    'install root alone',
    () => install(alone, { root: packed.root.path, overrides: packed.overrides, env, args: ['--omit=optional'] }),
    required,
  );
  await steps.run('alone.cjs', () => play(alone, 'alone.cjs', env));
}

await runSteps(async (steps) => {
  const required = { required: true };
  await steps.run('npm packages', ensureDependencies, required);
  if (values.addon === undefined) await steps.run('addon (release)', () => ensureAddon({ release: true }), required);
  await steps.run('facade', ensureFacade, required);
  await steps.run('types rolled up', ensureTypes, required);
  await steps.run('server programs', ensureStack, required);
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'mooring-package-')));
  try {
    await verify(steps, folder);
  } finally {
    if (process.env.MOORING_KEEP === undefined) rmSync(folder, { recursive: true, force: true });
    else progress(`kept ${folder}`);
  }
});
