/**
 * @module redis/client
 *
 * `Redis`: a client in the shape that ioredis made common, over a wire that Rust owns. No code of that library is used.
 *
 * Guarantees: every command settles exactly once with the peer's values and error texts; status changes first, its event follows on the next tick;
 * an idle client does not keep the process alive (`ref()` does).
 */
import { EventEmitter } from 'node:events';
import { inspect } from 'node:util';
import { asCallback, type Callback } from './callback.js';
import { Command } from './command.js';
import { builtinCommand, builtinCommands, type Call, type CommandMethod, define, installCommands, RUN, takeCallback } from './commander.js';
import { type CommandSpec, specOf } from './commands.js';
import type { Cluster } from './cluster/index.js';
import type { RedisCommands } from './command-types.js';
import type { Status } from './connection.js';
import { CORE, Core, KIN, type Kin } from './core.js';
import { ReplyError } from './errors.js';
import { type RedisOptions, type ResolvedOptions, resolveOptions } from './options.js';
import { type ChainableCommander, Pipeline } from './pipeline.js';
import { SharedSubscriber, type Subscriptions } from './pubsub.js';
import { checkDefinition, Script, type ScriptDefinition } from './script.js';
import { SocketView } from './socket.js';
import { ScanStream, type ScanStreamOptions } from './stream.js';
import { type Argument, pairs, type RedisValue } from './transformers.js';
import { WIRE } from '../native.js';
import { nextTick } from '../tick.js';

// oxlint-disable-next-line typescript/no-unsafe-declaration-merging -- the command methods are installed on the prototype below
export interface Redis extends RedisCommands {}

/** A Redis client. */
// oxlint-disable-next-line typescript/no-unsafe-declaration-merging -- see above
export class Redis extends EventEmitter {
  /** Where the connection stands. Queue libraries assign it. */
  status: Status = 'wait';
  /** Options after defaults. */
  readonly options: ResolvedOptions;
  /** The database in use, and whether the connection is in subscriber mode. */
  condition: { select: number; subscriber: false | Subscriptions };
  /** The socket, as far as others look at it. */
  readonly stream: SocketView = new SocketView(this);
  readonly isCluster: boolean = false;
  readonly scriptsSet: Record<string, Script> = {};
  readonly addedBuiltinSet = new Set<string>();
  declare readonly [CORE]: Core;
  #pipelineClass: typeof Pipeline | undefined;
  #subscriber: SharedSubscriber | undefined;

