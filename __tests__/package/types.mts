/**
 * @module __tests__/package/types (ES module)
 *
 * A strict TypeScript consumer without any peer. Compiled, not run.
 */
import { type ErrorCode, gracefulShutdown, isMooringError, type OpenThing, openThings, type ShutdownReport } from 'mooring';

export const codes: ErrorCode[] = ['MOORING_TIMEOUT', 'MOORING_CLOSED'];
export const names = (): string[] => openThings().map((thing: OpenThing) => thing.name);
export const close = async (): Promise<ShutdownReport> => gracefulShutdown();
export const timedOut = (error: unknown): boolean => isMooringError(error, 'MOORING_TIMEOUT');
// @ts-expect-error: a code that does not exist
export const wrong = (error: unknown): boolean => isMooringError(error, 'MOORING_TIMED_OUT');
