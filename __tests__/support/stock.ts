/**
 * @module __tests__/support/stock
 *
 * web3.js's own `Connection`, unchanged, next to a pooled one: both are asked the same, and what they say is compared down to prototypes.
 */
import { deepStrictEqual } from 'node:assert';
import { request } from 'node:http';
import { Connection, type Commitment, SendTransactionError } from '@solana/web3.js';

/** The part of a response that is used. */
export interface Answer {
  readonly ok: boolean;
  readonly status: number;
  readonly statusText: string;
  text(): Promise<string>;
}

/** What a call came to. */
export type Said = { readonly value: unknown } | { readonly error: Record<string, unknown> };

/** A connection of the peer's own. Its requests are made for it by this file: in this process no peer may open a socket. */
export function stockConnection(url: string, commitment: Commitment): Connection {
  return new Connection(url, { commitment, httpAgent: false, disableRetryOnRateLimit: true, fetch: post as never });
}

/** Runs the call and tells how it ended; of an error everything that a caller can see. */
export async function said(call: () => Promise<unknown>): Promise<Said> {
  try {
    return { value: await call() };
  } catch (reason) {
    if (!(reason instanceof Error)) return { error: { reason } };
    const { code, data, signature } = reason as { code?: unknown; data?: unknown; signature?: unknown };
    const logs = reason instanceof SendTransactionError ? { logs: reason.logs, text: reason.transactionError } : {};
    return {
      error: {
        made: reason.constructor,
        name: reason.name,
        message: reason.message,
        own: Object.keys(reason),
        code,
        data,
        signature,
        ...logs,
      },
    };
  }
}

/** Both are asked; what they say must be the same. Returns it. */
export async function bothSay(
  connections: readonly [stock: Connection, pooled: Connection],
  ask: (connection: Connection) => Promise<unknown>,
): Promise<Said> {
  const [stock, pooled] = connections;
  const [theirs, ours] = [await said(() => ask(stock)), await said(() => ask(pooled))];
  deepStrictEqual(ours, theirs);
  return ours;
}

/** A `fetch` with just enough of it: the body is posted by this file. */
export function post(url: string, { body }: { body: string }): Promise<Answer> {
  return new Promise((resolve, reject) => {
    // From a timer, so that the trap for peers' sockets sees who does it.
    setImmediate(() => {
      const req = request(url, { method: 'POST', agent: false, headers: { 'content-type': 'application/json' } }, (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.on('error', reject);
        res.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const status = res.statusCode ?? 0;
          resolve({ ok: status >= 200 && status < 300, status, statusText: res.statusMessage ?? '', text: async () => text });
        });
      });
      req.on('error', reject);
      req.end(body);
    });
  });
}
