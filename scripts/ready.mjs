/**
 * @module scripts/ready
 *
 * `npm run ready`, the one command before a push: check, build, test, the offline install, and no generated file that differs from what is committed.
 */
import { check } from './check.mjs';
import { ensureAddon, ensureTypes } from './setup.mjs';
import { npm, run, runSteps, StepFailed } from './steps.mjs';

const GENERATED = ['binding.d.ts', 'index.d.ts', 'docs/api', 'npm'];

async function generatedFilesAreCommitted() {
  const changed = await run('git', ['status', '--porcelain', '--', ...GENERATED], { capture: true });
  if (changed !== '') throw new StepFailed(`generated files differ from what is committed:\n${changed}`);
}

await runSteps(async (steps) => {
  await check(steps);
  await steps.run('addon (release)', () => ensureAddon({ release: true }), { required: true });
  await steps.run('types rolled up', ensureTypes);
  await steps.run('npm test', () => npm(['test']));
  await steps.run('npm run test:package', () => npm(['run', 'test:package']));
  await steps.run('generated files', generatedFilesAreCommitted);
});
