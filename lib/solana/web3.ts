/**
 * @module mooring/web3
 *
 * Entry for users of `@solana/web3.js` 1.x: the pool with its `Connection` typed, and a `fetch` for connections of their own. Requires nothing at import but the
 * pool; the peer is loaded when a connection is first asked for.
 */
import type { Connection } from '@solana/web3.js';
import { ConnectionPool as UntypedPool } from './pool.js';

export type { PoolFetch, PoolResponse } from './fetch.js';
export type { ConnectionPoolOptions } from './options.js';

/** As the root's `ConnectionPool`, with the peer's types. */
export class ConnectionPool extends UntypedPool {
  /** A `Connection` whose whole traffic goes through this pool. */
  override getConnection(): Connection {
    return super.getConnection();
  }
}
