/**
 * @module benches/redis-faults/outcome
 *
 * What the load and its audit both know.
 */

/** Where an effect leaves its trace: a member of the list, a counter of its own, an entry of the log with the time when it ran. */
export const PLACE = { list: 1, count: 2, log: 3 };

/** What a caller was told of an effect. `no` and `maybe` are the error's `sent`; `unknown` when it does not say; `refused` by the server's own word. */
export const OUTCOME = { none: 0, done: 1, maybe: 2, no: 3, unknown: 4, refused: 5 };

/** A small deterministic generator (mulberry32): 0 to below 1. */
export function seeded(from) {
  let state = from;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
