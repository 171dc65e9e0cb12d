/**
 * @module redis/cluster/life
 *
 * How a cluster client begins and ends: startup nodes, refreshes, ready check, retries, close. One status at a time; its event follows on the next tick.
 */
import type { EventEmitter } from 'node:events';
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import type { KeepAlive } from '../../keep-alive.js';
import { isolated } from '../../tick.js';
import type { Redis } from '../client.js';
import { specOf } from '../commands.js';
import { CORE } from '../core.js';
import { ClusterAllFailedError, CONNECTION_CLOSED, localError, RedisError } from '../errors.js';
import { EventQueue, tell } from '../event-queue.js';
import { type ClusterNode, nodeKey, startupOptions } from './options.js';
import { askShape, saysFail } from './refresh.js';
import { resolveHosts } from './resolve.js';
import type { ClusterStatus, Routes, RoutesHost } from './routes.js';

/** The client as its life sees it. */
export interface LifeHost extends RoutesHost, EventEmitter {
  status: ClusterStatus;
  readonly startupNodes: readonly ClusterNode[];
  connect(): Promise<void>;
  silentEmit(event: string, argument?: unknown): boolean;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

const NONE_AVAILABLE = 'None of startup nodes is available';
const UNDER_WAY = new Set<ClusterStatus>(['connecting', 'connect', 'ready']);
const SETTLED = new Set<ClusterStatus>(['wait', 'ready', 'end']);
/** Without nodes: those that end now are of an earlier connect. */
const APART = new Set<ClusterStatus>(['wait', 'close', 'reconnecting', 'end']);

/** The life of one cluster client. */
export class ClusterLife {
  readonly #host: LifeHost;
  readonly #routes: Routes;
  readonly #keepAlive: KeepAlive;
  readonly #events = new EventQueue();
  /** The status, whatever others assign to the client's. */
  #state: ClusterStatus = 'wait';
  /** Counts connects: what an earlier one still finds out is nobody's business. */
  #epoch = 0;
  #attempts = 0;
  #byHand = false;
  /** The close that is being told; a connect makes it a thing of the past. */
  #closing: object | undefined;
  #awaitsReady = false;
  /** Whether the loop is to be held while the cluster is open, and whether it is. */
  #wantsHold = false;
  #holds = false;
  #retryTimer: NodeJS.Timeout | undefined;
  #refreshTimer: NodeJS.Timeout | undefined;
  /** Those who wait for the refresh that is under way. */
  #refreshing: ((error?: Error | null) => void)[] | undefined;
  #connecting: Waiter[] = [];
  #wantSlots: Waiter[] = [];

