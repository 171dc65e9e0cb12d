/**
 * @module mongo/leak
 *
 * The leak detector of sessions: one that is held longer than `leakThresholdMs` is reported once, with the place where it was started. Its timer holds nothing.
 */
import { clearTimeout, setTimeout } from 'node:timers';
import { deepError, siteOf } from '../error/index.js';
import type { ClientSession } from './session.js';

/** Watches `session` until it ends. */
export function watchForLeak(session: ClientSession, thresholdMs: number): void {
  const started = deepError();
  const timer = setTimeout(() => {
    const message = `session started at ${siteOf(started)} is held for more than ${thresholdMs} ms: end it, or let withSession or withTransaction do so`;
    process.emitWarning(message, { code: 'MOORING_SESSION_LEAK' });
  }, thresholdMs);
  timer.unref();
  session.once('ended', () => clearTimeout(timer));
}
