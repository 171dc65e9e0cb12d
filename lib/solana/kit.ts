/**
 * @module mooring/kit
 *
 * Entry for users of `@solana/kit`: the pool as RPC transport and as transport of subscriptions. Integers come back as `bigint`, as kit's own transport gives them; they are marked in Rust, so
 * that the text is not walked in JavaScript.
 */
import { STATUS_CODES } from 'node:http';
import { SOLANA_ERROR__RPC__TRANSPORT_HTTP_ERROR, SolanaError } from '@solana/kit';
import { invalidArgument, isMooringError, type MooringError } from '../error/index.js';
import { parseMarked, stringify } from './bigint.js';
import type { ConnectionPool } from './pool.js';

export { createPoolSubscriptionsTransport, type PoolSubscriptionsTransport } from './kit-subscriptions.js';

/** What kit hands to a transport. */
export interface TransportRequest {
  readonly payload: unknown;
  readonly signal?: AbortSignal;
}

/** A transport of `@solana/kit`; for `createSolanaRpcFromTransport`. */
export type PoolTransport = <TResponse>(request: TransportRequest) => Promise<TResponse>;

/** Methods of the node whose integers kit expects as `bigint`; those of vendors keep plain numbers. */
const NODE_METHOD =
  /^(?:get(?:AccountInfo|AgGenesisCert|Balance|Block(?:Commitment|Height|Production|s|sWithLimit|Time)?|ClusterNodes|Epoch(?:Info|Schedule)|FeeForMessage|FirstAvailableBlock|GenesisHash|Health|HighestSnapshotSlot|Identity|Inflation(?:Governor|Rate|Reward)|LargestAccounts|LatestBlockhash|LeaderSchedule|Max(?:RetransmitSlot|ShredInsertSlot)|MinimumBalanceForRentExemption|MultipleAccounts|ProgramAccounts|Recent(?:PerformanceSamples|PrioritizationFees)|SignaturesForAddress|SignatureStatuses|Slot(?:Leaders?)?|StakeMinimumDelegation|Supply|Token(?:AccountBalance|AccountsBy(?:Delegate|Owner)|LargestAccounts|Supply)|Transaction(?:Count|sForAddress)?|Version|VoteAccounts)|isBlockhashValid|minimumLedgerSlot|requestAirdrop|sendTransaction|simulateTransaction)$/;

/**
 * A transport over a pool.
 *
 * @example
 * const rpc = createSolanaRpcFromTransport(createPoolTransport(pool));
 */
export function createPoolTransport(pool: Pick<ConnectionPool, 'respond'>): PoolTransport {
  if (typeof (pool as Partial<ConnectionPool> | null)?.respond !== 'function')
    throw invalidArgument('pool', 'pool must be a ConnectionPool');
  return async <TResponse>({ payload, signal }: TransportRequest): Promise<TResponse> => {
    signal?.throwIfAborted();
    const bigints = isNodeCall(payload);
    try {
      const text = await pool.respond(bigints ? stringify(payload) : JSON.stringify(payload), { signal, markIntegers: bigints });
      return (bigints ? parseMarked(text) : JSON.parse(text)) as TResponse;
    } catch (error) {
      signal?.throwIfAborted();
      throw httpError(error);
    }
  };
}

function isNodeCall(payload: unknown): boolean {
  const method = (payload as { method?: unknown } | null)?.method;
  return typeof method === 'string' && NODE_METHOD.test(method);
}

function httpError(error: unknown): unknown {
  const status = isMooringError(error) ? error.details['httpStatus'] : undefined;
  if (!isMooringError(error) || typeof status !== 'number') return error;
  // The text of the status, as kit's own transport says it; what the pool has to say is in the cause.
  const made = new SolanaError(SOLANA_ERROR__RPC__TRANSPORT_HTTP_ERROR, {
    headers: headersOf(error),
    message: STATUS_CODES[status] ?? '',
    statusCode: status,
  });
  Object.defineProperty(made, 'cause', { value: error, configurable: true, writable: true });
  return made;
}

/** Of the server's headers only how long to stay away is known here. */
function headersOf({ details }: MooringError): Headers {
  const after = details['retryAfterMs'];
  return new Headers(typeof after === 'number' ? { 'retry-after': String(Math.ceil(after / 1000)) } : {});
}
