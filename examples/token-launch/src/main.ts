/**
 * @module main
 *
 * The backend as a process: starts, says so, and ends on SIGTERM or SIGINT with the shutdown's report in the log. Exit code 0 when the shutdown was clean.
 */
import { startBackend } from './jobs/backend.js';
import { logger } from './logger.js';

async function main(): Promise<void> {
  const backend = await startBackend();
  const end = async (signal: string): Promise<void> => {
    const { clean } = await backend.stop(signal);
    process.exitCode = clean ? 0 : 1;
    process.exit();
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void end(signal));
  logger.info('backend ready');
}

main().catch((error: unknown) => {
  logger.error('backend failed to start', error);
  process.exitCode = 1;
});
