/**
 * @module models/transfer
 *
 * One transfer on chain: what is to be paid, and the signed bytes once they exist. The document is written in the transaction that enqueues the work,
 * so it is also the backend's list of what must still be done: an open transfer without a job is a job that was lost, and `jobs/reconcile` adds it.
 */
import { model, Schema, type Types } from 'mongoose';

/** What a transfer is for; also the name of its queue. */
export type TransferKind = 'launch' | 'dev-sell' | 'wallet-sell';

/** All kinds, in the order in which tables show them. */
export const TRANSFER_KINDS: readonly TransferKind[] = ['launch', 'dev-sell', 'wallet-sell'];

/** `QUEUED -> SIGNED -> LANDED | FAILED`. `SIGNED`: the bytes are stored and from now on only they are sent. */
export enum TransferState {
  QUEUED = 'QUEUED',
  SIGNED = 'SIGNED',
  LANDED = 'LANDED',
  FAILED = 'FAILED',
}

/** The signed bytes and what is needed to tell whether they can still land. */
export interface SignedTransfer {
  bytes: Buffer;
  signature: string;
  blockhash: string;
  lastValidBlockHeight: number;
}

/** A transfer of lamports. */
export interface Transfer {
  _id: Types.ObjectId;
  /** The id of the BullMQ job. Derived from ids, unique: the same request can neither be written nor queued twice. */
  jobId: string;
  kind: TransferKind;
  user: Types.ObjectId;
  token: Types.ObjectId;
  /** The wallet that pays and signs. */
  from: Types.ObjectId;
  /** The address that is paid. */
  to: string;
  lamports: number;
  /** For sales: whose holding is sold, and how many units. */
  seller?: Types.ObjectId;
  units?: number;
  state: TransferState;
  signed?: SignedTransfer;
  /** The slot in which it landed. */
  slot?: number;
  error?: string;
}

const signed = new Schema<SignedTransfer>(
  {
    bytes: { type: Buffer, required: true },
    signature: { type: String, required: true },
    blockhash: { type: String, required: true },
    lastValidBlockHeight: { type: Number, required: true },
  },
  { _id: false },
);

const schema = new Schema<Transfer>(
  {
    jobId: { type: String, required: true, unique: true },
    kind: { type: String, enum: TRANSFER_KINDS, required: true },
    user: { type: Schema.Types.ObjectId, ref: 'User', required: true },
    token: { type: Schema.Types.ObjectId, ref: 'Token', required: true },
    from: { type: Schema.Types.ObjectId, ref: 'Wallet', required: true },
    to: { type: String, required: true },
    lamports: { type: Number, required: true, min: 1 },
    seller: { type: Schema.Types.ObjectId, ref: 'Wallet' },
    units: { type: Number, min: 1 },
    state: { type: String, enum: Object.values(TransferState), default: TransferState.QUEUED, index: true },
    signed: { type: signed, required: false },
    slot: Number,
    error: String,
  },
  { timestamps: true },
);

/** Collection `transfers`. */
export const TransferModel = model<Transfer>('Transfer', schema);
