/**
 * @module solana/subscription
 *
 * A subscription of a pool: notifications of nodes as an async iterable or for a listener. Rust holds the queue, bounded; this file takes what has arrived and
 * reads it. A subscription keeps no process alive unless it is asked to; waiting for its confirmation, for a notification, or for its end, does.
 */
import { invalidArgument, isFailure } from '../error/index.js';
import type { KeepAlive } from '../keep-alive.js';
import type { Outcome } from '../lane.js';
import type { FailureRecord, SubscriptionBatch } from '../native.js';
import { parseMarked } from './bigint.js';

/** What can be subscribed to: `accountSubscribe` and the like without the last part. */
export type SubscriptionKind = 'account' | 'logs' | 'program' | 'root' | 'signature' | 'slot';

/** Takes a node's method apart: `accountSubscribe` is `['account', 'Subscribe']`. */
export function kindAndVerb(method: string): [kind: SubscriptionKind, verb: string | undefined] {
  const [, kind = '', verb] = /^(\w+?)(Subscribe|Unsubscribe)$/.exec(method) ?? [];
  return [kind as SubscriptionKind, verb];
}

/** Slots that nobody watched for a subscription, because it moved from one node to another. */
export interface Gap {
  /** The last slot that was watched. */
  readonly fromSlot: number;
  /** The first slot that is watched again. */
  readonly toSlot: number;
  /** Whether something may be missing for good. False for accounts and signatures once a read has caught up. */
  readonly lost: boolean;
}

/** A gap, and whose it is. */
export interface SubscriptionGap extends Gap {
  readonly kind: SubscriptionKind;
  readonly params: readonly unknown[];
}

/** How a subscription is wanted. */
export interface SubscribeOptions {
  /** Ends it, as `close()` does. */
  readonly signal?: AbortSignal | undefined;
  /** Called for each gap, at its place among the notifications. */
  readonly onGap?: (gap: Gap) => void;
  /** Notifications that may wait; beyond it the oldest are dropped and counted. Those of signatures never are. Default 1024. */
  readonly queueMax?: number;
  /** Milliseconds `ready()` waits for the first confirmation. Default: the pool's `deadlineMs`. */
  readonly deadlineMs?: number;
  /** What integers become: `'bigint'` where `number` would lose digits beyond 2^53. Default `'number'`. */
  readonly integers?: 'bigint' | 'number';
}

/**
 * A subscription. Take its notifications by `for await`, or hand a listener to `listen`; one of both. It lasts until `close()`, until a `for await` is left, until
 * its signal fires, or until its end: a signature ends by itself, and parameters that nodes refuse end with their error.
 */
export interface Subscription<T = unknown> extends AsyncIterable<T>, AsyncDisposable {
  readonly kind: SubscriptionKind;
  /** Notifications dropped because nobody took them in time. */
  readonly dropped: number;
  /**
   * Resolves when a node has confirmed it for the first time.
   * @throws the node's refusal, which ends it; `MOORING_TIMEOUT` after `deadlineMs`: it goes on trying; `MOORING_ABORTED` when it was closed before.
   */
  ready(): Promise<void>;
  /** Calls `listener` for each notification from now on, those that wait first, and `onEnd` once at the end, with the error if there is one. */
  listen(listener: (notification: T) => void, onEnd?: (error?: Error) => void): this;
  /** The notifications. Leaving the loop closes the subscription. */
  [Symbol.asyncIterator](): AsyncIterator<T, undefined>;
  /** Ends it: no notification follows. Resolves when no node knows it any more, after a few seconds at most. Idempotent. */
  close(): Promise<void>;
  /** Keeps the process alive while the subscription lasts. Without it only a `next()` that waits does. */
  ref(): this;
  /** Lets the process go, also while a `next()` waits. */
  unref(): this;
}

/** What a subscription needs of its pool. */
export interface SubscriptionHost {
  readonly keepAlive: KeepAlive;
  take(): SubscriptionBatch;
  unsubscribe(): Promise<Outcome>;
  fail(failure: FailureRecord): Error;
  gap(gap: Gap): void;
  /** The listener threw. */
  report(error: unknown): void;
  forget(): void;
}

type Listener<T> = (notification: T) => void;
interface Waiter<T> {
  readonly resolve: (result: IteratorResult<T, undefined>) => void;
  readonly reject: (reason: unknown) => void;
}
interface End {
  readonly error: Error | undefined;
}

/** A subscription of one pool, over what has arrived in Rust. */
export class PoolSubscription<T> implements Subscription<T> {
  readonly kind: SubscriptionKind;
  readonly #host: SubscriptionHost;
  readonly #options: SubscribeOptions;
  readonly #parse: (text: string) => unknown;
  readonly #cancel = new AbortController();
  readonly #confirmed: Promise<Outcome>;
  #items: SubscriptionBatch | undefined;
  #at = 0;
  #waiters: Waiter<T>[] = [];
  #listener: Listener<T> | undefined;
  #onEnd: ((error?: Error) => void) | undefined;
  #iterated = false;
  /** What `ref()` or `unref()` said last. */
  #wanted: boolean | undefined;
  #held = false;
  #end: End | undefined;
  #closing: Promise<void> | undefined;
  #dropped = 0;

