/**
 * @module backend/sale
 *
 * The operations of a sale inside the caller's transaction: reserve the units, write the transfer, add the job after the commit.
 */
import type { ClientSession } from 'mooring';
import type { Types } from 'mongoose';
import { addJob } from '../jobs/queues.js';
import { type Token, TokenModel, TokenState, TransferModel, UserModel, WalletModel } from '../models/index.js';
import { found, Refusal, text } from './refusal.js';

/** What is to be sold. */
export interface SaleRequest {
  kind: 'dev-sell' | 'wallet-sell';
  userId: string;
  tokenAddress: string;
  /** The selling wallet; for `dev-sell` the token's dev wallet. */
  walletAddress?: string;
  units: number;
  /** Chosen by the caller; the same id is the same sale. */
  requestId: string;
}

const REQUEST_ID = /^[\w-]{1,64}$/;

/** Reserves the units and writes the sale. Returns the message for the caller. */
export async function enqueueSale(request: SaleRequest, session: ClientSession): Promise<string> {
  const { kind, units } = request;
  if (!Number.isSafeInteger(units) || units < 1) throw new Refusal('units must be a positive integer');
  if (!REQUEST_ID.test(text('requestId', request.requestId))) throw new Refusal('requestId must be 1 to 64 letters, digits, - or _');
  const user = found(await UserModel.findById(text('userId', request.userId)).session(session), 'user not found');
  const token = await tokenOnSale(request, user._id, session);
  const jobId = `${kind}-${token._id.toHexString()}-${request.requestId}`;
  if ((await TransferModel.findOne({ jobId }).session(session)) !== null) return `sale ${request.requestId} is enqueued already`;
  const seller = await sellerOf(request, token, session);
  await reserve(token, seller._id, units, session);
  const [transfer] = await TransferModel.create(
    [
      {
        jobId,
        kind,
        user: user._id,
        token: token._id,
        from: token.launch.treasury,
        to: seller.address,
        lamports: units * token.launch.lamportsPerUnit,
        seller: seller._id,
        units,
      },
    ],
    { session },
  );
  const job = found(transfer, 'transfer not written');
  session.afterCommit(() => addJob(job));
  return `sale of ${units} ${token.symbol} enqueued`;
}

async function tokenOnSale(request: SaleRequest, user: Types.ObjectId, session: ClientSession): Promise<Token> {
  const tokenAddress = text('tokenAddress', request.tokenAddress);
  const token = found(await TokenModel.findOne({ tokenAddress, user }).session(session), 'token not found');
  if (token.state === TokenState.LAUNCHED || token.state === TokenState.LISTED) return token;
  throw new Refusal(`token ${token.symbol} is ${token.state}, it cannot be sold`);
}

async function sellerOf(request: SaleRequest, token: Token, session: ClientSession): Promise<{ _id: Types.ObjectId; address: string }> {
  const filter = request.kind === 'dev-sell' ? { _id: token.launch.devWallet } : { address: text('walletAddress', request.walletAddress) };
  return found(await WalletModel.findOne({ ...filter, user: token.user } as const).session(session), 'wallet not found');
}

/** Takes the units out of the holding, or refuses. Concurrent sales conflict on the token and are retried, so no unit is sold twice. */
async function reserve(token: Token, wallet: Types.ObjectId, units: number, session: ClientSession): Promise<void> {
  const { modifiedCount } = await TokenModel.updateOne(
    { _id: token._id, holdings: { $elemMatch: { wallet, units: { $gte: units } } } },
    { $inc: { 'holdings.$.units': -units, 'holdings.$.reserved': units } },
    { session },
  );
  if (modifiedCount !== 1) throw new Refusal(`the wallet holds less than ${units} ${token.symbol}`);
}
