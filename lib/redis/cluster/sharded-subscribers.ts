/**
 * @module redis/cluster/sharded-subscribers
 *
 * Sharded channels live in slots: each master that serves one of them gets a connection. When slots move, subscriptions follow.
 *
 * Events on the cluster: `+subscriber`, `-subscriber`, `subscribersReady`, `smessage`, `smessageBuffer`.
 */
import type { EventEmitter } from 'node:events';
import { clearTimeout, setTimeout } from 'node:timers';
import type { Redis } from '../client.js';
import type { Entry } from '../connection.js';
import { AbortError, ClusterAllFailedError } from '../errors.js';
import { tell } from '../event-queue.js';
import type { RedisValue } from '../transformers.js';
import { backoffMs } from './backoff.js';
import { nodeKey, partName } from './options.js';
import type { Routes } from './routes.js';
import { type NodeKey, slotOf } from './slots.js';
import { Command } from '../command.js';

const CROSS_SLOT = 'Possible CROSSSLOT error: All channels must hash to the same slot';

interface Subscribed {
  readonly channel: RedisValue;
  /** The node that confirmed it; none while it is on its way. */
  at: NodeKey | undefined;
}

/** What the cluster contributes. */
export interface ShardedHost extends EventEmitter {
  refreshSlotsCache(callback?: (error?: Error | null) => void): void;
  disconnect(reconnect?: boolean): void;
}

/** A connection per master with sharded subscriptions. */
export class ShardedSubscribers {
  readonly #host: ShardedHost;
  readonly #routes: Routes;
  readonly #clients = new Map<NodeKey, Redis>();
  readonly #channels = new Map<string, Subscribed>();
  #started = false;
  #losses = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(host: ShardedHost, routes: Routes) {
    this.#host = host;
    this.#routes = routes;
  }

  /** From now on connections may be made. */
  start(): void {
    this.#started = true;
  }

  /** Drops all connections. Subscriptions are kept for the next start. */
  stop(): void {
    this.#started = false;
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [key, client] of this.#clients) this.#drop(key, client);
  }

  /** Runs SSUBSCRIBE or SUNSUBSCRIBE on the node of the channels' slot. */
  run(entry: Entry, slot: number | undefined): void {
    const { spec, args } = entry;
    const leaving = spec.key === 'sunsubscribe';
    if (slot === undefined) return leaving ? this.#leaveAll(entry) : entry.reject(new AbortError('No channel to subscribe to'));
    if (slot < 0) return entry.reject(new AbortError(CROSS_SLOT));
    const key = this.#routes.table.nodes(slot)?.[0];
    const client = key === undefined ? undefined : this.#clientOf(key);
    if (key === undefined || client === undefined) {
      return entry.reject(new AbortError(`No sharded subscriber for slot: ${slot}`));
    }
    const resolve = (value: unknown): void => {
      for (const channel of args) {
        if (leaving) this.#channels.delete(channel.toString());
        else this.#channels.set(channel.toString(), { channel, at: key });
      }
      entry.resolve(value);
    };
    const command = new Command(spec, [...args], { replyEncoding: 'utf8', prepared: true });
    command.promise.then(resolve, entry.reject);
    void client.sendCommand(command);
  }

  /** The slots were refreshed: subscriptions go where their slots are. */
  refreshed(eager: boolean): void {
    if (!this.#started) return;
    const { table } = this.#routes;
    const masters = new Set(table.slots.flatMap((nodes) => nodes[0] ?? []));
    for (const [key, client] of this.#clients) if (!masters.has(key)) this.#drop(key, client);
    if (eager) for (const key of masters) this.#clientOf(key);
    for (const subscribed of this.#channels.values()) {
      const key = table.nodes(slotOf(subscribed.channel))?.[0];
      if (key === undefined || subscribed.at === key) continue;
      subscribed.at = key;
      this.#clientOf(key)
        ?.ssubscribe(subscribed.channel)
        .catch(() => (subscribed.at = undefined));
    }
    tell(this.#host, 'subscribersReady');
  }

  #leaveAll(entry: Entry): void {
    this.#channels.clear();
    const leaving = [...this.#clients.values()].map((client) => client.sunsubscribe());
    Promise.all(leaving).then(() => entry.resolve(0), entry.reject);
  }

  #clientOf(key: NodeKey): Redis | undefined {
    const existing = this.#clients.get(key);
    if (existing !== undefined || !this.#started) return existing;
    const node = this.#routes.pool.getInstanceByKey(key);
    if (node === undefined) return undefined;
    const client = node.duplicate({
      enableReadyCheck: false,
      enableOfflineQueue: true,
      connectionName: partName('ssubscriber', this.#routes.options.redisOptions?.connectionName),
      lazyConnect: this.#routes.options.redisOptions?.lazyConnect ?? true,
      keyPrefix: '',
      // A lost one is made again after a refresh, where its slots are then.
      retryStrategy: null,
    });
    this.#clients.set(key, client);
    client.on('error', (error: Error) => this.#host.emit('nodeError', error, nodeKey(node.options)));
    client.once('ready', () => (this.#losses = 0));
    client.once('end', () => this.#ended(key, client));
    for (const event of ['smessage', 'smessageBuffer']) {
      client.on(event, (...message: unknown[]) => this.#host.emit(event, ...message));
    }
    tell(this.#host, '+subscriber');
    return client;
  }

  #drop(key: NodeKey, client: Redis): void {
    if (this.#clients.get(key) !== client) return;
    this.#clients.delete(key);
    for (const subscribed of this.#channels.values()) if (subscribed.at === key) subscribed.at = undefined;
    client.disconnect();
    tell(this.#host, '-subscriber');
  }

  #ended(key: NodeKey, client: Redis): void {
    if (this.#clients.get(key) !== client) return;
    this.#drop(key, client);
    if (!this.#started || this.#timer !== undefined) return;
    const refresh = (): void => {
      this.#timer = undefined;
      // Nobody can be asked: ordinary connections may be idle and not know that their nodes are gone.
      this.#host.refreshSlotsCache((error) => {
        if (error instanceof ClusterAllFailedError) this.#host.disconnect(true);
      });
    };
    const losses = this.#losses++;
    this.#timer = setTimeout(refresh, losses === 0 ? 0 : backoffMs(losses));
    this.#timer.unref();
  }
}
