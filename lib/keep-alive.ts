/**
 * @module keep-alive
 *
 * What keeps the process alive: work that somebody waits for, and nothing else.
 */
import { clearInterval, setInterval } from 'node:timers';

/** The longest delay a timer takes; the interval only holds the loop and does nothing. */
const IDLE_INTERVAL_MS = 0x7fff_ffff;

/** Holds the event loop while work is in flight. Made on first use; `dispose` ends it. */
export class KeepAlive {
  #interval: NodeJS.Timeout | undefined;
  #count = 0;

  /** One more unit of work. */
  acquire(): void {
    if (this.#count++ > 0) return;
    // From node:timers, so that Jest's fake timers do not freeze it.
    if (this.#interval === undefined) this.#interval = setInterval(() => {}, IDLE_INTERVAL_MS);
    else this.#interval.ref();
  }

  /** One unit less. */
  release(): void {
    if (--this.#count === 0) this.#interval?.unref();
  }

  /** Ends it; what is still counted no longer holds the loop. */
  dispose(): void {
    if (this.#interval !== undefined) clearInterval(this.#interval);
    this.#interval = undefined;
  }
}
