/**
 * @module mongo/registry
 *
 * Which of Rust's open clients is which JavaScript object. What is open is Rust's knowledge (`openThings`); only the objects themselves, which Rust cannot
 * hold, are kept here: on the realm's global object, so that they survive `jest.resetModules` and are shared by two copies of the package.
 */
import type { AsyncLocalStorage } from 'node:async_hooks';
import type { ConnectState } from './connect.js';
import type { MongoClient } from './client.js';
import type { Scope } from './scope.js';

/** What is kept for a realm. */
interface Realm {
  readonly clients: Set<MongoClient>;
  connect: ConnectState | undefined;
  /** Which transaction or session runs around the code; made with the first one. */
  scopes: AsyncLocalStorage<Scope> | undefined;
  /** Call sites that were warned of already. */
  readonly warned: Set<string>;
  /** Scopes that only warn, so far. */
  scopesOpened: number;
  /** Until when each of them remembers its place; by the clock of `performance.now()`. */
  placesUntil: number;
}

const KEY = Symbol.for('mooring.mongo');

/** The realm's record, made on first use. */
export function realm(): Realm {
  const holder = globalThis as { [KEY]?: Realm };
  if (holder[KEY] === undefined)
    Object.defineProperty(globalThis, KEY, {
      value: { clients: new Set(), connect: undefined, scopes: undefined, warned: new Set(), scopesOpened: 0, placesUntil: 0 },
      configurable: true,
    });
  return holder[KEY] as Realm;
}

/** Clients that are open in this realm. */
export function openClients(): Set<MongoClient> {
  return realm().clients;
}
