/**
 * @module jobs/settle
 *
 * Writes the end of a transfer: the transfer, the token's state and the holdings change together or not at all, and only once.
 */
import { type ClientSession, withTransaction } from 'mooring';
import type { Types } from 'mongoose';
import type { Delivery } from '../blockchain/delivery.js';
import { TokenModel, TokenState, type Transfer, TransferModel, TransferState } from '../models/index.js';

/** Writes the outcome. If another run has written one, that one is returned. */
export async function settle(transferId: Types.ObjectId, outcome: Delivery): Promise<TransferState> {
  return withTransaction(async (session) => {
    const landed = outcome.status === 'landed';
    const state = landed ? TransferState.LANDED : TransferState.FAILED;
    const transfer = await TransferModel.findOneAndUpdate(
      { _id: transferId, state: TransferState.SIGNED },
      { $set: landed ? { state, slot: outcome.slot } : { state, error: outcome.error } },
      { session, returnDocument: 'after' },
    );
    if (transfer === null) return finalState(transferId, session);
    await (transfer.kind === 'launch' ? settleLaunch(transfer, landed, session) : settleSale(transfer, landed, session));
    return state;
  });
}

async function settleLaunch(transfer: Transfer, landed: boolean, session: ClientSession): Promise<void> {
  const change = landed ? { $set: { state: TokenState.LAUNCHED } } : { $set: { state: TokenState.FAILED, 'launch.error': transfer.error } };
  await TokenModel.updateOne({ _id: transfer.token, state: TokenState.LAUNCHING }, change, { session });
}

async function settleSale(transfer: Transfer, landed: boolean, session: ClientSession): Promise<void> {
  const { seller, units } = transfer;
  if (!seller || !units) throw new Error(`transfer ${transfer._id.toHexString()} sells nothing`);
  await TokenModel.updateOne(
    { _id: transfer.token, 'holdings.wallet': seller },
    { $inc: { 'holdings.$.reserved': -units, 'holdings.$.units': landed ? 0 : units } },
    { session },
  );
  if (landed) {
    await TokenModel.updateOne({ _id: transfer.token, state: TokenState.LAUNCHED }, { $set: { state: TokenState.LISTED } }, { session });
  }
}

async function finalState(transferId: Types.ObjectId, session: ClientSession): Promise<TransferState> {
  const transfer = await TransferModel.findById(transferId).session(session);
  if (transfer === null) throw new Error(`transfer ${transferId.toHexString()} does not exist`);
  return transfer.state;
}
