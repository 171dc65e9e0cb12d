/**
 * @module mongo/change-stream
 *
 * `ChangeStream`, shaped as the Node driver's: an iterator, or an emitter of `change` events. The cursor and its resumption live in Rust.
 * Guarantees: nothing is sent before the first event is asked for; the server's cursor is closed when iteration ends early, by an error or by `close`;
 * `close` is emitted once.
 */
import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers';
import { Batch } from './batch.js';
import { concerns } from './concern.js';
import type { CursorOptions, CursorSource } from './cursor.js';
import { refuse, refuseClosed } from './errors.js';
import type { Document } from './host.js';
import { FLAG_ONE_BATCH, Opcode, pick } from './operation.js';

/** Options of `watch`. */
export interface ChangeStreamOptions extends CursorOptions {
  fullDocument?: 'default' | 'updateLookup' | 'whenAvailable' | 'required' | (string & {});
  fullDocumentBeforeChange?: 'off' | 'whenAvailable' | 'required' | (string & {});
  /** A resume token: the `_id` of an event, or `resumeToken`. */
  resumeAfter?: unknown;
  startAfter?: unknown;
  /** A `Timestamp`. */
  startAtOperationTime?: unknown;
  showExpandedEvents?: boolean;
  collation?: object;
}

/** Where a stream looks: a collection, a database without `coll`, the deployment without `db`. */
export type ChangeStreamSource = Omit<CursorSource, 'db'> & { readonly db?: string };

const STAGE_OPTIONS = [
  'fullDocument',
  'fullDocumentBeforeChange',
  'resumeAfter',
  'startAfter',
  'startAtOperationTime',
  'showExpandedEvents',
] as const;
const COMMAND_OPTIONS = ['batchSize', 'maxAwaitTimeMS', 'maxTimeMS', 'collation', 'comment'] as const;
/** What an aggregation takes and a change stream of ours cannot. */
const REFUSED = [
  'session', 'raw', 'hint', 'let', 'allowDiskUse', 'bypassDocumentValidation', 'explain', 'cursor', 'out', 'dbName', 'authdb', 'willRetryWrite',
] as const; // prettier-ignore
const CLOSED = 'ChangeStream is closed';
/** The answer for a stream that has ended: no handle, no events. */
const ENDED = Buffer.alloc(8);

/** `watch(options)` without a pipeline, as the Node driver takes it. */
export function watchArguments(pipeline: unknown, options: ChangeStreamOptions): [readonly object[], ChangeStreamOptions] {
  return Array.isArray(pipeline) ? [pipeline as object[], options] : [[], pipeline as ChangeStreamOptions];
}

/** A stream of changes. */
export class ChangeStream<T = Document> extends EventEmitter {
  static readonly RESPONSE = 'response' as const;
  static readonly MORE = 'more' as const;
  static readonly INIT = 'init' as const;
  static readonly CLOSE = 'close' as const;
  static readonly CHANGE = 'change' as const;
  static readonly END = 'end' as const;
  static readonly ERROR = 'error' as const;
  static readonly RESUME_TOKEN_CHANGED = 'resumeTokenChanged' as const;

  readonly pipeline: readonly object[];
  readonly options: ChangeStreamOptions;
  readonly #source: ChangeStreamSource;
  #batch: Batch | undefined;
  /** The stream in Rust; 0: none. */
  #handle = 0;
  #started = false;
  #closed = false;
  /** The server has ended it. */
  #ended = false;
  #mode: 'iterator' | 'emitter' | undefined;
  #pumping = false;
  #token: unknown;
  /** What ended it. */
  #failure: unknown;
  #fetching: Promise<boolean> | undefined;

  /** @internal */
  constructor(source: ChangeStreamSource, pipeline: readonly object[], options: ChangeStreamOptions) {
    super();
    if (typeof options !== 'object' || options === null)
      throw source.operations.refuse('pipeline', 'pipeline must be an array of aggregation stages');
    for (const name of REFUSED) {
      const value = (options as Document)[name];
      if (value !== undefined && value !== null && value !== false)
        throw source.operations.refuse(name, `change streams do not take the option ${name}`);
    }
    this.#source = source;
    this.pipeline = pipeline;
    this.options = { ...options };
    this.#token = options.resumeAfter ?? options.startAfter;
    this.on('newListener', (event) => {
      if (event === 'change') this.#flow();
    });
  }

  /** Behind which event the stream stands. */
  get resumeToken(): unknown {
    return this.#token;
  }

  get closed(): boolean {
    return this.#closed || (this.#ended && this.bufferedCount() === 0);
  }

  /** Events that are here already. */
  bufferedCount(): number {
    return this.#batch?.left ?? 0;
  }

  /** Waits for an event; false when the stream has ended. */
  async hasNext(): Promise<boolean> {
    this.#use('iterator');
    return this.#available();
  }

