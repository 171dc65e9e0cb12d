/**
 * @module demo/proof
 *
 * Real calls that show that a service is served: each must answer within its limit, whatever else is gone.
 */
import { PublicKey } from '@solana/web3.js';
import { redisClient } from 'mooring';
import { pool } from '../jobs/db.js';
import { queues } from '../jobs/queues.js';
import { TransferModel, TransferState } from '../models/index.js';
import type { Launch } from './seed.js';
import { type Checks, note } from './table.js';

const LIMIT_MS = 2_000;

/** The three services. */
export type Service = 'MongoDB' | 'Redis' | 'RPC';

const CALLS: Readonly<Record<Service, (launches: readonly Launch[]) => Promise<string>>> = {
  MongoDB: async () => `${await TransferModel.countDocuments({})} transfers counted`,
  Redis: async () => {
    const [pong, jobs] = await Promise.all([redisClient.ping(), queues.launch.getJobCounts('completed')]);
    return `${pong}, ${jobs['completed'] ?? 0} launch jobs counted`;
  },
  RPC: async (launches) => {
    const keys = launches.map((launch) => new PublicKey(launch.treasury));
    const [height, balances] = await Promise.all([pool.request('getBlockHeight', []), pool.getBatchBalances(keys)]);
    return `block height ${String(height)}, ${balances.length} balances read`;
  },
};

/** Checks that the service answers in time. */
export async function serves(service: Service, launches: readonly Launch[], checks: Checks): Promise<void> {
  const started = performance.now();
  const answer = await within(LIMIT_MS, CALLS[service](launches));
  const elapsed = `${Math.round(performance.now() - started)} ms`;
  checks.check(
    `${service} is served`,
    answer !== undefined,
    answer === undefined ? `nothing within ${LIMIT_MS} ms` : `${answer}, ${elapsed}`,
  );
}

/** Waits until no transfer of these tokens is open, saying so every few seconds. */
export async function untilSettled(launches: readonly Launch[], limitMs = 45_000): Promise<boolean> {
  const open = { token: { $in: launches.map(({ tokenId }) => tokenId) }, state: { $in: [TransferState.QUEUED, TransferState.SIGNED] } };
  const deadline = performance.now() + limitMs;
  for (let round = 1; ; round += 1) {
    const left = await TransferModel.countDocuments(open).catch(() => undefined);
    if (left === 0) return true;
    if (performance.now() > deadline) return false;
    if (round % 12 === 0) note(`... ${left ?? 'an unknown number of'} transfers still under way`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

/** The value, or undefined when there is none in time or the call failed. */
async function within<T>(limitMs: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, limitMs, undefined);
  });
  try {
    return await Promise.race([work.catch(() => undefined), late]);
  } finally {
    clearTimeout(timer);
  }
}
