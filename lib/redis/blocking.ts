/**
 * @module redis/blocking
 *
 * Reads a blocking command's own timeout out of its arguments. Rust needs it to tell a command that waits from a connection that died.
 */
import type { RedisValue } from './transformers.js';

const LAST = new Set(['blpop', 'brpop', 'brpoplpush', 'blmove', 'bzpopmin', 'bzpopmax']);
const FIRST = new Set(['bzmpop', 'blmpop']);
const OPTION = new Set(['xread', 'xreadgroup']);

/** Not a blocking command, or a timeout that cannot be read. */
export const NOT_BLOCKING = -1;
const MAX_MS = 0x7fff_ffff;

/** How a command may wait on the server: always, only with its BLOCK option, or never. WAIT and WAITAOF are bounded by their own answer. */
export function blockingKind(name: string): 'always' | 'option' | 'never' {
  if (LAST.has(name) || FIRST.has(name)) return 'always';
  return OPTION.has(name) ? 'option' : 'never';
}

/** Milliseconds a blocking command waits by itself, 0 for ever, `NOT_BLOCKING` when it does not wait or cannot be read. */
export function blockingMs(name: string, args: readonly RedisValue[]): number {
  if (LAST.has(name)) return milliseconds(args[args.length - 1], 1000);
  if (FIRST.has(name)) return milliseconds(args[0], 1000);
  if (!OPTION.has(name)) return NOT_BLOCKING;
  const at = args.findIndex((argument) => typeof argument !== 'number' && String(argument).toLowerCase() === 'block');
  return at === -1 ? NOT_BLOCKING : milliseconds(args[at + 1], 1);
}

function milliseconds(argument: RedisValue | undefined, unit: number): number {
  const value = Number(argument === undefined ? Number.NaN : String(argument));
  if (!Number.isFinite(value)) return NOT_BLOCKING;
  return value <= 0 ? 0 : Math.min(Math.ceil(value * unit), MAX_MS);
}
