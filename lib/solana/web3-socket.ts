/**
 * @module solana/web3-socket
 *
 * The websocket of a web3.js `Connection`, played by the pool's subscriptions: the peer's own bookkeeping of listeners runs unchanged over them. The only seam is
 * its private `_rpcWebSocket`; of that object the methods are replaced, while the peer's handlers stay on it.
 */
import { setImmediate } from 'node:timers';
import { isMooringError, MooringError } from '../error/index.js';
import { kindAndVerb, type SubscribeOptions, type Subscription, type SubscriptionKind } from './subscription.js';

/** What the socket needs of its pool. */
export interface SocketHost {
  subscribe(kind: SubscriptionKind, params: readonly unknown[], options?: SubscribeOptions): Subscription;
  /** Nobody else hears of a subscription that a node refuses: the peer would ask again and again. */
  refused(method: string, error: unknown): void;
}

interface PeerSocket {
  emit(event: string, ...args: unknown[]): unknown;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** The code by which the peer knows that a close was meant. */
const NORMAL_CLOSURE = 1000;

/** Puts the pool behind the websocket of `connection`. */
export function installSocket(connection: object, host: SocketHost): void {
  const socket = (connection as { _rpcWebSocket?: Partial<PeerSocket> })._rpcWebSocket;
  if (typeof socket?.emit !== 'function' || typeof socket.on !== 'function') {
    throw new MooringError('MOORING_INVALID_CONFIG', '@solana/web3.js has a websocket that is not known', {
      details: { option: 'web3' },
    });
  }
  const played = new PooledSocket(socket as PeerSocket, host);
  const replaced = {
    connect: () => played.connect(),
    close: () => played.close(),
    call: (method: string, params: readonly unknown[]) => played.call(method, params),
    // Only its heartbeat: sockets are looked after in Rust.
    notify: async () => {},
  };
  for (const [name, value] of Object.entries(replaced)) Object.defineProperty(socket, name, { value, configurable: true, writable: true });
}

class PooledSocket {
  readonly #socket: PeerSocket;
  readonly #host: SocketHost;
  readonly #open = new Map<number, Subscription>();
  #state: 'closed' | 'opening' | 'open' = 'closed';
  #poolClosed = false;
  #lastId = 0;

  constructor(socket: PeerSocket, host: SocketHost) {
    this.#socket = socket;
    this.#host = host;
  }

  connect(): void {
    if (this.#state !== 'closed' || this.#poolClosed) return;
    this.#state = 'opening';
    setImmediate(() => {
      if (this.#state !== 'opening') return;
      this.#state = 'open';
      this.#socket.emit('open');
    });
  }

  close(): void {
    const was = this.#state;
    this.#state = 'closed';
    for (const subscription of this.#open.values()) void subscription.close();
    this.#open.clear();
    if (was === 'open') this.#socket.emit('close', NORMAL_CLOSURE);
  }

  /** Never rejects for a subscription: the peer would ask again at once, for ever. */
  async call(method: string, params: readonly unknown[]): Promise<unknown> {
    const [kind, verb] = kindAndVerb(method);
    if (verb === 'Subscribe') return await this.#subscribe(method, kind, params);
    const id = params[0] as number;
    const subscription = this.#open.get(id);
    this.#open.delete(id);
    await subscription?.close();
    return true;
  }

  async #subscribe(method: string, kind: SubscriptionKind, params: readonly unknown[]): Promise<number> {
    const id = ++this.#lastId;
    let subscription: Subscription;
    try {
      subscription = this.#host.subscribe(kind, params);
    } catch (error) {
      this.#ended(method, id, error);
      return id;
    }
    this.#open.set(id, subscription);
    // A refusal is told at its end; one that takes long goes on trying.
    await subscription.ready().catch(() => {});
    // After the peer has taken note of the number.
    setImmediate(() => {
      const tell = (result: unknown): void => void this.#socket.emit(`${kind}Notification`, { result, subscription: id });
      subscription.listen(tell, (error) => this.#ended(method, id, error));
    });
    return id;
  }

  #ended(method: string, id: number, error: unknown): void {
    this.#open.delete(id);
    if (isMooringError(error, 'MOORING_CLOSED')) {
      this.#poolClosed = true;
      this.close();
    } else if (error !== undefined) this.#host.refused(method, error);
  }
}
