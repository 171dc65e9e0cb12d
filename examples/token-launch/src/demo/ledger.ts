/**
 * @module demo/ledger
 *
 * The comparison at the end: what the callers were told, what MongoDB holds, what BullMQ did, and what happened on chain. Lost: told "success" and missing.
 * Doubled: done more than once. The lamports decide, since a doubled transfer shows in the balance of whoever was paid.
 */
import { PublicKey } from '@solana/web3.js';
import { getSessionStats } from 'mooring';
import { pool } from '../jobs/db.js';
import { queues } from '../jobs/queues.js';
import { TokenModel, TRANSFER_KINDS, type Transfer, TransferModel, TransferState } from '../models/index.js';
import type { Book } from './calls.js';
import { AIRDROP_LAMPORTS, type Launch, UNITS } from './seed.js';
import type { Checks } from './table.js';
import type { Ask } from './world.js';

const STATUS_PAGE = 256;
const FEE_LAMPORTS = 5_000;

/** Everything the ledger looks at. */
export interface Evidence {
  ask: Ask;
  book: Book;
  checks: Checks;
  launches: readonly Launch[];
}

/** Runs all comparisons. */
export async function audit(evidence: Evidence): Promise<void> {
  const transfers: Transfer[] = await TransferModel.find({});
  compareCalls(evidence, transfers);
  await compareJobs(evidence, transfers);
  await compareChain(evidence, transfers);
  await compareBalances(evidence, transfers);
  await compareHoldings(evidence, transfers);
  await compareSessions(evidence);
}

function compareCalls({ book, checks }: Evidence, transfers: readonly Transfer[]): void {
  const written = new Map<string, number>();
  for (const { jobId } of transfers) written.set(jobId, (written.get(jobId) ?? 0) + 1);
  const acknowledged = new Set(book.calls.filter((call) => call.success).map((call) => call.jobId));
  const lost = [...acknowledged].filter((jobId) => !written.has(jobId)).length;
  const doubled = [...written.values()].filter((count) => count > 1).length;
  const denied = book.calls.filter((call) => !call.success && !acknowledged.has(call.jobId));
  const unknown = denied.filter((call) => call.message.startsWith('MOORING_UNKNOWN_COMMIT'));
  const committed = denied.filter((call) => written.has(call.jobId) && !unknown.includes(call));
  checks.none('acknowledged calls lost', lost);
  checks.none('transfers written twice', doubled);
  checks.none('calls told "failed" but committed', committed.length);
  const invented = [...written.keys()].filter((jobId) => !acknowledged.has(jobId)).length;
  checks.check(
    'no transfer without a caller who knows of it',
    invented <= unknown.length,
    `${transfers.length} transfers for ${acknowledged.size} acknowledged requests`,
  );
}

async function compareJobs({ checks }: Evidence, transfers: readonly Transfer[]): Promise<void> {
  for (const kind of TRANSFER_KINDS) {
    const wanted = transfers.filter((transfer) => transfer.kind === kind).length;
    const counts = await queues[kind].getJobCounts('completed', 'active', 'waiting', 'delayed', 'failed');
    const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
    checks.check(
      `queue ${kind}: one job for each transfer, all completed`,
      all === wanted && counts['completed'] === wanted,
      `${wanted} transfers, ${all} jobs`,
    );
  }
}

async function compareChain({ checks }: Evidence, transfers: readonly Transfer[]): Promise<void> {
  const landed = transfers.filter((transfer) => transfer.state === TransferState.LANDED);
  const signatures = landed.flatMap((transfer) => transfer.signed?.signature ?? []);
  checks.equal('landed transfers have as many different signatures', new Set(signatures).size, landed.length);
  let onChain = 0;
  for (let first = 0; first < signatures.length; first += STATUS_PAGE) {
    const page = signatures.slice(first, first + STATUS_PAGE);
    const { value } = await pool.getSignatureStatuses(page, { searchTransactionHistory: true });
    onChain += value.filter((status) => status !== null && status.err === null).length;
  }
  checks.equal('of these signatures are on chain without an error', onChain, landed.length);
}

async function compareBalances({ checks, launches }: Evidence, transfers: readonly Transfer[]): Promise<void> {
  const landed = transfers.filter((transfer) => transfer.state === TransferState.LANDED);
  pool.clearCache();
  let wrong = 0;
  let moved = 0;
  for (const launch of launches) {
    const mine = landed.filter((transfer) => transfer.token.toHexString() === launch.tokenId);
    const sum = (kind: Transfer['kind']): number =>
      mine.filter((transfer) => transfer.kind === kind).reduce((total, { lamports }) => total + lamports, 0);
    const count = (kind: Transfer['kind']): number => mine.filter((transfer) => transfer.kind === kind).length;
    const [paid, dev, bundle] = [sum('launch'), sum('dev-sell'), sum('wallet-sell')];
    const sales = count('dev-sell') + count('wallet-sell');
    const expected = [
      AIRDROP_LAMPORTS - paid - count('launch') * FEE_LAMPORTS + dev,
      paid - dev - bundle - sales * FEE_LAMPORTS,
      AIRDROP_LAMPORTS + bundle,
    ];
    const actual = await pool.getBatchBalances([launch.dev, launch.treasury, launch.bundle].map((address) => new PublicKey(address)));
    wrong += expected.filter((lamports, i) => lamports !== actual[i]).length;
    moved += paid + dev + bundle;
  }
  checks.none(`of ${launches.length * 3} balances differ from what the landed transfers make them`, wrong);
  checks.check('lamports moved', moved > 0, moved.toLocaleString('en-US'));
}

async function compareHoldings({ checks }: Evidence, transfers: readonly Transfer[]): Promise<void> {
  const tokens = await TokenModel.find({});
  let wrong = 0;
  for (const token of tokens) {
    for (const holding of token.holdings) {
      const sold = transfers
        .filter(
          (transfer) =>
            transfer.state === TransferState.LANDED && transfer.token.equals(token._id) && transfer.seller?.equals(holding.wallet),
        )
        .reduce((total, { units }) => total + (units ?? 0), 0);
      if (holding.units !== UNITS - sold || holding.reserved !== 0) wrong += 1;
    }
  }
  checks.none('holdings that do not match the sales', wrong);
}

async function compareSessions({ ask, checks }: Evidence): Promise<void> {
  checks.none('sessions open', getSessionStats().open);
  checks.none('transactions open on the server', await ask<number>('mongo.openTransactions'));
}