  constructor(port: number, host: string, options?: RedisOptions);
  constructor(portOrUrl: number | string, options?: RedisOptions);
  constructor(options?: RedisOptions | null);
  constructor(...args: unknown[]) {
    super();
    this.options = resolveOptions(args);
    this.condition = { select: this.options.db, subscriber: false };
    const kin = (this.options as { [KIN]?: Kin })[KIN] ?? { profile: undefined, family: new Set<Redis>() };
    Object.defineProperty(this.options, KIN, { value: kin, enumerable: true });
    Object.defineProperty(this, CORE, { value: new Core(this, kin, SEND_COMMAND) });
    for (const [name, definition] of Object.entries(this.options.scripts ?? {})) this.defineCommand(name, definition);
    if (this.options.lazyConnect === true) nextTick(() => this.emit('wait'));
    else void this[CORE].connect().catch(() => {});
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

  /** The old name of `disconnect`. */
  end(): void {
    this.disconnect();
  }

  /** Lets commands in flight finish, then ends; cuts what is left after `deadlineMs`. Never rejects. */
  async close(deadlineMs = 5000): Promise<void> {
    await Promise.all([this.#subscriber?.close(deadlineMs), this[CORE].close(deadlineMs)]);
  }

  /** Closes this client and every duplicate of it, and theirs, as `close` does. */
  async closeFamily(deadlineMs = 5000): Promise<void> {
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
    const ready = new Promise<Redis>((resolve, reject) => {
      monitor.once('error', reject);
      monitor.once('monitoring', () => resolve(monitor.ref()));
    });
    return asCallback(ready, callback);
  }

  /** Makes a Lua script a method of this client and its pipelines. */
  defineCommand(name: string, definition: ScriptDefinition): void {
    checkDefinition(name, definition);
    const core = this[CORE];
    const script = new Script(core.nextScript, name, definition);
    core.addScript(script);
    this.scriptsSet[name] = script;
    this.#defineBoth(name, script);
  }

  /** Adds a method for a command that the table does not know. */
  addBuiltinCommand(name: string): void {
    this.addedBuiltinSet.add(name);
    this.#defineBoth(name, specOf(name));
  }

  getBuiltinCommands(): string[] {
    return builtinCommands();
  }

  createBuiltinCommand(name: string): { string: CommandMethod; buffer: CommandMethod } {
    return builtinCommand(name);
  }

  /** What pipelines and transactions are made of. */
  protected get pipelineBase(): typeof Pipeline {
    return Pipeline;
  }

  /** Commands that go out together; `exec()` answers `[error, result]` pairs. */
  pipeline(commands?: readonly (readonly Argument[])[]): ChainableCommander {
    return new (this.#pipelineClass ?? this.pipelineBase)(this, false).addBatch(commands) as unknown as ChainableCommander;
  }

  /** A transaction: a pipeline between MULTI and EXEC, or command by command with `{ pipeline: false }`. */
  multi(options: { pipeline: false }): Promise<'OK'>;
  multi(commands?: readonly (readonly Argument[])[] | { pipeline: true }): ChainableCommander;
  multi(commands?: unknown, options: unknown = commands): unknown {
    if ((options as { pipeline?: boolean } | undefined)?.pipeline === false) {
      return this[RUN]({ spec: specOf('multi'), args: [], buffers: false, callback: undefined });
    }
    const transaction = new (this.#pipelineClass ?? this.pipelineBase)(this, true);
    return transaction.addBatch(Array.isArray(commands) ? (commands as Argument[][]) : undefined);
  }

  /** Ends a transaction that `multi({ pipeline: false })` began. */
  exec(callback?: Callback<[Error | null, unknown][] | null>): Promise<[Error | null, unknown][] | null> {
    const reply = this[RUN]({ spec: specOf('exec'), args: [], buffers: false, callback: undefined }) as Promise<unknown>;
    return asCallback(reply.then(pairs), callback);
  }

  scanStream(options?: ScanStreamOptions): ScanStream {
    return this.#scan('scan', undefined, options);
  }
  scanBufferStream(options?: ScanStreamOptions): ScanStream {
    return this.#scan('scanBuffer', undefined, options);
  }
  sscanStream(key: RedisValue, options?: ScanStreamOptions): ScanStream {
    return this.#scan('sscan', key, options);
  }
  sscanBufferStream(key: RedisValue, options?: ScanStreamOptions): ScanStream {
    return this.#scan('sscanBuffer', key, options);
  }
  hscanStream(key: RedisValue, options?: ScanStreamOptions): ScanStream {
    return this.#scan('hscan', key, options);
  }
  hscanBufferStream(key: RedisValue, options?: ScanStreamOptions): ScanStream {
    return this.#scan('hscanBuffer', key, options);
  }
  zscanStream(key: RedisValue, options?: ScanStreamOptions): ScanStream {
    return this.#scan('zscan', key, options);
  }
  zscanBufferStream(key: RedisValue, options?: ScanStreamOptions): ScanStream {
    return this.#scan('zscanBuffer', key, options);
  }

  /** Sends a command object. Tracing code patches this; then every command comes by here. */
  sendCommand(command: Command): Promise<unknown> {
    const { args, place } = command;
    const spec = (command.spec as CommandSpec | undefined) ?? specOf(command.name);
    const { resolve, reject, errorStack: stack } = command;
    this[CORE].send({ spec, args, buffers: true, resolve, reject, transform: undefined, stack }, place);
    return command.promise;
  }

  /** Waiting for `ready` while connecting keeps the process alive. */
  override once(event: string | symbol, listener: (...args: never[]) => void): this {
    if (event === 'ready') this[CORE].awaitReady();
    return super.once(event, listener as (...args: unknown[]) => void);
  }

  /** Emits `error` when somebody listens, prints it otherwise; connection errors are silent while closing by hand and after `end`. */
  silentEmit(event: string, argument?: unknown): boolean {
    if (event === 'error' && this.status === 'end') return false;
    if (this.listenerCount(event) > 0) return this.emit(event, argument);
    // oxlint-disable-next-line no-console -- an error without a listener must not be lost, and must not end the process
    if (event === 'error' && argument instanceof Error) console.error('[ioredis] Unhandled error event:', argument.stack);
    return false;
  }

  /** Runs one call of a command method. */
  [RUN](call: Call): unknown {
    const { spec, callback } = call;
    if (this.options.sharedSubscriber === true && spec.inSubscriberMode && spec.key.includes('sub')) {
      this.#subscriber ??= new SharedSubscriber(this);
      return this.#subscriber.run(call);
    }
    try {
      return this.#send(call);
    } catch (error) {
      // Arguments that cannot be turned into text: a function that returns a promise does not throw.
      return asCallback(Promise.reject(error as Error), callback);
    }
  }

  #send({ spec, args, buffers, callback }: Call): Promise<unknown> {
    const { keyPrefix, showFriendlyErrorStack } = this.options;
    const stack = showFriendlyErrorStack === true ? new Error() : undefined;
    if (this[CORE].isPatched) {
      const options = { replyEncoding: buffers ? null : ('utf8' as const), keyPrefix, errorStack: stack };
      return this.sendCommand(new Command(spec, args, options, callback));
    }
    const prepared = spec.prepare(args);
    const values = keyPrefix ? spec.prefixKeys(prepared, keyPrefix) : prepared;
    const promise = new Promise<unknown>((resolve, reject) => {
      this[CORE].send({ spec, args: values, buffers, resolve, reject, transform: spec.reply, stack });
    });
    return callback === undefined ? promise : asCallback(promise, callback);
  }

  #defineBoth(name: string, spec: CommandSpec): void {
    const Base: typeof Pipeline = this.pipelineBase;
    const pipelines: typeof Pipeline = (this.#pipelineClass ??= class extends Base {});
    const method = (buffers: boolean): CommandMethod =>
      function command(...args: Argument[]): unknown {
        return this[RUN]({ spec, args, buffers, callback: takeCallback(args) });
      };
    define(this, name, method);
    define(pipelines.prototype, name, method);
  }

  #scan(command: string, key: RedisValue | undefined, options?: ScanStreamOptions): ScanStream {
    const step = (args: RedisValue[]): Promise<unknown> =>
      (this as unknown as Record<string, (list: RedisValue[]) => Promise<unknown>>)[command]!(args);
    return new ScanStream({ step, key }, options);
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

installCommands(Redis.prototype);
// oxlint-disable-next-line typescript/unbound-method -- only compared with
const SEND_COMMAND = Redis.prototype.sendCommand;
