/**
 * @module solana/kit-subscriptions
 *
 * The pool as transport of kit's subscriptions. Kit runs its own plan (method names, transformers, errors) over a channel that stands for one subscription of the
 * pool; there is no socket behind it. Integers come back as `bigint`. It holds the process until its signal fires, as a socket of kit's does.
 */
import { setImmediate } from 'node:timers';
import { SOLANA_ERROR__RPC_SUBSCRIPTIONS__CHANNEL_CONNECTION_CLOSED, SolanaError } from '@solana/kit';
import { invalidArgument, isMooringError } from '../error/index.js';
import type { ConnectionPool } from './pool.js';
import { kindAndVerb, type Subscription, type SubscriptionKind } from './subscription.js';

type Subscriber = (data: unknown) => void;
interface Channel {
  on(type: string, subscriber: Subscriber, options?: { readonly signal?: AbortSignal }): () => void;
  send(message: unknown): Promise<void>;
}

/** A transport of `@solana/kit`; for `createSolanaRpcSubscriptionsFromTransport`. */
export type PoolSubscriptionsTransport = <TPublisher>(config: {
  readonly execute: (config: { readonly channel: never; readonly signal: AbortSignal }) => Promise<TPublisher>;
  readonly signal: AbortSignal;
}) => Promise<TPublisher>;

/**
 * A transport of subscriptions over a pool. Each moves between endpoints by itself and does not end when a socket goes.
 *
 * @example
 * const rpcSubscriptions = createSolanaRpcSubscriptionsFromTransport(createPoolSubscriptionsTransport(pool));
 */
export function createPoolSubscriptionsTransport(pool: Pick<ConnectionPool, 'subscribe'>): PoolSubscriptionsTransport {
  if (typeof (pool as Partial<ConnectionPool> | null)?.subscribe !== 'function')
    throw invalidArgument('pool', 'pool must be a ConnectionPool');
  return async ({ execute, signal }) => {
    signal.throwIfAborted();
    return await execute({ channel: new PoolChannel(pool, signal) as never, signal });
  };
}

/** What kit takes for a websocket: one subscription per channel. */
class PoolChannel implements Channel {
  readonly #pool: Pick<ConnectionPool, 'subscribe'>;
  readonly #signal: AbortSignal;
  readonly #subscribers: { readonly message: Set<Subscriber>; readonly error: Set<Subscriber> } = { message: new Set(), error: new Set() };
  #subscription: Subscription | undefined;

  constructor(pool: Pick<ConnectionPool, 'subscribe'>, signal: AbortSignal) {
    this.#pool = pool;
    this.#signal = signal;
  }

  on(type: string, subscriber: Subscriber, options: { readonly signal?: AbortSignal } = {}): () => void {
    const { signal } = options;
    const subscribers = type === 'error' ? this.#subscribers.error : this.#subscribers.message;
    const entry: Subscriber = (data) => subscriber(data);
    const off = (): void => {
      subscribers.delete(entry);
      signal?.removeEventListener('abort', off);
    };
    if (signal?.aborted === true) return off;
    signal?.addEventListener('abort', off, { once: true });
    subscribers.add(entry);
    return off;
  }

  /** Takes a JSON-RPC message of kit. Its answer comes later, as from a socket: kit listens for it only after this has resolved. */
  async send(message: unknown): Promise<void> {
    const { id, method, params = [] } = message as { id: unknown; method: string; params?: readonly unknown[] };
    const [kind, verb] = kindAndVerb(method);
    if (verb === 'Subscribe') this.#subscribe(id, kind, params);
    else void this.#subscription?.close();
  }

  #subscribe(id: unknown, kind: SubscriptionKind, params: readonly unknown[]): void {
    // As kit's own websocket, which holds the process until the signal fires: kit's iterators do not tell whether somebody waits.
    const subscription = this.#pool.subscribe(kind, params, { integers: 'bigint', signal: this.#signal }).ref();
    this.#subscription = subscription;
    void this.#answer(id, kind, subscription);
  }

  async #answer(id: unknown, kind: SubscriptionKind, subscription: Subscription): Promise<void> {
    const answer = (reply: object): void => this.#publish('message', { jsonrpc: '2.0', id, ...reply });
    try {
      await subscription.ready();
      setImmediate(() => {
        answer({ result: 1 });
        // One turn after the answer: by then kit listens for notifications.
        setImmediate(() => this.#listen(subscription, kind));
      });
    } catch (error) {
      const refusal = nodeError(error);
      setImmediate(() => (refusal === undefined ? this.#publish('error', closed(error)) : answer({ error: refusal })));
      await subscription.close();
    }
  }

  #listen(subscription: Subscription, kind: string): void {
    subscription.listen(
      (result) => this.#publish('message', { jsonrpc: '2.0', method: `${kind}Notification`, params: { result, subscription: 1 } }),
      (error) => {
        if (error !== undefined) this.#publish('error', closed(error));
      },
    );
  }

  #publish(type: 'message' | 'error', data: unknown): void {
    for (const subscriber of this.#subscribers[type]) subscriber(data);
  }
}

/** A node's own error, as it was in its answer. */
function nodeError(error: unknown): { code: number; message: string; data?: unknown } | undefined {
  if (!(error instanceof Error)) return undefined;
  const cause = isMooringError(error) ? error : error.cause;
  if (!isMooringError(cause)) return undefined;
  const code = cause.details['serverCode'];
  return typeof code === 'number' ? { code, message: cause.message } : undefined;
}

function closed(cause: unknown): SolanaError {
  return new SolanaError(SOLANA_ERROR__RPC_SUBSCRIPTIONS__CHANNEL_CONNECTION_CLOSED, { cause });
}
