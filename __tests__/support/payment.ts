/**
 * @module __tests__/support/payment
 *
 * Signed transfers for tests, under a blockhash or a durable nonce. Every one pays an account of its own unless told otherwise.
 */
import {
  Keypair,
  NONCE_ACCOUNT_LENGTH,
  NonceAccount,
  type PublicKey,
  SystemProgram,
  Transaction,
  type TransactionInstruction,
  TransactionMessage,
  VersionedTransaction,
} from '@solana/web3.js';
import type { ConnectionPool } from '../../dist/index.js';
import { RpcService } from './solana';

/** A signed payment. */
export interface Payment {
  readonly bytes: Uint8Array;
  readonly signature: string;
  readonly blockhash: string;
  readonly lastValidBlockHeight: number;
  readonly to: PublicKey;
}

/** Digits of base58 texts. */
const DIGITS = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

/** Bytes as base58 text. */
export function base58(bytes: Uint8Array): string {
  let value = BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`);
  let text = '';
  for (; value > 0n; value /= 58n) text = DIGITS.charAt(Number(value % 58n)) + text;
  const zeros = bytes.findIndex((byte) => byte !== 0);
  return '1'.repeat(Math.max(zeros, 0)) + text;
}

/** A transfer instruction. */
export function transfer(payer: Keypair, to: PublicKey, lamports = 1_000_000): TransactionInstruction {
  return SystemProgram.transfer({ fromPubkey: payer.publicKey, toPubkey: to, lamports });
}

/** Instructions as a signed version 0 transaction. */
export function compiled(
  payer: Keypair,
  instructions: TransactionInstruction[],
  blockhash: string,
): { bytes: Uint8Array; signature: string } {
  const message = new TransactionMessage({ payerKey: payer.publicKey, recentBlockhash: blockhash, instructions });
  const transaction = new VersionedTransaction(message.compileToV0Message());
  transaction.sign([payer]);
  return { bytes: transaction.serialize(), signature: base58(transaction.signatures[0] as Uint8Array) };
}

/** A signed payment under the latest blockhash of `pool`. */
export async function payment(pool: ConnectionPool, payer: Keypair, lamports = 1_000_000): Promise<Payment> {
  const { blockhash, lastValidBlockHeight } = await pool.getLatestBlockhash('confirmed');
  const to = Keypair.generate().publicKey;
  return { ...compiled(payer, [transfer(payer, to, lamports)], blockhash), blockhash, lastValidBlockHeight, to };
}

/** A nonce account of `payer`'s; its value is read by {@link nonceValue}. */
export async function nonceAccount(rpc: RpcService, pool: ConnectionPool, payer: Keypair): Promise<PublicKey> {
  const account = Keypair.generate();
  const creation = SystemProgram.createNonceAccount({
    fromPubkey: payer.publicKey,
    noncePubkey: account.publicKey,
    authorizedPubkey: payer.publicKey,
    lamports: 10_000_000,
  });
  await pool.sendTransaction(creation, [payer, account]);
  await rpc.advance(2);
  return account.publicKey;
}

/** What a nonce account holds. */
export async function nonceValue(pool: ConnectionPool, account: PublicKey): Promise<string> {
  pool.clearCache();
  const info = await pool.getAccountInfo(account, 'confirmed');
  if (info?.data.length !== NONCE_ACCOUNT_LENGTH) throw new Error('not a nonce account');
  return NonceAccount.fromAccountData(info.data).nonce;
}

/** A payment that lives until the nonce account holds another value; legacy or version 0. */
export function noncePayment(
  payer: Keypair,
  account: PublicKey,
  nonce: string,
  version: 'legacy' | 0 = 0,
): Omit<Payment, 'lastValidBlockHeight'> {
  const to = Keypair.generate().publicKey;
  const advance = SystemProgram.nonceAdvance({ noncePubkey: account, authorizedPubkey: payer.publicKey });
  const pay = transfer(payer, to);
  if (version === 0) return { ...compiled(payer, [advance, pay], nonce), blockhash: nonce, to };
  const transaction = new Transaction({ feePayer: payer.publicKey, nonceInfo: { nonce, nonceInstruction: advance } } as never).add(pay);
  transaction.sign(payer);
  return { bytes: transaction.serialize(), signature: base58(transaction.signature as Uint8Array), blockhash: nonce, to };
}

/**
 * Runs a test on a chain of its own, with a rich payer, so that tests of one file can run side by side: they wait far more than they work. A tenth of the slots
 * has no block, as on a real chain.
 */
export async function onChain(run: (rpc: RpcService, payer: Keypair) => Promise<void>, slotMs = 100): Promise<void> {
  const rpc = await RpcService.start(3, slotMs, slotMs === 0 ? 0 : 0.1);
  try {
    const payer = Keypair.generate();
    await rpc.airdrop(payer.publicKey, 100_000_000_000);
    await rpc.advance(2);
    await run(rpc, payer);
  } finally {
    await rpc.stop();
  }
}
