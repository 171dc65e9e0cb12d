/**
 * @module lane
 *
 * The JavaScript half of the bridge: operation ids to promises, the out-buffer, the drain loop, and `AbortSignal` to cancel.
 *
 * Guarantees: every operation handed in settles exactly once; the process stays alive while one is in flight and not because of an idle client;
 * the promise of an operation never rejects: it resolves with an `Outcome`, so that the caller builds the error in its own `async` function, with its frames.
 */
import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers';
import { fromFailure, invalidArgument, isFailure } from './error/index.js';
import { KeepAlive } from './keep-alive.js';
import type { FailureRecord } from './native.js';
import { nextTick } from './tick.js';

/** What a native client offers to the lane. */
export interface LaneHandle {
  /** Takes the frames in `buffer[0, length)`; they are copied before it returns. */
  submit(buffer: Uint8Array, length: number): FailureRecord | null | undefined;
  /** Fills `meta` with settled operations and `space`, from an offset on, with small replies; returns what crosses by itself. Layout: `src/bridge/settle.rs`. */
  drain(meta: Uint32Array, space: Uint8Array, from: number): Loose[] | null | undefined;
  /** Asks one operation to end. */
  cancel(id: number): void;
  /** Drops the thread-safe function; nothing reaches JavaScript afterwards. */
  release(): void;
}

/** A value that crosses by itself. */
type Loose = FailureRecord | Buffer | string;

/** How an operation ended. */
export type Outcome = FailureRecord | Buffer | string | number | undefined;

/** One operation to submit. */
export interface Operation {
  readonly opcode: number;
  readonly flags?: number;
  /** A session, cursor or other handle; 0 for none. */
  readonly handle?: number;
  /** Milliseconds the operation may take; 0 for no deadline of its own. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Counts what it has in flight here. */
  readonly owner?: Owner | undefined;
  /**
   * Writes the body into `buffer` from `offset` and returns the offset after it, or `undefined` when it does not fit: it is called again with a larger buffer.
   */
  readonly write?: ((buffer: Buffer, offset: number) => number | undefined) | undefined;
}

/** Whose operations are counted. */
export interface Owner {
  /** Operations that have not settled. */
  unsettled: number;
}

/** Bytes before a frame's body; the layout is `src/bridge/frame.rs`. */
const HEADER_BYTES = 20;
const BUFFER_BYTES = 256 * 1024;
/** The largest submission: a MongoDB message is at most 48 MB, a frame carries at most one. */
const BUFFER_LIMIT = 128 * 1024 * 1024;
/** A tick that writes more than this is submitted at once. */
const SUBMIT_BYTES = 64 * 1024;
const META_OPERATIONS = 1024;
const META_STRIDE = 4;
/** Small replies are parts of one buffer; a reply that is kept keeps this much. */
const SPACE_BYTES = 64 * 1024;
/** The least room for one of them: `COPIED_LIMIT` in `src/bridge/settle.rs`, and what aligns it. */
const LEAST_SPACE_BYTES = 8 * 1024 + 8;
/** For how long replies may keep the host from its timers and its own I/O. */
const TURN_MS = 10;
/** The id of no operation: a completion with it says that the client has closed, and nobody hears of an operation with it. */
const NO_ID = 0;

interface Waiting {
  readonly resolve: (outcome: Outcome) => void;
  readonly owner: Owner | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onAbort: (() => void) | undefined;
}

