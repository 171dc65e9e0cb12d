/**
 * @module redis/event-queue
 *
 * Events of one client on their way to its listeners: on the next tick, in order, each even when the listener of another threw.
 */
import { setImmediate } from 'node:timers';
import { nextTick } from '../tick.js';

/** Emits later what it was given. */
export class EventQueue {
  #events: (() => void)[] = [];

  /**
   * Queues `emit` for the next tick; `afterPromises` for after the promises that the last replies settled, as with a socket's own `close`.
   */
  later(afterPromises: boolean, emit: () => void): void {
    this.#events.push(emit);
    if (this.#events.length > 1) return;
    if (afterPromises) setImmediate(() => this.#emitAll());
    else nextTick(() => this.#emitAll());
  }

  #emitAll(): void {
    const events = this.#events;
    this.#events = [];
    for (const [index, emit] of events.entries()) {
      try {
        emit();
      } catch (error) {
        // A listener's error is the process's matter; the other events come all the same.
        const rest = events.slice(index + 1);
        if (rest.length > 0) setImmediate(() => rest.forEach((next) => next()));
        throw error;
      }
    }
  }
}
