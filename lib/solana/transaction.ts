/**
 * @module solana/transaction
 *
 * Transactions become bytes here, once, before anything is sent. A legacy transaction with signers is signed here and never again: every repetition sends the
 * same bytes, so that it cannot pay twice.
 */
import { invalidArgument, MooringError } from '../error/index.js';

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
  feePayer?: unknown;
  readonly signature: Uint8Array | null;
  sign(...signers: Signer[]): void;
  serialize(): Uint8Array;
}

/** Where blockhashes come from, and which signatures have been sent. */
export interface SigningContext {
  latestBlockhash(fresh: boolean): Promise<{ blockhash: string; lastValidBlockHeight: number }>;
  readonly seen: SeenSignatures;
}

const SEEN_LIMIT = 4096;

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
): Promise<Uint8Array> {
  if (typeof (transaction as Partial<SendableTransaction> | null)?.serialize !== 'function') {
    throw invalidArgument('transaction', 'transaction must be a VersionedTransaction or a Transaction');
  }
  const legacy = typeof (transaction as Partial<LegacyTransaction>).sign === 'function' && !('version' in transaction);
  if (signers.length > 0) {
    if (!legacy) throw invalidArgument('signers', 'signers must be empty for a VersionedTransaction: sign it first');
    await sign(transaction as unknown as LegacyTransaction, signers, context);
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

async function sign(transaction: LegacyTransaction, signers: readonly Signer[], context: SigningContext): Promise<void> {
  const given = transaction.recentBlockhash !== undefined;
  if (!given) await freshen(transaction, false, context);
  transaction.sign(...signers);
  if (transaction.signature === null || context.seen.add(transaction.signature) || given) return;
  // Two equal transfers under one cached blockhash would be one transaction: the second gets a hash of its own.
  const before = transaction.recentBlockhash;
  await freshen(transaction, true, context);
  if (transaction.recentBlockhash === before)
    throw new MooringError('MOORING_CONFLICT', 'transaction equals one just sent and the blockhash has not changed', {
      details: { maybeExecuted: false },
    });
  transaction.sign(...signers);
  context.seen.add(transaction.signature);
}

async function freshen(transaction: LegacyTransaction, fresh: boolean, context: SigningContext): Promise<void> {
  const latest = await context.latestBlockhash(fresh);
  transaction.recentBlockhash = latest.blockhash;
  transaction.lastValidBlockHeight = latest.lastValidBlockHeight;
}
