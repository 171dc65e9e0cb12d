/**
 * @module __tests__/mongo/unified/runner
 *
 * Runs test files of MongoDB's unified test format over mooring's public API, one test after another, each with its own data and entities.
 */
import { ClientSession, type Document, MongoClient } from '../../../dist/index.js';
import { Entities } from './entities';
import { matchError } from './errors';
import { matchEvents, withoutEq } from './events';
import type { CollectionData, Operation, TestCase, TestFile } from './format';
import { matchExactly, matchRoot, matchRoots, Mismatch } from './match';
import { ITERABLES, operate } from './operations';
import { checkSchema, type Deployment, inapplicable, inspect } from './requirements';
import { resultDocument } from './result';
import { runSpecial, type Special } from './special';

/** What became of a test. */
export interface Outcome {
  /** `file | description`. */
  readonly name: string;
  readonly state: 'pass' | 'fail' | 'inapplicable';
  /** Why it failed or does not apply. */
  readonly reason?: string;
  readonly ms?: number;
}

const MAJORITY = { w: 'majority' };
/** No test of the suites takes that long by itself. */
const TEST_LIMIT_MS = 40_000;

/** Runs tests against one deployment. */
export class Runner {
  readonly #uri: string;
  readonly #internal: MongoClient;
  readonly #deployment: Deployment;

  private constructor(uri: string, internal: MongoClient, deployment: Deployment) {
    this.#uri = uri;
    this.#internal = internal;
    this.#deployment = deployment;
  }

  static async connect(uri: string): Promise<Runner> {
    const internal = await new MongoClient(uri).connect();
    const runner = new Runner(uri, internal, await inspect(internal));
    await runner.#killSessions();
    return runner;
  }

  close(): Promise<void> {
    return this.#internal.close();
  }

  /**
   * Runs the tests of a file whose names hold `only`.
   *
   * @yields what became of each test
   */
  async *run(file: TestFile, only = ''): AsyncGenerator<Outcome> {
    for (const test of file.tests) {
      const name = `${file.name} | ${test.description}`;
      if (!name.includes(only)) continue;
      const reason = inapplicable(file, test, this.#deployment);
      yield reason === undefined ? await this.#outcome(name, file, test) : { name, state: 'inapplicable', reason };
    }
  }

  async #outcome(name: string, file: TestFile, test: TestCase): Promise<Outcome> {
    const started = performance.now();
    const ms = (): number => Math.round(performance.now() - started);
    try {
      try {
        await this.#test(file, test);
      } finally {
        await this.#killSessions();
      }
      return { name, state: 'pass', ms: ms() };
    } catch (error) {
      return { name, state: 'fail', reason: error instanceof Mismatch ? error.message : stackOf(error), ms: ms() };
    }
  }

  async #test(file: TestFile, test: TestCase): Promise<void> {
    checkSchema(file);
    for (const data of file.initialData ?? []) await this.#fill(data);
    const entities = new Entities(this.#uri);
    const failPoints = new Set<string>();
    const special: Special = { entities, internal: this.#internal, failPoints, run: (operation) => execute(special, operation) };
    try {
      await within(TEST_LIMIT_MS, this.#steps(file, test, special));
    } finally {
      for (const name of failPoints) await this.#internal.db('admin').command({ configureFailPoint: name, mode: 'off' });
      await entities.close();
    }
  }

  async #steps(file: TestFile, test: TestCase, special: Special): Promise<void> {
    const { entities } = special;
    await entities.create(file.createEntities ?? []);
    for (const operation of test.operations) await execute(special, operation);
    for (const expected of test.expectEvents ?? []) {
      const { all } = entities.eventsOf(expected.client);
      matchEvents(expected, entities.hasBuckets ? all.map((each) => withoutEq(each)) : all, entities);
    }
    for (const data of test.outcome ?? []) await this.#checkOutcome(data);
  }

  /** The collection with exactly these documents, on a majority of the members. */
  async #fill({ databaseName, collectionName, createOptions, documents }: CollectionData): Promise<void> {
    const db = this.#internal.db(databaseName, { writeConcern: MAJORITY });
    await db.command({ drop: collectionName, writeConcern: MAJORITY }).catch((error: unknown) => {
      // Nothing to drop.
      if ((error as { code?: unknown }).code !== 26) throw error;
    });
    await db.command({ create: collectionName, ...createOptions, writeConcern: MAJORITY });
    if (documents.length > 0) await db.collection(collectionName, { writeConcern: MAJORITY }).insertMany([...documents]);
  }

  async #checkOutcome({ databaseName, collectionName, documents }: CollectionData): Promise<void> {
    const collection = this.#internal.db(databaseName).collection(collectionName);
    const found = await collection.find({}, { sort: { _id: 1 }, readPreference: 'primary', readConcern: 'local' }).toArray();
    matchExactly(documents, found, `outcome of ${databaseName}.${collectionName}`);
  }

  /** Transactions that a test leaves open would block the next one. */
  async #killSessions(): Promise<void> {
    const INTERRUPTED = 11_601;
    await this.#internal.db('admin').command({ killAllSessions: [] }).catch((error: unknown) => {
      if ((error as { code?: unknown }).code !== INTERRUPTED) throw error;
    }); // prettier-ignore
  }
}

/** Runs one operation of a test and checks what it did. */
async function execute(special: Special, operation: Operation): Promise<void> {
  if (operation.object === 'testRunner') return runSpecial(special, operation);
  await runOnEntity(special, operation);
}

/** As {@link execute}; returns what the operation threw although it was expected. */
async function runOnEntity(special: Special, operation: Operation): Promise<{ error: unknown } | undefined> {
  const { entities } = special;
  const { name, object, expectError, expectResult, ignoreResultAndError, saveResultAsEntity } = operation;
  const callback = async (operations: unknown): Promise<void> => {
    for (const each of operations as Operation[]) {
      if (each.object === 'testRunner') await runSpecial(special, each);
      else {
        const thrown = await runOnEntity(special, each);
        if (thrown !== undefined) throw thrown.error;
      }
    }
  };
  const given = resolved(entities, operation.arguments ?? {});
  const target = entities.entity(object);
  let result: unknown;
  try {
    result = await operate(target, name, given, { callback });
  } catch (error) {
    if (ignoreResultAndError === true) return { error };
    if (expectError === undefined || error instanceof Mismatch) throw error;
    matchError(expectError, error, entities);
    return { error };
  }
  if (ignoreResultAndError === true) return undefined;
  if (expectError !== undefined) throw new Mismatch(`${object}.${name}: expected an error ${JSON.stringify(expectError)}, it succeeded`);
  const plain = resultDocument(result);
  if ('expectResult' in operation) {
    if (ITERABLES.has(name) && Array.isArray(expectResult)) matchRoots(expectResult, plain, entities, `${object}.${name}`);
    else matchRoot(expectResult, plain, entities, `${object}.${name}`);
  }
  if (saveResultAsEntity !== undefined) entities.add(saveResultAsEntity, saved(plain));
  return undefined;
}

function resolved(entities: Entities, given: Document): Document {
  const { session, ...others } = given;
  return session === undefined ? others : { ...others, session: entities.of(ClientSession, session) };
}

function saved(result: unknown): unknown {
  if (result === undefined) throw new Mismatch('an operation without a result cannot be saved');
  return result;
}

async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Mismatch(`the test did not end within ${ms} ms`)), ms);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function stackOf(error: unknown): string {
  const { stack, cause } = error as Error;
  return `${stack ?? String(error)}${cause instanceof Error ? ` [cause: ${cause.message}]` : ''}`;
}
