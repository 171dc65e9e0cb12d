/**
 * @module demo/status
 *
 * The state of the backend as tables: calls, transactions, jobs, transfers, balances, connections.
 */
import { PublicKey } from '@solana/web3.js';
import { getSessionStats, openThings } from 'mooring';
import { pool } from '../jobs/db.js';
import { queues } from '../jobs/queues.js';
import { TRANSFER_KINDS, TransferModel, TransferState } from '../models/index.js';
import { type Book, FUNCTIONS } from './calls.js';
import type { Launch } from './seed.js';
import { table } from './table.js';

const LAMPORTS_PER_SOL = 1_000_000_000;

/** Prints everything. */
export async function printStatus(book: Book, launches: readonly Launch[]): Promise<void> {
  printCalls(book);
  printTransactions();
  await printJobs();
  await printBalances(launches);
  printConnections();
}

function printCalls({ calls }: Book): void {
  const rows = FUNCTIONS.map((name) => {
    const mine = calls.filter((call) => call.name === name);
    const times = mine.map((call) => call.elapsedMs).toSorted((a, b) => a - b);
    const success = mine.filter((call) => call.success).length;
    return [name, mine.length, success, mine.length - success, at(times, 0.5), at(times, 0.99)];
  });
  table(['function', 'calls', 'success', 'refused or failed', 'p50 ms', 'p99 ms'], rows);
}

function at(sorted: readonly number[], quantile: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * quantile))] ?? 0;
}

function printTransactions(): void {
  const { ended, open, started, transactions } = getSessionStats();
  table(
    ['transactions', 'committed', 'aborted', 'timed out', 'outcome unknown', 'sessions started', 'ended', 'open'],
    [
      [
        transactions.started,
        transactions.committed,
        transactions.aborted,
        transactions.timedOut,
        transactions.unknown,
        started,
        ended,
        open,
      ],
    ],
  );
}

async function printJobs(): Promise<void> {
  const rows = await Promise.all(
    TRANSFER_KINDS.map(async (kind) => {
      const jobs = await queues[kind].getJobCounts('completed', 'active', 'waiting', 'delayed', 'failed');
      const count = (state?: TransferState): Promise<number> =>
        TransferModel.countDocuments(state === undefined ? { kind } : { kind, state });
      const [all, landed, failed] = await Promise.all([count(), count(TransferState.LANDED), count(TransferState.FAILED)]);
      const queued = (jobs['active'] ?? 0) + (jobs['waiting'] ?? 0) + (jobs['delayed'] ?? 0);
      return [kind, jobs['completed'] ?? 0, queued, jobs['failed'] ?? 0, all, landed, failed];
    }),
  );
  table(['queue', 'jobs completed', 'queued', 'failed', 'transfers', 'landed', 'failed'], rows);
}

async function printBalances(launches: readonly Launch[]): Promise<void> {
  const roles = ['dev', 'treasury', 'bundle'] as const;
  const rows = await Promise.all(
    roles.map(async (role) => {
      const balances = await pool.getBatchBalances(launches.map((launch) => new PublicKey(launch[role])));
      const total = balances.reduce((sum, lamports) => sum + lamports, 0);
      return [role, launches.length, (total / LAMPORTS_PER_SOL).toFixed(6)];
    }),
  );
  table(['wallets', 'count', 'SOL in all'], rows);
}

function printConnections(): void {
  const counted = new Map<string, number>();
  for (const { kind, name, state } of openThings()) {
    const key = `${kind}\t${name}\t${state}`;
    counted.set(key, (counted.get(key) ?? 0) + 1);
  }
  const rows = [...counted].map(([key, count]) => [...key.split('\t'), count]);
  table(['client', 'name', 'state', 'open'], rows);
}
