/**
 * @module redis/bullmq-heartbeat
 *
 * The locks of a BullMQ worker's jobs, renewed from Rust while the event loop is blocked. Follows the worker's own lock manager, whose timer is off
 * (`skipLockRenewal`), so that `cancelJob` and the worker's events stay BullMQ's.
 *
 * Guarantees: a job whose claim lay unread for long is only run when its lock is still the worker's. Does not import BullMQ.
 */
import { invalidArgument, MooringError } from '../error/index.js';
import { type HeartbeatOptions as NativeOptions, type RedisWire, WIRE } from '../native.js';
import { Beats, checkedMaxBlocked, type Heartbeat, type HeartbeatOptions, isWired, type WiredClient } from './heartbeat.js';

/** What `heartbeat` needs of a worker; those of BullMQ 6 and of late BullMQ 5 have it. */
export interface HeartbeatWorker {
  readonly opts: { readonly skipLockRenewal?: boolean; readonly lockDuration?: number };
  close(force?: boolean): Promise<void>;
}

/** A job as far as its lock is concerned. */
export interface ClaimedJob {
  readonly id?: string | undefined;
  /** When it was claimed, in milliseconds since the epoch. */
  readonly processedOn?: number | undefined;
}

/** The heartbeat of a worker. */
export interface WorkerHeartbeat extends Heartbeat {
  /** Also keeps the lock of a job that was claimed by `worker.getNextJob(token)`. */
  track(job: ClaimedJob, token: string): void;
  /** A job that was tracked by hand has ended. */
  untrack(job: ClaimedJob): void;
}

/** BullMQ's lock manager. */
interface LockManager {
  trackJob(jobId: string, token: string, ts: number | undefined, shouldCreateController?: boolean): AbortController | undefined;
  untrackJob(jobId: string): void;
  cancelJob(jobId: string, reason?: string): boolean;
  close(): Promise<void>;
  readonly trackedJobs: ReadonlyMap<string, { readonly token: string; readonly ts?: number }>;
}

interface Connections {
  readonly connection?: { readonly _client?: unknown };
  readonly version?: string;
}

/** The inside of a worker. */
interface Inside extends Connections {
  readonly opts: { readonly lockDuration: number };
  readonly lockManager?: LockManager;
  /** BullMQ 6. */
  readonly backend?: Connections;
  /** BullMQ 5. */
  readonly scripts?: { readonly version?: string };
  readonly keys: { readonly stalled: string };
  toKey(type: string): string;
  emit(event: string, ...args: unknown[]): boolean;
  on(event: 'active', listener: (job: ClaimedJob & { readonly token?: string }) => void): unknown;
  isRunning(): boolean;
  extendJobLocks(ids: string[], tokens: string[], duration: number): Promise<string[]>;
  callProcessJob(job: ClaimedJob, token: string, signal?: AbortSignal): Promise<unknown>;
}

/** The reason with which a job's signal is aborted. */
const LOCK_LOST = 'lock-lost';
const SCRIPT = 'extendLocks';
const BEATING = Symbol('mooring.redis.heartbeat');

/**
 * Renews the locks of a worker's running jobs from Rust, also while the event loop is blocked. The worker must be made with `skipLockRenewal: true` on
 * one of our connections.
 *
 * A lock that is lost emits `lockRenewalFailed` and aborts the job's signal with `lock-lost`. After `maxBlockedMs` of a blocked loop all are let go.
 *
 * @throws MooringError `MOORING_INVALID_ARGUMENT` for a worker that renews by itself, is not on one of our connections or already has a heartbeat, and
 * for a bad option.
 */
export function heartbeat(worker: HeartbeatWorker, options: HeartbeatOptions = {}): WorkerHeartbeat {
  const maxBlockedMs = checkedMaxBlocked(options);
  const { inside, manager } = checkedWorker(worker);
  const beats = new Beats({
    open: () => opened(inside, maxBlockedMs),
    onRenewed: (jobIds) => void inside.emit('locksRenewed', { count: jobIds.length, jobIds }),
    onLost: (ids) => lost(inside, manager, ids),
    onError: (error) => void inside.emit('error', error),
  });
  follow(manager, beats);
  // A worker claims as many jobs as it may run before it starts, and tracks, the first of them. Jobs claimed by hand are the caller's to track.
  inside.on('active', ({ id, token, processedOn }) => {
    if (id !== undefined && token !== undefined && inside.isRunning()) beats.track(id, token, processedOn ?? Date.now());
  });
  guardLateClaims(inside, beats);
  return {
    get jobs() {
      return beats.jobs;
    },
    stop: () => beats.stop(),
    track: (job, token) => beats.track(identified(job), token, job.processedOn ?? Date.now()),
    untrack: (job) => beats.untrack(identified(job)),
  };
}

