/**
 * @module solana/confirm
 *
 * Following a transaction to its end, by polling statuses through the pool: all pending ones of a pool share one request.
 */
import { invalidArgument, MooringError } from '../error/index.js';
import type { Commitment } from './options.js';
import type { Web3 } from './peer.js';
import type { CallOptions } from './operation.js';

/** How a transaction is followed. */
export interface TrackOptions {
  /** What has to be reached. Default `'confirmed'`. */
  readonly commitment?: Commitment;
  /** Past this block height it cannot land any more. Without it (and without bytes) only the deadline ends the wait. */
  readonly lastValidBlockHeight?: number;
  /** Endpoints that get each repetition. Default 2. */
  readonly fanout?: number;
}

/** How a transaction ended. */
export interface Tracked {
  readonly signature: string;
  /** `landed`; `failed`: on chain with an error; `expired`: cannot land any more; `unknown`: the deadline came first. */
  readonly status: 'landed' | 'failed' | 'expired' | 'unknown';
  /** The slot it is in. */
  readonly slot: number | null;
  /** The transaction's own error. */
  readonly err: unknown;
}

/** A strategy of web3.js: by block height, or by durable nonce (followed until the deadline). */
export interface ConfirmationStrategy {
  readonly signature: string;
  readonly lastValidBlockHeight?: number;
  readonly abortSignal?: AbortSignal;
  readonly [other: string]: unknown;
}

/** What `confirmTransaction` resolves with. */
export interface Confirmation {
  readonly context: { readonly slot: number };
  readonly value: { readonly err: unknown };
}

const COMMITMENTS: readonly string[] = ['processed', 'confirmed', 'finalized'];

/** The options that cross. */
export function trackOptions(options: TrackOptions): { commitment: Commitment; lastValidBlockHeight?: number; fanout?: number } {
  const { commitment = 'confirmed', lastValidBlockHeight, fanout } = options;
  if (!COMMITMENTS.includes(commitment)) throw invalidArgument('commitment', 'commitment must be processed, confirmed or finalized');
  whole('lastValidBlockHeight', lastValidBlockHeight, Number.MAX_SAFE_INTEGER);
  whole('fanout', fanout, 16);
  return {
    commitment,
    ...(lastValidBlockHeight === undefined ? {} : { lastValidBlockHeight }),
    ...(fanout === undefined ? {} : { fanout }),
  };
}

function whole(name: string, value: unknown, most: number): void {
  if (value === undefined || (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most)) return;
  throw invalidArgument(name, `${name} must be a whole number between 1 and ${most}`);
}

/** `confirmTransaction` over a tracker. */
export async function confirmation(
  strategy: string | ConfirmationStrategy,
  commitment: Commitment,
  confirm: (signature: string, options: TrackOptions & CallOptions) => Promise<Tracked>,
  web3: () => Web3 | undefined,
): Promise<Confirmation> {
  const { signature, lastValidBlockHeight, abortSignal } =
    typeof strategy === 'string' ? { signature: strategy } : (strategy ?? { signature: '' });
  const height = lastValidBlockHeight === undefined ? {} : { lastValidBlockHeight };
  const tracked = await confirm(signature, { commitment, ...height, ...(abortSignal === undefined ? {} : { signal: abortSignal }) });
  if (tracked.status === 'landed' || tracked.status === 'failed')
    return { context: { slot: tracked.slot ?? 0 }, value: { err: tracked.err ?? null } };
  if (tracked.status === 'expired') {
    const peer = web3();
    if (peer !== undefined) throw new peer.TransactionExpiredBlockheightExceededError(signature);
  }
  const text = tracked.status === 'expired' ? 'transaction has expired' : 'transaction was not confirmed within the deadline';
  throw new MooringError('MOORING_TIMEOUT', text, { details: { signature, maybeExecuted: tracked.status === 'unknown' } });
}
