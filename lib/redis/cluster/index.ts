/**
 * @module redis/cluster
 *
 * `Cluster`: a client for Redis Cluster in the shape of the peer's. It routes; the connections are ordinary clients whose lives Rust owns.
 *
 * Guarantees: every command settles exactly once, through redirections, lost nodes and the end of the cluster; status changes first, its event follows;
 * an idle cluster does not keep the process alive. Why the slot table lives here and not in Rust: decision 0011.
 */
import { inspect } from 'node:util';
import { KeepAlive } from '../../keep-alive.js';
import { isAutoPipelined } from '../auto-pipeline.js';
import { asCallback, type Callback } from '../callback.js';
import { Redis } from '../client.js';
import type { Command } from '../command.js';
import { CommandClient, MAKE_SCRIPT, PATCHED, START } from '../command-client.js';
import { type Call, RUN } from '../commander.js';
import { Flag } from '../commands.js';
import type { RedisCommands } from '../command-types.js';
import { CORE } from '../core.js';
import { checkCloseDeadline, CLOSE_MS } from '../deadline.js';
import { CONNECTION_CLOSED, commandInfo, localError } from '../errors.js';
import { type Batch, BATCH, type ChainableCommander, type MemberResult, type Pipeline } from '../pipeline.js';
import { Script, type ScriptDefinition } from '../script.js';
import type { Argument } from '../transformers.js';
import { AutoPipelines } from './auto-pipelines.js';
import { BatchJourney } from './batch-journey.js';
import type { Outgoing } from './journey.js';
import { ClusterLife } from './life.js';
import { NodePool } from './nodes.js';
import { type ClusterNode, type ClusterOptions, type NodeRole, resolveClusterOptions, type ResolvedClusterOptions } from './options.js';
import { type ClusterStatus, Routes } from './routes.js';
import { ShardedSubscribers } from './sharded-subscribers.js';
import type { NodeKey } from './slots.js';
import { ClusterSubscriber } from './subscriber.js';

/** Ids of a cluster's scripts start here: nodes number their own from 1. */
const FIRST_SCRIPT = 1 << 20;
const ROLES = ['all', 'master', 'slave'];
const OVER_CONNECTIONS =
  'MULTI, EXEC and DISCARD by themselves are not possible on a cluster, whose commands go over several connections: use multi()';

// oxlint-disable-next-line typescript/no-unsafe-declaration-merging -- the command methods are installed on the prototype below
export interface Cluster extends Omit<RedisCommands, 'quit'> {}

/** A client of a Redis Cluster. */
// oxlint-disable-next-line typescript/no-unsafe-declaration-merging -- see above
export class Cluster extends CommandClient {
  /** Where the cluster stands. Queue libraries assign it. */
  status: ClusterStatus = 'wait';
  /** Options after defaults; live. */
  readonly options: ResolvedClusterOptions;
  readonly isCluster: boolean = true;
  /** Nodes to ask at every connect. */
  startupNodes: readonly ClusterNode[];
  /** The nodes' clients. @internal */
  readonly connectionPool: NodePool;
  /** The connection of ordinary subscriptions. @internal */
  readonly subscriber: ClusterSubscriber;
  /** Those of sharded ones. @internal */
  readonly sharded: ShardedSubscribers;
  readonly #routes: Routes;
  readonly #life: ClusterLife;
  readonly #auto: AutoPipelines;
  readonly #scripts = new Map<string, Script>();

