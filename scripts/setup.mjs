/**
 * @module scripts/setup
 *
 * Everything that a run needs, made only when it is missing or older than its sources: npm packages, the addon, the facade, the server programs.
 * `npm run setup` does all of it; `npm test`, `npm run demo` and the benchmarks import the functions. Each returns a short note of what it did.
 * Node's own modules only: it runs before anything is installed.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { digest, isCurrent, remember } from './stamp.mjs';
import { npm, ROOT, run, runSteps, StepFailed, tool } from './steps.mjs';

const OLDEST_NODE = [20, 19];
const OLDEST_RUST = [1, 95];
const CURRENT = 'up to date';

/** From what the addon is built. */
const ADDON_SOURCES = ['src', 'build.rs', 'Cargo.toml', 'Cargo.lock', '.cargo'];
/** From what `dist/` is built. */
const FACADE_SOURCES = ['lib', 'tsconfig.json', 'tsconfig.build.json', 'binding.d.ts'];

function atLeast(version, oldest) {
  const [major, minor] = version;
  return major > oldest[0] || (major === oldest[0] && minor >= oldest[1]);
}

/** Refuses a Node or Rust that is too old, with one sentence. Returns the version of Rust. */
export async function ensureToolchain() {
  if (!atLeast(process.versions.node.split('.').map(Number), OLDEST_NODE)) {
    throw new StepFailed(`node ${process.versions.node} is too old: install Node ${OLDEST_NODE.join('.')} or newer`);
  }
  const install = `install Rust ${OLDEST_RUST.join('.')} or newer (https://rustup.rs)`;
  const text = await run('rustc', ['--version'], { capture: true }).catch(() => {
    throw new StepFailed(`rustc is not on PATH: ${install}`);
  });
  const version = text.trim();
  if (!atLeast(version.replace('rustc ', '').split('.').map(Number), OLDEST_RUST))
    throw new StepFailed(`${version} is too old: ${install}`);
  return version;
}

/** Arguments for cargo: the addon's own target and features, so that tests and addon share one build of every dependency (napi always names the target). */
export async function cargoArguments() {
  const facts = await run('rustc', ['-vV'], { capture: true });
  const host = /^host: (.+)$/m.exec(facts)?.[1];
  if (host === undefined) throw new StepFailed('rustc -vV names no host');
  return ['--target', host, '--features', 'test-util'];
}

/** Installs the packages of a folder with `npm ci` when `node_modules` is missing or not of its lock file. */
export async function ensureDependencies({ folder = '.' } = {}) {
  const lock = join(folder, 'package-lock.json');
  const stamp = join(folder, 'node_modules', '.mooring-stamp');
  const content = digest([lock], [process.platform, process.arch]);
  if (isCurrent(stamp, content)) return CURRENT;
  if (isInstalled(join(ROOT, folder))) {
    remember(stamp, content);
    return CURRENT;
  }
  await npm(['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: join(ROOT, folder) });
  remember(stamp, content);
  return 'npm ci';
}

/** Whether npm's own record of `node_modules` names every package of the lock file that this platform needs. */
function isInstalled(folder) {
  const record = join(folder, 'node_modules', '.package-lock.json');
  if (!existsSync(record)) return false;
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages;
  const wanted = Object.entries(JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')).packages);
  return wanted.every(([path, entry]) => path === '' || entry.optional || entry.peer || installed[path]?.version === entry.version);
}

/** The addon's file name on this machine, as napi names it. */
export function addonFile() {
  const libc = process.platform === 'linux' ? (process.report.getReport().header.glibcVersionRuntime === undefined ? '-musl' : '-gnu') : '';
  return `mooring.${process.platform}-${process.arch}${libc}${process.platform === 'win32' ? '-msvc' : ''}.node`;
}

/** Where the release addon and its `binding.js` are put: beside the debug ones, so that neither replaces the other. */
export const RELEASE_FOLDER = 'target/addon-release';

/**
 * Builds the addon: the debug one into the root, where tests load it; the release one into `RELEASE_FOLDER` (several minutes the first time). Load it with
 * `NAPI_RS_NATIVE_LIBRARY_PATH`.
 */
export async function ensureAddon({ release = false } = {}) {
  const rust = await ensureToolchain();
  const folder = release ? RELEASE_FOLDER : '.';
  const stamp = `target/addon-${release ? 'release' : 'debug'}.stamp`;
  const settings = JSON.stringify(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).napi);
  const content = digest(ADDON_SOURCES, [rust, settings]);
  const outputs = ['binding.js', addonFile()].map((name) => join(folder, name));
  if (isCurrent(stamp, content, release ? outputs : [...outputs, 'binding.d.ts'])) return CURRENT;
  const kind = release ? ['--release', '--output-dir', RELEASE_FOLDER] : ['--features', 'test-util'];
  await tool('napi', ['build', '--platform', ...kind, '--js', 'binding.js', '--dts', 'binding.d.ts']);
  remember(stamp, content);
  return release ? 'built for release' : 'built';
}

/** Builds `dist/` out of `lib/`. */
export async function ensureFacade() {
  const version = JSON.parse(readFileSync(join(ROOT, 'node_modules/typescript/package.json'), 'utf8')).version;
  const content = digest(FACADE_SOURCES, [version]);
  if (isCurrent('target/facade.stamp', content, ['dist/index.js'])) return CURRENT;
  // From nothing, so that no output of a file that is gone stays behind; it takes seconds.
  rmSync(join(ROOT, 'dist'), { recursive: true, force: true });
  await tool('tsc', ['-p', 'tsconfig.build.json']);
  remember('target/facade.stamp', content);
  return 'built';
}

/** Rolls the public types up into `index.d.ts` and the API report; both are committed. Needs `dist/`. */
export async function ensureTypes() {
  const content = digest([...FACADE_SOURCES, 'api-extractor.json', 'index.d.ts', 'docs/api']);
  if (isCurrent('target/types.stamp', content, ['index.d.ts', 'docs/api/mooring.api.md'])) return CURRENT;
  await tool('api-extractor', ['run', '--local'], { quiet: true });
  remember('target/types.stamp', digest([...FACADE_SOURCES, 'api-extractor.json', 'index.d.ts', 'docs/api']));
  return 'rolled up';
}

/** Finds mongod, redis-server and openssl, or fetches them. */
export async function ensureStack() {
  const { findMongod, findOpenssl, findRedisServer } = await import('../dev/binaries.mjs');
  const found = [await findMongod(), await findRedisServer(), await findOpenssl()];
  return found.join(', ');
}

/** All of it, as steps of a run. */
export async function setUp(steps, { release = false } = {}) {
  const required = { required: true };
  await steps.run('npm packages', ensureDependencies, required);
  await steps.run(release ? 'addon (release)' : 'addon', () => ensureAddon({ release }), required);
  await steps.run('facade', ensureFacade, required);
  await steps.run('server programs', ensureStack, required);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await runSteps((steps) => setUp(steps));
