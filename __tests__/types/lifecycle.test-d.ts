/**
 * @module __tests__/types/lifecycle
 *
 * What the compiler knows of shutdown and of what is open.
 */
import { expectError, expectType } from 'tsd';
import { gracefulShutdown, type OpenThing, openThings, type ShutdownReport } from '../../dist/index.js';

expectType<Promise<ShutdownReport>>(gracefulShutdown());
expectType<Promise<ShutdownReport>>(gracefulShutdown({ deadlineMs: 5000, workers: [{ close: async () => true }] }));
expectError(gracefulShutdown({ deadlineMs: '5s' }));
expectError(gracefulShutdown({ timeout: 5000 }));
expectError(gracefulShutdown({ workers: [{ stop: async () => true }] }));

expectType<OpenThing[]>(openThings());

declare const report: ShutdownReport;
expectType<boolean>(report.clean);
expectError((report.clean = true));
