/**
 * @module jobs/queues
 *
 * One BullMQ queue per kind of transfer, all over the one Redis client. A payload carries the transfer's id and nothing else: amounts, wallets and keys
 * are read from MongoDB by the worker.
 */
import { type JobsOptions, Queue } from 'bullmq';
import type { Types } from 'mongoose';
import type { TransferKind } from '../models/index.js';
import { redisClient } from './db.js';

/** What is in Redis. */
export interface TransferJob {
  transferId: string;
}

/** What must be known to add the job of a transfer. */
export interface JobOf {
  _id: Types.ObjectId;
  kind: TransferKind;
  jobId: string;
}

/** Retried with growing delays for about two minutes, then failed; `jobs/reconcile` revives failed jobs of open transfers. */
const JOB_OPTIONS: JobsOptions = {
  attempts: 10,
  backoff: { type: 'exponential', delay: 250, jitter: 0.5 },
  removeOnComplete: { count: 10_000 },
};

const connection = redisClient;

/** The queues by kind. */
export const queues: Readonly<Record<TransferKind, Queue<TransferJob>>> = {
  launch: new Queue('launch', { connection, defaultJobOptions: JOB_OPTIONS }),
  'dev-sell': new Queue('dev-sell', { connection, defaultJobOptions: JOB_OPTIONS }),
  'wallet-sell': new Queue('wallet-sell', { connection, defaultJobOptions: JOB_OPTIONS }),
};

/** Adds the job of a transfer. Adding it again changes nothing: BullMQ ignores an id that it already has. */
export async function addJob({ _id, kind, jobId }: JobOf): Promise<void> {
  await queues[kind].add(kind, { transferId: _id.toHexString() }, { jobId });
}
