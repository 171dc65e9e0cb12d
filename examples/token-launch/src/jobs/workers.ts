/**
 * @module jobs/workers
 *
 * One BullMQ worker per queue. A job names a transfer; `runTransfer` brings it to its end or throws, and then BullMQ runs the job again.
 */
import { Worker } from 'bullmq';
import { logger } from '../logger.js';
import { TRANSFER_KINDS } from '../models/index.js';
import { redisClient } from './db.js';
import type { TransferJob } from './queues.js';
import { runTransfer } from './transfer.js';

/** A job whose worker died is given to another one after the lock has run out, at the next look for stalled jobs. */
const OPTIONS = { concurrency: 5, lockDuration: 10_000, stalledInterval: 5_000 };

/** Starts the workers. Hand them to `gracefulShutdown`. */
export function startWorkers(): Worker<TransferJob, string>[] {
  return TRANSFER_KINDS.map((kind) => {
    const options = { connection: redisClient, ...OPTIONS };
    const worker = new Worker<TransferJob, string>(kind, (job) => runTransfer(job.data.transferId), options);
    worker.on('error', (error) => logger.error(`worker ${kind}`, error));
    worker.on('failed', (job, error) => logger.warn(`job ${job?.id ?? 'unknown'} failed, attempt ${job?.attemptsMade ?? 0}`, error));
    return worker;
  });
}
