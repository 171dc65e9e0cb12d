/**
 * @module mongo/scope
 *
 * The transaction or session that runs around a piece of code, by `AsyncLocalStorage`: what the ambient session, nested calls and the detector of forgotten
 * sessions look at. Made with the first `withTransaction` or `withSession`; an operation outside of any costs nothing but a look at an empty store.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { deepError, MooringError, siteOf } from '../error/index.js';
import { realm } from './registry.js';
import type { ClientSession } from './session.js';

/** How the session reaches operations: by the option `session` alone, or by itself. */
export type SessionMode = 'explicit' | 'ambient';
/** What becomes of an operation that lacks the session. */
export type ForgottenSession = 'off' | 'warn' | 'throw';
/** Names of {@link ForgottenSession}. */
export const FORGOTTEN: readonly ForgottenSession[] = ['off', 'warn', 'throw'];

/** How a scope treats the operations in it. */
export interface ScopeFacts {
  readonly mode: SessionMode;
  readonly forgotten: ForgottenSession;
  /** Where it was opened; not known of all, see {@link placeOf}. */
  readonly opened: Error | undefined;
}

/** What runs around the code: one run of a callback. */
export class Scope {
  readonly session: ClientSession;
  readonly facts: ScopeFacts;
  /** False once its callback is done: what the callback left running belongs to nothing. */
  active = true;

  constructor(session: ClientSession, facts: ScopeFacts) {
    this.session = session;
    this.facts = facts;
  }

  /** Calls `work` with the scope around it. Who calls it ends the scope: `active = false`. */
  run<T>(work: () => T): T {
    return (realm().scopes ??= new AsyncLocalStorage()).run(this, work);
  }
}

/** The most call sites that are remembered as warned of. */
const MAX_WARNED = 1_000;
/** The first scopes of a process remember their place, then one in so many, and all of them for a while after a forgotten session. */
const PLACES_FIRST = 1_000;
const PLACES_ONE_IN = 16;
const PLACES_FOR_MS = 10 * 60_000;

/** The place of the caller, for what is told about the scope it opens. A stack costs 5 to 8 us, as much as a write: with `warn` not every scope takes one. */
export function placeOf({ mode, forgotten }: Omit<ScopeFacts, 'opened'>): Error | undefined {
  if (mode === 'ambient' || forgotten === 'off') return undefined;
  if (forgotten === 'throw') return new Error();
  const state = realm();
  const count = state.scopesOpened++;
  const wanted = count < PLACES_FIRST || count % PLACES_ONE_IN === 0 || performance.now() < state.placesUntil;
  return wanted ? new Error() : undefined;
}

/** Runs `work` with a scope around it. */
export async function within<T>(session: ClientSession, facts: ScopeFacts, work: () => Promise<T>): Promise<T> {
  const scope = new Scope(session, facts);
  try {
    return await scope.run(work);
  } finally {
    scope.active = false;
  }
}

/** The scope around the caller, if it is still open. */
export function currentScope(): Scope | undefined {
  const scope = realm().scopes?.getStore();
  return scope?.active === true ? scope : undefined;
}

/**
 * The session for an operation on data that was called without one: the ambient one, or none. Reports a forgotten one as the scope says.
 *
 * @throws MooringError `MOORING_INVALID_ARGUMENT` with `forgottenSession: 'throw'`.
 */
export function sessionAround(scope: Scope, operation: string): ClientSession | undefined {
  const { mode, forgotten, opened } = scope.facts;
  if (mode === 'ambient') return scope.session;
  if (forgotten === 'off') return undefined;
  const at = siteOf(deepError());
  const kind = scope.session.inTransaction() ? 'transaction' : 'session';
  const around = opened === undefined ? `${kind} around it` : `${kind} opened at ${siteOf(opened)}`;
  const message = `${operation} at ${at} runs without the session of the ${around}: pass { session }, or { session: null } if that is meant`;
  if (forgotten === 'throw') {
    throw new MooringError('MOORING_INVALID_ARGUMENT', message, {
      details: { argument: 'session', operation, site: at, maybeExecuted: false },
    });
  }
  const state = realm();
  const { warned } = state;
  state.placesUntil = performance.now() + PLACES_FOR_MS;
  const key = `${operation} ${at}`;
  if (!warned.has(key)) {
    if (warned.size < MAX_WARNED) warned.add(key);
    process.emitWarning(message, { code: 'MOORING_FORGOTTEN_SESSION' });
  }
  return undefined;
}
