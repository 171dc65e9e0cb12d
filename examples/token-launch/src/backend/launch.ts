/**
 * @module backend/launch
 *
 * The operations of a launch inside the caller's transaction: check, change the state, write the transfer, add the job after the commit.
 */
import type { ClientSession } from 'mooring';
import { type Token, TokenModel, TokenState, TransferModel, UserModel, WalletModel } from '../models/index.js';
import { addJob } from '../jobs/queues.js';
import { found, Refusal, text } from './refusal.js';

/** Which token of which user. */
export interface LaunchRequest {
  userId: string;
  tokenAddress: string;
}

/** Takes the token from `from` to `LAUNCHING` and counts the attempt. Two callers at once: one takes it, the other is refused. */
export async function startLaunch(request: LaunchRequest, from: TokenState, session: ClientSession): Promise<Token> {
  const tokenAddress = text('tokenAddress', request.tokenAddress);
  const user = found(await UserModel.findById(text('userId', request.userId)).session(session), 'user not found');
  const token = await TokenModel.findOneAndUpdate(
    { tokenAddress, user: user._id, state: from },
    { $set: { state: TokenState.LAUNCHING }, $inc: { 'launch.attempt': 1 }, $unset: { 'launch.error': 1 } },
    { session, returnDocument: 'after' },
  );
  if (token !== null) return token;
  const other = found(await TokenModel.findOne({ tokenAddress, user: user._id }).session(session), 'token not found');
  throw new Refusal(`token ${other.symbol} is ${other.state}, not ${from}`);
}

/** Writes the transfer of this attempt and adds its job once the transaction has committed. */
export async function enqueueLaunch(token: Token, session: ClientSession): Promise<void> {
  const { launch } = token;
  const payer = found(await WalletModel.findById(launch.devWallet).session(session), 'dev wallet not found');
  const treasury = found(await WalletModel.findById(launch.treasury).session(session), 'treasury wallet not found');
  const [transfer] = await TransferModel.create(
    [
      {
        jobId: `launch-${token._id.toHexString()}-${launch.attempt}`,
        kind: 'launch',
        user: token.user,
        token: token._id,
        from: payer._id,
        to: treasury.address,
        lamports: launch.liquidityLamports,
      },
    ],
    { session },
  );
  const job = found(transfer, 'transfer not written');
  session.afterCommit(() => addJob(job));
}
