/**
 * @module mongo/registry
 *
 * Which of Rust's open clients is which JavaScript object. What is open is Rust's knowledge (`openThings`); only the objects themselves, which Rust cannot
 * hold, are kept here: on the realm's global object, so that they survive `jest.resetModules` and are shared by two copies of the package.
 */
import type { ConnectState } from './connect.js';
import type { MongoClient } from './client.js';

/** What is kept for a realm. */
interface Realm {
  readonly clients: Set<MongoClient>;
  connect: ConnectState | undefined;
}

const KEY = Symbol.for('mooring.mongo');

/** The realm's record, made on first use. */
export function realm(): Realm {
  const holder = globalThis as { [KEY]?: Realm };
  if (holder[KEY] === undefined)
    Object.defineProperty(globalThis, KEY, { value: { clients: new Set(), connect: undefined }, configurable: true });
  return holder[KEY] as Realm;
}

/** Clients that are open in this realm. */
export function openClients(): Set<MongoClient> {
  return realm().clients;
}
