/**
 * @module __tests__/mongo/unified/events
 *
 * What a client entity observes: its events, kept under the format's names, and their comparison with what a test expects.
 */
import type { Document, MongoClient } from '../../../dist/index.js';
import type { ExpectedEvents } from './format';
import { isDocument, type MatchContext, matchNested, matchRoot, Mismatch } from './match';

/** One event under its name in the format. */
export interface Observed {
  readonly type: string;
  readonly event: Document;
}

/** The events of a client. */
export interface ClientEvents {
  readonly all: readonly Observed[];
  /** Forgets the commands seen so far. */
  forgetCommands(): void;
  stop(): void;
}

/** Commands that hold credentials: their events are left out unless a test wants them. */
const SENSITIVE = new Set([
  'authenticate', 'saslStart', 'saslContinue', 'getnonce', 'createUser', 'updateUser', 'copydbgetnonce', 'copydbsaslstart', 'copydb',
]); // prettier-ignore
const HELLO = new Set(['hello', 'ismaster', 'isMaster']);

const CATEGORIES: Readonly<Record<string, (type: string) => boolean>> = {
  command: (type) => type.startsWith('command'),
  cmap: (type) => type.startsWith('pool') || type.startsWith('connection'),
  sdam: (type) => type.startsWith('server') || type.startsWith('topology'),
};

/** Begins to keep the events of the types in `observed`. */
export function observe(client: MongoClient, observed: readonly string[], options: Document): ClientEvents {
  const all: Observed[] = [];
  const ignored = new Set([...((options['ignoreCommandMonitoringEvents'] ?? []) as string[]), 'configureFailPoint']);
  const listeners = observed.map((type) => {
    // Events of pools have a longer name in the API.
    const name = type.replace(/Event$/, '').replace(/^pool/, 'connectionPool');
    const listener = (event: Document): void => {
      if (name.startsWith('command') && isIgnored(event, ignored, options['observeSensitiveCommands'] === true)) return;
      all.push({ type, event });
    };
    client.on(name, listener);
    return { name, listener };
  });
  const forgetCommands = (): void => void all.splice(0, all.length, ...all.filter(({ type }) => !type.startsWith('command')));
  return { all, forgetCommands, stop: () => listeners.forEach(({ name, listener }) => client.off(name, listener)) };
}

function isIgnored(event: Document, ignored: ReadonlySet<string>, sensitive: boolean): boolean {
  const name = String(event['commandName']);
  if (ignored.has(name)) return true;
  if (sensitive) return false;
  const content = (event['command'] ?? event['reply']) as Document | undefined;
  return SENSITIVE.has(name) || (HELLO.has(name) && content !== undefined && Object.keys(content).length === 0);
}

/** Throws unless a client has observed what a test expects. */
export function matchEvents(expected: ExpectedEvents, observed: readonly Observed[], context: MatchContext): void {
  const belongs = CATEGORIES[expected.eventType ?? 'command'];
  if (belongs === undefined) throw new Mismatch(`unknown eventType ${String(expected.eventType)}`);
  const actual = observed.filter(({ type }) => belongs(type));
  const { client, events, ignoreExtraEvents } = expected;
  for (const [index, each] of events.entries()) {
    const found = actual[index];
    if (found === undefined) throw new Mismatch(`${client}: expected ${events.length} events, got ${list(actual)}`);
    matchEvent(each, found, context, `${client} event ${index} of ${list(actual)}`);
  }
  if (actual.length > events.length && ignoreExtraEvents !== true)
    throw new Mismatch(`${client}: expected ${events.length} events, got ${list(actual)}`);
}

/**
 * A find whose filter compares by `{ $eq: value }`, as one that compares by the value: the bucket class is the host driver's, and it asks in this way for what
 * the files have in the other.
 */
export function withoutEq({ type, event }: Observed): Observed {
  const command = event['command'] as Document | undefined;
  if (command?.['find'] === undefined) return { type, event };
  const plain = (value: unknown): unknown => (isDocument(value) && '$eq' in value ? value['$eq'] : value);
  const filter = Object.fromEntries(Object.entries(command['filter'] as Document).map(([key, value]) => [key, plain(value)]));
  return { type, event: { ...event, command: { ...command, filter } } };
}

/** Whether an event is what is expected. */
export function isEvent(expected: Record<string, Document>, observed: Observed, context: MatchContext): boolean {
  try {
    matchEvent(expected, observed, context, 'event');
    return true;
  } catch (error) {
    if (error instanceof Mismatch) return false;
    throw error;
  }
}

function matchEvent(expected: Record<string, Document>, { type, event }: Observed, context: MatchContext, path: string): void {
  const [[name, fields] = ['', {}]] = Object.entries(expected);
  if (name !== type) throw new Mismatch(`${path}: expected a ${name}, got a ${type}`);
  for (const [field, value] of Object.entries(fields)) {
    const place = `${path}: ${field}`;
    if (field === 'command' || field === 'reply') matchRoot(value, event[field], context, place);
    else if (field === 'hasServiceId') matchNested(value, event['serviceId'] !== undefined && event['serviceId'] !== null, context, place);
    else if (field === 'hasServerConnectionId')
      matchNested(value, event['serverConnectionId'] !== undefined && event['serverConnectionId'] !== null, context, place);
    else matchNested(value, event[field], context, place);
  }
}

function list(observed: readonly Observed[]): string {
  return `[${observed.map(({ type, event }) => `${type.replace(/^command|Event$/g, '')} ${String(event['commandName'] ?? '')}`).join(', ')}]`;
}
