/**
 * @module __tests__/mongo/unified/entities
 *
 * The entities of one test: clients with the events that they are asked to observe, databases, collections, sessions, buckets, threads, and results that
 * were saved. What was opened is closed at the end of the test.
 */
import { type Db as HostDb, GridFSBucket } from 'mongodb';
import { AbstractCursor, ChangeStream, ClientSession, Db, type Document, MongoClient } from '../../../dist/index.js';
import { type ClientEvents, observe } from './events';
import type { EntityDescription } from './format';
import type { MatchContext } from './match';

/** Operations that run beside the test's own. */
export class Thread {
  #work: Promise<void> = Promise.resolve();

  run(operation: () => Promise<void>): void {
    this.#work = this.#work.then(operation);
    // Seen by `finished`.
    this.#work.catch(() => {});
  }
  finished(): Promise<void> {
    return this.#work;
  }
}

const CLOSE_MS = 5_000;

/** The entity map. */
export class Entities implements MatchContext {
  readonly #uri: string;
  readonly #all = new Map<string, unknown>();
  readonly #events = new Map<string, ClientEvents>();

  constructor(uri: string) {
    this.#uri = uri;
  }

  async create(descriptions: readonly EntityDescription[]): Promise<void> {
    for (const description of descriptions) {
      const [[kind, given] = ['', undefined], ...others] = Object.entries(description);
      const make = MAKERS[kind];
      if (make === undefined || given === undefined || others.length > 0)
        throw new Error(`entity of an unknown kind: ${JSON.stringify(description)}`);
      this.add(given.id, await make(this, given));
    }
  }

  add(name: string, value: unknown): void {
    if (this.#all.has(name)) throw new Error(`entity ${name} is defined twice`);
    this.#all.set(name, value);
  }

  entity(name: string): unknown {
    if (!this.#all.has(name)) throw new Error(`entity ${name} is not defined`);
    return this.#all.get(name);
  }

  /** An entity of one kind. */
  of<T>(kind: abstract new (...args: never[]) => T, name: unknown): T {
    const found = this.entity(String(name));
    if (!(found instanceof kind)) throw new Error(`entity ${String(name)} is not a ${kind.name}`);
    return found;
  }

  sessionId(name: string): unknown {
    return this.of(ClientSession, name).id;
  }

  eventsOf(client: string): ClientEvents {
    const found = this.#events.get(client);
    if (found === undefined) throw new Error(`client ${client} does not observe events`);
    return found;
  }

  /** Whether the host's GridFS class takes part. */
  get hasBuckets(): boolean {
    return [...this.#all.values()].some((each) => each instanceof GridFSBucket);
  }

  /** The internal URI with a client entity's own options. */
  async openClient(given: Document & { id: string }): Promise<MongoClient> {
    const { uriOptions = {}, observeEvents, useMultipleMongoses: _sharded, ...others } = given as Document & { uriOptions?: Document };
    const client = new MongoClient(withOptions(this.#uri, uriOptions), {
      monitorCommands: observeEvents !== undefined,
      ...('heartbeatFrequencyMS' in uriOptions ? {} : { heartbeatFrequencyMS: 500 }),
    });
    if (observeEvents !== undefined) this.#events.set(given.id, observe(client, observeEvents as string[], others));
    await client.connect();
    // The ping of `connect` belongs to no test.
    this.#events.get(given.id)?.forgetCommands();
    return client;
  }

  /** Ends sessions, cursors, streams and clients, in that order. */
  async close(): Promise<void> {
    const all = [...this.#all.values()];
    for (const each of all) if (each instanceof Thread) await each.finished().catch(() => {});
    for (const each of all) if (each instanceof AbstractCursor || each instanceof ChangeStream) await each.close().catch(() => {});
    for (const each of all) if (each instanceof ClientSession) await each.endSession().catch(() => {});
    for (const events of this.#events.values()) events.stop();
    const clients = all.filter((each) => each instanceof MongoClient);
    await Promise.all(clients.map((client) => client.close({ deadlineMs: CLOSE_MS })));
  }
}

type Make = (entities: Entities, given: Document & { id: string }) => unknown;

const MAKERS: Readonly<Record<string, Make>> = {
  client: async (entities, given) => {
    refuse(given, ['serverApi', 'autoEncryptOpts', 'awaitMinPoolSizeMS', 'observeTracingMessages']);
    return entities.openClient(given);
  },
  database: (entities, { client, databaseName, databaseOptions }) =>
    entities.of(MongoClient, client).db(String(databaseName), databaseOptions as object | undefined),
  collection: (entities, { database, collectionName, collectionOptions }) =>
    entities.of(Db, database).collection(String(collectionName), collectionOptions as object | undefined),
  session: (entities, { client, sessionOptions }) => {
    const { snapshotTime, ...options } = (sessionOptions ?? {}) as Document;
    const time = snapshotTime === undefined ? {} : { snapshotTime: entities.entity(String(snapshotTime)) };
    return entities.of(MongoClient, client).startSession({ ...options, ...time });
  },
  bucket: (entities, { database, bucketOptions }) => new GridFSBucket(entities.of(Db, database) as unknown as HostDb, bucketOptions ?? {}),
  thread: () => new Thread(),
};

/** An option that this API lacks must not be left out in silence. */
function refuse(given: Document, names: readonly string[]): void {
  for (const name of names) if (given[name] !== undefined) throw new Error(`client entities with ${name} are not supported`);
}

/** `uri` with other options; those given win. */
function withOptions(uri: string, options: Document): string {
  const [base = '', query = ''] = uri.split('?');
  const parameters = new URLSearchParams(query);
  for (const [name, value] of Object.entries(options)) parameters.set(name, String(value));
  if (options['directConnection'] === true) parameters.delete('replicaSet');
  return `${base}?${parameters.toString()}`;
}
