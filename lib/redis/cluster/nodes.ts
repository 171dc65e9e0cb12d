/**
 * @module redis/cluster/nodes
 *
 * The connections of a cluster, one client per node. Each is an ordinary `Redis`: its socket, queues and deadlines are Rust's.
 *
 * Events: `+node` (client, key), `-node` (client, key), `nodeError` (error, key), `drain` when the last one of this life of the cluster has ended,
 * `shut` when one was closed by a shutdown.
 */
import { EventEmitter } from 'node:events';
import { Redis } from '../client.js';
import { CORE } from '../core.js';
import type { RedisOptions } from '../options.js';
import { type ClusterOptions, type NodeOptions, nodeKey, type NodeRole } from './options.js';
import type { NodeKey } from './slots.js';

type MakeRedis = new (...options: RedisOptions[]) => Redis;

/** One of a list by chance, the first `from` left out. */
export function sample<T>(list: readonly T[], from = 0): T | undefined {
  return list[from + Math.floor(Math.random() * (list.length - from))];
}

/** Clients by `host:port`. */
export class NodePool extends EventEmitter {
  readonly #redisOptions: RedisOptions;
  readonly #retryStrategy: ClusterOptions['clusterNodeRetryStrategy'];
  readonly #prepare: (node: Redis) => void;
  readonly #all = new Map<NodeKey, Redis>();
  readonly #replicas = new Set<NodeKey>();
  /** Options that a startup node alone has, such as another password: kept when the cluster names the node again. */
  readonly #specified = new Map<NodeKey, NodeOptions>();
  /** Clients of this life of the cluster that have not ended. */
  #alive = new Set<Redis>();
  /** Those of earlier lives, which still get their last answers. */
  readonly #leaving = new Set<Redis>();
  /** Those of whom nobody has been told. */
  readonly #new: [NodeKey, Redis][] = [];

  /** `prepare` sees every new client before it is used. */
  constructor(
    redisOptions: RedisOptions = {},
    retryStrategy: ClusterOptions['clusterNodeRetryStrategy'] = null,
    prepare: (node: Redis) => void = () => {},
  ) {
    super();
    this.#redisOptions = redisOptions;
    this.#retryStrategy = retryStrategy;
    this.#prepare = prepare;
  }

  /** Clients of this life that have not ended, those on their way out included. */
  get alive(): number {
    return this.#alive.size;
  }

  /** Keys of one role. */
  keys(role: NodeRole = 'all'): NodeKey[] {
    const keys = [...this.#all.keys()];
    return role === 'all' ? keys : keys.filter((key) => this.#replicas.has(key) === (role === 'slave'));
  }

  getNodes(role: NodeRole = 'all'): Redis[] {
    return this.keys(role).flatMap((key) => this.#all.get(key) ?? []);
  }

  getInstanceByKey(key: NodeKey): Redis | undefined {
    return this.#all.get(key);
  }

  /** One of a role by chance. */
  getSampleInstance(role: NodeRole): Redis | undefined {
    return sample(this.getNodes(role));
  }

  /** The client of a node; a new one connects with its first command. */
  findOrCreate(node: NodeOptions, readOnly = false): Redis {
    const found = this.#findOrCreate(node, readOnly);
    this.#tellOfNew();
    return found;
  }

  #findOrCreate(node: NodeOptions, readOnly: boolean): Redis {
    const key = nodeKey(node);
    const known = this.#specified.get(key);
    if (known === undefined) this.#specified.set(key, node);
    else Object.assign(node, { ...known, readOnly: node.readOnly });
    const existing = this.#all.get(key);
    if (existing === undefined) return this.#create(key, node, readOnly);
    if ((existing.options.readOnly === true) !== readOnly) this.#changeRole(key, existing, readOnly);
    return existing;
  }

  /** Exactly these nodes from now on; the others are disconnected. A listener of `+node` that decides otherwise finds all of them. */
  reset(nodes: NodeOptions[]): void {
    const wanted = new Map<NodeKey, NodeOptions>();
    for (const node of nodes) {
      const key = nodeKey(node);
      // A node that is master of anything is no replica.
      if (node.readOnly !== true || !wanted.has(key)) wanted.set(key, node);
    }
    for (const [key, node] of this.#all) {
      if (wanted.has(key)) continue;
      this.#remove(key);
      node.disconnect();
    }
    try {
      for (const node of wanted.values()) this.#findOrCreate(node, node.readOnly === true);
    } finally {
      this.#tellOfNew();
    }
  }

  /** Gives every client away that has not ended, for the caller to end it: also those that were given away before and still get their last answers. */
  release(): Redis[] {
    for (const key of this.keys()) this.#remove(key);
    return [...this.#alive, ...this.#leaving];
  }

  /** A new life: clients of the last one end without it. */
  renew(): void {
    for (const node of this.#alive) this.#leaving.add(node);
    this.#alive = new Set();
  }

  #tellOfNew(): void {
    for (const [key, redis] of this.#new.splice(0)) this.emit('+node', redis, key);
  }

  #create(key: NodeKey, node: NodeOptions, readOnly: boolean): Redis {
    const strategy = typeof this.#retryStrategy === 'function' ? this.#retryStrategy : null;
    // The first one wins. Without a strategy a lost node is not reconnected: MOVED or a refresh says who serves its slots now.
    const forced: RedisOptions = { retryStrategy: strategy, enableOfflineQueue: true, readOnly };
    const redis = new (Redis as unknown as MakeRedis)(forced, node, this.#redisOptions, { lazyConnect: true });
    this.#all.set(key, redis);
    if (readOnly) this.#replicas.add(key);
    this.#alive.add(redis);
    this.#prepare(redis);
    redis.once('end', () => this.#ended(key, redis));
    redis.on('error', (error: Error) => this.emit('nodeError', error, key));
    this.#new.push([key, redis]);
    return redis;
  }

  #ended(key: NodeKey, redis: Redis): void {
    const life = this.#alive;
    const isOfThisLife = life.delete(redis);
    this.#leaving.delete(redis);
    // Who was given a node may close it; a shutdown closes those that are in use.
    if (this.#all.get(key) === redis) {
      this.#remove(key);
      if (redis[CORE].wasShut) this.emit('shut');
    }
    this.emit('-node', redis, key);
    if (isOfThisLife && life.size === 0 && life === this.#alive) this.emit('drain');
  }

  #changeRole(key: NodeKey, redis: Redis, readOnly: boolean): void {
    redis.options.readOnly = readOnly;
    if (readOnly) this.#replicas.add(key);
    else this.#replicas.delete(key);
    // A connection that is not made yet says so in its handshake.
    (readOnly ? redis.readonly() : redis.readwrite()).catch(() => {});
  }

  #remove(key: NodeKey): void {
    this.#all.delete(key);
    this.#replicas.delete(key);
  }
}
