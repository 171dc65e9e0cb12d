/**
 * @module mongo/cursors
 *
 * The kinds of cursor: find, aggregation, and commands that answer with a cursor (listCollections, listIndexes).
 */
import { given } from './concern.js';
import { AbstractCursor, type CursorOptions, type CursorSource } from './cursor.js';
import { type Explain, explainCommand } from './explain.js';
import type { Document } from './host.js';
import { type Call, FLAG_READ, Opcode, pick } from './operation.js';
import { REFUSED } from './refused.js';
import { type Sort, type SortDirection, sortDocument } from './sort.js';

/** Options of `find` and `findOne`. */
export interface FindOptions extends CursorOptions {
  sort?: Sort;
  projection?: object;
  skip?: number;
  limit?: number;
  hint?: string | object;
  collation?: object;
  min?: object;
  max?: object;
  returnKey?: boolean;
  showRecordId?: boolean;
  noCursorTimeout?: boolean;
  /** The old name: `false` is `noCursorTimeout: true`. */
  timeout?: boolean;
  /** Without effect on servers of today. */
  oplogReplay?: boolean;
  tailable?: boolean;
  awaitData?: boolean;
  allowDiskUse?: boolean;
  allowPartialResults?: boolean;
  singleBatch?: boolean;
  let?: object;
}

/** Names of find options that reach the server. */
const FIND_OPTIONS = [
  'projection', 'skip', 'limit', 'batchSize', 'singleBatch', 'hint', 'collation', 'comment', 'maxTimeMS', 'maxAwaitTimeMS', 'min', 'max', 'returnKey',
  'showRecordId', 'noCursorTimeout', 'tailable', 'awaitData', 'allowDiskUse', 'allowPartialResults', 'let', 'oplogReplay', 'timeoutMode',
] as const; // prettier-ignore
const AGGREGATE_OPTIONS = [
  'allowDiskUse',
  'batchSize',
  'bypassDocumentValidation',
  'collation',
  'comment',
  'hint',
  'let',
  'maxTimeMS',
  'timeoutMode',
] as const;
/** The options of a find under their names of today. */
export function findOptions(options: object): Document {
  const known = pick(options, FIND_OPTIONS);
  const { timeout } = options as { timeout?: unknown };
  if (typeof timeout === 'boolean') known['noCursorTimeout'] = !timeout;
  return known;
}
/** Find options that only Rust reads; the find command has none of them. */
const NOT_IN_COMMAND = new Set(['maxAwaitTimeMS', 'maxTimeMS', 'timeoutMode']);

/** A cursor over the documents of a query. */
export class FindCursor<T = Document> extends AbstractCursor<T> {
  #filter: object;

  /** @internal */
  constructor(source: CursorSource, filter: object, options: FindOptions = {}) {
    super(source, options);
    this.refuseKnown(Opcode.find, options);
    this.#filter = filter;
    if (options.sort !== undefined) this.options['sort'] = this.#sortOf(options.sort, undefined);
  }

