/**
 * @module redis/client
 *
 * `Redis`: a client in the shape that ioredis made common, over a wire that Rust owns. No code of that library is used.
 *
 * Guarantees: every command settles exactly once with the peer's values and error texts; status changes first, its event follows on the next tick;
 * an idle client does not keep the process alive (`ref()` does).
 */
import { inspect } from 'node:util';
import { deepError, siteOf } from '../error/index.js';
import { asCallback, type Callback } from './callback.js';
import { Command } from './command.js';
import { CommandClient, MAKE_SCRIPT, PATCHED, scanned, START } from './command-client.js';
import { type Call, RUN } from './commander.js';
import { type CommandSpec, Flag, specOf } from './commands.js';
import type { Cluster } from './cluster/index.js';
import type { RedisCommands } from './command-types.js';
import type { Entry, Status } from './connection.js';
import { CORE, Core, KIN, type Kin } from './core.js';
import { checkCloseDeadline, CLOSE_MS } from './deadline.js';
import { CONNECTION_CLOSED, localError, ReplyError } from './errors.js';
import { PLACES } from './lock-watch.js';
import { type RedisOptions, type ResolvedOptions, resolveOptions } from './options.js';
import { Pipeline } from './pipeline.js';
import { SharedSubscriber, type Subscriptions } from './pubsub.js';
import { Script, type ScriptDefinition } from './script.js';
import { SocketView } from './socket.js';
import { ScanStream, type ScanStreamOptions } from './stream.js';
import { pairs } from './transformers.js';
import { WIRE } from '../native.js';
import { nextTick } from '../tick.js';

// oxlint-disable-next-line typescript/no-unsafe-declaration-merging -- the command methods are installed on the prototype below
export interface Redis extends RedisCommands {}

/** A Redis client. */
// oxlint-disable-next-line typescript/no-unsafe-declaration-merging -- see above
export class Redis extends CommandClient {
  /** Where the connection stands. Queue libraries assign it. */
  status: Status = 'wait';
  /** Options after defaults. */
  readonly options: ResolvedOptions;
  /** The database in use, and whether the connection is in subscriber mode. */
  condition: { select: number; subscriber: false | Subscriptions };
  /** The socket, as far as others look at it. */
  readonly stream: SocketView = new SocketView(this);
  readonly isCluster: boolean = false;
  declare readonly [CORE]: Core;
  #subscriber: SharedSubscriber | undefined;
  /** Where the application made it, if it has a name: as text, an error would hold all that was on the stack. */
  readonly #madeAt: string | undefined;

  constructor(port: number, host: string, options?: RedisOptions);
  constructor(portOrUrl: number | string, options?: RedisOptions);
  constructor(options?: RedisOptions | null);
  constructor(...args: unknown[]) {
    super();
    this.options = resolveOptions(args);
    this.condition = { select: this.options.db ?? 0, subscriber: false };
    const kin = (this.options as { [KIN]?: Kin })[KIN] ?? { profile: undefined, family: new Set<Redis>() };
    Object.defineProperty(this.options, KIN, { value: kin, enumerable: true });
    Object.defineProperty(this, CORE, { value: new Core(this, kin, SEND_COMMAND) });
    if (this.options.connectionName) this.#madeAt = siteOf(deepError());
    for (const [name, definition] of Object.entries(this.options.scripts ?? {})) this.defineCommand(name, definition);
    if (this.options.lazyConnect === true) nextTick(() => this.emit('wait'));
    else void this.connect().catch(() => {});
  }

  /** The same as `new Redis(..)`. */
  static createClient(...args: [RedisOptions?]): Redis {
    return new Redis(...args);
  }

  /** The wire, for features that use the same server. @internal */
  get [WIRE](): Core['wire'] {
    return this[CORE].wire;
  }

  /** `normal`, `subscriber` or `monitor`. */
  get mode(): 'normal' | 'subscriber' | 'monitor' {
    if (this.options.monitor === true) return 'monitor';
    return this.condition.subscriber === false ? 'normal' : 'subscriber';
  }

  /** Commands on their way, and commands waiting for a connection. */
  get commandQueue(): { readonly length: number } {
    return { length: this[CORE].stats()?.inFlight ?? 0 };
  }

  get offlineQueue(): { readonly length: number } {
    return { length: this[CORE].stats()?.queued ?? 0 };
  }

  /** With `enableAutoPipelining`: commands called in this tick, which go out together at its end. 0 without: commands are batched all the same. */
  get autoPipelineQueueSize(): number {
    return this.options.enableAutoPipelining === true ? this[CORE].autoPipelined : 0;
  }

  /** Failed connection attempts since the last success. */
  get retryAttempts(): number {
    return this[CORE].retryAttempts;
  }

  /** Connects; resolves on ready, rejects when the attempt fails. */
  connect(callback?: Callback<void>): Promise<void> {
    return asCallback(this[CORE].connect(), callback);
  }

  /** Ends the connection at once; unsettled commands reject with `Connection is closed.`. With `reconnect` it is only dropped. */
  disconnect(reconnect = false): void {
    this.#subscriber?.disconnect(reconnect);
    this[CORE].disconnect(reconnect);
  }

