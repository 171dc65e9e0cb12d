/** @module __tests__/support/until: waits for something that comes by itself, and fails when it does not. */
import { setTimeout as delay } from 'node:timers/promises';

/** Waits until `holds` does, at most `limitMs`. */
export async function until(holds: () => boolean | Promise<boolean>, limitMs = 8000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`it did not come true within ${limitMs} ms: ${holds.toString()}`);
    await delay(20);
  }
}
