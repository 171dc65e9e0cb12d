/**
 * @module solana/confirm
 *
 * Following a transaction to its end, by polling statuses through the pool: all pending ones of a pool share one request.
 */
import { checkObject, invalidArgument, MooringError } from '../error/index.js';
import { commitment as checkCommitment } from './check.js';
import type { Commitment } from './options.js';
import { base58, type PublicKeyLike, type Web3 } from './peer.js';
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

/** How a bare signature is followed. */
export interface ConfirmOptions extends TrackOptions {
  /** For a transaction with a durable nonce: its account, and the value that it was signed with. It can no longer land once the account holds another one. */
  readonly nonce?: { readonly account: PublicKeyLike | string; readonly value: string };
}

/** How a transaction ended. */
export interface Tracked {
  readonly signature: string;
  /** `landed`; `failed`: on chain with an error; `expired`: cannot land any more; `unknown`: the deadline came first. */
  readonly status: 'landed' | 'failed' | 'expired' | 'unknown';
  /** The slot it is in; with `unknown` the one where it was seen last, at less than the commitment asked for. */
  readonly slot: number | null;
  /** The transaction's own error. */
  readonly err: unknown;
  /** What its programs logged: of a failed one, when a node still has them. */
  readonly logs: readonly string[] | null;
}

/** A strategy of web3.js: by block height, or by durable nonce. */
export interface ConfirmationStrategy {
  readonly signature: string;
  readonly lastValidBlockHeight?: number;
  readonly nonceAccountPubkey?: PublicKeyLike;
  readonly nonceValue?: string;
  readonly abortSignal?: AbortSignal;
  readonly [other: string]: unknown;
}

/** What `confirmTransaction` resolves with. */
export interface Confirmation {
  readonly context: { readonly slot: number };
  readonly value: { readonly err: unknown };
}

/** How long web3.js follows a bare signature. */
const BARE_MS = 30_000;
const BARE_FINALIZED_MS = 60_000;

/** The options that cross. */
export function trackOptions(options: TrackOptions): { commitment: Commitment; lastValidBlockHeight?: number; fanout?: number } {
  checkObject(options);
  const { commitment = 'confirmed', lastValidBlockHeight, fanout } = options;
  checkCommitment(commitment);
  whole('lastValidBlockHeight', lastValidBlockHeight, Number.MAX_SAFE_INTEGER);
  whole('fanout', fanout, 16);
  return {
    commitment,
    ...(lastValidBlockHeight === undefined ? {} : { lastValidBlockHeight }),
    ...(fanout === undefined ? {} : { fanout }),
  };
}

/** The durable nonce of a bare signature, as it crosses. */
export function nonceOptions({ nonce }: ConfirmOptions): { nonceAccount?: string; nonceValue?: string } {
  if (nonce === undefined) return {};
  // A caller without types may give anything.
  const given: unknown = nonce;
  if (typeof given !== 'object' || given === null) throw invalidArgument('nonce', 'nonce must be an object with account and value');
  return { nonceAccount: base58(nonce.account, 'nonce.account'), nonceValue: base58(nonce.value, 'nonce.value') };
}

function whole(name: string, value: unknown, most: number): void {
  if (value === undefined || (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most)) return;
  throw invalidArgument(name, `${name} must be a whole number between 1 and ${most}`);
}

/** `confirmTransaction` over a tracker. */
export async function confirmation(
  strategy: string | ConfirmationStrategy,
  commitment: Commitment,
  confirm: (signature: string, options: ConfirmOptions & CallOptions) => Promise<Tracked>,
  web3: () => Web3 | undefined,
): Promise<Confirmation> {
  const bareMs = commitment === 'finalized' ? BARE_FINALIZED_MS : BARE_MS;
  const { signature, abortSignal, ...life } = typeof strategy === 'string' ? { signature: strategy } : (strategy ?? { signature: '' });
  const bare = typeof strategy === 'string';
  let tracked: Tracked;
  try {
    tracked = await confirm(signature, {
      commitment,
      ...lifeOptions(life as ConfirmationStrategy),
      ...(bare ? { deadlineMs: bareMs } : {}),
      ...(abortSignal === undefined ? {} : { signal: abortSignal }),
    });
  } catch (error) {
    // As web3.js: whatever the caller aborted with.
    if (abortSignal?.aborted === true) throw abortSignal.reason;
    throw error;
  }
  if (tracked.status === 'landed' || tracked.status === 'failed')
    return { context: { slot: tracked.slot ?? 0 }, value: { err: tracked.err ?? null } };
  const peer = web3();
  if (peer !== undefined && tracked.status === 'expired')
    throw 'nonceValue' in life
      ? new peer.TransactionExpiredNonceInvalidError(signature)
      : new peer.TransactionExpiredBlockheightExceededError(signature);
  if (peer !== undefined && bare) throw new peer.TransactionExpiredTimeoutError(signature, bareMs / 1000);
  const text = tracked.status === 'expired' ? 'transaction has expired' : 'transaction was not confirmed within the deadline';
  throw new MooringError('MOORING_TIMEOUT', text, { details: { signature, maybeExecuted: tracked.status === 'unknown' } });
}

function lifeOptions({ lastValidBlockHeight, nonceAccountPubkey, nonceValue }: ConfirmationStrategy): ConfirmOptions {
  if (nonceAccountPubkey !== undefined && nonceValue !== undefined) return { nonce: { account: nonceAccountPubkey, value: nonceValue } };
  // One alone would be left out, and the wait would last until its deadline.
  const missing = nonceAccountPubkey !== undefined ? 'nonceValue' : nonceValue !== undefined ? 'nonceAccountPubkey' : undefined;
  if (missing !== undefined) throw invalidArgument(missing, `${missing} is missing: a durable nonce is its account and its value`);
  return lastValidBlockHeight === undefined ? {} : { lastValidBlockHeight };
}
