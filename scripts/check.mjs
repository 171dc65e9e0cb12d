/**
 * @module scripts/check
 *
 * `npm run check`: formatting, lints and types of both languages. Runs every check before it fails, so that one run shows everything.
 */
import { pathToFileURL } from 'node:url';
import { ensureAddon, ensureDependencies, ensureFacade } from './setup.mjs';
import { run, runSteps, tool } from './steps.mjs';

/** The checks, as steps of a run. */
export async function check(steps) {
  await steps.run('npm packages', ensureDependencies, { required: true });
  await steps.run('rustfmt', () => run('cargo', ['fmt', '--check']));
  await steps.run('clippy', () => run('cargo', ['clippy', '--features', 'test-util', '--all-targets', '--', '-D', 'warnings']));
  // Tests are typed against `dist`, which is typed against `binding.d.ts`.
  await steps.run('addon', () => ensureAddon(), { required: true });
  await steps.run('facade', ensureFacade, { required: true });
  await steps.run('oxlint', () => tool('oxlint', ['--type-aware']));
  await steps.run('npm folders', () => run(process.execPath, ['scripts/check-npm.mjs']));
  await steps.run('prettier', () => tool('prettier', ['--check', '.']));
  await steps.run('tsc', () => tool('tsc', ['--noEmit']));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await runSteps(check);