  constructor(host: LifeHost, routes: Routes, keepAlive: KeepAlive) {
    this.#host = host;
    this.#routes = routes;
    this.#keepAlive = keepAlive;
    const { connectionPool } = host;
    connectionPool.on('+node', (node: Redis) => tell(host, '+node', node));
    connectionPool.on('-node', (node: Redis) => tell(host, '-node', node));
    connectionPool.on('nodeError', (error: Error, key: string) => tell(host, 'node error', error, key));
    connectionPool.on('drain', () => {
      if (!APART.has(this.#state)) this.#closed();
    });
    // A shutdown closes the nodes' connections one by one: it means all of them, also those that are not made yet.
    connectionPool.on('shut', () => {
      if (!this.#byHand) this.disconnect(false);
    });
  }

  /** The status holds from now on. */
  setStatus(status: ClusterStatus): void {
    this.#state = status;
    this.#host.status = status;
    this.#hold();
    this.#events.later(false, () => this.#host.emit(status));
    if (SETTLED.has(status) && this.#awaitsReady) {
      this.#awaitsReady = false;
      this.#keepAlive.release();
    }
  }

  /** Holds the loop as long as the cluster is open, in each of its lives, or not. */
  hold(on: boolean): void {
    this.#wantsHold = on;
    this.#hold();
  }

  #hold(): void {
    const holds = this.#wantsHold && this.#state !== 'end';
    if (holds === this.#holds) return;
    this.#holds = holds;
    if (holds) this.#keepAlive.acquire();
    else this.#keepAlive.release();
  }

  /** Holds the loop until the cluster is ready or has ended, when it is on its way there. */
  awaitReady(): void {
    if (this.#awaitsReady || SETTLED.has(this.#state)) return;
    this.#awaitsReady = true;
    this.#keepAlive.acquire();
  }

  connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (UNDER_WAY.has(this.#host.status)) return reject(new Error('Redis is already connecting/connected'));
      this.#finish();
      const epoch = ++this.#epoch;
      this.#byHand = false;
      this.#host.connectionPool.renew();
      // One of the life before asks nodes of that life.
      this.#refreshing = undefined;
      this.#stopTimers();
      const waiter = { resolve, reject };
      this.#keepAlive.acquire();
      this.#connecting.push(waiter);
      this.setStatus('connecting');
      this.#begin(epoch).catch((error: Error) => {
        if (!this.#isIn('connecting', epoch)) return this.#settle([waiter], error);
        this.#cut();
        this.#closed(error);
      });
    });
  }

  disconnect(reconnect: boolean): void {
    const { connectionPool } = this.#host;
    this.#cut();
    if (this.#state === 'end') return;
    this.#leave(!reconnect);
    if (connectionPool.alive === 0) this.#closed();
  }

  #cut(): void {
    for (const node of this.#host.connectionPool.release()) node.disconnect();
  }

  async quit(): Promise<'OK'> {
    const { connectionPool } = this.#host;
    if (this.#state === 'end') return 'OK';
    const nodes = connectionPool.release();
    this.#leave(true);
    const epoch = this.#epoch;
    // `close` is emitted after quit() has returned, unless somebody has ended this life by then, or begun another.
    const close = (): void => {
      if (this.#isIn('disconnecting', epoch)) this.#closed();
    };
    if (connectionPool.alive === 0) setImmediate(close);
    await Promise.all(
      nodes.map((node) =>
        node.quit().catch((error: Error) => {
          // One that does not let go by itself is not waited for.
          node.disconnect();
          if (error.message !== CONNECTION_CLOSED) throw error;
        }),
      ),
    );
    return 'OK';
  }

  async close(deadlineMs: number): Promise<void> {
    const { connectionPool } = this.#host;
    if (this.#state === 'end') return;
    const nodes = connectionPool.release();
    this.#leave(true);
    if (connectionPool.alive === 0) this.#closed();
    await Promise.all(nodes.map((node) => node.close(deadlineMs)));
  }

  /** Resolves when the slots are known, as far as nodes tell them; rejects when connecting fails. */
  untilSlotsAreKnown(): Promise<void> {
    if (this.#state === 'connect' || this.#state === 'ready') return Promise.resolve();
    if (this.#host.status === 'end') return Promise.reject(localError(CONNECTION_CLOSED, 'MOORING_CLOSED'));
    this.#keepAlive.acquire();
    return new Promise((resolve, reject) => this.#wantSlots.push({ resolve, reject }));
  }

  /** Asks one node after another; `callback` also gets the result of a refresh that is under way. */
  refresh(callback?: (error?: Error | null) => void): void {
    if (this.#refreshing !== undefined) {
      if (callback !== undefined) this.#refreshing.push(callback);
      return;
    }
    const waiting = callback === undefined ? [] : [callback];
    this.#refreshing = waiting;
    void this.#refresh(waiting);
  }

  async #refresh(waiting: readonly ((error?: Error | null) => void)[]): Promise<void> {
    const error = await this.#askAll();
    if (this.#refreshing === waiting) this.#refreshing = undefined;
    for (const told of waiting) isolated(() => told(error));
  }

  async #begin(epoch: number): Promise<void> {
    const { options, connectionPool, subscriber, sharded, startupNodes } = this.#host;
    const nodes = await resolveHosts(startupOptions(startupNodes), options);
    if (this.#epoch !== epoch) throw new RedisError('Connection is discarded because a new connection is made');
    if (this.#state !== 'connecting') throw new RedisError('Connection is aborted');
    connectionPool.reset(nodes);
    // A listener of `+node` may have ended this life.
    if (!this.#isIn('connecting', epoch)) return;
    sharded.start();
    this.#host.refreshSlotsCache((error) => {
      if (!this.#isIn('connecting', epoch)) return;
      if (error === undefined || error === null) return this.#connected(epoch);
      isolated(() => this.#host.silentEmit('error', error));
      if (!this.#isIn('connecting', epoch)) return;
      connectionPool.reset([]);
      if (connectionPool.alive === 0) this.#closed();
    });
    subscriber.start();
  }

  #connected(epoch: number): void {
    this.#settle(this.#wantSlots);
    this.setStatus('connect');
    if (this.#host.options.enableReadyCheck === false) return this.#ready();
    void this.#readyCheck(epoch);
  }

  async #readyCheck(epoch: number): Promise<void> {
    const serves = await this.#serves();
    if (!this.#isIn('connect', epoch)) return;
    if (serves) this.#ready();
    else this.disconnect(true);
  }

  /** Whether a node says that the cluster serves. */
  async #serves(): Promise<boolean> {
    const { connectionPool, options } = this.#host;
    const node = connectionPool.getSampleInstance('master') ?? connectionPool.getSampleInstance('all');
    if (node === undefined) return true;
    const deadlineMs = Math.max(options.slotsRefreshTimeout, options.redisOptions?.connectTimeout ?? 0);
    try {
      const info = await new Promise((resolve, reject) => {
        const entry = { spec: specOf('cluster'), args: ['INFO'], buffers: false, resolve, reject, transform: undefined, stack: undefined };
        node[CORE].send(entry, { group: 0, index: 0, deadlineMs });
      });
      return !saysFail(info);
    } catch {
      return false;
    }
  }

  #ready(): void {
    this.setStatus('ready');
    this.#attempts = 0;
    this.#settle(this.#connecting);
    this.#routes.offline.runAll();
    this.#scheduleRefresh();
  }

  /** The error of a refresh, or none. */
  async #askAll(): Promise<Error | undefined> {
    const { connectionPool, options } = this.#host;
    const nodes = connectionPool.getNodes().toSorted(() => Math.random() - 0.5);
    const { connectionName } = options.redisOptions ?? {};
    const reached = this.#routes.reached.bind(this.#routes);
    const epoch = this.#epoch;
    let last: Error | undefined;
    for (const node of nodes) {
      try {
        // oxlint-disable-next-line eslint/no-await-in-loop -- the next one is asked only when this one fails
        const shape = await askShape(node, { timeoutMs: options.slotsRefreshTimeout, connectionName, reached });
        const left = this.#left(epoch);
        if (left !== undefined) return left;
        this.#routes.table.replace(shape.ranges);
        connectionPool.reset(shape.nodes);
        this.#host.sharded.refreshed(options.shardedSubscribers === true);
        tell(this.#host, 'refresh');
        return undefined;
      } catch (error) {
        const left = this.#left(epoch);
        if (left !== undefined) return left;
        last = error as Error;
        tell(this.#host, 'node error', last, nodeKey(node.options));
      }
    }
    return new ClusterAllFailedError(ClusterAllFailedError.defaultMessage, last);
  }

  /** Why the answer to what a life asked is of no use any more. */
  #left(epoch: number): Error | undefined {
    if (this.#epoch === epoch && UNDER_WAY.has(this.#state)) return undefined;
    return new Error(this.#state === 'disconnecting' ? 'Cluster is disconnecting.' : 'Cluster is disconnected.');
  }

  #scheduleRefresh(): void {
    const intervalMs = this.#host.options.slotsRefreshInterval ?? 0;
    if (intervalMs <= 0 || this.#refreshTimer !== undefined) return;
    const timer = setTimeout(() => {
      this.#host.refreshSlotsCache(() => {
        if (this.#refreshTimer !== timer) return;
        this.#refreshTimer = undefined;
        if (this.#routes.isReady) this.#scheduleRefresh();
      });
    }, intervalMs);
    this.#refreshTimer = timer.unref();
  }

  #leave(byHand: boolean): void {
    this.setStatus('disconnecting');
    if (byHand) this.#byHand = true;
    this.#stopTimers();
    this.#host.subscriber.stop();
    this.#host.sharded.stop();
  }

  #stopTimers(): void {
    if (this.#retryTimer !== undefined) clearTimeout(this.#retryTimer);
    if (this.#refreshTimer !== undefined) clearTimeout(this.#refreshTimer);
    this.#retryTimer = undefined;
    this.#refreshTimer = undefined;
  }

  /** Whether the life with this number is there still, or whether listeners and calls have led elsewhere. */
  #isIn(status: ClusterStatus, epoch: number): boolean {
    return this.#state === status && this.#epoch === epoch;
  }

  /** Tells the end of a life whose nodes are still on their way out: who asked for it may wait for the event. */
  #finish(): void {
    if (this.#state === 'disconnecting' && this.#closing === undefined) {
      this.setStatus('close');
      this.#settle([...this.#wantSlots, ...this.#connecting], localError(NONE_AVAILABLE, 'MOORING_CONNECT_FAILED'));
    }
    this.#closing = undefined;
    if (this.#byHand && this.#state !== 'end') this.#ended();
  }

  /** No node is left. */
  #closed(reason?: Error): void {
    if (this.#closing !== undefined) return;
    const closing = {};
    this.#closing = closing;
    this.setStatus('close');
    const waiting = [...this.#wantSlots, ...this.#connecting];
    this.#events.later(false, () => {
      this.#settle(waiting, reason ?? localError(NONE_AVAILABLE, 'MOORING_CONNECT_FAILED'));
      if (this.#closing !== closing) return;
      this.#closing = undefined;
      this.#afterClose(reason);
    });
  }

  #afterClose(reason?: Error): void {
    const delayMs = this.#byHand ? undefined : this.#retryDelay(reason);
    // The strategy may have decided otherwise, by a call of its own.
    if (this.#state !== 'close' && this.#state !== 'disconnecting') return;
    if (delayMs === undefined || this.#byHand) return this.#ended();
    this.setStatus('reconnecting');
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = undefined;
      this.#host.connect().catch(() => {});
    }, delayMs);
    this.#retryTimer.unref();
  }

  #retryDelay(reason: Error | undefined): number | undefined {
    const { clusterRetryStrategy } = this.#host.options;
    if (typeof clusterRetryStrategy !== 'function') return undefined;
    let delayMs: unknown;
    isolated(() => (delayMs = clusterRetryStrategy.call(this.#host, ++this.#attempts, reason)));
    return typeof delayMs === 'number' && Number.isFinite(delayMs) ? Math.max(delayMs, 0) : undefined;
  }

  #ended(): void {
    this.setStatus('end');
    const text = this.#byHand ? CONNECTION_CLOSED : NONE_AVAILABLE;
    // Who has come since `close` was told waits for this end, too.
    this.#settle([...this.#wantSlots, ...this.#connecting], localError(text, 'MOORING_CLOSED'));
    this.#routes.offline.rejectAll(() => localError(text, 'MOORING_CLOSED'));
    this.#routes.delays.runAll();
    this.#keepAlive.dispose();
    // Connections of their own: they may be well. Last, because a listener of `-subscriber` may begin another life.
    this.#host.subscriber.stop();
    this.#host.sharded.stop();
  }

  /** Settles those of the waiters that still wait. */
  #settle(waiters: readonly Waiter[], error?: Error): void {
    const called = new Set(waiters);
    const isLeft = (waiter: Waiter): boolean => !called.has(waiter);
    const settled = [...this.#connecting, ...this.#wantSlots].filter((waiter) => !isLeft(waiter));
    this.#connecting = this.#connecting.filter(isLeft);
    this.#wantSlots = this.#wantSlots.filter(isLeft);
    for (const { resolve, reject } of settled) {
      this.#keepAlive.release();
      if (error === undefined) resolve();
      else reject(error);
    }
  }
}
