/**
 * @module solana/subscriptions
 *
 * The subscriptions that a pool has open: their numbers, and their share of what arrives.
 */
import { checkOptions, invalidArgument } from '../error/index.js';
import type { KeyedLane, Outcome } from '../lane.js';
import type { FailureRecord, SolanaPool } from '../native.js';
import { stringify } from './bigint.js';
import * as check from './check.js';
import * as op from './operation.js';
import {
  type Gap,
  PoolSubscription,
  type SubscribeOptions,
  type Subscription,
  type SubscriptionGap,
  type SubscriptionKind,
} from './subscription.js';

const KINDS: readonly string[] = ['account', 'logs', 'program', 'root', 'signature', 'slot'];
const NAMES: ReadonlySet<string> = new Set(['signal', 'onGap', 'queueMax', 'deadlineMs', 'integers']);
const MOST_WAITING = 1_000_000;

/** What all subscriptions of a pool need. */
export interface SubscriptionsHost {
  readonly lane: KeyedLane<SolanaPool>;
  fail(failure: FailureRecord): Error;
  gap(gap: SubscriptionGap): void;
  report(error: unknown): void;
}

/** The open subscriptions of one pool. */
export class Subscriptions {
  readonly #host: SubscriptionsHost;
  readonly #open = new Map<number, Pick<PoolSubscription<unknown>, 'arrived' | 'poolClosed'>>();
  #lastNumber = 0;

  constructor(host: SubscriptionsHost) {
    this.#host = host;
  }

  /** Opens one. */
  open<T>(kind: SubscriptionKind, params: readonly unknown[], options: SubscribeOptions): Subscription<T> {
    checkSubscribe(kind, params, options);
    const { queueMax, integers } = options;
    const number = ++this.#lastNumber;
    const { lane } = this.#host;
    const how = paramsText({ kind, params, markIntegers: integers === 'bigint', queueMax });
    const begin = (signal: AbortSignal): Promise<Outcome> =>
      lane.run(op.subscribe(number, how, { signal, deadlineMs: options.deadlineMs }));
    const host = {
      keepAlive: lane.keepAlive,
      take: () => lane.handle.takeSubscription(number),
      unsubscribe: () => lane.run(op.unsubscribe(number)),
      fail: (failure: FailureRecord) => this.#host.fail(failure),
      gap: (gap: Gap) => this.#host.gap({ ...gap, kind, params }),
      report: (error: unknown) => this.#host.report(error),
      forget: () => void this.#open.delete(number),
    };
    const subscription = new PoolSubscription<T>(kind, host, options, begin);
    this.#open.set(number, subscription);
    return subscription;
  }

  /** Hands out what has arrived. */
  arrived(): void {
    for (const number of this.#host.lane.handle.arrivedSubscriptions()) this.#open.get(number)?.arrived();
  }

  /** The pool has closed. */
  poolClosed(): void {
    for (const subscription of this.#open.values()) subscription.poolClosed(check.closed());
  }
}

function paramsText(how: object): string {
  try {
    return stringify(how);
  } catch {
    throw invalidArgument('params', 'params must be what JSON can hold');
  }
}

function checkSubscribe(kind: unknown, params: unknown, options: SubscribeOptions): void {
  if (typeof kind !== 'string' || !KINDS.includes(kind)) throw invalidArgument('kind', `kind must be one of ${KINDS.join(', ')}`);
  if (!Array.isArray(params)) throw invalidArgument('params', 'params must be an array');
  checkOptions(options, NAMES);
  check.callOptions({ signal: options.signal, deadlineMs: options.deadlineMs });
  const { onGap, queueMax, integers } = options;
  if (integers !== undefined && integers !== 'bigint' && integers !== 'number')
    throw invalidArgument('integers', 'integers must be number or bigint');
  if (onGap !== undefined && typeof onGap !== 'function') throw invalidArgument('onGap', 'onGap must be a function');
  if (queueMax !== undefined && !(Number.isInteger(queueMax) && queueMax >= 1 && queueMax <= MOST_WAITING))
    throw invalidArgument('queueMax', `queueMax must be a whole number between 1 and ${MOST_WAITING}`);
}
