/**
 * @module redis/bullmq
 *
 * Entry `mooring/bullmq`: connections for BullMQ queues and workers, and a close that keeps its deadline. Works with BullMQ 5 and 6; needs neither at import.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { checkMilliseconds, checkOptions, invalidArgument } from '../error/index.js';
import { BullmqClient } from './bullmq-client.js';
import type { Redis } from './client.js';
import { managedOptions, type ManagedRedisOptions } from './managed.js';

export { BullmqClient, type BullmqTransaction } from './bullmq-client.js';

/** What `closeWorker` needs of a worker; those of BullMQ 5 and 6 have it. */
export interface ClosableWorker {
  close(force?: boolean): Promise<void>;
}

/** Options of `closeWorker`. */
export interface CloseWorkerOptions {
  /** Milliseconds for running jobs and the connections. Default 5000. */
  readonly deadlineMs?: number;
}

/** What `closeWorker` did. */
export interface CloseWorkerReport {
  /** BullMQ's own close ended. False: a job is still running; its connections are gone. */
  readonly closed: boolean;
  /** The deadline passed and connections were cut. */
  readonly cut: boolean;
  readonly elapsedMs: number;
}

/** The parts of BullMQ's `RedisConnection` that matter here. */
interface ConnectionLike {
  readonly _client?: Redis;
  readonly extraOptions?: { readonly shared?: boolean };
}

interface Connections {
  readonly connection?: ConnectionLike;
  readonly blockingConnection?: ConnectionLike;
}

const CLOSE_MS = 5000;
const CLOSE_OPTIONS: ReadonlySet<string> = new Set(['deadlineMs']);
/** After the cut, BullMQ only has to notice. */
const NOTICE_MS = 150;

/**
 * A managed client for `connection:` of queues and workers. BullMQ 6 uses it as it is, BullMQ 5 as an ioredis client. Share it: each worker adds one
 * blocking connection of its own.
 *
 * @throws MooringError as `createRedisClient`.
 */
export function bullmqConnection(urlOrOptions?: string | ManagedRedisOptions): BullmqClient {
  return new BullmqClient(managedOptions(urlOrOptions));
}

/**
 * Closes a worker within a deadline, also when Redis is gone: then what the worker still waits for rejects with `Connection is closed.`.
 *
 * A connection that the worker shares is only dropped when it has no server, and goes on trying for its other users.
 *
 * @throws MooringError `MOORING_INVALID_ARGUMENT` for a bad argument; what the worker's own close rejects with.
 */
export async function closeWorker(worker: ClosableWorker, options: CloseWorkerOptions = {}): Promise<CloseWorkerReport> {
  const deadlineMs = checked(worker, options);
  const started = performance.now();
  const closing = worker.close().then(() => true);
  closing.catch(() => {});
  const inTime = await within(closing, deadlineMs);
  const closed = inTime || (await cut(worker, closing));
  return { closed, cut: !inTime, elapsedMs: performance.now() - started };
}

function checked(worker: ClosableWorker, options: CloseWorkerOptions): number {
  if (typeof (worker as ClosableWorker | undefined)?.close !== 'function')
    throw invalidArgument('worker', 'worker must have a close function');
  checkOptions(options, CLOSE_OPTIONS);
  const { deadlineMs = CLOSE_MS } = options;
  return checkMilliseconds('deadlineMs', deadlineMs, 0);
}

async function within(closing: Promise<boolean>, limitMs: number): Promise<boolean> {
  const timer = new AbortController();
  try {
    return await Promise.race([closing, delay(limitMs, false, { signal: timer.signal }).catch(() => false)]);
  } finally {
    timer.abort();
  }
}

/** Cuts what the close waits for. */
async function cut(worker: ClosableWorker, closing: Promise<boolean>): Promise<boolean> {
  // BullMQ 6 keeps its connections in a backend, BullMQ 5 in the worker.
  const { connection, blockingConnection } = (worker as { backend?: Connections }).backend ?? (worker as Connections);
  blockingConnection?._client?.disconnect();
  const client = connection?._client;
  const gone = client !== undefined && client.status !== 'ready';
  if (gone) client.disconnect();
  const closed = await within(closing, NOTICE_MS);
  // Its other users want it back as soon as the server is.
  if (gone && connection?.extraOptions?.shared === true) void client.connect().catch(() => {});
  return closed;
}
