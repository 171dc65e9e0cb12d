/**
 * @module scripts/check-elf
 *
 * What a Linux addon needs of the system it is loaded on: gnu builds nothing newer than glibc 2.17, musl builds nothing of glibc, neither a library that is not
 * part of the system. Reads the addon with `readelf`.
 *
 *   node scripts/check-elf.mjs <target> [addon]
 */
import { execFileSync } from 'node:child_process';
import { basename } from 'node:path';

const FLOOR = [2, 17];
/** Libraries of every system of the kind. */
const SYSTEM = {
  gnu: [
    'libc.so.6',
    'libm.so.6',
    'libgcc_s.so.1',
    'libpthread.so.0',
    'libdl.so.2',
    'librt.so.1',
    'ld-linux-x86-64.so.2',
    'ld-linux-aarch64.so.1',
  ],
  musl: ['libc.so', 'libc.musl-x86_64.so.1', 'libc.musl-aarch64.so.1', 'libgcc_s.so.1'],
};
const FOLDERS = {
  'x86_64-unknown-linux-gnu': 'linux-x64-gnu',
  'aarch64-unknown-linux-gnu': 'linux-arm64-gnu',
  'x86_64-unknown-linux-musl': 'linux-x64-musl',
  'aarch64-unknown-linux-musl': 'linux-arm64-musl',
};

const [target, given] = process.argv.slice(2);
if (FOLDERS[target] === undefined) throw new Error(`no Linux target: ${target}`);
const addon = given ?? `mooring.${FOLDERS[target]}.node`;
const libc = target.endsWith('musl') ? 'musl' : 'gnu';
const readelf = (...args) => execFileSync('readelf', [...args, addon], { encoding: 'utf8', maxBuffer: 1 << 28 });

const needed = [...readelf('--dynamic', '--wide').matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, name]) => name);
const versions = [...new Set([...readelf('--version-info', '--wide').matchAll(/Name: GLIBC_([\d.]+)/g)].map(([, version]) => version))];
const problems = needed.filter((name) => !SYSTEM[libc].includes(name)).map((name) => `needs ${name}`);
const newer = ([major, minor]) => major > FLOOR[0] || (major === FLOOR[0] && minor > FLOOR[1]);
for (const version of versions) {
  if (libc === 'musl') problems.push(`needs glibc ${version}, but is a musl build`);
  else if (newer(version.split('.').map(Number))) problems.push(`needs glibc ${version}; ${FLOOR.join('.')} is the newest allowed`);
}
for (const problem of problems) console.error(`${basename(addon)} ${problem}`);
console.error(problems.length === 0 ? `${basename(addon)}: needs ${needed.join(', ')}` : `${basename(addon)}: ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
