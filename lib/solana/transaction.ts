/**
 * @module solana/transaction
 *
 * Transactions become bytes here, once, before anything is sent. A legacy transaction with signers is signed here and never again: every repetition sends the
 * same bytes, so that it cannot pay twice.
 */
import { invalidArgument, MooringError } from '../error/index.js';
import type { CallOptions } from './operation.js';
import { pause } from './retry.js';

/** Something that signs, such as a `Keypair`. */
export interface Signer {
  readonly publicKey: { toBase58(): string };
  readonly secretKey: Uint8Array;
}

/** A `VersionedTransaction` that is signed, or a legacy `Transaction`. */
export interface SendableTransaction {
  serialize(config?: never): Uint8Array;
}

/** How the node handles a transaction; the fields are those of web3.js. */
export interface SendOptions {
  readonly skipPreflight?: boolean;
  /** Default: the pool's commitment. */
  readonly preflightCommitment?: 'processed' | 'confirmed' | 'finalized';
  /** How often the node itself sends it again. */
  readonly maxRetries?: number;
  readonly minContextSlot?: number;
}

interface LegacyTransaction {
  recentBlockhash?: string | undefined;
  lastValidBlockHeight?: number | undefined;
  readonly nonceInfo?: unknown;
  readonly signature: Uint8Array | null;
  sign(...signers: Signer[]): void;
  serialize(): Uint8Array;
}

/** Where blockhashes come from, and which signatures have been sent. */
export interface SigningContext {
  latestBlockhash(fresh: boolean, options: CallOptions): Promise<{ blockhash: string; lastValidBlockHeight: number }>;
  readonly seen: SeenSignatures;
  /** The blockhash that was put into a transaction here: not the caller's, so that the same object may be sent again as a new payment. */
  readonly stamped: WeakMap<object, string>;
}

const SEEN_LIMIT = 4096;
/** A new blockhash comes with every block. As long as web3.js waits for one. */
const NEW_HASH_PAUSE_MS = 200;
const NEW_HASH_ATTEMPTS = 50;

/** Signatures made here of late; bounded, oldest forgotten. */
export class SeenSignatures {
  readonly #texts = new Set<string>();

  /** Remembers one; false when it was known. */
  add(signature: Uint8Array): boolean {
    const text = Buffer.from(signature).toString('base64');
    if (this.#texts.has(text)) return false;
    this.#texts.add(text);
    const oldest = this.#texts.values().next();
    if (this.#texts.size > SEEN_LIMIT && oldest.done !== true) this.#texts.delete(oldest.value);
    return true;
  }
}

/** The bytes to send; signs a legacy transaction when there are signers. */
export async function signedBytes(
  transaction: SendableTransaction,
  signers: readonly Signer[],
  context: SigningContext,
  options: CallOptions = {},
): Promise<Uint8Array> {
  if (typeof (transaction as Partial<SendableTransaction> | null)?.serialize !== 'function') {
    throw invalidArgument('transaction', 'transaction must be a VersionedTransaction or a Transaction');
  }
  const legacy = typeof (transaction as Partial<LegacyTransaction>).sign === 'function' && !('version' in transaction);
  if (signers.length > 0) {
    if (!legacy) throw invalidArgument('signers', 'signers must be empty for a VersionedTransaction: sign it first');
    await sign(transaction as unknown as LegacyTransaction, signers, context, options);
  }
  try {
    return transaction.serialize();
  } catch (cause) {
    throw new MooringError('MOORING_INVALID_ARGUMENT', 'transaction is not complete: is it signed by all signers', {
      details: { argument: 'transaction', maybeExecuted: false },
      cause,
    });
  }
}

/** Signs, and when that makes a transaction that was sent before, once more with a blockhash of its own. All of it before the first send. */
async function sign(
  transaction: LegacyTransaction,
  signers: readonly Signer[],
  context: SigningContext,
  options: CallOptions,
): Promise<void> {
  const given = transaction.nonceInfo !== undefined && transaction.nonceInfo !== null;
  const kept = given || (transaction.recentBlockhash !== undefined && context.stamped.get(transaction) !== transaction.recentBlockhash);
  if (!kept) stamp(transaction, await context.latestBlockhash(false, options), context);
  transaction.sign(...signers);
  if (transaction.signature === null || context.seen.add(transaction.signature) || kept) return;
  // Two equal transfers under one cached blockhash would be one transaction: the second gets a hash of its own.
  const before = transaction.recentBlockhash;
  for (let attempt = 1; attempt <= NEW_HASH_ATTEMPTS; attempt++) {
    const latest = await context.latestBlockhash(true, options);
    if (latest.blockhash !== before) {
      stamp(transaction, latest, context);
      transaction.sign(...signers);
      if (transaction.signature === null || context.seen.add(transaction.signature)) return;
    }
    await pause(NEW_HASH_PAUSE_MS, options.signal);
  }
  throw new MooringError('MOORING_CONFLICT', 'transaction equals one just sent and the blockhash has not changed', {
    details: { maybeExecuted: false },
  });
}

function stamp(
  transaction: LegacyTransaction,
  { blockhash, lastValidBlockHeight }: { blockhash: string; lastValidBlockHeight: number },
  context: SigningContext,
): void {
  transaction.recentBlockhash = blockhash;
  transaction.lastValidBlockHeight = lastValidBlockHeight;
  context.stamped.set(transaction, blockhash);
}
