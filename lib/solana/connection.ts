/**
 * @module solana/connection
 *
 * A web3.js `Connection` whose whole traffic goes through the pool: its HTTP requests by the `fetch` seam, its confirmations by polling statuses. It opens no
 * socket of its own: subscriptions are refused by an error instead of going around the pool.
 */
import { MooringError } from '../error/index.js';
import type { Commitment } from './options.js';
import type { PoolFetch } from './fetch.js';
import type { Connection, Web3 } from './peer.js';

/** What the connection needs of its pool. */
export interface ConnectionHost {
  readonly fetch: PoolFetch;
  confirmTransaction(strategy: unknown, commitment?: unknown): Promise<unknown>;
}

/** Never contacted: requests go to the pool's endpoints. */
const PLACEHOLDER = 'http://mooring.invalid';
const SUBSCRIPTIONS = [
  'onAccountChange',
  'onProgramAccountChange',
  'onLogs',
  'onSlotChange',
  'onSlotUpdate',
  'onSignature',
  'onSignatureWithOptions',
  'onRootChange',
] as const;

/** Makes the connection. */
export function pooledConnection(web3: Web3, host: ConnectionHost, commitment: Commitment): Connection {
  const connection = new web3.Connection(PLACEHOLDER, {
    commitment,
    // Without these two it builds a keep-alive agent for nothing and stacks its own 429 loop on the pool's.
    httpAgent: false,
    disableRetryOnRateLimit: true,
    fetch: host.fetch as never,
  });
  for (const name of SUBSCRIPTIONS) define(connection, name, () => refuse(name));
  define(connection, 'confirmTransaction', (strategy: unknown, wanted?: unknown) =>
    host.confirmTransaction(strategy, wanted ?? commitment),
  );
  return connection;
}

function define(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, configurable: true, writable: true });
}

function refuse(name: string): never {
  throw new MooringError(
    'MOORING_INVALID_ARGUMENT',
    `${name} is not available on a pooled connection: subscriptions do not go through the pool yet`,
    {
      details: { argument: name, maybeExecuted: false },
    },
  );
}
