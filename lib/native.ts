/**
 * @module native
 *
 * The only importer of the addon. A load failure becomes a `MooringError` that names platform, architecture, libc and the deepest cause.
 * Opens nothing: loading the addon starts napi's parked runtime threads and nothing else.
 */
import type * as Binding from '../binding.js';
import { MooringError } from './error/index.js';

export type * from '../binding.js';

/** Under this symbol a Redis client shows its wire to the features that use its server. */
export const WIRE: unique symbol = Symbol.for('mooring.redis.wire') as never;

/** The exports of the addon. */
export type Native = typeof Binding;

function deepest(error: unknown): string {
  let current: unknown = error;
  for (let depth = 0; depth < 16 && current instanceof Error && current.cause !== undefined; depth++) current = current.cause;
  return current instanceof Error ? current.message : String(current);
}

function libc(): string {
  if (process.platform !== 'linux') return 'none';
  const header = (process.report.getReport() as { header?: { glibcVersionRuntime?: string } }).header;
  return header?.glibcVersionRuntime === undefined ? 'musl' : `glibc ${header.glibcVersionRuntime}`;
}

function load(): Native {
  try {
    // A literal: bundlers (Bun) find and copy the addon by it.
    // oxlint-disable-next-line typescript/no-require-imports -- the addon is CommonJS and its load failure must be caught
    return require('../binding.js') as Native;
  } catch (error) {
    const details = { platform: process.platform, arch: process.arch, libc: libc() };
    throw new MooringError(
      'MOORING_UNSUPPORTED_PLATFORM',
      `native addon not loadable on ${details.platform} ${details.arch} (${details.libc}): ${deepest(error)}`,
      {
        details,
        cause: error,
      },
    );
  }
}

/** The loaded addon. */
export const native: Native = load();