  /**
   * @throws Error for a bad `scaleReads`, as the peer; MooringError `MOORING_INVALID_CONFIG` for other options of a wrong type.
   */
  constructor(startupNodes: readonly ClusterNode[], options: ClusterOptions = {}) {
    super();
    this.startupNodes = startupNodes;
    this.options = resolveClusterOptions(options);
    const { redisOptions, clusterNodeRetryStrategy, scripts, lazyConnect } = this.options;
    this.connectionPool = new NodePool(redisOptions, clusterNodeRetryStrategy, (node) => this.#prepare(node));
    const keepAlive = new KeepAlive();
    this.#routes = new Routes(this, keepAlive);
    this.subscriber = new ClusterSubscriber(this.connectionPool, this);
    this.sharded = new ShardedSubscribers(this, this.#routes);
    this.#auto = new AutoPipelines(this.#routes, () => this.pipeline() as unknown as Pipeline);
    this.#life = new ClusterLife(this, this.#routes, keepAlive);
    for (const [name, definition] of Object.entries(scripts ?? {})) this.defineCommand(name, definition);
    if (lazyConnect === true) this.#life.setStatus('wait');
    else this.connect().catch(() => {});
  }

  /** The nodes of each slot, the master first. */
  get slots(): NodeKey[][] {
    return this.#routes.table.slots;
  }

  /** Slots with equal nodes have equal numbers. @internal */
  get _groupsBySlot(): (number | undefined)[] {
    return this.#routes.table.groups;
  }

  /** With `enableAutoPipelining`: commands that wait for the end of the turn. */
  get autoPipelineQueueSize(): number {
    return this.#auto.size;
  }

  /** Commands that wait for the cluster. */
  get offlineQueue(): { readonly length: number } {
    return { length: this.#routes.offline.length };
  }

  /** Connects; resolves on ready, rejects when no startup node can be used. */
  connect(): Promise<void> {
    return this.#life.connect();
  }

  /** Disconnects from every node; unsettled commands reject. With `reconnect` the cluster connects again, by its retry strategy. */
  disconnect(reconnect = false): void {
    this.#life.disconnect(reconnect);
  }

  /** Lets every node answer what it was sent, then ends. */
  quit(callback?: Callback<'OK'>): Promise<'OK'> {
    return asCallback(this.#life.quit(), callback);
  }

  /** As `close` of a `Redis`. */
  async close(deadlineMs = CLOSE_MS): Promise<void> {
    await this.#life.close(checkCloseDeadline(deadlineMs));
  }

  /** Another client, with the same startup nodes and options unless told otherwise. */
  duplicate(startupNodes: readonly ClusterNode[] = [], options: ClusterOptions = {}): Cluster {
    return new Cluster(startupNodes.length > 0 ? startupNodes : (this.startupNodes?.slice(0) ?? []), { ...this.options, ...options });
  }

  /** Clients of the nodes with a role: for commands about one node, such as SCAN or FLUSHDB. */
  nodes(role: NodeRole = 'all'): Redis[] {
    if (!ROLES.includes(role)) throw new Error(`Invalid role "${role}". Expected "all", "master" or "slave"`);
    return this.connectionPool.getNodes(role);
  }

  /** Keeps the process alive while the cluster is open. */
  ref(): this {
    this.#life.hold(true);
    return this;
  }

  /** The default: an idle cluster does not keep the process alive. */
  unref(): this {
    this.#life.hold(false);
    return this;
  }

  /** Asks the nodes, in random order, which slots they serve. @internal */
  refreshSlotsCache(callback?: (error?: Error | null) => void): void {
    this.#life.refresh(callback);
  }

  /** A transaction: a pipeline between MULTI and EXEC. `{ pipeline: false }` is refused: see `docs/redis.md`. */
  declare multi: {
    (options: { pipeline: false }): Promise<never>;
    (commands?: readonly (readonly Argument[])[] | { pipeline: true }): ChainableCommander;
  };

  /** Sends a command object to the node of its keys. Tracing code patches this; then every single command comes by here. */
  sendCommand(command: Command): Promise<unknown> {
    const { spec, values: args, resolve, reject, errorStack: stack, isReadOnly: readOnly } = command;
    this[START]({ spec, args, buffers: true, resolve, reject, transform: undefined, stack, readOnly });
    return command.promise;
  }

  /** Waiting for `ready` while connecting keeps the process alive. */
  override once(event: string | symbol, listener: (...args: never[]) => void): this {
    if (event === 'ready') this.#life.awaitReady();
    return super.once(event, listener as (...args: unknown[]) => void);
  }

  /** @internal */
  get [PATCHED](): boolean {
    return this.sendCommand !== SEND_COMMAND;
  }

  /** @internal */
  [MAKE_SCRIPT](name: string, definition: ScriptDefinition): Script {
    const known = this.#scripts.get(definition.lua);
    const script = new Script(known?.script ?? FIRST_SCRIPT + this.#scripts.size, name, definition);
    if (known !== undefined) return script;
    this.#scripts.set(definition.lua, script);
    for (const node of this.nodes()) node[CORE].addScript(script);
    return script;
  }

  /** Runs one call of a command method. */
  override [RUN](call: Call): unknown {
    if (this.options.enableAutoPipelining === true && isAutoPipelined(call.spec, this.options.autoPipeliningIgnoredCommands)) {
      return asCallback(this.#autoPipelined(call), call.callback);
    }
    return super[RUN](call);
  }

  /** Runs a pipeline's members at the node of their keys. @internal */
  [BATCH](batch: Batch): Promise<MemberResult[]> {
    this.#connectFirst();
    return new Promise((resolve, reject) => new BatchJourney(this.#routes, batch, { resolve, reject }).go());
  }

  /** Before the first refresh nobody knows which commands belong together. */
  async #autoPipelined(call: Call): Promise<unknown> {
    if (!this.#routes.table.known) {
      this.#connectFirst();
      await this.#life.untilSlotsAreKnown();
    }
    return this.#auto.run(call);
  }

  /** @internal */
  [START](outgoing: Outgoing): void {
    const { spec, args, reject } = outgoing;
    this.#connectFirst();
    if (this.status === 'end') reject(localError(CONNECTION_CLOSED, 'MOORING_CLOSED', commandInfo(spec.name, args)));
    else if ((spec.flags & (Flag.multi | Flag.exec)) !== 0) reject(localError(OVER_CONNECTIONS, 'MOORING_INVALID_ARGUMENT'));
    else this.#routes.send(outgoing);
  }

  #connectFirst(): void {
    if (this.status === 'wait') this.connect().catch(() => {});
  }

  #prepare(node: Redis): void {
    for (const script of this.#scripts.values()) node[CORE].addScript(script);
  }

  /** Without credentials. */
  toJSON(): object {
    return { status: this.status, masters: this.connectionPool.keys('master'), replicas: this.connectionPool.keys('slave') };
  }

  [inspect.custom](): string {
    return `Cluster ${inspect(this.toJSON())}`;
  }
}

Object.assign(Redis, { Cluster });
// oxlint-disable-next-line typescript/unbound-method -- only compared with
const SEND_COMMAND = Cluster.prototype.sendCommand;
