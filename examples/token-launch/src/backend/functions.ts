/**
 * @module backend/functions
 *
 * The four functions that the HTTP layer calls. Each writes what is to be done in one transaction, hands the session to every operation in it, and adds the
 * job after the commit. They answer `{ success, message }` and never throw.
 *
 * `success: true` means committed: the work will be done, now or after whatever is down has come back. `success: false` means that nothing was written, except
 * for the message of `MOORING_UNKNOWN_COMMIT`: then asking again is right, and harmless, because a job id exists once.
 */
import { type ClientSession, isMooringError, withTransaction, type WithTransactionOptions } from 'mooring';
import { logger } from '../logger.js';
import { TokenState } from '../models/index.js';
import { enqueueLaunch, type LaunchRequest, startLaunch } from './launch.js';
import { Refusal, text } from './refusal.js';
import { enqueueSale, type SaleRequest } from './sale.js';

/** What the functions answer. */
export interface Answer {
  success: boolean;
  message: string;
}

/** A launch or its retry. */
export type TokenLaunchInput = LaunchRequest;

/** A sale from the developer's holding. */
export type DevSellInput = Omit<SaleRequest, 'kind' | 'walletAddress'>;

/** A sale from the holding of one wallet. */
export type WalletSellInput = Omit<SaleRequest, 'kind'>;

/**
 * An attempt that takes longer than 5 s is aborted on the server. Sales of one wallet meet on its document: such a conflict is normal and short, so it is
 * retried more often than the default of 3.
 */
const TRANSACTION: WithTransactionOptions = {
  maxRetries: 20,
  timeoutMs: 5_000,
  logger,
  // The commit stands; `jobs/reconcile` adds the job.
  onHookError: (error) => logger.error('job not added after the commit', error),
};

/** Launches a drafted token: its dev wallet pays the liquidity into its treasury. */
export function enqueueTokenLaunch(input: TokenLaunchInput): Promise<Answer> {
  return answer('enqueueTokenLaunch', async (session) => {
    const token = await startLaunch(input, TokenState.DRAFT, session);
    await enqueueLaunch(token, session);
    return `launch of ${token.symbol} enqueued`;
  });
}

/** Launches a token again whose launch has failed: a new attempt, with new bytes. */
export function enqueueTokenLaunchRetry(input: TokenLaunchInput): Promise<Answer> {
  return answer('enqueueTokenLaunchRetry', async (session) => {
    const token = await startLaunch(input, TokenState.FAILED, session);
    await enqueueLaunch(token, session);
    return `attempt ${token.launch.attempt} to launch ${token.symbol} enqueued`;
  });
}

/** Sells units of the developer's holding; the treasury pays. Asked twice with one `requestId`, it sells once. */
export function enqueueDevSell(input: DevSellInput): Promise<Answer> {
  return answer('enqueueDevSell', (session) => enqueueSale({ ...input, kind: 'dev-sell' }, session));
}

/** Sells units of one wallet's holding; the treasury pays. Asked twice with one `requestId`, it sells once. */
export function enqueueWalletSell(input: WalletSellInput): Promise<Answer> {
  return answer('enqueueWalletSell', (session) => {
    text('walletAddress', input.walletAddress);
    return enqueueSale({ ...input, kind: 'wallet-sell' }, session);
  });
}

/** Runs the work in a transaction. No `session.endSession()` anywhere: `withTransaction` ends it exactly once, on every path. */
async function answer(name: string, work: (session: ClientSession) => Promise<string>): Promise<Answer> {
  try {
    return { success: true, message: await withTransaction(work, TRANSACTION) };
  } catch (error) {
    if (error instanceof Refusal) logger.warn(`${name} refused`, error);
    else logger.error(name, error);
    const message = error instanceof Error ? error.message : String(error);
    return { success: false, message: isMooringError(error) ? `${error.code}: ${message}` : message };
  }
}
