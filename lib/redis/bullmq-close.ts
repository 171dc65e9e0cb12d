/**
 * @module redis/bullmq-close
 *
 * Closes BullMQ's workers and queues within a deadline, also when Redis is gone. Works with BullMQ 5 and 6; does not import it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { checkOptions, invalidArgument } from '../error/index.js';
import { checkCloseDeadline, CLOSE_MS } from './deadline.js';
import type { Redis } from './client.js';

/** What `closeWorker` needs of a worker; those of BullMQ 5 and 6 have it. */
export interface ClosableWorker {
  close(force?: boolean): Promise<void>;
}

/** What `closeQueue` needs of a `Queue`, `QueueEvents` or `FlowProducer`; those of BullMQ 5 and 6 have it. */
export interface ClosableQueue {
  close(): Promise<void>;
}

/** Options of `closeWorker` and `closeQueue`. */
export interface CloseOptions {
  /** Milliseconds for running jobs and the connections. Default 5000. */
  readonly deadlineMs?: number;
}

/** What a close did. */
export interface CloseReport {
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

const CLOSE_OPTIONS: ReadonlySet<string> = new Set(['deadlineMs']);
/** After the cut, BullMQ only has to notice. */
const NOTICE_MS = 150;

/**
 * Closes a worker within a deadline, also when Redis is gone: then what the worker still waits for rejects with `Connection is closed.`.
 *
 * At the deadline its own connections are cut. One that it shares is only dropped when it has no server, and goes on trying for its other users.
 *
 * @throws MooringError `MOORING_INVALID_ARGUMENT` for a bad argument; what the worker's own close rejects with.
 */
export async function closeWorker(worker: ClosableWorker, options: CloseOptions = {}): Promise<CloseReport> {
  return await closeWithin('worker', worker, options);
}

/**
 * Closes a `Queue`, `QueueEvents` or `FlowProducer` within a deadline, also when Redis is gone, as `closeWorker` does.
 *
 * @throws MooringError `MOORING_INVALID_ARGUMENT` for a bad argument; what the queue's own close rejects with.
 */
export async function closeQueue(queue: ClosableQueue, options: CloseOptions = {}): Promise<CloseReport> {
  return await closeWithin('queue', queue, options);
}

async function closeWithin(name: string, thing: ClosableQueue, options: CloseOptions): Promise<CloseReport> {
  const deadlineMs = checked(name, thing, options);
  const started = performance.now();
  const closing = thing.close().then(() => true);
  closing.catch(() => {});
  const inTime = await within(closing, deadlineMs);
  const closed = inTime || (await cut(thing, closing));
  return { closed, cut: !inTime, elapsedMs: performance.now() - started };
}

function checked(name: string, thing: ClosableQueue, options: CloseOptions): number {
  if (typeof (thing as ClosableQueue | undefined)?.close !== 'function') throw invalidArgument(name, `${name} must have a close function`);
  checkOptions(options, CLOSE_OPTIONS);
  const { deadlineMs = CLOSE_MS } = options;
  return checkCloseDeadline(deadlineMs);
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
async function cut(thing: ClosableQueue, closing: Promise<boolean>): Promise<boolean> {
  // BullMQ 6 keeps its connections in a backend, BullMQ 5 in the worker or queue.
  const { connection, blockingConnection } = (thing as { backend?: Connections }).backend ?? (thing as Connections);
  blockingConnection?._client?.disconnect();
  const client = connection?._client;
  const shared = connection?.extraOptions?.shared === true;
  // One of its own may look ready and have no server behind it.
  const dropped = client !== undefined && (!shared || client.status !== 'ready');
  if (dropped) client.disconnect();
  const closed = await within(closing, NOTICE_MS);
  // Its other users want it back as soon as the server is.
  if (dropped && shared) void client.connect().catch(() => {});
  return closed;
}
