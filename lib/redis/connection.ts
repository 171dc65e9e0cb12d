/**
 * @module redis/connection
 *
 * The JavaScript half of one wire: the out-buffer, the ring of unsettled commands, the drain loop, keep-alive.
 *
 * Guarantees: every command handed in settles exactly once, in the order the wire decides; the process stays alive while one is unsettled;
 * after `release` nothing reaches JavaScript. Decides nothing about sockets, retries or deadlines: Rust does.
 */
import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers';
import { isFailure, unwrap } from '../error/index.js';
import { KeepAlive } from '../keep-alive.js';
import { type FailureRecord, native, type RedisWire, type WireAddress, type WireTransition } from '../native.js';
import type { CommandSpec } from './commands.js';
import { OutBuffer, type Placement } from './encode.js';
import { commandError, commandInfo, CONNECTION_CLOSED, localError, wireError, withStack } from './errors.js';
import { ReplyReader } from './reply.js';
import type { Script } from './script.js';
import type { RedisValue, Reply } from './transformers.js';
import { isolated, nextTick } from '../tick.js';

/** Status texts by number, as `src/redis/connection.rs` numbers them. */
const STATUSES = ['wait', 'connecting', 'connect', 'ready', 'close', 'reconnecting', 'end', 'monitoring'] as const;
/** Where a connection stands. */
export type Status = (typeof STATUSES)[number];

/** What the wire tells the client besides settlements. */
export interface ConnectionListener {
  /** `current` is false for a change that a later, synchronous one has overtaken: emit it, do not take it over. */
  onStatus(status: Status, extra: number, current: boolean): void;
  onError(error: Error): void;
  onMessage(message: Reply[]): void;
  onMonitorLine(line: string): void;
  onSubscriptions(count: number): void;
  onSelected(db: number): void;
  onGaveUp(retries: number): void;
  /** A blocking command should have been answered so many milliseconds ago; its connection is being replaced. */
  onDeaf(lateMs: number): void;
  /** The wire has ended; `watched` if keys were watched for a transaction that has not come. */
  onSessionEnded(watched: boolean): void;
  onWarning(text: string): void;
  /** What the answer makes of the status; `answer` is to be called once the events before it were emitted. */
  onRetry(status: Status, answer?: () => void): void;
  /** The delay before the next attempt in milliseconds, or a negative number to stop. */
  retryDelay(attempt: number): number;
  /** 0 reject, 1 reconnect and reject, 2 reconnect and send again. */
  reconnectVerdict(error: Error): 0 | 1 | 2;
  /** A function among the options must answer; the answer as JSON. */
  onQuestion(kind: string, argument: string): string | undefined;
  /** One sentinel was of no use. */
  onSentinelError(error: Error): void;
  /** Something to tell that has no argument. */
  onSentinelEvent(event: 'sentinelReconnecting' | 'failoverSubscribed'): void;
  /** More sentinels are known. */
  onSentinels(sentinels: readonly WireAddress[]): void;
  /** A batch was worked off. */
  onDrained(): void;
}

/** One command waiting for its outcome. */
export interface Entry {
  readonly spec: CommandSpec;
  readonly args: readonly RedisValue[];
  /** Bulk strings as Buffers. */
  readonly buffers: boolean;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  /** Turns the decoded reply into what the caller gets. */
  readonly transform: ((reply: unknown) => unknown) | undefined;
  /** The call's stack, with `showFriendlyErrorStack`. */
  readonly stack: Error | undefined;
}

const Token = {
  run: 32,
  fail: 33,
  status: 34,
  askRetry: 35,
  error: 36,
  push: 37,
  monitor: 38,
  subscribed: 39,
  selected: 40,
  notice: 41,
  askReconnect: 42,
  released: 43,
  question: 44,
};
const Notice = {
  gaveUp: 1,
  warning: 2,
  sentinelError: 3,
  sentinelReconnecting: 4,
  failoverSubscribed: 5,
  sentinels: 6,
  deaf: 7,
  session: 8,
};
const ERROR_VALUE = 2;
const HEADER_INTS = 4;
const META_ENTRIES = 16 * 1024;
const BLOB_BYTES = 64 * 1024;
/** A tick that encodes more than this is handed over at once. */
const FLUSH_BYTES = 64 * 1024;
/**
 * A tick that takes longer than this hands over what it has, so that the server works meanwhile; looked at with every eighth command. Without it a client and a server
 * that both take long for a command, such as BullMQ's, wait for each other: one for all replies, the other for all commands.
 */
const FLUSH_MS = 0.1;
const LOOK_EVERY = 8;
/** Wakes that are answered at once; the next one waits for the next phase of the loop. */
const TURNS = 1;
const RING = 1024;
const MORE = 2;

