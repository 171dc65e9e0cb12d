/**
 * @module redis/cluster/routes
 *
 * What commands on their way share: the slot table, the nodes, the queues, and how a node is found.
 */
import type { KeepAlive } from '../../keep-alive.js';
import type { Redis } from '../client.js';
import { Flag } from '../commands.js';
import type { CommandInfo, Sent } from '../errors.js';
import { byRole, byUser, Journey, type Outgoing } from './journey.js';
import type { NodePool } from './nodes.js';
import { addressOf, type NodeAddress, type NodeRole, nodeKey, type ResolvedClusterOptions, type ScaleReads } from './options.js';
import type { Surroundings } from './redirect.js';
import type { ShardedSubscribers } from './sharded-subscribers.js';
import { type NodeKey, SlotTable } from './slots.js';
import type { ClusterSubscriber } from './subscriber.js';
import { DelayQueue, OfflineQueue } from './waiting.js';

/** Where a cluster client stands. */
export type ClusterStatus = 'end' | 'close' | 'wait' | 'connecting' | 'connect' | 'ready' | 'reconnecting' | 'disconnecting';

/** What the cluster client itself contributes. */
export interface RoutesHost {
  readonly status: ClusterStatus;
  readonly options: ResolvedClusterOptions;
  readonly connectionPool: NodePool;
  readonly subscriber: ClusterSubscriber;
  readonly sharded: ShardedSubscribers;
  refreshSlotsCache(callback?: (error?: Error | null) => void): void;
}

/** Arguments that wait for a cluster, when `offlineQueueMaxBytes` of the nodes does not say. */
const OFFLINE_BYTES = 1024 * 1024 * 1024;

/** What commands on their way share. */
export class Routes implements Surroundings {
  readonly table = new SlotTable();
  readonly offline: OfflineQueue;
  readonly delays: DelayQueue;
  readonly #host: RoutesHost;
  readonly refresh = (done?: () => void): void => this.#host.refreshSlotsCache(done === undefined ? undefined : () => done());

  constructor(host: RoutesHost, keepAlive: KeepAlive) {
    this.#host = host;
    const { offlineQueueMax, offlineQueueMaxBytes } = host.options.redisOptions ?? {};
    this.offline = new OfflineQueue(keepAlive, offlineQueueMax ?? 0, offlineQueueMaxBytes || OFFLINE_BYTES);
    this.delays = new DelayQueue(keepAlive);
  }

  get options(): ResolvedClusterOptions {
    return this.#host.options;
  }

  get status(): ClusterStatus {
    return this.#host.status;
  }

  get isReady(): boolean {
    return this.#host.status === 'ready';
  }

  get goesOn(): boolean {
    const { status } = this.#host;
    return status !== 'disconnecting' && status !== 'end';
  }

  get pool(): NodePool {
    return this.#host.connectionPool;
  }

  get subscriber(): ClusterSubscriber {
    return this.#host.subscriber;
  }

  get sharded(): ShardedSubscribers {
    return this.#host.sharded;
  }

  /** Sends a command where it belongs, now or when the cluster is ready. */
  send(outgoing: Outgoing): void {
    new Journey(this, outgoing).go();
  }

  /** The node of a slot, by the option `scaleReads`. */
  nodeOf(slot: number | undefined, scale: NodeRole | ScaleReads, command: () => CommandInfo): Redis | undefined {
    const keys = this.table.nodes(slot);
    if (keys === undefined) return undefined;
    if (typeof scale === 'function') {
      return byUser(
        scale,
        keys.flatMap((each) => this.pool.getInstanceByKey(each) ?? []),
        command(),
      );
    }
    const key = byRole(keys, scale);
    return key === undefined ? undefined : this.pool.getInstanceByKey(key);
  }

  /** A node for a command without a slot, or whose slot's node is not there: it will say where the slot is. */
  anyNode(scale: NodeRole | ScaleReads): Redis | undefined {
    return this.pool.getSampleInstance(typeof scale === 'function' ? 'all' : scale) ?? this.pool.getSampleInstance('all');
  }

  /** MOVED: remembers the new master of a slot, and gives its client. */
  follow(slot: number, announced: NodeKey, answered?: Redis): Redis {
    const node = this.connect(announced, answered);
    this.table.move(slot, nodeKey(node.options));
    return node;
  }

  /** The client of a node that an error reply named; without a host it is on that of the node which answered. */
  connect(announced: NodeKey, answered?: Redis): Redis {
    const { host, port } = addressOf(announced);
    return this.pool.findOrCreate({ ...this.reached({ host: host || answered?.options.host || '', port }) });
  }

  /** The address where an announced one is reached. */
  reached(announced: NodeAddress): NodeAddress {
    const { natMap } = this.options;
    const key = nodeKey(announced);
    const mapped = typeof natMap === 'function' ? natMap(key) : natMap?.[key];
    return mapped ? { ...mapped } : announced;
  }

  /** When a command that is called now has lived for its `commandTimeout`; 0 for never. */
  expiry(): number {
    const limitMs = this.options.redisOptions?.commandTimeout ?? 0;
    return limitMs > 0 ? performance.now() + limitMs : 0;
  }

  /** What is left of it, at least 1; 0 for no limit. */
  millisecondsTo(expires: number): number {
    return expires === 0 ? 0 : Math.max(Math.ceil(expires - performance.now()), 1);
  }

  /** Whether a command that a lost connection rejected is sent again. The nodes' `resend` decides, 'all' as with the peer unless it is set. */
  mayRepeat(error: Error, flags: number): boolean {
    const { sent } = error as { sent?: Sent };
    const { resend, autoResendUnfulfilledCommands } = this.options.redisOptions ?? {};
    if (sent === 'no') return true;
    if (resend === 'safe') return (flags & (Flag.readOnly | Flag.idempotent | Flag.blocking)) !== 0;
    return resend === undefined ? autoResendUnfulfilledCommands !== false : resend === 'all';
  }
}