/** The keyed lane of one client. */
export class KeyedLane<Handle extends LaneHandle> {
  /** The native client. */
  readonly handle: Handle;
  readonly keepAlive = new KeepAlive();
  readonly #waiting = new Map<number, Waiting>();
  readonly #meta = new Uint32Array((1 + META_OPERATIONS) * META_STRIDE);
  readonly #submit = (): void => this.#submitNow();
  #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #length = 0;
  #space = Buffer.allocUnsafeSlow(SPACE_BYTES);
  #spaceUsed = 0;
  #scheduled = false;
  #lastId = 0;
  readonly #onClosed: () => void;
  #disposed = false;
  #turnBegan = 0;
  readonly #takeTurn = (): void => {
    this.#turnBegan = performance.now();
    this.#drain();
  };

  /**
   * Opens the native client with the function that wakes this lane. `open` may throw: then there is no lane.
   * `onClosed` runs once, when the client has closed, whoever asked for it.
   */
  constructor(open: (wake: () => void) => Handle, onClosed: () => void = () => {}) {
    this.#onClosed = onClosed;
    this.handle = open(() => this.#wake());
  }

  /** Runs an operation. The promise never rejects: an outcome may be a failure record. */
  run(operation: Operation): Promise<Outcome> {
    if (this.#disposed) return Promise.resolve(closedFailure());
    if (operation.signal?.aborted === true)
      return Promise.resolve(failure('MOORING_ABORTED', 'operation was aborted before it started', {}));
    const id = this.#nextId();
    this.#append(id, operation);
    return new Promise((resolve) => {
      const { signal } = operation;
      const onAbort =
        signal === undefined
          ? undefined
          : (): void => {
              // Aborted in the tick that asked for it: Rust must know it first.
              this.#submitNow();
              this.handle.cancel(id);
            };
      if (onAbort !== undefined) signal?.addEventListener('abort', onAbort, { once: true });
      const { owner } = operation;
      if (owner !== undefined) owner.unsettled++;
      this.#await(id, { resolve, owner, signal, onAbort });
    });
  }

  /** Runs an operation of which nobody wants to hear how it ends. */
  post(operation: Operation): void {
    if (this.#disposed) return;
    this.#append(NO_ID, operation);
    this.#schedule();
  }

  /** Runs an operation that may stay open for long: `onEnd` hears how it ends, unless {@link forget} is called with the number that this returns. */
  watch(operation: Operation, onEnd: (outcome: Outcome) => void): number {
    if (this.#disposed) {
      nextTick(() => onEnd(closedFailure()));
      return NO_ID;
    }
    const id = this.#nextId();
    this.#append(id, operation);
    this.#await(id, { resolve: onEnd, owner: undefined, signal: undefined, onAbort: undefined });
    return id;
  }

  /** Wants to hear no more of an operation that {@link watch} runs. */
  forget(id: number): void {
    if (this.#waiting.delete(id)) this.keepAlive.release();
  }

  #await(id: number, waiting: Waiting): void {
    this.#waiting.set(id, waiting);
    this.keepAlive.acquire();
    this.#schedule();
  }

  #schedule(): void {
    if (this.#length >= SUBMIT_BYTES) this.#submitNow();
    else if (!this.#scheduled) {
      this.#scheduled = true;
      nextTick(this.#submit);
    }
  }

  /** Hands over what this tick has written so far. Call before a synchronous export whose order against operations matters. */
  flush(): void {
    this.#submitNow();
  }

  /** The native client has closed: settles what is left as closed, lets the loop go, drops the thread-safe function. */
  #dispose(): void {
    this.#disposed = true;
    for (const id of this.#waiting.keys()) this.#settle(id, closedFailure());
    this.keepAlive.dispose();
    this.handle.release();
    this.#onClosed();
  }

  #nextId(): number {
    do this.#lastId = (this.#lastId + 1) >>> 0;
    while (this.#lastId === NO_ID || this.#waiting.has(this.#lastId));
    return this.#lastId;
  }

  #append(id: number, operation: Operation): void {
    const start = this.#length;
    let end = this.#writeFrame(start, operation);
    while (end === undefined) {
      this.#grow(start);
      end = this.#writeFrame(start, operation);
    }
    const buffer = this.#buffer;
    buffer.writeUInt32LE(end - start - HEADER_BYTES, start);
    buffer.writeUInt32LE(id, start + 4);
    buffer.writeUInt16LE(operation.opcode, start + 8);
    buffer.writeUInt16LE(operation.flags ?? 0, start + 10);
    buffer.writeUInt32LE(operation.handle ?? 0, start + 12);
    buffer.writeUInt32LE(Math.min(Math.ceil(operation.deadlineMs ?? 0), 0xffff_ffff), start + 16);
    this.#length = end;
  }

  #writeFrame(start: number, operation: Operation): number | undefined {
    const body = start + HEADER_BYTES;
    if (body > this.#buffer.length) return undefined;
    return operation.write === undefined ? body : operation.write(this.#buffer, body);
  }

  #grow(used: number): void {
    const size = this.#buffer.length * 2;
    if (size > BUFFER_LIMIT) throw invalidArgument('operation', `operation is larger than ${BUFFER_LIMIT} bytes`);
    const larger = Buffer.allocUnsafeSlow(size);
    this.#buffer.copy(larger, 0, 0, used);
    this.#buffer = larger;
  }

  #submitNow(): void {
    this.#scheduled = false;
    if (this.#length === 0) return;
    const length = this.#length;
    this.#length = 0;
    const refused = this.handle.submit(this.#buffer, length);
    if (this.#buffer.length > BUFFER_BYTES) this.#buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
    if (isFailure(refused)) throw fromFailure(refused);
  }

  /**
   * Node runs up to a thousand thread-safe calls before it looks at its timers, and each answer may bring the next. So after a while replies wait for the next
   * phase of the loop; as long as they are not drained, Rust does not call again.
   */
  #wake(): void {
    if (performance.now() - this.#turnBegan < TURN_MS) this.#drain();
    else setImmediate(this.#takeTurn);
  }

  #drain(): void {
    if (this.#disposed) return;
    if (SPACE_BYTES - this.#spaceUsed < LEAST_SPACE_BYTES) {
      this.#space = Buffer.allocUnsafeSlow(SPACE_BYTES);
      this.#spaceUsed = 0;
    }
    const meta = this.#meta;
    const loose = this.handle.drain(meta, this.#space, this.#spaceUsed);
    const end = (1 + (meta[0] ?? 0)) * META_STRIDE;
    const more = meta[1] === 1;
    for (let at = META_STRIDE; at < end; at += META_STRIDE) {
      const id = meta[at] ?? NO_ID;
      if (id === NO_ID) return this.#dispose();
      this.#settle(id, this.#outcome(loose, at));
    }
    // Let the host's own work run between batches of a flood.
    if (more) setImmediate(this.#takeTurn);
  }

  #outcome(loose: readonly Loose[] | null | undefined, at: number): Outcome {
    const meta = this.#meta;
    const first = meta[at + 2] ?? 0;
    switch (meta[at + 1]) {
      case 0:
        return undefined;
      case 1:
        return first;
      case 2:
        this.#spaceUsed = first + (meta[at + 3] ?? 0);
        return this.#space.subarray(first, this.#spaceUsed);
      default:
        return loose?.[first];
    }
  }

  #settle(id: number, value: Outcome): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    if (waiting.owner !== undefined) waiting.owner.unsettled--;
    if (waiting.onAbort !== undefined) waiting.signal?.removeEventListener('abort', waiting.onAbort);
    this.keepAlive.release();
    waiting.resolve(value);
  }
}

function closedFailure(): FailureRecord {
  return failure('MOORING_CLOSED', 'client is closed', { state: 'closed' });
}

function failure(code: FailureRecord['code'], message: string, details: FailureRecord['details']): FailureRecord {
  return { failed: true, code, message, labels: [], maybeExecuted: false, details, causes: [] };
}
