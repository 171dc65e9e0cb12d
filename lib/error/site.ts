/**
 * @module error/site
 *
 * Where in the application something was called: what warnings name.
 */
import { dirname, join } from 'node:path';

const FRAMES = 50;

/** An error whose stack reaches through a library: the usual ten frames end inside of Mongoose or BullMQ. */
export function deepError(): Error {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = FRAMES;
  const error = new Error();
  Error.stackTraceLimit = stackTraceLimit;
  return error;
}

/** The first line of a stack that is the application's: not ours, not Node's, not a package's. */
export function siteOf(error: Error): string {
  const frames = (error.stack ?? '').split('\n').slice(1).map((line) => line.trim().replace(/^at (?:async )?/, '')); // prettier-ignore
  // A source map is read or not, frame by frame: our files by both of their names.
  const own = [ownFolder(), join(__dirname, '..'), join(__dirname, '..', '..', 'lib')];
  const theirs = frames.filter((frame) => isPlace(frame) && !own.some((folder) => frame.includes(folder)));
  return theirs.find((frame) => !frame.includes('node_modules')) ?? theirs[0] ?? 'an unknown place';
}

/** Whether a frame names a file that is not Node's own. */
function isPlace(frame: string): boolean {
  return !frame.includes('node:') && !frame.startsWith('<') && frame.includes(':');
}

/** The folder of all of ours as stacks show it, which with source maps is not where the files are; without them it is above `__dirname`. */
function ownFolder(): string {
  const [, frame = ''] = (new Error().stack ?? '').split('\n');
  const file = /\(?((?:file:\/\/)?[^()]+):\d+:\d+\)?$/.exec(frame.trim().replace(/^at /, ''))?.[1] ?? __filename;
  return dirname(dirname(file.includes(' ') ? file.slice(file.lastIndexOf(' ') + 1) : file));
}
