/**
 * @module models/token
 *
 * A token, the state of its launch and who holds it. Every change of `state` and of `holdings` happens in a transaction.
 */
import { model, Schema, type Types } from 'mongoose';

/** `DRAFT -> LAUNCHING -> LAUNCHED -> LISTED` (first sale); `LAUNCHING -> FAILED -> LAUNCHING` by a retry. */
export enum TokenState {
  DRAFT = 'DRAFT',
  LAUNCHING = 'LAUNCHING',
  LAUNCHED = 'LAUNCHED',
  LISTED = 'LISTED',
  FAILED = 'FAILED',
}

/** How the token is launched. */
export interface LaunchData {
  /** Pays the liquidity. */
  devWallet: Types.ObjectId;
  /** Receives the liquidity and pays for sales. */
  treasury: Types.ObjectId;
  liquidityLamports: number;
  lamportsPerUnit: number;
  /** 0 before the first launch; part of the job id, so that each attempt is one job. */
  attempt: number;
  /** Why the last attempt failed. */
  error?: string;
}

/** What one wallet holds. */
export interface Holding {
  wallet: Types.ObjectId;
  /** Units that can be sold. */
  units: number;
  /** Units whose sale is under way: taken from `units` when a sale is enqueued, gone when it lands, given back when it fails. */
  reserved: number;
}

/** A token. */
export interface Token {
  _id: Types.ObjectId;
  user: Types.ObjectId;
  tokenAddress: string;
  symbol: string;
  state: TokenState;
  launch: LaunchData;
  holdings: Holding[];
}

const launch = new Schema<LaunchData>(
  {
    devWallet: { type: Schema.Types.ObjectId, ref: 'Wallet', required: true },
    treasury: { type: Schema.Types.ObjectId, ref: 'Wallet', required: true },
    liquidityLamports: { type: Number, required: true, min: 1 },
    lamportsPerUnit: { type: Number, required: true, min: 1 },
    attempt: { type: Number, default: 0 },
    error: String,
  },
  { _id: false },
);

const holding = new Schema<Holding>(
  {
    wallet: { type: Schema.Types.ObjectId, ref: 'Wallet', required: true },
    units: { type: Number, required: true, min: 0 },
    reserved: { type: Number, default: 0, min: 0 },
  },
  { _id: false },
);

const schema = new Schema<Token>(
  {
    user: { type: Schema.Types.ObjectId, ref: 'User', required: true },
    tokenAddress: { type: String, required: true, unique: true },
    symbol: { type: String, required: true },
    state: { type: String, enum: Object.values(TokenState), default: TokenState.DRAFT, index: true },
    launch: { type: launch, required: true },
    holdings: { type: [holding], default: [] },
  },
  { timestamps: true },
);

/** Collection `tokens`. */
export const TokenModel = model<Token>('Token', schema);
