/**
 * @module __tests__/package/types (CommonJS)
 *
 * A strict TypeScript consumer without any peer. Compiled, not run.
 */
import mooring = require('mooring');

export function describe(error: unknown): string {
  return mooring.isMooringError(error, 'MOORING_TIMEOUT') ? `${error.code} ${error.labels.join()}` : 'unknown';
}
export const report: Promise<mooring.ShutdownReport> = mooring.gracefulShutdown({ deadlineMs: 1000 });
