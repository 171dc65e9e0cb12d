/** @module redis/cluster/backoff: pauses of subscribers between attempts at one node after another. */

const BASE_MS = 100;
const MOST_MS = 2000;
const JITTER = 0.25;

/** 200, 400, 800 .. 2000 ms with 25 % jitter either way. */
export function backoffMs(attempt: number): number {
  const pause = Math.min(BASE_MS * 2 ** attempt, MOST_MS);
  return Math.round(pause * (1 + JITTER * (Math.random() * 2 - 1)));
}
