/**
 * @module mongo/db
 *
 * `Db`, shaped as the Node driver's: commands, collections and their administration.
 */
import type { MongoClient } from './client.js';
import { Collection, type OperationOptions } from './collection.js';
import { ChangeStream, type ChangeStreamOptions, watchArguments } from './change-stream.js';
import { concernsOf, type ConcernOptions, readPreference } from './concern.js';
import type { CursorOptions, CursorSource } from './cursor.js';
import { AggregationCursor, type AggregateOptions, RunCommandCursor } from './cursors.js';
import { BSON_OPTION_NAMES, type BsonOptions, type Document } from './host.js';
import { create, type CreateIndexesOptions } from './indexes.js';
import { FLAG_WRITE_CONCERN, Opcode, type Operations, pick } from './operation.js';
import type { IndexSpecification } from './sort.js';

/** Options of a database. */
export interface DbOptions extends ConcernOptions, BsonOptions {
  /** Makes the `_id` of documents that have none. */
  pkFactory?: { createPk(): unknown };
}

const CREATE_OPTIONS = [
  'capped', 'size', 'max', 'storageEngine', 'validator', 'validationLevel', 'validationAction', 'indexOptionDefaults', 'viewOn', 'pipeline', 'collation',
  'timeseries', 'expireAfterSeconds', 'clusteredIndex', 'changeStreamPreAndPostImages', 'comment', 'maxTimeMS', 'autoIndexId', 'encryptedFields',
] as const; // prettier-ignore
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
    if (name === '' || /[. $/\\\0]/.test(name))
      throw client.operations.refuse('dbName', `database name ${JSON.stringify(name)} is not valid`);
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
    return this.client.timeoutMS;
  }

  collection<T extends object = Document>(name: string, options: ConcernOptions & BsonOptions = {}): Collection<T> {
    if (
      typeof name !== 'string' ||
      name === '' ||
      name.includes('\0') ||
      name.startsWith('.') ||
      name.endsWith('.') ||
      name.includes('..')
    ) {
      throw this.operations.refuse('name', `collection name ${JSON.stringify(name)} is not valid`);
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
    return new AggregationCursor<T>(this.#source(options), pipeline, options);
  }

  admin(): Admin {
    return new Admin(this.client.db('admin'));
  }

  async createCollection<T extends object = Document>(name: string, options: OperationOptions & Document = {}): Promise<Collection<T>> {
    const collection = this.collection<T>(name, pick(options, [...BSON_OPTION_NAMES, 'readConcern', 'writeConcern', 'readPreference']));
    await this.write({ create: name, ...pick(options, CREATE_OPTIONS) }, options);
    return collection;
  }

  async dropCollection(name: string, options: OperationOptions = {}): Promise<boolean> {
    try {
      await this.write({ drop: name }, options);
    } catch (error) {
      // Gone is gone: servers before 7.0 report it as an error.
      if ((error as { code?: unknown }).code !== NAMESPACE_NOT_FOUND) throw error;
    }
    return true;
  }

  async dropDatabase(options: OperationOptions = {}): Promise<boolean> {
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
    const found = await this.listCollections({}, { ...options, nameOnly: true }).toArray();
    return found.map(({ name }) => String(name)).filter((name) => !name.includes('$')).map((name) => this.collection(name)); // prettier-ignore
  }

  async renameCollection(from: string, to: string, options: OperationOptions & { dropTarget?: boolean } = {}): Promise<Collection> {
    const target = this.collection(to);
    const command = { renameCollection: `${this.databaseName}.${from}`, to: target.namespace, dropTarget: options.dropTarget === true };
    await this.client.db('admin').write(command, options);
    return target;
  }

  async createIndex(name: string, specification: IndexSpecification, options: CreateIndexesOptions = {}): Promise<string> {
    const [index] = await create(this.collection(name), [{ ...options, key: specification }], options);
    return index ?? '';
  }

  async stats(options: OperationOptions & { scale?: number } = {}): Promise<Document> {
    return this.command({ dbStats: 1, ...pick(options, ['scale']) }, options);
  }

  /** The changes of the database's documents, from now on or from where the options say. */
  watch<T = Document>(pipeline: readonly object[] = [], options: ChangeStreamOptions = {}): ChangeStream<T> {
    return new ChangeStream<T>(this.#source(options), ...watchArguments(pipeline, options));
  }

  /** @internal */
  get operations(): Operations {
    return this.client.operations;
  }
  /** @internal Runs a command that writes, with the client's write concern unless it has one. */
  async write(command: object, options: OperationOptions = {}): Promise<Document> {
    return this.#command(command, { ...options, readPreference: 'primary' }, FLAG_WRITE_CONCERN);
  }
  /** @internal */
  createId(): unknown {
    const { pkFactory } = { pkFactory: this.client.pkFactory, ...this.options };
    return pkFactory === undefined ? new this.operations.host.bson.ObjectId() : pkFactory.createPk();
  }

  async #command(command: object, options: OperationOptions, flags: number): Promise<Document> {
    if (typeof command !== 'object' || command === null) throw this.operations.refuse('command', 'command must be an object');
    const { session, signal, timeoutMS } = options;
    const preference =
      options.readPreference === undefined || options.readPreference === null
        ? {}
        : { readPreference: readPreference(options.readPreference) };
    const bson = { ...this.bsonOptions, ...pick(options, BSON_OPTION_NAMES) };
    const body = { db: this.databaseName, command, options: preference };
    return this.operations.decode(
      (await this.operations.run({ opcode: Opcode.command, flags, body, session, signal, timeoutMS, bson })) as Buffer,
      bson,
    );
  }

  #source(options: object): CursorSource {
    return {
      operations: this.operations,
      db: this.databaseName,
      bson: { ...this.bsonOptions, ...pick(options, BSON_OPTION_NAMES) },
      ...this.concerns,
    };
  }
}

/** Commands on the database `admin`. */
export class Admin {
  readonly #db: Db;

  /** @internal */
  constructor(db: Db) {
    this.#db = db;
  }

  async command(command: object, options: OperationOptions = {}): Promise<Document> {
    return this.#db.command(command, options);
  }
  async listDatabases(options: OperationOptions & { filter?: object; nameOnly?: boolean } = {}): Promise<Document> {
    return this.#db.command({ listDatabases: 1, ...pick(options, ['filter', 'nameOnly', 'authorizedDatabases', 'comment']) }, options);
  }
  async ping(options: OperationOptions = {}): Promise<Document> {
    return this.#db.command({ ping: 1 }, options);
  }
  async buildInfo(options: OperationOptions = {}): Promise<Document> {
    return this.#db.command({ buildInfo: 1 }, options);
  }
  async serverInfo(options: OperationOptions = {}): Promise<Document> {
    return this.buildInfo(options);
  }
  async serverStatus(options: OperationOptions = {}): Promise<Document> {
    return this.#db.command({ serverStatus: 1 }, options);
  }
}
