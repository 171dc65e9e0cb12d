/**
 * @module redis/core
 *
 * What a client does behind its methods: opens the wire when it is needed, mirrors its status, hands commands over, answers its questions.
 *
 * Guarantees: `connect()` settles; the loop is held while commands are unsettled, a connect is awaited or somebody waits for `ready`, and by nothing else.
 */
import { isAutoPipelined } from './auto-pipeline.js';
import { type CommandSpec, Flag, forbidden, specOf } from './commands.js';
import { Connection, type ConnectionListener, type Entry, type Status } from './connection.js';
import type { Placement } from './encode.js';
import type { Redis } from './client.js';
import { EventQueue } from './event-queue.js';
import { commandInfo, CONNECTION_CLOSED, isUnresolved, localError } from './errors.js';
import { ALONE, InlineTransaction } from './inline-transaction.js';
import { LOOK_ALIKE_PRESET, type Preset, type ResolvedOptions, wireOptions } from './options.js';
import { emitMessage, emitMonitorLine, Subscriptions } from './pubsub.js';
import type { Script } from './script.js';
import { answerQuestion, mergeSentinels, type SentinelAddress } from './sentinel.js';
import { CHANNELS, ConnectTrace, sanitizeArgs, traced, tracedServer } from './tracing.js';
import type { Reply } from './transformers.js';

/** The inside of a client; for this feature's modules. */
export const CORE = Symbol('mooring.redis.core');
/** What a client shares with its duplicates; travels in the options, as a symbol that spreading copies. */
export const KIN = Symbol('mooring.redis.kin');

/** What a preset adds to a client: options of the wire and what to do when it gives up. */
export interface Profile extends Preset {
  /** The wire gave up connecting after so many retries. */
  onGaveUp?(retries: number): void;
  /** The next attempt comes after so many milliseconds. */
  onReconnecting?(delayMs: number): void;
  /** A blocking command of `client` should have been answered so many milliseconds ago. */
  onDeaf?(client: Redis, lateMs: number): void;
}

/** What a client shares with its duplicates. */
export interface Kin {
  readonly profile: Profile | undefined;
  /** Those that have a wire, in the order they were opened. */
  readonly family: Set<Redis>;
}

/** Where a pipeline or MULTI puts a command. */
export interface Place {
  readonly group: number;
  readonly index: number;
  /** Milliseconds that the command may still take, in the place of the client's `commandTimeout`; 0 for no limit. */
  readonly deadlineMs?: number | undefined;
}

const SUBSCRIBER_MODE = 'Connection in subscriber mode, only subscriber commands may be used';
const MONITOR_MODE = "Connection is in monitoring mode, can't process commands.";
const OFFLINE_QUEUE_DISABLED = "Stream isn't writeable and enableOfflineQueue options is false";
const ENDINGS = new Set<string>(['close', 'reconnecting', 'end']);
/** What uses up the keys that were watched, or begins anew. */
const SETTLES_WATCH = Flag.multi | Flag.exec | Flag.watch | Flag.unwatch;
const UNCONNECTED = new Set<string>(['wait', 'close', 'reconnecting', 'end']);

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** The inside of one client. */
export class Core implements ConnectionListener {
  readonly #client: Redis;
  readonly #profile: Profile | undefined;
  readonly #family: Set<Redis>;
  readonly #sendCommand: Redis['sendCommand'];
  /** By text: one that is defined again and again is known to the wire once. */
  readonly #scripts = new Map<string, Script>();
  readonly subscriptions = new Subscriptions();
  #connection: Connection | undefined;
  #waiters: Waiter[] = [];
  readonly #events = new EventQueue();
  /** Those of the options, and those that were learnt. */
  readonly #sentinels: SentinelAddress[];
  readonly #attempt = new ConnectTrace();
  #awaitsReady = false;
  #awaitsEnd = false;
  #held = false;
  #nameSent: string | null | undefined;
  #lastGroup = 0;
  readonly #inline = new InlineTransaction(() => this.nextGroup());
  #autoPipelined = 0;
  /** The status of the wire; `client.status` may be assigned by queue libraries. */
  #status: Status = 'wait';
  /** Keys were watched when the last wire ended: the transaction that was to depend on them must not run on the next. */
  #watchLost = false;
  /** The error that ended a search for the server. */
  #unresolved: Error | undefined;
  /** Why the last attempt failed. */
  lastError: Error | undefined;
  /** Failed attempts since the last success, as the retry strategy was told. */
  retryAttempts = 0;
  /** Whether the last wire was closed for good, by `close()` or a shutdown, and not by `disconnect()`, `quit()` or a loss. */
  wasShut = false;
  /** Retries after which the wire gave up. */
  gaveUpAfter: number | undefined;

