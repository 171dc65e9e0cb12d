/**
 * @module __tests__/support/chaos
 *
 * Sizes of the long runs. `npm test` runs a small slice of each; `npm run chaos` sets `MOORING_CHAOS` (a factor, default 100 there) and runs them long.
 * Runs are seeded: a failing one prints its seed and replays with `MOORING_CHAOS_SEED`.
 */
const FACTOR = Number(process.env['MOORING_CHAOS'] ?? 1);

/** How many rounds of something to run: `slice` in `npm test`, more in `npm run chaos`. */
export const rounds = (slice: number): number => Math.max(1, Math.round(slice * FACTOR));

/** Milliseconds a test of `slice` milliseconds may take. */
export const limitMs = (slice: number): number => slice * Math.max(1, FACTOR);

/** The seed of this run. */
export const seed = Number(process.env['MOORING_CHAOS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** A small deterministic generator (mulberry32: https://gist.github.com/tommyettinger/46a874533244883189143505d203312c): 0 to below 1. */
export function random(from: number): () => number {
  let state = from;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
