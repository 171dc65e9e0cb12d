/**
 * @module scripts/check-npm
 *
 * Whether `npm/` and the addons fit together before anything is published: each target has exactly its folder, each folder the name, version, platform and
 * repository that it must have, and with `--built` exactly its addon. Node's own modules only.
 *
 *   node scripts/check-npm.mjs [--built]
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const built = process.argv.includes('--built');
/** What npm calls the parts of a Rust target. */
const CPU = { x86_64: 'x64', aarch64: 'arm64' };
const SYSTEMS = [
  { ends: '-unknown-linux-gnu', os: 'linux', libc: 'glibc', folder: (cpu) => `linux-${cpu}-gnu` },
  { ends: '-unknown-linux-musl', os: 'linux', libc: 'musl', folder: (cpu) => `linux-${cpu}-musl` },
  { ends: '-apple-darwin', os: 'darwin', folder: (cpu) => `darwin-${cpu}` },
  { ends: '-pc-windows-msvc', os: 'win32', folder: (cpu) => `win32-${cpu}-msvc` },
];

const readJson = (...path) => JSON.parse(readFileSync(join(ROOT, ...path), 'utf8'));

/** What a target's package must say. */
function expected(target, root) {
  const system = SYSTEMS.find(({ ends }) => target.endsWith(ends));
  const cpu = CPU[target.split('-')[0]];
  const folder = system.folder(cpu);
  const addon = `${root.napi.binaryName}.${folder}.node`;
  const manifest = {
    name: `${root.name}-${folder}`,
    version: root.version,
    main: addon,
    files: [addon],
    os: [system.os],
    cpu: [cpu],
    license: root.license,
    engines: root.engines,
    repository: root.repository,
    ...(system.libc === undefined ? {} : { libc: [system.libc] }),
  };
  return { folder, addon, manifest };
}

function* problemsOf({ folder, addon, manifest }) {
  if (!existsSync(join(ROOT, 'npm', folder, 'package.json'))) {
    yield `npm/${folder}/package.json is missing; run napi create-npm-dirs`;
    return;
  }
  const found = readJson('npm', folder, 'package.json');
  for (const [key, value] of Object.entries(manifest)) {
    if (JSON.stringify(found[key]) !== JSON.stringify(value)) {
      yield `npm/${folder}/package.json: ${key} is ${JSON.stringify(found[key])}, must be ${JSON.stringify(value)}`;
    }
  }
  for (const script of Object.keys(found.scripts ?? {}))
    yield `npm/${folder}/package.json has the script ${script}; platform packages have none`;
  const addons = readdirSync(join(ROOT, 'npm', folder)).filter((name) => name.endsWith('.node'));
  if (built && addons.join() !== addon) yield `npm/${folder} holds ${addons.join(', ') || 'no addon'}, must hold exactly ${addon}`;
}

function* problems() {
  const root = readJson('package.json');
  const packages = root.napi.targets.map((target) => expected(target, root));
  for (const one of packages) yield* problemsOf(one);
  const known = new Set(packages.map(({ folder }) => folder));
  for (const folder of readdirSync(join(ROOT, 'npm'))) if (!known.has(folder)) yield `npm/${folder} belongs to no target`;
  for (const script of ['preinstall', 'install', 'postinstall'])
    if (root.scripts[script] !== undefined) yield `package.json has the install script ${script}`;
  if (root.optionalDependencies !== undefined) yield 'package.json has optionalDependencies; napi writes them when it publishes';
  const crate = /^version = "(.+)"$/m.exec(readFileSync(join(ROOT, 'Cargo.toml'), 'utf8'))?.[1];
  if (crate !== root.version) yield `Cargo.toml has version ${crate}, package.json ${root.version}`;
}

const found = [...problems()];
for (const problem of found) console.error(problem);
console.error(found.length === 0 ? 'npm packages: in order' : `npm packages: ${found.length} problems`);
process.exitCode = found.length === 0 ? 0 : 1;