  /**
   * Lets commands in flight finish, then ends; cuts what is left after `deadlineMs`. Never rejects for a server that is gone.
   *
   * @throws MooringError `MOORING_INVALID_ARGUMENT` for a deadline that is no number of milliseconds.
   */
  async close(deadlineMs = CLOSE_MS): Promise<void> {
    const limit = checkCloseDeadline(deadlineMs);
    await Promise.all([this.#subscriber?.close(limit), this[CORE].close(limit)]);
  }

  /** Closes this client and every duplicate of it, and theirs, as `close` does. */
  async closeFamily(deadlineMs = CLOSE_MS): Promise<void> {
    checkCloseDeadline(deadlineMs);
    await Promise.all([...this[CORE].family].map((member) => member.close(deadlineMs)));
  }

  /** Another client with the same options. */
  duplicate(override: RedisOptions = {}): Redis {
    return new Redis({ ...this.options, ...override });
  }

  /** Keeps the process alive while the client is open. */
  ref(): this {
    this[CORE].hold(true);
    return this;
  }

  /** The default: an idle client does not keep the process alive. */
  unref(): this {
    this[CORE].hold(false);
    return this;
  }

  /** A client that emits `monitor` for every command the server gets. */
  monitor(callback?: Callback<Redis>): Promise<Redis> {
    const monitor = this.duplicate({ monitor: true, lazyConnect: false });
    return asCallback(monitoring(monitor), callback);
  }

  /** Ends a transaction that `multi({ pipeline: false })` began. */
  exec(callback?: Callback<[Error | null, unknown][] | null>): Promise<[Error | null, unknown][] | null> {
    const reply = this[RUN]({ spec: specOf('exec'), args: [], buffers: false, callback: undefined }) as Promise<unknown>;
    return asCallback(reply.then(pairs), callback);
  }

  scanStream(options?: ScanStreamOptions): ScanStream {
    return scanned(this, 'scan', undefined, options);
  }
  scanBufferStream(options?: ScanStreamOptions): ScanStream {
    return scanned(this, 'scanBuffer', undefined, options);
  }
  /** Sends a command object. Tracing code patches this; then every command comes by here. */
  sendCommand(command: Command): Promise<unknown> {
    const { place } = command;
    // Not everybody's command is of our class.
    const spec = (command.spec as CommandSpec | undefined) ?? specOf(command.name);
    const args = spec.script === 0 ? command.args : command.values;
    const { resolve, reject, errorStack: stack } = command;
    this[CORE].send({ spec, args, buffers: true, resolve, reject, transform: undefined, stack }, place);
    return command.promise;
  }

  /** Waiting for `ready` while connecting keeps the process alive. */
  override once(event: string | symbol, listener: (...args: never[]) => void): this {
    if (event === 'ready') this[CORE].awaitReady();
    return super.once(event, listener as (...args: unknown[]) => void);
  }

  /** @internal */
  get [PATCHED](): boolean {
    return this[CORE].isPatched;
  }

  /** @internal */
  override [PLACES](isNamed: (name: string) => boolean): string[] {
    const named = [...this[CORE].family].filter(({ options: { connectionName } }) => connectionName && isNamed(connectionName));
    return named.flatMap((client) => client.#madeAt ?? []);
  }

  /** @internal */
  [MAKE_SCRIPT](name: string, definition: ScriptDefinition): Script {
    const core = this[CORE];
    const script = new Script(core.scriptId(definition.lua), name, definition);
    core.addScript(script);
    return script;
  }

  /** @internal */
  [START](entry: Entry): void {
    this[CORE].send(entry);
  }

  /** Runs one call of a command method. */
  override [RUN](call: Call): unknown {
    const { spec } = call;
    if (this.options.sharedSubscriber === true && spec.inSubscriberMode && spec.key.includes('sub')) {
      this.#subscriber ??= new SharedSubscriber(this);
      return this.#subscriber.run(call);
    }
    if ((spec.flags & Flag.quit) !== 0) this.#subscriber?.quit();
    return super[RUN](call);
  }

  /** Without credentials. */
  toJSON(): object {
    const { host, port, path, db, connectionName, sentinels, name } = this.options;
    const server = sentinels ? { name, sentinels } : path ? { path } : { host, port };
    return { status: this.status, ...server, db, ...(connectionName ? { connectionName } : {}) };
  }

  [inspect.custom](): string {
    return `Redis ${inspect(this.toJSON())}`;
  }

  /** Set where that class is defined. */
  declare static readonly Cluster: typeof Cluster;
  static readonly Command = Command;
  static readonly Pipeline = Pipeline;
  static readonly ScanStream = ScanStream;
  static readonly ReplyError = ReplyError;
}

/** Resolves with the client once it monitors. One that fails is ended: nobody else has it, and it would try for ever. */
async function monitoring(monitor: Redis): Promise<Redis> {
  const begun = new Promise<Redis>((resolve, reject) => {
    monitor.once('error', reject);
    monitor.once('end', () => reject(localError(CONNECTION_CLOSED, 'MOORING_CLOSED')));
    monitor.once('monitoring', () => resolve(monitor.ref()));
  });
  try {
    return await begun;
  } catch (error) {
    monitor.on('error', () => {}).disconnect();
    throw error;
  }
}

// oxlint-disable-next-line typescript/unbound-method -- only compared with
const SEND_COMMAND = Redis.prototype.sendCommand;
