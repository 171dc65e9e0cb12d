/**
 * @module redis/cluster/waiting
 *
 * Commands of a cluster that are with no node: those that wait for the cluster, and those that wait a moment before the next attempt.
 * While there are any the process stays alive; every one of them is run or rejected.
 */
import { clearTimeout, setTimeout } from 'node:timers';
import type { KeepAlive } from '../../keep-alive.js';
import { localError } from '../errors.js';

/** Something that wants to be sent. */
export interface Waiting {
  /** Sends it. */
  run(): void;
  reject(error: Error): void;
  /** Bytes of its arguments, about. */
  readonly bytes: number;
  /** When its `commandTimeout` ends, by `performance.now()`; 0 for never. */
  readonly expires: number;
}

/** Commands called before the cluster is ready, in order. */
export class OfflineQueue {
  readonly #keepAlive: KeepAlive;
  readonly #most: number;
  readonly #mostBytes: number;
  #items: Waiting[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  /** At most so many commands (0 for no limit) with so many bytes. */
  constructor(keepAlive: KeepAlive, most: number, mostBytes: number) {
    this.#keepAlive = keepAlive;
    this.#most = most;
    this.#mostBytes = mostBytes;
  }

  get length(): number {
    return this.#items.length;
  }

  /** Takes one, or rejects it when the queue is full. */
  push(item: Waiting): void {
    const full = (this.#most > 0 && this.#items.length >= this.#most) || this.#bytes + item.bytes > this.#mostBytes;
    if (full) {
      const text = `Offline queue is full (${this.#items.length} commands)`;
      return item.reject(localError(text, 'MOORING_POOL_EXHAUSTED'));
    }
    if (this.#items.push(item) === 1) this.#keepAlive.acquire();
    this.#bytes += item.bytes;
    this.#arm();
  }

  /** Runs everything; what is queued meanwhile waits for the next time. */
  runAll(): void {
    for (const item of this.#takeAll()) item.run();
  }

  rejectAll(error: () => Error): void {
    for (const item of this.#takeAll()) item.reject(error());
  }

  #takeAll(): Waiting[] {
    const items = this.#items;
    if (items.length === 0) return items;
    this.#items = [];
    this.#bytes = 0;
    this.#keepAlive.release();
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    return items;
  }

  /** One timer for all: they have the same time to live, so the first one expires first. */
  #arm(): void {
    const first = this.#items.find(({ expires }) => expires > 0);
    if (first === undefined || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#expire(), Math.max(first.expires - performance.now(), 1));
    this.#timer.unref();
  }

  #expire(): void {
    this.#timer = undefined;
    const now = performance.now();
    const isLate = ({ expires }: Waiting): boolean => expires > 0 && expires <= now;
    const late = this.#items.filter(isLate);
    const left = this.#items.filter((item) => !isLate(item));
    if (left.length === 0) this.#takeAll();
    else {
      this.#items = left;
      this.#bytes = left.reduce((sum, { bytes }) => sum + bytes, 0);
      this.#arm();
    }
    for (const item of late) item.reject(localError('Command timed out', 'MOORING_TIMEOUT'));
  }
}

/** Why something waits before its next attempt. Those with one reason wait together. */
export type Reason = 'moved' | 'tryagain' | 'clusterdown' | 'failover';

interface Bucket {
  readonly items: (() => void)[];
  readonly timer: NodeJS.Timeout;
}

/** Attempts that are made after a delay. */
export class DelayQueue {
  readonly #keepAlive: KeepAlive;
  readonly #buckets = new Map<Reason, Bucket>();

  constructor(keepAlive: KeepAlive) {
    this.#keepAlive = keepAlive;
  }

  /** Runs `item` after `delayMs` with the others of its reason; `first` is done before. */
  push(reason: Reason, delayMs: number, item: () => void, first?: (done: () => void) => void): void {
    const bucket = this.#buckets.get(reason);
    if (bucket !== undefined) {
      bucket.items.push(item);
      return;
    }
    this.#keepAlive.acquire();
    const run = (): void => this.#run(reason);
    const timer = setTimeout(() => (first === undefined ? run() : first(run)), delayMs);
    this.#buckets.set(reason, { items: [item], timer });
  }

  /** Runs everything now: the cluster has ended, and each finds that out. */
  runAll(): void {
    for (const reason of this.#buckets.keys()) this.#run(reason);
  }

  #run(reason: Reason): void {
    const bucket = this.#buckets.get(reason);
    if (bucket === undefined) return;
    this.#buckets.delete(reason);
    clearTimeout(bucket.timer);
    this.#keepAlive.release();
    for (const item of bucket.items) item();
  }
}
