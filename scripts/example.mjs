/**
 * @module scripts/example
 *
 * Compiles `examples/token-launch` with tsc. The example is a user of the package: it says `import ... from 'mooring'`, and a link in its `node_modules` leads
 * that name to this repository's build, just as `npm install` makes it for the example's dependency `file:../..`.
 */
import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT, tool } from './steps.mjs';

const FOLDER = join(ROOT, 'examples', 'token-launch');
/** The compiled example. */
export const EXAMPLE_DIST = join(FOLDER, 'dist');

/** Makes the name `mooring` lead to this repository's build for the example, and for the compiler, which follows the example from its tests. */
export function linkPackage() {
  const link = join(FOLDER, 'node_modules', 'mooring');
  // A package that is installed there, packed or linked, is what the example uses.
  if (existsSync(join(link, 'package.json'))) return;
  rmSync(link, { recursive: true, force: true });
  mkdirSync(join(FOLDER, 'node_modules'), { recursive: true });
  // A junction needs no administrator on Windows; elsewhere the type is ignored.
  symlinkSync(process.platform === 'win32' ? ROOT : join('..', '..', '..'), link, 'junction');
}

/** Links the package and compiles what has changed. The package's facade must be built. */
export async function ensureExample() {
  linkPackage();
  await tool('tsc', ['-p', FOLDER]);
  return 'compiled';
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await ensureExample();
