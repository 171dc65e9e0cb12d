/**
 * @module blockchain/delivery
 *
 * Signing a transfer, and delivering signed bytes through the RPC pool. Signing happens here once per transfer; delivering never signs.
 */
import { PublicKey, SystemProgram, TransactionInstruction, TransactionMessage, VersionedTransaction } from '@solana/web3.js';
import type { Tracked } from 'mooring';
import { pool } from '../jobs/db.js';
import type { SealedKey, SignedTransfer } from '../models/index.js';
import { base58 } from './base58.js';
import { openKey } from './wallet-key.js';

const MEMO_PROGRAM = new PublicKey('MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr');

/** How long a refused transfer is looked for on chain. */
const LOOK_MS = 3_000;

/** What is to be signed. */
export interface Payment {
  wallet: { address: string; sealedKey: SealedKey };
  to: string;
  lamports: number;
  /** Makes two payments of one amount under one blockhash two transactions, and ties the one on chain to its document. */
  memo: string;
}

/** How a delivery ended. `failed` is definite: these bytes will never land. */
export type Delivery = { status: 'landed'; slot: number } | { status: 'failed'; error: string };

/** Signs a payment. Sends nothing. */
export async function signTransfer({ wallet, to, lamports, memo }: Payment): Promise<SignedTransfer> {
  const payer = new PublicKey(wallet.address);
  const { blockhash, lastValidBlockHeight } = await pool.getLatestBlockhash('confirmed');
  const message = new TransactionMessage({
    payerKey: payer,
    recentBlockhash: blockhash,
    instructions: [
      SystemProgram.transfer({ fromPubkey: payer, toPubkey: new PublicKey(to), lamports }),
      new TransactionInstruction({ programId: MEMO_PROGRAM, keys: [], data: Buffer.from(memo) }),
    ],
  });
  const transaction = new VersionedTransaction(message.compileToV0Message());
  transaction.sign([openKey(payer.toBytes(), wallet.sealedKey)]);
  const signature = transaction.signatures[0];
  if (signature === undefined) throw new Error('transaction has no signature');
  return { bytes: Buffer.from(transaction.serialize()), signature: base58(signature), blockhash, lastValidBlockHeight };
}

/** Sends the bytes, again and again if need be, until they have landed or never will. Throws when neither is known. */
export async function deliver(signed: SignedTransfer): Promise<Delivery> {
  const { status, slot, err } = await follow(signed);
  if (status === 'landed' && slot !== null) return { status, slot };
  if (status === 'failed') return { status, error: JSON.stringify(err) };
  if (status === 'expired') return { status: 'failed', error: 'the blockhash expired before the transfer landed' };
  throw new Error(`the outcome of transfer ${signed.signature} is ${status}`);
}

/** A refused send says nothing about an earlier one of the same bytes: unless the chain knows how they ended, the refusal is thrown and they stay open. */
async function follow({ bytes, lastValidBlockHeight, signature }: SignedTransfer): Promise<Tracked> {
  try {
    return await pool.sendAndConfirm(Uint8Array.from(bytes), { lastValidBlockHeight });
  } catch (refusal) {
    const tracked = await pool.confirm(signature, { lastValidBlockHeight, deadlineMs: LOOK_MS });
    if (tracked.status === 'unknown') throw refusal;
    return tracked;
  }
}
