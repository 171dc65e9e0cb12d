/**
 * @module models/wallet
 *
 * A wallet: its address and its private key, sealed by `blockchain/wallet-key`. The key leaves this collection only inside a worker, to sign.
 */
import { model, Schema, type Types } from 'mongoose';

/** What a wallet is for: it pays a launch, holds a token's liquidity, or bought in at the launch. */
export type WalletRole = 'dev' | 'treasury' | 'bundle';

/** An AES-256-GCM sealed private key; the three parts are base64. */
export interface SealedKey {
  iv: string;
  tag: string;
  data: string;
}

/** A wallet of a user. */
export interface Wallet {
  _id: Types.ObjectId;
  user: Types.ObjectId;
  role: WalletRole;
  /** The public key in base58. */
  address: string;
  sealedKey: SealedKey;
}

const sealedKey = new Schema<SealedKey>(
  { iv: { type: String, required: true }, tag: { type: String, required: true }, data: { type: String, required: true } },
  { _id: false },
);

const schema = new Schema<Wallet>(
  {
    user: { type: Schema.Types.ObjectId, ref: 'User', required: true, index: true },
    role: { type: String, enum: ['dev', 'treasury', 'bundle'], required: true },
    address: { type: String, required: true, unique: true },
    // Not selected unless asked for, so that no listing of wallets carries keys along.
    sealedKey: { type: sealedKey, required: true, select: false },
  },
  { timestamps: true },
);

/** Collection `wallets`. */
export const WalletModel = model<Wallet>('Wallet', schema);
