/**
 * @module redis/event-queue
 *
 * Events of one client on their way to its listeners: on the next tick, in order, each even when the listener of another threw.
 */
import type { EventEmitter } from 'node:events';
import { setImmediate } from 'node:timers';
import { isolated, nextTick } from '../tick.js';

/** Emits now, in the middle of something that goes on whatever a listener throws. */
export function tell(emitter: EventEmitter, event: string, ...values: readonly unknown[]): void {
  isolated(() => emitter.emit(event, ...values));
}

/** Emits later what it was given. */
export class EventQueue {
  #events: (() => void)[] = [];
  #afterPromises = false;

  /**
   * Queues `emit` for the next tick; `afterPromises` for after the promises that the last replies settled, as with a socket's own `close`.
   */
  later(afterPromises: boolean, emit: () => void): void {
    const events = this.#events;
    events.push(emit);
    if (events.length > 1) return;
    this.#afterPromises = afterPromises;
    const emitAll = (): void => this.#emitAll(events);
    if (afterPromises) setImmediate(emitAll);
    else nextTick(emitAll);
  }

  /** Emits now what is due on the next tick, because what comes after it is emitted now. What is due after promises stays queued. */
  catchUp(): void {
    if (this.#events.length === 0 || this.#afterPromises) return;
    const events = this.#events;
    this.#events = [];
    // As when they are emitted by themselves: whoever is emitted next is not the listener's to stop.
    isolated(() => this.#emitEach(events));
  }

  /** Resolves when everything queued so far was emitted. */
  async emitted(): Promise<void> {
    if (this.#events.length > 0) await new Promise<void>((resolve) => this.#events.push(resolve));
  }

  #emitAll(events: (() => void)[]): void {
    // They were emitted by `catchUp`.
    if (events !== this.#events) return;
    this.#events = [];
    this.#emitEach(events);
  }

  #emitEach(events: readonly (() => void)[]): void {
    for (const [index, emit] of events.entries()) {
      try {
        emit();
      } catch (error) {
        // A listener's error is the process's matter; the other events come all the same.
        this.#resume(events.slice(index + 1));
        throw error;
      }
    }
  }

  /** Emits the rest after a listener threw, before what was queued meanwhile. */
  #resume(rest: readonly (() => void)[]): void {
    if (rest.length === 0) return;
    const events = [...rest, ...this.#events];
    this.#events = events;
    this.#afterPromises = true;
    setImmediate(() => this.#emitAll(events));
  }
}