  /** `sendCommand` is the client's own method, to notice when tracing code replaces it. */
  constructor(client: Redis, { profile, family }: Kin, sendCommand: Redis['sendCommand']) {
    this.#client = client;
    this.#sendCommand = sendCommand;
    this.#profile = profile;
    this.#family = family;
    this.#sentinels = client.options.sentinels?.slice() ?? [];
    this.#open();
  }

  /** Whether `sendCommand` was replaced: then every command must come by there. */
  get isPatched(): boolean {
    return this.#client.sendCommand !== this.#sendCommand;
  }

  /** Clients of this one's kin that have a wire, itself included. */
  get family(): ReadonlySet<Redis> {
    return this.#family;
  }

  /** Whether a wire exists. */
  get isOpen(): boolean {
    return this.#connection !== undefined;
  }

  /** The wire itself; none after `end`. */
  get wire(): Connection['wire'] {
    return this.#status === 'end' ? undefined : this.#connection?.wire;
  }

  /** Facts about the wire; none after `end`. */
  stats(): ReturnType<Connection['stats']> | undefined {
    return this.#connection?.stats();
  }

  /** Opens the connection; resolves on ready. */
  connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (!UNCONNECTED.has(this.#status)) return reject(new Error('Redis is already connecting/connected'));
      try {
        this.gaveUpAfter = undefined;
        const reopened = this.#connection === undefined;
        const connection = this.#open();
        this.#sendName(connection);
        this.#setStatus(connection.connect());
        if (reopened && this.#client.options.autoResubscribe !== false) this.#resubscribe();
        this.#waiters.push({ resolve, reject });
        connection.keepAlive.acquire();
      } catch (error) {
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- a MooringError of the wire, passed on
        reject(error);
      }
    });
  }

