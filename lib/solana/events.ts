/**
 * @module solana/events
 *
 * What a pool tells its listeners. Transactions come over the pool's feed, which is bounded: when JavaScript is very late the oldest are dropped, and a line at warn
 * says how many.
 */
import { invalidArgument } from '../error/index.js';
import type { SubscriptionGap } from './subscription.js';

/** A transaction that is sent by a method of the pool, and how following it ended. Its bytes may be sent again at any time, by any process. */
export interface TransactionEvent {
  readonly signature: string;
  /** `sending` comes first; the others only for transactions that are followed. */
  readonly status: 'sending' | 'landed' | 'failed' | 'expired' | 'unknown';
  /** With `sending`: the signed bytes. */
  readonly bytes?: Buffer;
}

/** Events by name. */
export interface PoolEvents {
  readonly transaction: TransactionEvent;
  /** Slots that nobody watched for a subscription; told at its place among the notifications. */
  readonly gap: SubscriptionGap;
}

type Listener<N extends keyof PoolEvents> = (event: PoolEvents[N]) => unknown;

/** The listeners of one pool. */
export class PoolListeners {
  readonly #threw: (name: string, error: unknown) => void;
  readonly #of: { readonly [N in keyof PoolEvents]: Set<Listener<N>> } = { transaction: new Set(), gap: new Set() };

  /** `threw` hears of listeners that throw. */
  constructor(threw: (name: string, error: unknown) => void) {
    this.#threw = threw;
  }

  /** The listeners of one event. @throws MooringError `MOORING_INVALID_ARGUMENT` for an unknown name. */
  of<N extends keyof PoolEvents>(name: N): Set<Listener<N>> {
    if (Object.hasOwn(this.#of, name)) return this.#of[name];
    throw invalidArgument('name', `name must be one of ${Object.keys(this.#of).join(', ')}`);
  }

  /** Tells all of them; one that throws disturbs nobody. */
  tell<N extends keyof PoolEvents>(name: N, event: PoolEvents[N]): void {
    for (const listener of this.of(name)) {
      try {
        listener(event);
      } catch (error) {
        this.#threw(name, error);
      }
    }
  }
}

/** The event inside a record of the feed, if it is one for listeners. */
export function transactionEvent(record: Readonly<Record<string, unknown>>): TransactionEvent | undefined {
  if (record['event'] !== 'rpc.transaction') return undefined;
  const { signature, status, bytes } = record as { signature: string; status: TransactionEvent['status']; bytes?: string };
  return { signature, status, ...(bytes === undefined ? {} : { bytes: Buffer.from(bytes, 'base64') }) };
}
