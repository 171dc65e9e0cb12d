/**
 * @module __tests__/mongo/unified/special
 *
 * Operations of the runner itself (`object: testRunner`): fail points, assertions, waiting.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ClientSession, type Document, MongoClient } from '../../../dist/index.js';
import { type Entities, Thread } from './entities';
import { isEvent } from './events';
import type { EntityDescription, Operation } from './format';
import { matchNested, Mismatch } from './match';

/** What special operations work with. */
export interface Special {
  readonly entities: Entities;
  /** The runner's own client. */
  readonly internal: MongoClient;
  /** Turns off, at the test's end, what a fail point turned on. */
  readonly failPoints: Set<string>;
  run: (operation: Operation) => Promise<void>;
}

type Run = (by: Special, given: Document) => Promise<void> | void;

const EVENT_LIMIT_MS = 10_000;
/** The session's states by the format's names. */
const STATES: Readonly<Record<string, string>> = {
  none: 'NO_TRANSACTION',
  starting: 'STARTING_TRANSACTION',
  in_progress: 'TRANSACTION_IN_PROGRESS',
  committed: 'TRANSACTION_COMMITTED',
  aborted: 'TRANSACTION_ABORTED',
};

const OPERATIONS: Readonly<Record<string, Run>> = {
  failPoint: async ({ entities, failPoints }, { client, failPoint }) => {
    const command = failPoint as Document;
    failPoints.add(String(command['configureFailPoint']));
    await entities.of(MongoClient, client).db('admin').command(command);
  },
  createEntities: async ({ entities }, given) => entities.create(given['entities'] as EntityDescription[]),
  wait: async (_by, { ms }) => delay(Number(ms)),

  assertSessionTransactionState: ({ entities }, { session, state }) => {
    const found = entities.of(ClientSession, session).transaction.state;
    if (found !== STATES[String(state)]) throw new Mismatch(`expected the transaction to be ${String(state)}, it is ${found}`);
  },
  // Only a sharded cluster pins: elsewhere a session is never pinned, which is what can be asserted.
  assertSessionPinned: ({ entities }, { session }) => {
    if (!entities.of(ClientSession, session).isPinned) throw new Mismatch('expected the session to be pinned');
  },
  assertSessionUnpinned: ({ entities }, { session }) => {
    if (entities.of(ClientSession, session).isPinned) throw new Mismatch('expected the session not to be pinned');
  },
  // Whether a server session is dirty is the crate's private knowledge. What follows from it, a new session id, is asserted by the tests themselves.
  assertSessionDirty: ({ entities }, { session }) => void entities.of(ClientSession, session),
  assertSessionNotDirty: ({ entities }, { session }) => void entities.of(ClientSession, session),

  assertSameLsidOnLastTwoCommands: (by, { client }) => {
    const [first, second] = lastTwoSessionIds(by, client);
    matchNested(first, second, by.entities, 'lsid of the last command');
  },
  assertDifferentLsidOnLastTwoCommands: (by, { client }) => {
    const [first, second] = lastTwoSessionIds(by, client);
    if (isSame(by, first, second)) throw new Mismatch('expected the last two commands to have different lsids');
  },

  assertCollectionExists: async (by, given) => {
    if (!(await hasCollection(by, given))) throw new Mismatch(`expected the collection ${String(given['collectionName'])} to exist`);
  },
  assertCollectionNotExists: async (by, given) => {
    if (await hasCollection(by, given)) throw new Mismatch(`expected the collection ${String(given['collectionName'])} not to exist`);
  },
  assertIndexExists: async (by, given) => {
    if (!(await hasIndex(by, given))) throw new Mismatch(`expected the index ${String(given['indexName'])} to exist`);
  },
  assertIndexNotExists: async (by, given) => {
    if (await hasIndex(by, given)) throw new Mismatch(`expected the index ${String(given['indexName'])} not to exist`);
  },
  assertNumberConnectionsCheckedOut: ({ entities }, { client, connections }) => {
    const { inUse } = entities.of(MongoClient, client).stats().connections;
    if (inUse !== connections) throw new Mismatch(`expected ${String(connections)} connections in use, got ${inUse}`);
  },

  waitForEvent: async (by, { client, event, count }) => {
    const end = Date.now() + EVENT_LIMIT_MS;
    while (countEvents(by, client, event) < Number(count)) {
      if (Date.now() > end)
        throw new Mismatch(`waited for ${String(count)} of ${JSON.stringify(event)}, saw ${countEvents(by, client, event)}`);
      await delay(10);
    }
  },
  assertEventCount: (by, { client, event, count }) => {
    const seen = countEvents(by, client, event);
    if (seen !== count) throw new Mismatch(`expected ${String(count)} of ${JSON.stringify(event)}, saw ${seen}`);
  },
  runOnThread: ({ entities, run }, { thread, operation }) => entities.of(Thread, thread).run(() => run(operation as Operation)),
  waitForThread: ({ entities }, { thread }) => entities.of(Thread, thread).finished(),
};

/** Runs a special operation. */
export async function runSpecial(by: Special, { name, arguments: given = {} }: Operation): Promise<void> {
  const run = OPERATIONS[name];
  if (run === undefined) throw new Error(`testRunner.${name} is not supported by this runner`);
  await run(by, given);
}

function lastTwoSessionIds({ entities }: Special, client: unknown): [unknown, unknown] {
  const started = entities.eventsOf(String(client)).all.filter(({ type }) => type === 'commandStartedEvent');
  const [first, second] = started.slice(-2).map(({ event }) => (event['command'] as Document)['lsid']);
  if (first === undefined || second === undefined) throw new Mismatch('expected two commands with an lsid');
  return [first, second];
}

function isSame({ entities }: Special, first: unknown, second: unknown): boolean {
  try {
    matchNested(first, second, entities);
    return true;
  } catch (error) {
    if (error instanceof Mismatch) return false;
    throw error;
  }
}

function countEvents({ entities }: Special, client: unknown, event: unknown): number {
  const wanted = event as Record<string, Document>;
  return entities.eventsOf(String(client)).all.filter((each) => isEvent(wanted, each, entities)).length;
}

async function hasCollection({ internal }: Special, { databaseName, collectionName }: Document): Promise<boolean> {
  const found = await internal.db(String(databaseName)).listCollections({ name: collectionName }).toArray();
  return found.length > 0;
}

async function hasIndex(by: Special, given: Document): Promise<boolean> {
  if (!(await hasCollection(by, given))) return false;
  const { databaseName, collectionName, indexName } = given;
  return by.internal.db(String(databaseName)).collection(String(collectionName)).indexExists(String(indexName));
}
