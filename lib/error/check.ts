/**
 * @module error/check
 *
 * Checks that every managed entry makes of its arguments, before any I/O. Messages name the argument and never quote what was given.
 */
import { invalidArgument } from './mooring-error.js';

/** The longest time that a timer takes. */
export const MAX_MS = 0x7fff_ffff;

/** Refuses options that are no object. */
export function checkObject(options: unknown): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw invalidArgument('options', 'options must be an object');
}

/** Refuses options that are no object or hold an unknown name. */
export function checkOptions(options: object, names: ReadonlySet<string>): void {
  checkObject(options);
  for (const name of Object.keys(options)) if (!names.has(name)) throw invalidArgument(name, `unknown option ${name}`);
}

/** A number of milliseconds from `least` on. */
export function checkMilliseconds(argument: string, value: unknown, least: number): number {
  if (typeof value === 'number' && value >= least && value <= MAX_MS) return value;
  throw invalidArgument(argument, `${argument} must be a number between ${least} and ${MAX_MS}`);
}
