/**
 * @module dev/suites/each
 *
 * Runs the commands that `run.mjs` asks for, one after another, inside the network that it made. Output is shown with `MOORING_SUITES_VERBOSE`.
 */
import { run } from './checkout.mjs';

const { folder, tests, commands, timeout } = JSON.parse(process.argv[2]);
const shown = process.env.MOORING_SUITES_VERBOSE ? 'inherit' : 'ignore';
for (const [index, args] of commands.entries()) {
  if (shown === 'inherit') console.log(`## ${tests[index]}`);
  await run('timeout', [String(timeout), process.execPath, ...args], { cwd: folder, anyCode: true, stdio: ['ignore', shown, shown] });
}
