/**
 * @module mongo/cursor
 *
 * Cursors shaped as the Node driver's. Batches come as bytes; a document is decoded when it is asked for.
 * Guarantees: the server's cursor is closed when iteration ends early, by an error or by `close`, and `close` is emitted once.
 */
import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import { Batch, single } from './batch.js';
import { concerns, type ConcernOptions } from './concern.js';
import { refuse } from './errors.js';
import { type Explain, isExplained } from './explain.js';
import type { BsonOptions, Document } from './host.js';
import { type Call, Opcode, type Operations } from './operation.js';
import { checkGiven } from './given.js';
import { refuseKnown } from './refused.js';
import type { ClientSession } from './session.js';

/** What every cursor is made of. */
export interface CursorSource extends ConcernOptions {
  readonly operations: Operations;
  readonly db: string;
  readonly coll?: string;
  readonly bson: BsonOptions;
  /** For each of its requests, unless the operation says otherwise. */
  readonly timeoutMS?: number | undefined;
}

/** Options that all cursors know. */
export interface CursorOptions extends ConcernOptions, BsonOptions {
  session?: ClientSession | null;
  signal?: AbortSignal;
  batchSize?: number;
  maxTimeMS?: number;
  maxAwaitTimeMS?: number;
  timeoutMS?: number;
  /** What `timeoutMS` limits: each request of the cursor (default), or all of them together. */
  timeoutMode?: 'iteration' | 'cursorLifetime';
  comment?: unknown;
  /** The server's plan instead of the documents. */
  explain?: Explain;
}

const FLAGS = new Set(['tailable', 'oplogReplay', 'noCursorTimeout', 'awaitData', 'exhaust', 'partial']);

/** What find, aggregation and command cursors share. */
export abstract class AbstractCursor<T = Document> extends EventEmitter {
  protected readonly source: CursorSource;
  /** Options as the caller gave them; builders change them until the first document is asked for. */
  protected readonly options: Document;
  #batch: Batch | undefined;
  /** The open cursor in Rust; 0: none. */
  #handle = 0;
  #started = false;
  #closed = false;
  #killed = false;
  #emittedClose = false;
  #transform: ((document: unknown) => unknown) | undefined;
  readonly #signal: AbortSignal | undefined;
  #session: ClientSession | null | undefined;
  readonly #bson: BsonOptions;
  /** When a limited life ends, by `performance.now()`. */
  #deadline: number | undefined;

  /** @internal */
  constructor(source: CursorSource, options: CursorOptions = {}) {
    super();
    this.source = source;
    checkGiven(options);
    const { session, signal, ...others } = options;
    const { timeoutMode } = options;
    if (signal !== undefined && signal !== null && typeof (signal as Partial<AbortSignal>).throwIfAborted !== 'function')
      throw source.operations.refuse('signal', 'signal must be an AbortSignal');
    if (timeoutMode !== undefined && timeoutMode !== null && timeoutMode !== 'iteration' && timeoutMode !== 'cursorLifetime')
      throw source.operations.refuse('timeoutMode', 'timeoutMode must be iteration or cursorLifetime');
    this.options = others;
    this.#session = session;
    this.#signal = signal;
    this.#bson = source.bson;
    // An error event without a listener would end the process; errors reach the caller through promises.
    this.on('error', () => {});
    Object.defineProperty(this, 'source', { enumerable: false });
  }

  /** The operation that opens the cursor. */
  protected abstract first(): Call;

  /** The server's plan for this. */
  async explain(_verbosity?: Explain): Promise<Document> {
    throw this.refuse('explain', 'Option "explain" is not supported on this command');
  }

  get closed(): boolean {
    return this.#closed && this.bufferedCount() === 0;
  }
  get killed(): boolean {
    return this.#killed;
  }
  get namespace(): { db: string; collection: string | undefined } {
    return { db: this.source.db, collection: this.source.coll };
  }
  get session(): ClientSession | undefined {
    return this.#session ?? undefined;
  }

  /** Documents that are here already. */
  bufferedCount(): number {
    return this.#batch?.left ?? 0;
  }

