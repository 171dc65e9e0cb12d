/**
 * @module jobs/transfer
 *
 * Brings one transfer to its end. The rules that make a rerun harmless, whoever reruns it and whenever:
 * 1. The bytes are signed once and stored in MongoDB before the first send. The write is conditional, so of two runs only one stores.
 * 2. Only stored bytes are sent. Sending them again cannot pay twice: the chain knows the signature.
 * 3. A transfer has failed only when its bytes can never land any more. Until then the outcome is open, the run throws, and BullMQ runs it again.
 */
import { deliver, signTransfer } from '../blockchain/delivery.js';
import { type SignedTransfer, type Transfer, TransferModel, TransferState, WalletModel } from '../models/index.js';
import { settle } from './settle.js';

/** Runs the transfer; returns its final state. Throws when the outcome is still open. */
export async function runTransfer(transferId: string): Promise<TransferState> {
  const transfer = await TransferModel.findById(transferId);
  if (transfer === null) throw new Error(`transfer ${transferId} does not exist`);
  if (transfer.state === TransferState.LANDED || transfer.state === TransferState.FAILED) return transfer.state;
  const signed = transfer.signed ?? (await signOnce(transfer));
  const outcome = await deliver(signed);
  return settle(transfer._id, outcome);
}

/** Signs and stores. If another run stored first, its bytes are the transfer's and ours are thrown away unsent. */
async function signOnce(transfer: Transfer): Promise<SignedTransfer> {
  const wallet = await WalletModel.findById(transfer.from).select('+sealedKey');
  if (wallet === null) throw new Error(`wallet ${transfer.from.toHexString()} does not exist`);
  const signed = await signTransfer({
    wallet,
    to: transfer.to,
    lamports: transfer.lamports,
    memo: transfer.jobId,
  });
  const stored = await storeSigned(transfer, signed);
  return stored ? signed : storedBytes(transfer);
}

/** Whether our bytes became the transfer's. Throws when that is unknown: then nothing is sent, and the rerun reads what was stored. */
async function storeSigned(transfer: Transfer, signed: SignedTransfer): Promise<boolean> {
  const mine = { _id: transfer._id, state: TransferState.QUEUED };
  const { modifiedCount } = await TransferModel.updateOne(
    mine,
    { $set: { signed, state: TransferState.SIGNED } },
    // A send follows: the bytes must survive the loss of the primary.
    { writeConcern: { w: 'majority' } },
  );
  return modifiedCount === 1;
}

async function storedBytes(transfer: Transfer): Promise<SignedTransfer> {
  const now = await TransferModel.findById(transfer._id);
  if (now?.signed === undefined) throw new Error(`transfer ${transfer._id.toHexString()} has no signed bytes`);
  return now.signed;
}