/** The JavaScript half of one `RedisWire`. */
export class Connection {
  readonly keepAlive = new KeepAlive();
  readonly #wire: RedisWire;
  readonly #listener: ConnectionListener;
  readonly #out = new OutBuffer();
  readonly #reader: ReplyReader;
  readonly #flush = (): void => this.flush();
  readonly #drainLater = (): void => this.#drain();
  readonly #takeTurn = (): void => {
    this.#turns = 0;
    this.#drain();
  };
  #ring: (Entry | undefined)[] = new Array<Entry | undefined>(RING).fill(undefined);
  #head = 0;
  #tail = 0;
  #unsettled = 0;
  #scheduled = false;
  #tickBegan = 0;
  #turns = 0;
  #lastStatus = 0;
  #ended = false;
  #released = false;

  /**
   * Opens a wire; no I/O.
   *
   * @throws MooringError `MOORING_INVALID_CONFIG` for options the wire cannot take.
   */
  constructor(options: string, stringNumbers: boolean, listener: ConnectionListener) {
    this.#listener = listener;
    this.#reader = new ReplyReader(META_ENTRIES, BLOB_BYTES, stringNumbers);
    this.#wire = unwrap(native.RedisWire.open(options, () => this.#wake()));
  }

  /** Commands that have not settled. */
  get unsettled(): number {
    return this.#unsettled;
  }

  /** The native client; none once it is gone. */
  get wire(): RedisWire | undefined {
    return this.#released ? undefined : this.#wire;
  }

  /** Whether the wire is gone; open another one then. */
  get released(): boolean {
    return this.#released;
  }

  /** Whether the wire itself has said that it ended, and was not connected again since: a call may know of an end before its event was drained. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Commands encoded since the last hand-over. */
  get batched(): number {
    return this.#out.commands;
  }

  /** Takes one command; its outcome goes to the entry. */
  send(entry: Entry, placement: Placement): void {
    if (this.#released) return entry.reject(localError(CONNECTION_CLOSED, 'MOORING_CLOSED'));
    this.#out.append(entry.spec, entry.args, placement);
    if ((this.#tail - this.#head) >>> 0 >= this.#ring.length) this.#makeRoom();
    this.#ring[this.#tail & (this.#ring.length - 1)] = entry;
    this.#tail = (this.#tail + 1) >>> 0;
    if (this.#unsettled++ === 0) this.keepAlive.acquire();
    if (!this.#scheduled) {
      this.#scheduled = true;
      this.#tickBegan = performance.now();
      nextTick(this.#flush);
    }
    if (this.#out.length >= FLUSH_BYTES) this.#handOver();
    else if (this.#out.commands % LOOK_EVERY === 0) this.#handOverIfLate();
  }

  #handOverIfLate(): void {
    const now = performance.now();
    if (now - this.#tickBegan <= FLUSH_MS) return;
    this.#tickBegan = now;
    this.#handOver();
  }

  /** Hands over what this tick has encoded. */
  flush(): void {
    this.#scheduled = false;
    this.#handOver();
  }

  #handOver(): void {
    const { length, commands } = this.#out;
    if (commands === 0 || this.#released) return;
    const refused = this.#wire.flush(this.#out.buffer, length, this.#out.descriptors, commands);
    this.#out.clear();
    if (isFailure(refused)) this.#refuse(refused, commands);
  }

  /** The same, and the wire has taken it in when this returns. */
  flushNow(): void {
    this.flush();
    this.#wire.stats();
  }

  /** Synchronous transitions; each returns the status that holds from now on. Events follow on the next tick. */
  connect(): Status {
    return this.#transition(() => unwrap(this.#wire.connect()));
  }

  disconnect(reconnect: boolean): Status {
    return this.#transition(() => unwrap(this.#wire.disconnect(reconnect)));
  }

  /** Waits for work in flight, then ends. Bounded by `deadlineMs`; never rejects. */
  async close(deadlineMs: number): Promise<void> {
    this.flush();
    await this.#wire.close(deadlineMs);
    // What it settled and the last status may still wait for the wake-up.
    this.#drain();
  }

  registerScript(script: Script): void {
    this.#wire.registerScript(script.script, script.lua);
  }

  setConnectionName(name: string): void {
    this.#wire.setConnectionName(name);
  }

  stats(): ReturnType<RedisWire['stats']> {
    return this.#wire.stats();
  }

  /** Drops the wire; what is left settles as closed. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#wire.release();
    for (let seq = this.#head; seq !== this.#tail; seq = (seq + 1) >>> 0) {
      const entry = this.#take(seq);
      if (entry !== undefined) this.#reject(entry, localError(CONNECTION_CLOSED, 'MOORING_CLOSED'));
    }
    this.keepAlive.dispose();
  }

  #transition(change: () => WireTransition): Status {
    this.flush();
    const { status, number } = change();
    this.#lastStatus = number;
    if (status !== 'end') this.#ended = false;
    nextTick(this.#drainLater);
    return status as Status;
  }

  /** The wire took none of the last `commands` commands. */
  #refuse(failure: FailureRecord, commands: number): void {
    for (let seq = (this.#tail - commands) >>> 0; seq !== this.#tail; seq = (seq + 1) >>> 0) {
      const entry = this.#take(seq);
      if (entry !== undefined) this.#reject(entry, wireError(failure, 'no', commandInfo(entry.spec.name, entry.spec.shown(entry.args))));
    }
    // It has not counted them either: the next command has the number of the first of these.
    if (failure.code === 'MOORING_INVALID_ARGUMENT') this.#tail = (this.#tail - commands) >>> 0;
  }

  #makeRoom(): void {
    const mask = this.#ring.length - 1;
    while (this.#head !== this.#tail && this.#ring[this.#head & mask] === undefined) this.#head = (this.#head + 1) >>> 0;
    if ((this.#tail - this.#head) >>> 0 < this.#ring.length) return;
    const larger = new Array<Entry | undefined>(this.#ring.length * 2).fill(undefined);
    for (let seq = this.#head; seq !== this.#tail; seq = (seq + 1) >>> 0) larger[seq & (larger.length - 1)] = this.#ring[seq & mask];
    this.#ring = larger;
  }

  #take(seq: number): Entry | undefined {
    const index = seq & (this.#ring.length - 1);
    const entry = this.#ring[index];
    if (entry === undefined) return undefined;
    this.#ring[index] = undefined;
    if (--this.#unsettled === 0) this.keepAlive.release();
    return entry;
  }

  /**
   * Node runs up to a thousand calls of one thread-safe function before it looks at those of other clients, at sockets and at timers. A client whose every reply brings
   * the next command would keep all of them waiting, for hundreds of its round trips. As long as nothing is drained, Rust does not call again.
   */
  #wake(): void {
    if (this.#turns++ < TURNS) this.#drain();
    else setImmediate(this.#takeTurn);
  }

  #drain(): void {
    const reader = this.#reader;
    while (!this.#released) {
      const used = this.#wire.drain(reader.meta, reader.blob);
      if (used === 0) break;
      if (used < 0) {
        reader.grow(reader.meta[0] ?? 0, reader.meta[1] ?? 0);
        continue;
      }
      const flags = reader.meta[2] ?? 0;
      reader.begin(HEADER_INTS, reader.meta[1] ?? 0, (flags & 1) === 1);
      while (reader.at < used && !this.#released) this.#token(reader);
      if ((flags & MORE) === MORE) setImmediate(this.#drainLater);
      else reader.trim(BLOB_BYTES);
      break;
    }
    this.#listener.onDrained();
  }

  #token(reader: ReplyReader): void {
    const kind = reader.int();
    const first = reader.int();
    switch (kind) {
      case Token.run:
        return this.#run(reader, first, reader.int());
      case Token.fail:
        return this.#fail(first, reader.int(), reader.int());
      case Token.status:
        return this.#status(first, reader.int(), reader.int());
      case Token.askRetry:
        return this.#askRetry(first, reader.int());
      case Token.askReconnect:
        return this.#askReconnect(reader, first);
      case Token.push:
        return isolated(() => this.#listener.onMessage(reader.value(true) as Reply[]));
      case Token.monitor:
        return isolated(() => this.#listener.onMonitorLine(reader.value(false) as string));
      case Token.error:
        reader.int();
        return isolated(() => this.#listener.onError(this.#error(first)));
      case Token.notice:
        return this.#notice(first, reader.int(), reader.int());
      case Token.subscribed:
        return this.#listener.onSubscriptions(first);
      case Token.selected:
        return isolated(() => this.#listener.onSelected(first));
      case Token.question:
        return this.#question(first);
      case Token.released:
        return this.release();
      default:
        throw new Error(`unknown token ${kind} from the wire`);
    }
  }

  #run(reader: ReplyReader, firstSeq: number, count: number): void {
    for (let offset = 0; offset < count; offset++) {
      const entry = this.#take((firstSeq + offset) >>> 0);
      if (entry === undefined) {
        reader.value(true);
        continue;
      }
      const isError = reader.meta[reader.at] === ERROR_VALUE;
      const value = reader.value(entry.buffers);
      if (isError) this.#rejectReply(entry, value as Error);
      else if (entry.transform === undefined) entry.resolve(value);
      else settleTransformed(entry, entry.transform, value);
    }
  }

  #fail(seq: number, failureId: number, sent: number): void {
    const entry = this.#take(seq >>> 0);
    if (entry === undefined) return;
    const failure = this.#wire.failure(failureId);
    const command = commandInfo(entry.spec.name, entry.spec.shown(entry.args));
    const error = isFailure(failure)
      ? wireError(failure, sent === 0 ? 'no' : 'maybe', command)
      : localError(CONNECTION_CLOSED, 'MOORING_INTERNAL', command);
    this.#reject(entry, error);
  }

  #status(index: number, number: number, extra: number): void {
    const current = ((number - this.#lastStatus) | 0) > 0;
    if (current) this.#lastStatus = number;
    const status = STATUSES[index];
    const holds = current || number === this.#lastStatus;
    // An end that a later connect() has overtaken is not the wire's.
    this.#ended = status === 'end' && holds;
    if (status !== undefined) this.#listener.onStatus(status, extra, holds);
  }

  #askRetry(generation: number, attempt: number): void {
    // Ended by hand in the meantime: nobody is to be asked.
    if (this.#wire.status().status === 'end') return;
    let delay = -1;
    isolated(() => (delay = this.#listener.retryDelay(attempt)));
    if (delay < 0) return this.#listener.onRetry(this.#transition(() => unwrap(this.#wire.answerRetry(generation, delay))));
    this.#listener.onRetry('reconnecting', () => {
      if (this.#released) return;
      this.#wire.answerRetry(generation, delay);
      nextTick(this.#drainLater);
    });
  }

  #askReconnect(reader: ReplyReader, seq: number): void {
    reader.int();
    const text = reader.value(false) as Error;
    const entry = this.#ring[(seq >>> 0) & (this.#ring.length - 1)];
    const error = entry === undefined ? text : commandError(text, entry.spec.name, entry.spec.shown(entry.args));
    let verdict = 0;
    isolated(() => (verdict = this.#listener.reconnectVerdict(error)));
    if (verdict !== 2) {
      const taken = this.#take(seq >>> 0);
      if (taken !== undefined) this.#reject(taken, error);
    }
    // What the answer sent, to prepare the way, goes before the command itself.
    this.flush();
    this.#wire.answerReconnectOnError(seq >>> 0, verdict);
    nextTick(this.#drainLater);
  }

  #notice(kind: number, number: number, failureId: number): void {
    const listener = this.#listener;
    switch (kind) {
      case Notice.gaveUp:
        return isolated(() => listener.onGaveUp(number));
      case Notice.sentinelError:
        return isolated(() => listener.onSentinelError(this.#error(failureId)));
      case Notice.sentinelReconnecting:
        return isolated(() => listener.onSentinelEvent('sentinelReconnecting'));
      case Notice.failoverSubscribed:
        return isolated(() => listener.onSentinelEvent('failoverSubscribed'));
      case Notice.sentinels:
        return listener.onSentinels(this.#wire.sentinels());
      case Notice.session:
        return listener.onSessionEnded(number === 1);
      case Notice.deaf:
        return isolated(() => listener.onDeaf(number));
      default:
        return isolated(() => listener.onWarning(this.#error(failureId).message));
    }
  }

  #question(id: number): void {
    const question = this.#wire.question(id);
    // Whoever asked may have given up meanwhile.
    if (question === null) return;
    let answer: string | undefined;
    isolated(() => (answer = this.#listener.onQuestion(question.kind, question.argument)));
    this.#wire.answer(id, answer);
  }

  #error(failureId: number): Error {
    const failure = this.#wire.failure(failureId);
    return isFailure(failure) ? wireError(failure) : new Error('error without a record');
  }

  #rejectReply(entry: Entry, error: Error): void {
    this.#reject(entry, commandError(error, entry.spec.name, entry.spec.shown(entry.args)));
  }

  /** A cluster goes on from here, with functions of its user's: what they throw must not keep the rest of a batch from those it belongs to. */
  #reject(entry: Entry, error: Error): void {
    isolated(() => entry.reject(entry.stack === undefined ? error : withStack(error, entry.stack)));
  }
}

/** Users may set transformers of their own: what those throw is the command's outcome. */
function settleTransformed(entry: Entry, transform: (reply: unknown) => unknown, value: unknown): void {
  let result: unknown;
  try {
    result = transform(value);
  } catch (error) {
    return entry.reject(error as Error);
  }
  entry.resolve(result);
}