  /** Takes documents that are here already. */
  readBufferedDocuments(number = Number.POSITIVE_INFINITY): T[] {
    const documents: T[] = [];
    while (this.bufferedCount() > 0 && documents.length < number) documents.push(this.#take() as T);
    return documents;
  }

  /** The next document, or null at the end. */
  async next(): Promise<T | null> {
    this.#check();
    while (this.bufferedCount() === 0) if (!(await this.#fetch())) return null;
    return this.#transformed(this.#take());
  }

  /** The next document, or null when the next batch is empty. */
  async tryNext(): Promise<T | null> {
    this.#check();
    if (this.bufferedCount() === 0) await this.#fetch();
    return this.bufferedCount() === 0 ? null : this.#transformed(this.#take());
  }

  async hasNext(): Promise<boolean> {
    this.#signal?.throwIfAborted();
    if (this.#killed) return false;
    while (this.bufferedCount() === 0) if (!(await this.#fetch())) return false;
    return true;
  }

  async toArray(): Promise<T[]> {
    this.#signal?.throwIfAborted();
    const documents: T[] = [];
    do {
      while (this.bufferedCount() > 0) {
        const document = this.#take();
        documents.push(this.#transform === undefined ? (document as T) : await this.#transformed(document));
      }
    } while (!this.#killed && (await this.#fetch()));
    return documents;
  }

  async forEach(iterator: (document: T) => boolean | void): Promise<void> {
    if (typeof iterator !== 'function') throw this.refuse('iterator', 'Argument "iterator" must be a function');
    for await (const document of this) if (iterator(document) === false) break;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    this.#signal?.throwIfAborted();
    if (this.closed) return;
    try {
      while (!this.#killed) {
        if (this.#closed && this.bufferedCount() === 0) return;
        const document = await this.next();
        if (document === null) return;
        yield document;
        this.#signal?.throwIfAborted();
      }
    } finally {
      if (!this.#closed) await this.close();
    }
  }

  /** The documents as an object stream, each as `transform` makes it. Destroying the stream closes the cursor. */
  stream(options: { transform?: (document: T) => unknown } = {}): Readable {
    checkGiven(options);
    const { transform } = options;
    if (transform === undefined) return Readable.from(this, { objectMode: true, highWaterMark: 1 });
    if (typeof transform !== 'function') throw this.refuse('transform', 'transform must be a function');
    return Readable.from(transformed(this, transform), { objectMode: true, highWaterMark: 1 });
  }

  async close(_options?: object): Promise<void> {
    this.#closed = true;
    const handle = this.#handle;
    this.#handle = 0;
    if (handle !== 0) {
      this.#killed = true;
      // Past the session's checks: a cursor of an ended session closes too. Closing fails only with the client, and then the cursor is gone as well.
      await this.source.operations.outcome({ opcode: Opcode.closeCursor, body: { cursor: handle } });
    }
    this.#emitClose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Back to the start: the next read runs the operation again. */
  rewind(): void {
    if (!this.#started) return;
    if (this.#handle !== 0) void this.source.operations.outcome({ opcode: Opcode.closeCursor, body: { cursor: this.#handle } });
    this.#batch = undefined;
    this.#handle = 0;
    this.#started = false;
    this.#closed = false;
    this.#killed = false;
    this.#emittedClose = false;
  }

  addCursorFlag(flag: string, value: boolean): this {
    if (!FLAGS.has(flag)) throw this.refuse('flag', `Flag ${flag} is not one of ${[...FLAGS].join(',')}`);
    if (typeof value !== 'boolean') throw this.refuse('value', `Flag ${flag} must be a boolean value`);
    if (flag === 'exhaust' && value) throw this.refuse('flag', 'exhaust cursors are not supported');
    return this.set(flag === 'partial' ? 'allowPartialResults' : flag, value);
  }

  batchSize(value: number): this {
    if (typeof value !== 'number') throw this.refuse('batchSize', 'Operation "batchSize" requires an integer');
    return this.set('batchSize', value);
  }
  maxTimeMS(value: number): this {
    if (typeof value !== 'number') throw this.refuse('maxTimeMS', 'Argument for maxTimeMS must be a number');
    return this.set('maxTimeMS', value);
  }
  withReadPreference(value: ConcernOptions['readPreference']): this {
    return this.set('readPreference', value);
  }
  withReadConcern(value: ConcernOptions['readConcern']): this {
    return this.set('readConcern', value);
  }

  /** Maps each document; the cursor itself is returned. */
  map<U>(transform: (document: T) => U): AbstractCursor<U> {
    this.#unused();
    if (typeof transform !== 'function') throw this.refuse('transform', 'transform must be a function');
    const before = this.#transform;
    const after = transform as (document: unknown) => unknown;
    this.#transform = before === undefined ? after : (document) => after(before(document));
    return this as unknown as AbstractCursor<U>;
  }

  /** @internal Sets an option before the cursor is used. */
  protected set(name: string, value: unknown): this {
    this.#unused();
    this.options[name] = value;
    return this;
  }

  protected refuse(argument: string, message: string): Error {
    return this.source.operations.refuse(argument, message);
  }

  /** Refuses options that this kind of cursor cannot honour. */
  protected refuseKnown(kind: Parameters<typeof refuseKnown>[0], options: object): void {
    refuseKnown(kind, options, (name, message) => this.refuse(name, message));
  }

  /** Read concern and preference of the nearest level. */
  protected readConcerns(): Document {
    return concerns(this.options, this.source, ['readConcern', 'readPreference']);
  }

  /** Whether anything was there to fetch: false at the end. */
  async #fetch(): Promise<boolean> {
    if (this.#closed) return false;
    try {
      const reply = await this.#request();
      this.#batch = new Batch(reply);
      this.#handle = this.#batch.handle;
    } catch (error) {
      await this.close();
      throw error;
    }
    if (this.#handle === 0) {
      this.#closed = true;
      this.#emitClose();
      return this.bufferedCount() > 0;
    }
    return true;
  }

  async #request(): Promise<Buffer> {
    const { operations } = this.source;
    const first = this.#started ? undefined : this.first();
    // Once: the batches behind the first belong to the same session, wherever they are asked for.
    if (first !== undefined) this.#session = operations.sessionOf({ ...first, session: this.#session }) ?? null;
    const shared = { session: this.#session, signal: this.#signal, timeoutMS: this.#limit(first !== undefined) };
    if (first !== undefined) {
      this.#started = true;
      if (isExplained(this.options)) return single(operations.encode(await this.explain(this.options['explain'] as Explain)));
      return (await operations.run({ ...first, ...shared, bson: this.#bson })) as Buffer;
    }
    const { batchSize, maxAwaitTimeMS } = this.options;
    const body: Document = { cursor: this.#handle };
    if (batchSize !== undefined && batchSize !== null) body['batchSize'] = batchSize;
    if (maxAwaitTimeMS !== undefined && maxAwaitTimeMS !== null) body['maxAwaitTimeMS'] = maxAwaitTimeMS;
    return (await operations.run({ opcode: Opcode.getMore, body, ...shared })) as Buffer;
  }

  /** Milliseconds for the next request. */
  #limit(first: boolean): number | undefined {
    const { timeoutMS = this.source.timeoutMS, timeoutMode } = this.options as { timeoutMS?: number; timeoutMode?: unknown };
    if (timeoutMode !== 'cursorLifetime' || typeof timeoutMS !== 'number' || timeoutMS === 0) return timeoutMS;
    const now = performance.now();
    if (first) this.#deadline = now + timeoutMS;
    return Math.max(1, (this.#deadline ?? now) - now);
  }

  #take(): unknown {
    return this.#batch?.next(this.source.operations, this.#bson);
  }

  async #transformed(document: unknown): Promise<T> {
    if (this.#transform === undefined) return document as T;
    try {
      const value = this.#transform(document);
      if (value !== null) return value as T;
      throw refuse(
        this.source.operations.host,
        'transform',
        'cursor transform returned null, which marks the end of a cursor',
        'MongoAPIError',
      );
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  #check(): void {
    this.#signal?.throwIfAborted();
    if (this.#killed) throw refuse(this.source.operations.host, 'cursor', 'Cursor is exhausted', 'MongoCursorExhaustedError');
  }

  #unused(): void {
    if (this.#started) throw refuse(this.source.operations.host, 'cursor', 'Cursor is already initialized', 'MongoCursorInUseError');
  }

  #emitClose(): void {
    if (this.#emittedClose) return;
    this.#emittedClose = true;
    this.emit('close');
  }
}

async function* transformed<T>(documents: AsyncIterable<T>, transform: (document: T) => unknown): AsyncGenerator<unknown, void, void> {
  for await (const document of documents) yield transform(document);
}
