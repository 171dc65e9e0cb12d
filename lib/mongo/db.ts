/**
 * @module mongo/db
 *
 * `Db`, shaped as the Node driver's: commands, collections and their administration.
 */
import { inspect } from 'node:util';
import type { MongoClient } from './client.js';
import { Admin } from './admin.js';
import { Collection } from './collection.js';
import type { CollectionOptions, OperationOptions } from './collection-options.js';
import { ChangeStream, type ChangeStreamOptions, watchArguments } from './change-stream.js';
import { concerns, concernsOf, type ConcernOptions } from './concern.js';
import type { CursorOptions, CursorSource } from './cursor.js';
import { AggregationCursor, type AggregateOptions, RunCommandCursor } from './cursors.js';
import { BSON_OPTION_NAMES, type BsonOptions, type Document } from './host.js';
import { create, type CreateIndexesOptions, information } from './indexes.js';
import { FLAG_READ, FLAG_WRITE_CONCERN, Opcode, type Operations, pick } from './operation.js';
import { checkGiven } from './given.js';
import { REFUSED, refuseKnown } from './refused.js';
import type { IndexSpecification } from './sort.js';

/** Options of a database. */
export interface DbOptions extends ConcernOptions, BsonOptions {
  /** Makes the `_id` of documents that have none. */
  pkFactory?: { createPk(): unknown };
  /** Leaves `_id` to the server. */
  forceServerObjectId?: boolean;
  timeoutMS?: number;
}

/** How much a database records of its operations. */
export type ProfilingLevel = 'off' | 'slow_only' | 'all';

const CREATE_OPTIONS = [
  'capped', 'size', 'max', 'storageEngine', 'validator', 'validationLevel', 'validationAction', 'indexOptionDefaults', 'viewOn', 'pipeline', 'collation',
  'timeseries', 'expireAfterSeconds', 'clusteredIndex', 'changeStreamPreAndPostImages', 'autoIndexId', 'flags',
] as const; // prettier-ignore
const PROFILING_LEVELS = ['off', 'slow_only', 'all'] as const satisfies readonly ProfilingLevel[];
/** What every command takes. */
const COMMAND_OPTIONS = ['maxTimeMS', 'comment'] as const;
/** The server's answer for a collection that does not exist. */
const NAMESPACE_NOT_FOUND = 26;

/** A database of a client. */
export class Db {
  readonly client: MongoClient;
  readonly databaseName: string;
  readonly options: DbOptions;
  readonly bsonOptions: BsonOptions;
  /** @internal */
  readonly concerns: ConcernOptions;

  /** @internal */
  constructor(client: MongoClient, name: string, options: DbOptions = {}) {
    if (typeof name !== 'string' || name === '' || /[. $/\\\0]/.test(name))
      throw client.operations.refuse('dbName', `database name ${inspect(name)} is not valid`);
    refuseKnown(REFUSED.db, options, (option, message) => client.operations.refuse(option, message));
    this.client = client;
    this.databaseName = name;
    this.options = options;
    this.bsonOptions = { ...client.bsonOptions, ...(pick(options, BSON_OPTION_NAMES) as BsonOptions) };
    this.concerns = concernsOf(options, client.concerns);
    Object.defineProperty(this, 'client', { enumerable: false });
  }

  get namespace(): string {
    return this.databaseName;
  }
  get readConcern(): ConcernOptions['readConcern'] {
    return this.concerns.readConcern;
  }
  get writeConcern(): ConcernOptions['writeConcern'] {
    return this.concerns.writeConcern;
  }
  get readPreference(): ConcernOptions['readPreference'] {
    return this.concerns.readPreference;
  }
  get timeoutMS(): number | undefined {
    return this.options.timeoutMS ?? this.client.timeoutMS;
  }