  filter(filter: object): this {
    this.set('filter', undefined);
    this.#filter = filter;
    return this;
  }
  sort(sort: Sort, direction?: SortDirection): this {
    return this.set('sort', this.#sortOf(sort, direction));
  }
  project<U = T>(projection: object): FindCursor<U> {
    return this.set('projection', projection) as unknown as FindCursor<U>;
  }
  limit(value: number): this {
    if (typeof value !== 'number') throw this.refuse('limit', 'Operation "limit" requires an integer');
    return this.set('limit', value);
  }
  skip(value: number): this {
    if (typeof value !== 'number') throw this.refuse('skip', 'Operation "skip" requires an integer');
    return this.set('skip', value);
  }
  hint(value: string | object): this {
    return this.set('hint', value);
  }
  min(value: object): this {
    return this.set('min', value);
  }
  max(value: object): this {
    return this.set('max', value);
  }
  collation(value: object): this {
    return this.set('collation', value);
  }
  comment(value: unknown): this {
    return this.set('comment', value);
  }
  maxAwaitTimeMS(value: number): this {
    return this.set('maxAwaitTimeMS', value);
  }
  returnKey(value: boolean): this {
    return this.set('returnKey', value);
  }
  showRecordId(value: boolean): this {
    return this.set('showRecordId', value);
  }
  allowDiskUse(value = true): this {
    return this.set('allowDiskUse', value);
  }

  /** A cursor for the same query, from its start, without the session. */
  clone(): FindCursor<T> {
    return new FindCursor<T>(this.source, this.#filter, this.options);
  }

  override async explain(verbosity: Explain = 'allPlansExecution'): Promise<Document> {
    const { skip, limit, sort, ...others } = this.#known();
    const command = { find: this.source.coll, filter: this.#filter, ...given({ sort, skip, limit }) };
    for (const [name, value] of Object.entries(others)) if (!NOT_IN_COMMAND.has(name)) Object.assign(command, { [name]: value });
    return explained(this.source, this.session, command, verbosity);
  }

  /** Documents that the query matches. */
  async count(): Promise<number> {
    const options = { ...pick(this.options, ['skip', 'limit', 'hint', 'collation', 'maxTimeMS', 'comment']), ...this.readConcerns() };
    const { operations, db, coll } = this.source;
    return Number(await operations.run({ opcode: Opcode.count, body: { db, coll, filter: this.#filter, options }, session: this.session }));
  }

  protected override first(): Call {
    const { db, coll } = this.source;
    return { opcode: Opcode.find, body: { db, coll, filter: this.#filter, options: { ...this.#known(), ...this.readConcerns() } } };
  }

  #known(): Document {
    const known = findOptions(this.options);
    if (this.options['sort'] !== undefined) known['sort'] = this.options['sort'];
    return known;
  }

  #sortOf(sort: unknown, direction: unknown): Map<string, unknown> | undefined {
    return sortDocument(sort, direction, (message) => this.refuse('sort', message));
  }
}

/** Options of `aggregate`. */
export interface AggregateOptions extends CursorOptions {
  allowDiskUse?: boolean;
  bypassDocumentValidation?: boolean;
  collation?: object;
  hint?: string | object;
  let?: object;
  cursor?: { batchSize?: number };
  /** The collection that the result goes to: a last stage `$out`. */
  out?: string;
}

/** A cursor over the documents of an aggregation. */
export class AggregationCursor<T = Document> extends AbstractCursor<T> {
  readonly pipeline: object[];

  /** @internal */
  constructor(source: CursorSource, pipeline: readonly object[], options: AggregateOptions = {}) {
    super(source, options);
    this.refuseKnown(Opcode.aggregate, options);
    const { cursor, out } = options;
    this.pipeline = typeof out === 'string' ? [...pipeline, { $out: out }] : [...pipeline];
    if (cursor?.batchSize !== undefined) this.options['batchSize'] ??= cursor.batchSize;
  }

  addStage(stage: object): this {
    this.set('pipeline', undefined);
    this.pipeline.push(stage);
    return this;
  }
  match(value: object): this {
    return this.addStage({ $match: value });
  }
  group(value: object): this {
    return this.addStage({ $group: value });
  }
  project(value: object): this {
    return this.addStage({ $project: value });
  }
  sort(value: Sort): this {
    return this.addStage({ $sort: sortDocument(value, undefined, (message) => this.refuse('sort', message)) ?? {} });
  }
  limit(value: number): this {
    return this.addStage({ $limit: value });
  }
  skip(value: number): this {
    return this.addStage({ $skip: value });
  }
  lookup(value: object): this {
    return this.addStage({ $lookup: value });
  }
  unwind(value: object | string): this {
    return this.addStage({ $unwind: value });
  }
  out(value: object | string): this {
    return this.addStage({ $out: value });
  }
  redact(value: object): this {
    return this.addStage({ $redact: value });
  }
  geoNear(value: object): this {
    return this.addStage({ $geoNear: value });
  }

  /** A cursor for the same pipeline, from its start, without the session. */
  clone(): AggregationCursor<T> {
    // `out` is a stage of the pipeline by now.
    const { out: _out, ...options } = this.options;
    return new AggregationCursor<T>(this.source, this.pipeline, options);
  }

  override async explain(verbosity: Explain = 'allPlansExecution'): Promise<Document> {
    const { batchSize: _batchSize, maxTimeMS: _maxTimeMS, timeoutMode: _mode, ...options } = pick(this.options, AGGREGATE_OPTIONS);
    const command = { aggregate: this.source.coll ?? 1, pipeline: this.pipeline, cursor: {}, ...options };
    return explained(this.source, this.session, command, verbosity);
  }

  protected override first(): Call {
    const { db, coll } = this.source;
    const options = { ...pick(this.options, AGGREGATE_OPTIONS), ...this.readConcerns(), ...this.#writeConcern() };
    return { opcode: Opcode.aggregate, body: { db, ...(coll === undefined ? {} : { coll }), pipeline: this.pipeline, options } };
  }

  #writeConcern(): Document {
    // Whatever the caller gave: what is no stage the server refuses.
    const last: unknown = this.pipeline.at(-1);
    const writes = typeof last === 'object' && last !== null && ('$out' in last || '$merge' in last);
    return writes ? pick({ writeConcern: this.options['writeConcern'] ?? this.source.writeConcern }, ['writeConcern']) : {};
  }
}

/** A cursor of a command: listCollections, listIndexes and others. */
export class RunCommandCursor<T = Document> extends AbstractCursor<T> {
  readonly command: object;
  readonly #retried: boolean;

  /** @internal `retried`: the command is a read that may be sent a second time. */
  constructor(source: CursorSource, command: object, options: CursorOptions & { retried?: boolean } = {}) {
    const { retried, ...others } = options;
    super(source, others);
    this.refuseKnown(retried === true ? REFUSED.list : REFUSED.cursorCommand, options);
    this.command = command;
    this.#retried = retried === true;
  }

  setComment(value: unknown): this {
    return this.set('comment', value);
  }
  /** Milliseconds that a later batch of a tailable cursor may be waited for. */
  setMaxTimeMS(value: number): this {
    return this.set('maxAwaitTimeMS', value);
  }
  setBatchSize(value: number): this {
    return this.set('batchSize', value);
  }

  protected override first(): Call {
    const { db } = this.source;
    const { readPreference } = this.readConcerns();
    const options = {
      ...pick(this.options, ['batchSize', 'comment']),
      ...given({ readPreference, maxTimeMS: this.options['maxAwaitTimeMS'] }),
    };
    return { opcode: Opcode.runCursorCommand, flags: this.#retried ? FLAG_READ : 0, body: { db, command: this.command, options } };
  }
}

async function explained(source: CursorSource, session: AbstractCursor['session'], command: object, verbosity: Explain): Promise<Document> {
  const body = { db: source.db, command: explainCommand(command, verbosity), options: {} };
  const reply = await source.operations.run({ opcode: Opcode.command, body, session, bson: source.bson });
  return source.operations.decode(reply as Buffer);
}
