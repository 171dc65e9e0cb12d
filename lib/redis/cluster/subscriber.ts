/**
 * @module redis/cluster/subscriber
 *
 * The connection that a cluster's ordinary subscriptions use: to one node, because nodes pass messages on; to another one when that is lost.
 */
import type { EventEmitter } from 'node:events';
import { clearTimeout, setTimeout } from 'node:timers';
import type { Redis } from '../client.js';
import { MESSAGE_EVENTS, Subscriptions } from '../pubsub.js';
import type { RedisValue } from '../transformers.js';
import type { NodePool } from './nodes.js';
import { nodeKey, partName } from './options.js';
import type { NodeKey } from './slots.js';
import { backoffMs } from './backoff.js';

/** Events that come over the one connection; sharded messages have connections of their own. */
const EVENTS = MESSAGE_EVENTS.filter((event) => !event.startsWith('smessage'));

/** One connection for the subscriptions of all nodes. */
export class ClusterSubscriber {
  readonly #pool: NodePool;
  readonly #emitter: EventEmitter;
  /** What is subscribed to, over all connections that there were. */
  readonly #subscriptions = new Subscriptions();
  #started = false;
  #client: Redis | undefined;
  #key: NodeKey | undefined;
  #losses = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(pool: NodePool, emitter: EventEmitter) {
    this.#pool = pool;
    this.#emitter = emitter;
    pool.on('-node', (_node: Redis, key: NodeKey) => {
      if (this.#started && this.#key === key) this.#select();
    });
    pool.on('+node', () => {
      if (this.#started && this.#client === undefined) this.#select();
    });
  }

  /** The client in use. */
  getInstance(): Redis | undefined {
    return this.#client;
  }

  /** Chooses a node; connects when there is something to subscribe to. */
  start(): void {
    this.#started = true;
    this.#select();
  }

  /** Drops the connection. Subscriptions are kept for the next start. */
  stop(): void {
    this.#started = false;
    this.#drop();
  }

  /** An answered command of the subscribe family. */
  follow(command: string, channels: readonly RedisValue[]): void {
    this.#subscriptions.follow(command, channels);
  }

  #drop(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    const client = this.#client;
    this.#client = undefined;
    this.#key = undefined;
    client?.disconnect();
  }

  #select(): void {
    this.#drop();
    const nodes = this.#pool.getNodes();
    const node = nodes[Math.floor(Math.random() * nodes.length)];
    if (node === undefined) return;
    const client = node.duplicate({
      enableReadyCheck: true,
      enableOfflineQueue: true,
      connectionName: partName('subscriber', node.options.connectionName),
      lazyConnect: true,
      keyPrefix: '',
      // A lost subscriber is replaced by one at another node.
      retryStrategy: null,
    });
    this.#client = client;
    this.#key = nodeKey(node.options);
    // Nodes report the same errors.
    client.on('error', () => {});
    client.once('ready', () => (this.#losses = 0));
    client.once('end', () => this.#ended(client));
    for (const event of EVENTS) client.on(event, (...message: unknown[]) => this.#emitter.emit(event, ...message));
    for (const [kind, channels] of this.#subscriptions.restore()) client[kind](channels).catch(() => client.disconnect());
  }

  /** The first loss is made good at once, so that few messages are missed; the following ones after a pause. */
  #ended(client: Redis): void {
    if (!this.#started || this.#client !== client) return;
    if (this.#losses++ === 0) return this.#select();
    this.#timer = setTimeout(() => this.#select(), backoffMs(this.#losses));
    this.#timer.unref();
  }
}