  /** The next event. */
  async next(): Promise<T> {
    this.#use('iterator');
    do if (this.#closed) throw this.#isClosed('MongoAPIError');
    while (
      // Another caller may take what this one has waited for.
      this.bufferedCount() === 0 &&
      ((await this.#available()) || this.#closed)
    );
    if (this.bufferedCount() === 0) throw this.#isClosed('MongoRuntimeError');
    return this.#take();
  }

  /** The next event, or null when there is none now. */
  async tryNext(): Promise<T | null> {
    this.#use('iterator');
    if (this.#closed) throw this.#isClosed('MongoAPIError');
    if (this.bufferedCount() === 0 && !this.#ended) await this.#fetch(true);
    return this.bufferedCount() > 0 ? this.#take() : null;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    if (this.closed) return;
    try {
      // oxlint-disable-next-line typescript/no-unnecessary-condition -- ends with the error of `next`
      while (true) yield await this.next();
    } finally {
      await this.close();
    }
  }

  /** The events as an object stream; destroying it closes this. */
  stream(): Readable {
    if (this.closed) throw this.#isClosed('MongoChangeStreamError');
    return Readable.from(this, { objectMode: true, highWaterMark: 1 });
  }

  /** Ends the stream; whoever waits for an event is rejected. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#batch = undefined;
    await this.#release();
    this.emit('close');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Waits for an event; false when the stream has ended. */
  async #available(): Promise<boolean> {
    if (this.bufferedCount() > 0) return true;
    while (!this.#closed && !this.#ended) if (await this.#fetch(false)) return true;
    return false;
  }

  /** Asks Rust for events, once for all who wait; whether there were any. */
  #fetch(once: boolean): Promise<boolean> {
    this.#fetching ??= this.#request(once).finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #request(once: boolean): Promise<boolean> {
    const first = !this.#started;
    this.#started = true;
    let batch: Batch;
    try {
      batch = new Batch(first ? await this.#open() : await this.#more(once));
    } catch (error) {
      // A deadline of one wait ends the wait, not the stream.
      if (first || (error as { code?: unknown }).code !== 'MOORING_TIMEOUT') {
        if (!this.#closed) this.#failure = error;
        await this.close();
      }
      throw error;
    }
    this.#handle = batch.handle;
    this.#ended = batch.handle === 0;
    // Closed while it was opened.
    if (this.#closed) {
      await this.#release();
      return false;
    }
    this.#batch = batch;
    if (first) this.emit('init', undefined);
    if (batch.left === 0) this.#stand(batch.behind(this.#source.operations));
    return batch.left > 0;
  }

  async #open(): Promise<Buffer> {
    const { operations, db, coll, bson } = this.#source;
    const { signal, timeoutMS } = this.options;
    const options = {
      ...pick(this.options, COMMAND_OPTIONS),
      ...concerns(this.options, this.#source, ['readConcern', 'readPreference']),
    };
    const body = {
      ...pick({ db, coll }, ['db', 'coll']),
      stage: pick(this.options, STAGE_OPTIONS),
      pipeline: this.pipeline,
      options,
    };
    return (await operations.run({ opcode: Opcode.watch, body, signal, timeoutMS, bson })) as Buffer;
  }

  async #more(once: boolean): Promise<Buffer> {
    const { signal, timeoutMS } = this.options;
    const call = { opcode: Opcode.nextChanges, flags: once ? FLAG_ONE_BATCH : 0, body: { stream: this.#handle }, signal, timeoutMS };
    try {
      return (await this.#source.operations.run(call)) as Buffer;
    } catch (error) {
      // The client closes: the stream has ended, as it has for those who were waiting already.
      if ((error as { code?: unknown }).code === 'MOORING_CLOSED') return ENDED;
      throw error;
    }
  }

  #take(): T {
    const batch = this.#batch as Batch;
    const { operations, bson } = this.#source;
    const event = batch.next(operations, bson);
    if (event['_id'] === undefined) {
      void this.close();
      throw this.#error('MongoChangeStreamError', 'A change stream document has been received that lacks a resume token (_id).');
    }
    this.#stand(batch.behind(operations) ?? event['_id']);
    return event as T;
  }

  #stand(token: unknown): void {
    if (token === undefined) return;
    this.#token = token;
    this.emit('resumeTokenChanged', token);
  }

  async #release(): Promise<void> {
    const handle = this.#handle;
    this.#handle = 0;
    // It fails only with the client, and then the stream is gone as well.
    if (handle !== 0) await this.#source.operations.outcome({ opcode: Opcode.closeChangeStream, body: { stream: handle } });
  }

  #use(mode: 'iterator' | 'emitter'): void {
    if (this.#mode !== undefined && this.#mode !== mode) {
      const names = { iterator: 'an iterator', emitter: 'an EventEmitter' };
      throw this.#error('MongoAPIError', `ChangeStream cannot be used as ${names[mode]} after being used as ${names[this.#mode]}`);
    }
    this.#mode = mode;
  }

  #flow(): void {
    this.#use('emitter');
    if (this.#pumping || this.#closed) return;
    this.#pumping = true;
    void this.#pump().finally(() => {
      this.#pumping = false;
      // Taken away and added again while an event was waited for.
      if (!this.closed && this.listenerCount('change') > 0) this.#flow();
    });
  }

  /** Emits events for as long as someone listens. */
  async #pump(): Promise<void> {
    try {
      do {
        if (await this.#available()) {
          if (this.listenerCount('change') > 0) this.emit('change', this.#take());
        } else {
          if (!this.#closed) this.emit('end');
          return await this.close();
        }
      } while (!this.#closed && this.listenerCount('change') > 0);
    } catch (error) {
      // What comes after `close` is of no interest. Outside of this promise: without a listener it must be an uncaught exception, as in the Node driver.
      if (!this.#closed || error === this.#failure) setImmediate(() => this.emit('error', error));
      await this.close();
    }
  }

  #isClosed(name: string): Error {
    return refuseClosed(this.#source.operations.host, CLOSED, name);
  }

  #error(name: string, message: string): Error {
    return refuse(this.#source.operations.host, 'changeStream', message, name);
  }
}
