/**
 * @module blockchain/wallet-key
 *
 * Private keys at rest: AES-256-GCM under the key in `WALLET_KEY` (64 hexadecimal digits), bound to the wallet's address so that a sealed key copied to
 * another wallet does not open. A real deployment takes the key from a key management service; the shape stays the same.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { Keypair } from '@solana/web3.js';
import type { SealedKey } from '../models/index.js';

const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;

function masterKey(): Buffer {
  const text = process.env['WALLET_KEY'] ?? '';
  if (!/^[0-9a-f]{64}$/i.test(text)) throw new Error('WALLET_KEY must be 64 hexadecimal digits');
  return Buffer.from(text, 'hex');
}

/** Seals the private key of `keypair`. */
export function sealKey(keypair: Keypair): SealedKey {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, masterKey(), iv);
  cipher.setAAD(keypair.publicKey.toBytes());
  const data = Buffer.concat([cipher.update(keypair.secretKey), cipher.final()]);
  return { iv: iv.toString('base64'), tag: cipher.getAuthTag().toString('base64'), data: data.toString('base64') };
}

/** The key pair of a sealed key. Throws when it was sealed for another address, under another key, or altered. */
export function openKey(address: Uint8Array, sealed: SealedKey): Keypair {
  const decipher = createDecipheriv(CIPHER, masterKey(), Buffer.from(sealed.iv, 'base64'));
  decipher.setAAD(address);
  decipher.setAuthTag(Buffer.from(sealed.tag, 'base64'));
  const secret = Buffer.concat([decipher.update(Buffer.from(sealed.data, 'base64')), decipher.final()]);
  try {
    return Keypair.fromSecretKey(Uint8Array.from(secret));
  } finally {
    secret.fill(0);
  }
}
