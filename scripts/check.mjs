/**
 * @module scripts/check
 *
 * `npm run check`: formatting, lints and types of both languages. Runs every check before it fails, so that one run shows everything.
 */
import { pathToFileURL } from 'node:url';
import { linkPackage } from './example.mjs';
import { cargoArguments, ensureAddon, ensureDependencies, ensureFacade } from './setup.mjs';
import { run, runSteps, tool } from './steps.mjs';

/** The checks, as steps of a run. */
export async function check(steps) {
  await steps.run('npm packages', ensureDependencies, { required: true });
  await steps.run('rustfmt', () => run('cargo', ['fmt', '--check']));
  const clippy = ['clippy', ...(await cargoArguments())];
  await steps.run('clippy: crate', () => run('cargo', [...clippy, '--lib', '--', '-D', 'warnings']));
  // napi registers exports only outside of tests, so the unit tests' build sees them unused; the crate itself was checked for dead code above.
  await steps.run('clippy: tests', () => run('cargo', [...clippy, '--all-targets', '--', '-D', 'warnings', '-A', 'dead_code']));
  // Tests are typed against `dist`, which is typed against `binding.d.ts`.
  await steps.run('addon', () => ensureAddon(), { required: true });
  await steps.run('facade', ensureFacade, { required: true });
  await steps.run('oxlint', () => tool('oxlint', ['--type-aware']));
  await steps.run('npm folders', () => run(process.execPath, ['scripts/check-npm.mjs']));
  await steps.run('prettier', () => tool('prettier', ['--check', '.']));
  // Tests of the example import it, and it imports the package by its name.
  linkPackage();
  await steps.run('tsc', () => tool('tsc', ['--noEmit']));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await runSteps(check);
