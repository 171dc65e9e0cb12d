/**
 * @module dev/suites/checkout
 *
 * Where the peers' sources come from: `MOORING_SUITES` (a folder with one checkout per peer), else a shallow clone in `.cache/suites`. Nothing of theirs is committed.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const FOLDER = process.env.MOORING_SUITES ?? join(ROOT, '.cache', 'suites');

/** The folder with the sources of one peer at its tag. */
export async function checkout({ name, repository, tag }) {
  const folder = join(FOLDER, name);
  if (existsSync(folder)) return folder;
  mkdirSync(FOLDER, { recursive: true });
  await run('git', ['clone', '--quiet', '--depth', '1', '--branch', tag, repository, folder]);
  return folder;
}

/** Runs a program to its end; rejects unless it succeeds or `anyCode` is set. */
export function run(program, args, { cwd, env, anyCode = false, stdio = ['ignore', 'inherit', 'inherit'] } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio });
    child.once('error', reject);
    child.once('close', (code, signal) =>
      code === 0 || anyCode ? resolve(code) : reject(new Error(`${program} ended with ${code ?? signal}`)),
    );
  });
}