function checkedWorker(worker: HeartbeatWorker): { inside: Inside; manager: LockManager } {
  const inside = worker as unknown as Inside | undefined;
  const manager: (LockManager & { [BEATING]?: boolean }) | undefined = inside?.lockManager;
  if (inside === undefined || typeof manager?.trackJob !== 'function')
    throw invalidArgument('worker', 'worker must be a Worker of BullMQ 6 or of BullMQ 5 with a lock manager');
  if (worker.opts.skipLockRenewal !== true)
    throw invalidArgument('worker', 'worker must be made with skipLockRenewal: true: else BullMQ renews its locks too');
  if (!isWired(clientOf(inside)))
    throw invalidArgument(
      'worker',
      'worker must use a client of mooring for one server, such as bullmqConnection(): a Cluster has no heartbeat',
    );
  if (manager[BEATING] === true) throw invalidArgument('worker', 'worker already has a heartbeat');
  manager[BEATING] = true;
  return { inside, manager };
}

function clientOf(inside: Inside): unknown {
  return (inside.backend ?? inside).connection?._client;
}

function identified({ id }: ClaimedJob): string {
  if (typeof id !== 'string' || id === '') throw invalidArgument('job', 'job must have an id');
  return id;
}

/** The queue's locks, once BullMQ has registered its scripts. */
function opened(inside: Inside, maxBlockedMs: number): { wire: RedisWire; options: NativeOptions } {
  const client = clientOf(inside) as WiredClient;
  const wire = client[WIRE];
  const version = inside.backend?.version ?? inside.scripts?.version ?? '';
  const script = client.scriptsSet[`${SCRIPT}:${version}`];
  if (wire === undefined) throw new MooringError('MOORING_CLOSED', 'the connection of the worker is closed');
  if (script?.numberOfKeys !== 1)
    throw new MooringError('MOORING_INVALID_CONFIG', `this BullMQ (${version}) does not renew locks by a script ${SCRIPT} with one key`);
  const { keys, opts } = inside;
  return {
    wire,
    options: { batch: true, source: script.lua, prefix: inside.toKey(''), stalled: keys.stalled, lockMs: opts.lockDuration, maxBlockedMs },
  };
}

/** Follows what the lock manager tracks, from what it tracks already to its close. */
function follow(manager: LockManager, beats: Beats): void {
  const trackJob = manager.trackJob.bind(manager);
  const untrackJob = manager.untrackJob.bind(manager);
  const close = manager.close.bind(manager);
  Object.assign(manager, {
    trackJob(jobId: string, token: string, ts: number | undefined, withController?: boolean) {
      const controller = trackJob(jobId, token, ts, withController);
      if (manager.trackedJobs.has(jobId)) beats.track(jobId, token, ts ?? Date.now());
      return controller;
    },
    untrackJob(jobId: string) {
      beats.untrack(jobId);
      untrackJob(jobId);
    },
    close() {
      beats.stop();
      return close();
    },
  } satisfies Partial<LockManager>);
  for (const [jobId, { token, ts }] of manager.trackedJobs) beats.track(jobId, token, ts ?? Date.now());
}

function lost(inside: Inside, manager: LockManager, ids: string[]): void {
  inside.emit('lockRenewalFailed', ids);
  for (const id of ids) {
    inside.emit('error', new Error(`could not renew lock for job ${id}`));
    manager.cancelJob(id, LOCK_LOST);
  }
}

/**
 * A claim that was answered while the loop was blocked may have lost its lock before anybody knew of the job: it is asked for again, and the job left to
 * its new owner when it is refused.
 */
function guardLateClaims(inside: Inside, beats: Beats): void {
  const callProcessJob = inside.callProcessJob.bind(inside);
  const { lockDuration } = inside.opts;
  const verified = async (job: ClaimedJob, token: string, signal?: AbortSignal): Promise<unknown> => {
    const id = identified(job);
    // Who asks here tells: the heartbeat has it back when the lock holds.
    beats.untrack(id);
    const refused = await inside.extendJobLocks([id], [token], lockDuration);
    if (refused.length === 0) {
      beats.track(id, token, Date.now());
      return callProcessJob(job, token, signal);
    }
    inside.emit('lockRenewalFailed', refused);
    // By this name BullMQ knows that the job is no longer the worker's, and writes nothing to it.
    throw Object.assign(new Error(`job ${id} lost its lock before it could start`), { name: 'WaitingError' });
  };
  inside.callProcessJob = (job, token, signal) => {
    const late = job.processedOn !== undefined && Date.now() - job.processedOn > lockDuration / 2;
    return late ? verified(job, token, signal) : callProcessJob(job, token, signal);
  };
}
