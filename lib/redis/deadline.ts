/**
 * @module redis/deadline
 *
 * How long closing may take.
 */
import { checkMilliseconds } from '../error/index.js';

/** Without a deadline of the caller's. */
export const CLOSE_MS = 5000;

/** Whole milliseconds. */
export function checkCloseDeadline(deadlineMs: unknown): number {
  return Math.ceil(checkMilliseconds('deadlineMs', deadlineMs, 0));
}