  collection<T extends object = Document>(name: string, options: CollectionOptions = {}): Collection<T> {
    if (
      typeof name !== 'string' ||
      name === '' ||
      name.includes('\0') ||
      name.startsWith('.') ||
      name.endsWith('.') ||
      name.includes('..')
    ) {
      throw this.operations.refuse('name', `collection name ${inspect(name)} is not valid`);
    }
    return new Collection<T>(this, name, options);
  }

  /** Runs a command as it is: nothing is inherited but the BSON flags. */
  async command(command: object, options: OperationOptions = {}): Promise<Document> {
    return this.#command(command, options, 0);
  }

  /** A cursor over the reply of a command that answers with one. */
  runCursorCommand(command: object, options: CursorOptions = {}): RunCommandCursor {
    return new RunCommandCursor(this.#source(options), command, options);
  }

  aggregate<T = Document>(pipeline: readonly object[] = [], options: AggregateOptions = {}): AggregationCursor<T> {
    if (!Array.isArray(pipeline)) throw this.operations.refuse('pipeline', 'Argument "pipeline" must be an array of aggregation stages');
    return new AggregationCursor<T>(this.#source(options), pipeline, options);
  }

  admin(): Admin {
    return new Admin(this.client.db('admin'), this);
  }

  async createCollection<T extends object = Document>(name: string, options: OperationOptions & Document = {}): Promise<Collection<T>> {
    this.#refuseKnown(REFUSED.create, options);
    const collection = this.collection<T>(name, pick(options, [...BSON_OPTION_NAMES, 'readConcern', 'writeConcern', 'readPreference']));
    await this.write({ create: name, ...pick(options, CREATE_OPTIONS) }, options);
    return collection;
  }

  async dropCollection(name: string, options: OperationOptions = {}): Promise<boolean> {
    this.#refuseKnown(REFUSED.collection, options);
    try {
      await this.write({ drop: name }, options);
    } catch (error) {
      // Gone is gone: servers before 7.0 report it as an error.
      if ((error as { code?: unknown }).code !== NAMESPACE_NOT_FOUND) throw error;
    }
    return true;
  }

  async dropDatabase(options: OperationOptions = {}): Promise<boolean> {
    this.#refuseKnown(REFUSED.command, options);
    await this.write({ dropDatabase: 1 }, options);
    return true;
  }

  listCollections(
    filter: object = {},
    options: CursorOptions & { nameOnly?: boolean; authorizedCollections?: boolean } = {},
  ): RunCommandCursor {
    const cursor = pick(options, ['batchSize']);
    const command = { listCollections: 1, filter, cursor, ...pick(options, ['nameOnly', 'authorizedCollections', 'comment', 'maxTimeMS']) };
    return new RunCommandCursor(this.#source(options), command, { ...options, retried: true });
  }

  async collections(options: CursorOptions = {}): Promise<Collection[]> {
    checkGiven(options);
    const { raw: _raw, ...others } = options;
    const found = await this.listCollections({}, { ...others, raw: false, nameOnly: true }).toArray();
    return found.map(({ name }) => String(name)).filter((name) => !name.includes('$')).map((name) => this.collection(name)); // prettier-ignore
  }

  async renameCollection(from: string, to: string, options: OperationOptions & { dropTarget?: boolean } = {}): Promise<Collection> {
    this.#refuseKnown(REFUSED.command, options);
    const target = this.collection(to);
    const command = { renameCollection: `${this.databaseName}.${from}`, to: target.namespace, dropTarget: options.dropTarget === true };
    await this.client
      .db('admin')
      .write(command, { ...pick({ timeoutMS: this.options.timeoutMS }, ['timeoutMS']), ...options }, this.concerns);
    return target;
  }

  async createIndex(name: string, specification: IndexSpecification, options: CreateIndexesOptions = {}): Promise<string> {
    const [index] = await create(this.collection(name), [{ ...options, key: specification }], options);
    return index ?? '';
  }

  async indexInformation(name: string, options: CursorOptions & { full?: boolean } = {}): Promise<Document[] | Document> {
    return information(this.collection(name), { full: false, ...options });
  }

  async stats(options: OperationOptions & { scale?: number } = {}): Promise<Document> {
    return this.run({ dbStats: 1, ...pick(options, ['scale']) }, options);
  }

  /** Drops a user of this database. */
  async removeUser(username: string, options: OperationOptions = {}): Promise<boolean> {
    this.#refuseKnown(REFUSED.command, options);
    await this.write({ dropUser: username }, options);
    return true;
  }

  async profilingLevel(options: OperationOptions = {}): Promise<ProfilingLevel> {
    const { was } = await this.run({ profile: -1 }, options);
    return PROFILING_LEVELS[Number(was)] ?? 'off';
  }

  async setProfilingLevel(level: ProfilingLevel, options: OperationOptions = {}): Promise<ProfilingLevel> {
    const profile = PROFILING_LEVELS.indexOf(level);
    if (profile < 0) throw this.operations.refuse('level', `level must be one of ${PROFILING_LEVELS.join(', ')}`);
    await this.run({ profile }, options);
    return level;
  }

  /** The changes of the database's documents, from now on or from where the options say. */
  watch<T = Document>(pipeline: readonly object[] = [], options: ChangeStreamOptions = {}): ChangeStream<T> {
    return new ChangeStream<T>(this.#source(options), ...watchArguments(pipeline, options));
  }

  /** @internal */
  get operations(): Operations {
    return this.client.operations;
  }
  /** @internal Runs a command that writes, with the write concern of the nearest level; `inherited` is that of the collection. */
  async write(command: object, options: OperationOptions = {}, inherited: ConcernOptions = this.concerns): Promise<Document> {
    const own = concerns(options, inherited, ['writeConcern']);
    return this.#command(
      { ...command, ...pick(options, COMMAND_OPTIONS) },
      { ...options, readPreference: 'primary', ...own },
      FLAG_WRITE_CONCERN,
    );
  }
  /** @internal Runs a command that reads, with the options that every command takes; `retried` ones are sent once more as the specification allows. */
  async run(command: object, options: OperationOptions, retried = false): Promise<Document> {
    this.#refuseKnown(REFUSED.command, options);
    return this.#command({ ...command, ...pick(options, COMMAND_OPTIONS) }, options, retried ? FLAG_READ : 0);
  }
  /** @internal */
  get forceServerObjectId(): boolean | undefined {
    return this.options.forceServerObjectId ?? this.client.forceServerObjectId;
  }
  /** @internal */
  createId(): unknown {
    const { pkFactory } = { pkFactory: this.client.pkFactory, ...this.options };
    return pkFactory === undefined ? new this.operations.host.bson.ObjectId() : pkFactory.createPk();
  }

  async #command(command: object, options: OperationOptions, flags: number): Promise<Document> {
    if (typeof command !== 'object' || command === null) throw this.operations.refuse('command', 'command must be an object');
    checkGiven(options);
    const { session, signal, timeoutMS = this.options.timeoutMS } = options;
    const own = concerns(options, {}, flags === 0 ? ['readPreference'] : ['readPreference', 'writeConcern']);
    const bson = { ...this.bsonOptions, ...pick(options, BSON_OPTION_NAMES) };
    const body = { db: this.databaseName, command, options: own };
    return this.operations.decode(
      (await this.operations.run({ opcode: Opcode.command, flags, body, session, signal, timeoutMS, bson })) as Buffer,
      bson,
    );
  }

  #refuseKnown(kind: Parameters<typeof refuseKnown>[0], options: object): void {
    refuseKnown(kind, options, (name, message) => this.operations.refuse(name, message));
  }

  #source(options: object): CursorSource {
    return {
      timeoutMS: this.options.timeoutMS,
      operations: this.operations,
      db: this.databaseName,
      bson: { ...this.bsonOptions, ...pick(options, BSON_OPTION_NAMES) },
      ...this.concerns,
    };
  }
}
