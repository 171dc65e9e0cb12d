/**
 * @module jobs/reconcile
 *
 * Nothing is lost between a commit and the add of its job: the transfer that was committed says which job must exist. Run at the start and every few
 * seconds: an open transfer whose job is missing gets it again, one whose job used up its attempts gets it revived. Safe beside a running backend and in
 * several processes, because a job id exists once and a rerun of a job sends only stored bytes.
 */
import { logger } from '../logger.js';
import { type Transfer, TransferModel, TransferState } from '../models/index.js';
import { addJob, queues } from './queues.js';

/** Younger transfers are left to the hook that is adding their job right now. */
export const SWEEP_AGE_MS = 10_000;

/**
 * Adds or revives the jobs of open transfers untouched for `olderThanMs`.
 *
 * @returns how many were added or revived.
 */
export async function reconcile(olderThanMs: number = SWEEP_AGE_MS): Promise<number> {
  const open = await TransferModel.find({
    state: { $in: [TransferState.QUEUED, TransferState.SIGNED] },
    updatedAt: { $lte: new Date(Date.now() - olderThanMs) },
  });
  let repaired = 0;
  for (const transfer of open) if (await repair(transfer)) repaired += 1;
  if (repaired > 0) logger.warn(`reconcile: ${repaired} jobs added again`);
  return repaired;
}

async function repair(transfer: Transfer): Promise<boolean> {
  const job = await queues[transfer.kind].getJob(transfer.jobId);
  if (job === undefined) {
    await addJob(transfer);
    return true;
  }
  if (!(await job.isFailed())) return false;
  await job.retry();
  return true;
}
