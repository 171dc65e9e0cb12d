/**
 * @module scripts/chaos
 *
 * `npm run chaos [-- factor]`: the long runs of the tests under `__tests__/chaos` and of the must-hold tests, 100 times their slice by default.
 */
import { spawnSync } from 'node:child_process';
import { ensureAddon, ensureDependencies, ensureFacade, ensureStack } from './setup.mjs';

const factor = process.argv[2] ?? '100';
if (!(Number(factor) > 0)) {
  console.error('usage: npm run chaos [-- factor above 0]');
  process.exit(2);
}
await ensureDependencies();
await ensureStack();
await ensureAddon();
await ensureFacade();
const { status } = spawnSync(process.execPath, ['node_modules/jest/bin/jest.js', '__tests__/chaos'], {
  stdio: 'inherit',
  env: { ...process.env, MOORING_CHAOS: factor },
});
process.exit(status ?? 1);
