/**
 * @module solana/fetch
 *
 * The `fetch` that web3.js's `Connection` gets: one JSON-RPC text in, one response text out, all of it through the pool. Only what `Connection` uses of `fetch`.
 */
import { fromFailure, invalidArgument, isFailure } from '../error/index.js';
import type { Outcome } from '../lane.js';

/** The part of a response that `Connection` reads. */
export interface PoolResponse {
  readonly ok: true;
  readonly status: 200;
  readonly statusText: 'OK';
  text(): Promise<string>;
  json(): Promise<unknown>;
}

/** Posts a JSON-RPC body through the pool; the URL is not looked at. */
export type PoolFetch = (url: unknown, init?: { readonly body?: unknown; readonly signal?: unknown }) => Promise<PoolResponse>;

/** A fetch over `run`, which answers a request text with a response text. */
export function poolFetch(run: (body: string, signal: AbortSignal | undefined) => Promise<Outcome>): PoolFetch {
  return async (_url, init) => {
    const body = init?.body;
    if (typeof body !== 'string') throw invalidArgument('body', 'body must be a JSON-RPC request text');
    const signal = init?.signal instanceof AbortSignal ? init.signal : undefined;
    const outcome = await run(body, signal);
    // An `Error` of this realm: after any other rejection a call of web3.js never settles.
    if (isFailure(outcome)) throw fromFailure(outcome);
    const text = String(outcome);
    return { ok: true, status: 200, statusText: 'OK', text: async () => text, json: async () => JSON.parse(text) as unknown };
  };
}
