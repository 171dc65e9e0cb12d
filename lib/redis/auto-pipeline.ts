/**
 * @module redis/auto-pipeline
 *
 * What `enableAutoPipelining` shows: how many commands of this tick the peer would have put into an automatic pipeline. Commands are batched per tick either way.
 */
import { type CommandSpec, Flag } from './commands.js';

/** Commands that the peer's automatic pipelines leave out. */
const NEVER = Flag.subscribe | Flag.quit | Flag.multi | Flag.select | Flag.client;
const NAMES_NEVER = new Set(['auth', 'info', 'script', 'cluster']);

/** Whether the command counts; `ignored` is the option `autoPipeliningIgnoredCommands`. */
export function isAutoPipelined(spec: CommandSpec, ignored: readonly string[] = []): boolean {
  return (spec.flags & NEVER) === 0 && !NAMES_NEVER.has(spec.key) && !ignored.includes(spec.key);
}