  /** Ends at once, or drops the connection and lets it reconnect. */
  disconnect(reconnect: boolean): void {
    if (this.#connection === undefined) return;
    this.#setStatus(this.#connection.disconnect(reconnect));
    if (!reconnect) this.#awaitEnd();
  }

  /** Holds the loop until the wire has said that it ended: whoever waits for `end` waits for nothing else. */
  #awaitEnd(): void {
    if (this.#awaitsEnd || this.#connection === undefined) return;
    this.#awaitsEnd = true;
    this.#connection.keepAlive.acquire();
  }

  #endAwaited(): void {
    if (this.#awaitsEnd) this.#connection?.keepAlive.release();
    this.#awaitsEnd = false;
  }

  /** Lets work in flight finish, then ends; cuts it at the deadline. */
  async close(deadlineMs: number): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) return;
    connection.keepAlive.acquire();
    await connection.close(deadlineMs);
    // Whoever uses the client again does not hear of the end of its last connection.
    await this.#events.emitted();
    connection.keepAlive.release();
  }

  /** Holds the loop until the connection is ready or has ended, when it is on its way there. */
  awaitReady(): void {
    const { status } = this.#client;
    if (this.#awaitsReady || this.#connection === undefined || ['wait', 'ready', 'end', 'monitoring'].includes(status)) return;
    this.#awaitsReady = true;
    this.#connection.keepAlive.acquire();
  }

  /** Holds the loop as long as the client is open, or not. */
  hold(on: boolean): void {
    if (on === this.#held) return;
    this.#held = on;
    if (on) this.#connection?.keepAlive.acquire();
    else this.#connection?.keepAlive.release();
  }

  addScript(script: Script): void {
    if (this.#scripts.get(script.lua)?.script === script.script) return;
    this.#scripts.set(script.lua, script);
    this.#connection?.registerScript(script);
  }

  /** The id of a script with this text. */
  scriptId(lua: string): number {
    return this.#scripts.get(lua)?.script ?? this.#scripts.size + 1;
  }

  /** A number for a new pipeline. */
  nextGroup(): number {
    this.#lastGroup = (this.#lastGroup % 0x7fff_ffff) + 1;
    return this.#lastGroup;
  }

  /** Hands a command over, or settles it when the client's state forbids it. */
  send(outgoing: Entry, place: Place = ALONE): void {
    const client = this.#client;
    // Its method: a subclass or tracing code may have its own.
    if (client.status === 'wait') void client.connect().catch(() => {});
    const refusal = this.#refusal(outgoing.spec);
    if (refusal !== undefined) {
      // Its caller hears of it here: the next transaction is another one.
      if ((outgoing.spec.flags & SETTLES_WATCH) !== 0) this.#watchLost = false;
      outgoing.reject(localError(refusal, 'MOORING_CLOSED', commandInfo(outgoing.spec.name, outgoing.args)));
      return;
    }
    const unfit = forbidden(outgoing.spec, outgoing.args);
    if (unfit !== undefined) {
      outgoing.reject(localError(unfit, 'MOORING_INVALID_ARGUMENT', commandInfo(outgoing.spec.name, outgoing.args)));
      return;
    }
    const isInline = place.group === 0;
    const { group, index } = isInline ? this.#inline.place(outgoing.spec) : place;
    const deadlineMs = place.deadlineMs ?? client.options.commandTimeout ?? 0;
    const entry = isInline && group !== 0 ? this.#member(this.#entry(outgoing), group) : this.#entry(outgoing);
    const placement = { group, index, deadlineMs };
    if (client.options.enableAutoPipelining === true) this.#countAutoPipelined(outgoing.spec, group);
    if (CHANNELS.command.hasSubscribers === false) this.#connection?.send(entry, placement);
    else this.#traced(entry, placement);
    // What becomes of QUIT depends on the status in which it was called, which may be another one at the end of the tick.
    if ((entry.spec.flags & Flag.quit) !== 0) this.#connection?.flushNow();
  }

  /** Commands of this tick that the peer would put into an automatic pipeline. */
  get autoPipelined(): number {
    return this.#connection === undefined || this.#connection.batched === 0 ? 0 : this.#autoPipelined;
  }

  #countAutoPipelined(spec: CommandSpec, group: number): void {
    if (this.#connection?.batched === 0) this.#autoPipelined = 0;
    if (group === 0 && isAutoPipelined(spec, this.#client.options.autoPipeliningIgnoredCommands)) this.#autoPipelined += 1;
  }

  #traced(entry: Entry, placement: Placement): void {
    const { options, condition } = this.#client;
    const { spec } = entry;
    const sent = (): Promise<unknown> => new Promise((resolve, reject) => this.#connection?.send({ ...entry, resolve, reject }, placement));
    const args = sanitizeArgs(spec.name, spec.shown(entry.args));
    const context = { command: spec.name, args, database: condition.select, ...tracedServer(options) };
    traced(CHANNELS.command, sent, () => context).then(entry.resolve, entry.reject);
  }

  #refusal(spec: CommandSpec): string | undefined {
    const { status, condition, options } = this.#client;
    if (status === 'end' || this.#connection === undefined) return CONNECTION_CLOSED;
    if (condition.subscriber !== false && !spec.inSubscriberMode && options.protocol !== 3) return SUBSCRIBER_MODE;
    const early = status === 'connect' && (spec.flags & Flag.loading) !== 0;
    if (options.enableOfflineQueue === false && status !== 'ready' && !early) return OFFLINE_QUEUE_DISABLED;
    if (options.monitor === true && !spec.inMonitorMode && status !== 'connect') return MONITOR_MODE;
    return undefined;
  }

  /** A member of a transaction that is sent command by command. */
  #member(outgoing: Entry, group: number): Entry {
    const reject = (error: Error): void => {
      this.#inline.failed(group, outgoing.spec, error);
      outgoing.reject(error);
    };
    return { ...outgoing, reject };
  }

  #entry(outgoing: Entry): Entry {
    const { flags } = outgoing.spec;
    if ((flags & Flag.subscribe) !== 0) return this.#following(outgoing);
    return (flags & Flag.quit) === 0 ? outgoing : this.#leaving(outgoing);
  }

  /** The end follows an answered QUIT; a refused one changes nothing. */
  #leaving(outgoing: Entry): Entry {
    const resolve = (value: unknown): void => {
      if (this.#connection?.ended === false) this.#awaitEnd();
      outgoing.resolve(value);
    };
    return { ...outgoing, resolve };
  }

  #following(outgoing: Entry): Entry {
    const resolve = (value: unknown): void => {
      this.subscriptions.follow(outgoing.spec.key, outgoing.args);
      outgoing.resolve(value);
    };
    return { ...outgoing, resolve };
  }

  /** The wire; a new one after the last has ended, with scripts, database and subscriptions of before. */
  #open(): Connection {
    if (this.#connection !== undefined) return this.#connection;
    const { options, condition } = this.#client;
    const current: ResolvedOptions = { ...options, db: condition.select };
    const connection = new Connection(
      wireOptions(current, this.#profile ?? LOOK_ALIKE_PRESET, { sentinels: this.#sentinels, watchLost: this.#watchLost }),
      options.stringNumbers === true,
      this,
    );
    this.#connection = connection;
    this.#nameSent = options.connectionName;
    for (const script of this.#scripts.values()) connection.registerScript(script);
    if (this.#held) connection.keepAlive.acquire();
    this.#family.add(this.#client);
    return connection;
  }

  #resubscribe(): void {
    for (const [kind, channels] of this.subscriptions.restore()) {
      const entry = {
        spec: specOf(kind),
        args: channels,
        buffers: false,
        resolve: () => {},
        reject: () => {},
        transform: undefined,
        stack: undefined,
      };
      this.#connection?.send(entry, { group: 0, index: 0, deadlineMs: 0 });
    }
  }

  /** Bull names its connections by writing into the options. */
  #sendName(connection: Connection): void {
    const { connectionName } = this.#client.options;
    if (connectionName === this.#nameSent || typeof connectionName !== 'string') return;
    this.#nameSent = connectionName;
    connection.setConnectionName(connectionName);
  }

  #setStatus(status: Status): void {
    this.#status = status;
    this.#client.status = status;
  }

  onStatus(status: Status, extra: number, current: boolean): void {
    // Traces are told first, so that they are complete when `connect()` settles.
    if (status === 'ready') {
      this.lastError = undefined;
      this.retryAttempts = 0;
      this.#attempt.succeeded();
    }
    if (status === 'close' || status === 'end')
      this.#attempt.failed(this.lastError ?? localError(CONNECTION_CLOSED, 'MOORING_DISCONNECTED'));
    if (current) {
      this.#status = status;
      // Who listens for `connect` sees that status, even if `ready` came with it.
      if (status !== 'ready') this.#client.status = status;
      this.#settleWaiters(status);
    }
    if (status === 'end') this.#endAwaited();
    if (status === 'connecting' || status === 'end') this.#client.condition.subscriber = false;
    if (status === 'connecting') this.#unresolved = undefined;
    if (status === 'connecting') this.#attempt.begin(this.#client.options);
    if (status === 'close' && this.#connection !== undefined) this.#sendName(this.#connection);
    if (status === 'reconnecting') this.#profile?.onReconnecting?.(extra);
    this.#events.later(ENDINGS.has(status), () => this.#emitStatus(status, extra, current));
  }

  #emitStatus(status: Status, extra: number, current: boolean): void {
    const client = this.#client;
    if (status === 'ready' && current && this.#status === 'ready') client.status = status;
    if (status === 'reconnecting') client.emit(status, extra);
    else client.emit(status);
  }

  #settleWaiters(status: Status): void {
    const settled = status === 'ready' || status === 'monitoring';
    if ((settled || status === 'end') && this.#awaitsReady) {
      this.#awaitsReady = false;
      this.#connection?.keepAlive.release();
    }
    if (!settled && status !== 'close' && status !== 'end') return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { resolve, reject } of waiters) {
      this.#connection?.keepAlive.release();
      if (settled) resolve();
      else reject((status === 'end' ? this.#unresolved : undefined) ?? localError(CONNECTION_CLOSED, 'MOORING_DISCONNECTED'));
    }
  }

  onError(error: Error): void {
    this.lastError = error;
    this.#unresolved = isUnresolved(error) ? error : undefined;
    // `connecting` may have come with it.
    this.#events.catchUp();
    this.#client.silentEmit('error', error);
  }

  onQuestion(kind: string, argument: string): string | undefined {
    return answerQuestion(this.#client.options, kind, argument);
  }

  onSentinelError(error: Error): void {
    this.lastError = error;
    this.#client.silentEmit('sentinelError', error);
  }

  onSentinelEvent(event: 'sentinelReconnecting' | 'failoverSubscribed'): void {
    this.#client.emit(event);
  }

  onSentinels(sentinels: readonly SentinelAddress[]): void {
    mergeSentinels(this.#sentinels, sentinels);
  }

  onMessage(message: Reply[]): void {
    emitMessage(this.#client, message);
  }

  onMonitorLine(line: string): void {
    emitMonitorLine(this.#client, line);
  }

  onSubscriptions(count: number): void {
    this.#client.condition.subscriber = count > 0 ? this.subscriptions : false;
  }

  onSelected(db: number): void {
    if (this.#client.condition.select === db) return;
    this.#client.condition.select = db;
    this.#client.emit('select', db);
  }

  onGaveUp(retries: number): void {
    this.gaveUpAfter = retries;
    this.#profile?.onGaveUp?.(retries);
  }

  onSessionEnded(watched: boolean): void {
    this.#watchLost = watched;
  }

  onDeaf(lateMs: number): void {
    this.#profile?.onDeaf?.(this.#client, lateMs);
    this.#client.emit('deaf', lateMs);
  }

  onWarning(text: string): void {
    // oxlint-disable-next-line no-console -- the peer prints these, and people look for them
    console.warn(text);
  }

  retryDelay(attempt: number): number {
    this.retryAttempts = attempt;
    const { options } = this.#client;
    if (typeof options.retryStrategy !== 'function') return -1;
    const delay = options.retryStrategy(attempt);
    if (typeof delay !== 'number') return -1;
    // A timer of Node's fires at once for NaN and Infinity: a strategy that computes one still reconnects.
    return Number.isFinite(delay) ? Math.max(Math.floor(delay), 0) : 1;
  }

  /** `close` is emitted before the next attempt begins, so that a listener may still disconnect; the status changes at once. */
  onRetry(status: Status, answer?: () => void): void {
    this.#setStatus(status);
    if (answer !== undefined) this.#events.later(true, answer);
  }

  reconnectVerdict(error: Error): 0 | 1 | 2 {
    const verdict = this.#client.options.reconnectOnError?.(error);
    if (verdict === true || verdict === 1) return 1;
    return verdict === 2 ? 2 : 0;
  }

  onDrained(): void {
    const connection = this.#connection;
    if (connection === undefined || connection.unsettled > 0) return;
    // An ended wire is let go, so that a closed client leaves no handle behind; connect() opens another one.
    if (!connection.released && !connection.ended) return;
    this.wasShut = connection.released;
    this.#endAwaited();
    connection.release();
    this.#connection = undefined;
    this.#family.delete(this.#client);
  }
}