  constructor(kind: SubscriptionKind, host: SubscriptionHost, options: SubscribeOptions, begin: (signal: AbortSignal) => Promise<Outcome>) {
    this.kind = kind;
    this.#host = host;
    this.#options = options;
    this.#parse = options.integers === 'bigint' ? parseMarked : JSON.parse;
    const { signal } = options;
    if (signal?.aborted === true) {
      // Nothing begins. Not at once: the pool does not know it yet.
      this.#cancel.abort();
      queueMicrotask(this.#onAbort);
    } else signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#confirmed = begin(this.#cancel.signal);
    void this.#confirmed.then((outcome) => this.#refused(outcome));
  }

  get dropped(): number {
    return this.#dropped;
  }

  async ready(): Promise<void> {
    const outcome = await this.#confirmed;
    if (isFailure(outcome)) throw this.#host.fail(outcome);
  }

  listen(listener: Listener<T>, onEnd?: (error?: Error) => void): this {
    if (typeof listener !== 'function') throw invalidArgument('listener', 'listener must be a function');
    if (onEnd !== undefined && typeof onEnd !== 'function') throw invalidArgument('onEnd', 'onEnd must be a function');
    this.#claim();
    this.#listener = listener;
    this.#onEnd = onEnd;
    this.arrived();
    if (this.#end !== undefined) this.#tellEnd(this.#end);
    return this;
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    this.#claim();
    return {
      next: () => this.#next(),
      return: async () => {
        await this.close();
        return { done: true, value: undefined };
      },
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  ref(): this {
    this.#wanted = true;
    this.#hold();
    return this;
  }

  unref(): this {
    this.#wanted = false;
    this.#hold();
    return this;
  }

  /** Called by the pool when something has arrived. */
  arrived(): void {
    if (this.#listener !== undefined) {
      for (let item = this.#shift(); item !== undefined; item = this.#shift()) this.#call(this.#listener, item.value);
      return;
    }
    while (this.#waiters.length > 0) {
      const item = this.#shift();
      if (item === undefined) return;
      this.#waiters.shift()?.resolve({ done: false, value: item.value });
    }
    this.#hold();
  }

  /** Called by the pool when it has closed; what waits is still delivered. */
  poolClosed(error: Error): void {
    this.arrived();
    if (this.#end === undefined) this.#finish(error);
  }

  readonly #onAbort = (): void => void this.close();

  async #close(): Promise<void> {
    this.#finish(undefined);
    this.#cancel.abort();
    // In this order: the end must not overtake the beginning.
    await this.#confirmed;
    await this.#host.unsubscribe();
  }

  /** A refusal before the first confirmation is its end. Running out of time is not. */
  #refused(outcome: Outcome): void {
    if (!isFailure(outcome) || outcome.code === 'MOORING_TIMEOUT' || this.#end !== undefined) return;
    this.#finish(this.#host.fail(outcome));
    void this.#host.unsubscribe();
  }

  #claim(): void {
    if (this.#listener !== undefined || this.#iterated)
      throw invalidArgument('subscription', 'subscription is already listened to or iterated');
    this.#iterated = true;
  }

  #next(): Promise<IteratorResult<T, undefined>> {
    const item = this.#shift();
    if (item !== undefined) return Promise.resolve({ done: false, value: item.value });
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) return this.#settle({ resolve, reject });
      this.#waiters.push({ resolve, reject });
      this.#hold();
    });
  }

  /** A request that is awaited holds the process, and so does a notification; what nobody waits for does not. */
  #hold(): void {
    const hold = this.#end === undefined && (this.#wanted ?? this.#waiters.length > 0);
    if (hold === this.#held) return;
    this.#held = hold;
    if (hold) this.#host.keepAlive.acquire();
    else this.#host.keepAlive.release();
  }

  /** The first waiter gets the error, the others and all later ones the plain end. */
  #settle(waiter: Waiter<T>): void {
    const { error } = this.#end ?? {};
    this.#end = { error: undefined };
    if (error === undefined) waiter.resolve({ done: true, value: undefined });
    else waiter.reject(error);
  }

  /** The next notification; gaps and the end on the way are dealt with. */
  #shift(): { value: T } | undefined {
    for (;;) {
      const kind = this.#peek();
      if (kind === undefined) return undefined;
      const text = this.#items?.texts[this.#at++] ?? '';
      if (kind === 'g') this.#gap(JSON.parse(text) as Gap);
      else if (kind === 'n') return { value: this.#parse(text) as T };
      else {
        const failure = this.#items?.failure;
        this.#finish(isFailure(failure) ? this.#host.fail(failure) : undefined);
      }
    }
  }

  #peek(): string | undefined {
    if (this.#closing !== undefined) return undefined;
    if (this.#items === undefined || this.#at >= this.#items.kinds.length) {
      this.#items = this.#host.take();
      this.#at = 0;
      this.#dropped = Math.max(this.#dropped, this.#items.dropped);
    }
    return this.#items.kinds[this.#at];
  }

  #gap(gap: Gap): void {
    const { onGap } = this.#options;
    if (onGap !== undefined) this.#call(onGap, gap);
    this.#host.gap(gap);
  }

  #call<V>(listener: (value: V) => void, value: V): void {
    try {
      listener(value);
    } catch (error) {
      this.#host.report(error);
    }
  }

  #finish(error: Error | undefined): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#hold();
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#host.forget();
    this.#tellEnd(this.#end);
    for (const waiter of this.#waiters.splice(0)) this.#settle(waiter);
  }

  #tellEnd({ error }: End): void {
    const onEnd = this.#onEnd;
    this.#onEnd = undefined;
    if (onEnd !== undefined) this.#call(onEnd, error);
  }
}
