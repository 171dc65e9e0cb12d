/**
 * @module redis/bull-heartbeat
 *
 * The locks of a Bull 4 queue's running jobs, renewed from Rust while the event loop is blocked, beside Bull's own timer.
 *
 * Guarantees: a job whose claim lay unread for long is only run when its lock is still the queue's. Does not import Bull.
 */
import { invalidArgument, MooringError } from '../error/index.js';
import { type HeartbeatOptions as NativeOptions, type RedisWire, WIRE } from '../native.js';
import { Beats, checkedMaxBlocked, type Heartbeat, type HeartbeatOptions, isWired, type WiredClient } from './heartbeat.js';

/** What `heartbeat` needs of a queue; those of Bull 4 have it. */
export interface HeartbeatQueue {
  close(doNotWaitJobs?: boolean): Promise<void>;
}

interface Job {
  readonly id: number | string;
  readonly processedOn?: number;
  extendLock(duration: number): Promise<unknown>;
  moveToCompleted(...args: unknown[]): Promise<unknown>;
  moveToFailed(...args: unknown[]): Promise<unknown>;
}

/** The inside of a queue. */
interface Inside {
  readonly client: unknown;
  readonly token: string;
  readonly keys: { readonly stalled: string };
  readonly settings: { readonly lockDuration: number };
  toKey(type: string): string;
  emit(event: string, ...args: unknown[]): boolean;
  processJob(job: Job | null | undefined, notFetch?: boolean): Promise<unknown>;
  close(doNotWaitJobs?: boolean): Promise<void>;
}

const SCRIPT = 'extendLock';
const BEATING = Symbol('mooring.redis.heartbeat');

/**
 * Renews the locks of a queue's running jobs from Rust, also while the event loop is blocked, beside Bull's own timer. The queue must be on one of our
 * connections (`createClient: bullCreateClient`).
 *
 * A lock that is lost emits Bull's `lock-extension-failed`. After `maxBlockedMs` of a blocked loop all are let go.
 *
 * @throws MooringError `MOORING_INVALID_ARGUMENT` for a queue that is not on one of our connections or already has a heartbeat, and for a bad option.
 */
export function heartbeat(queue: HeartbeatQueue, options: HeartbeatOptions = {}): Heartbeat {
  const maxBlockedMs = checkedMaxBlocked(options);
  const inside = checkedQueue(queue);
  const running = new Map<string, Job>();
  const failed = (id: string): void =>
    void inside.emit('lock-extension-failed', running.get(id), new Error(`could not renew lock for job ${id}`));
  const beats = new Beats({
    open: () => opened(inside, maxBlockedMs),
    onRenewed: () => {},
    onLost: (ids) => ids.forEach(failed),
    onError: (error) => void inside.emit('error', error),
  });
  followJobs(inside, beats, running);
  const close = inside.close.bind(inside);
  inside.close = async (doNotWaitJobs) => {
    try {
      await close(doNotWaitJobs);
    } finally {
      beats.stop();
    }
  };
  return {
    get jobs() {
      return beats.jobs;
    },
    stop: () => beats.stop(),
  };
}

function checkedQueue(queue: HeartbeatQueue): Inside {
  const inside = queue as unknown as (Inside & { [BEATING]?: boolean }) | undefined;
  if (typeof inside?.processJob !== 'function') throw invalidArgument('queue', 'queue must be a queue of Bull 4');
  if (!isWired(inside.client)) throw invalidArgument('queue', 'queue must use a connection of mooring: createClient: bullCreateClient');
  if (inside[BEATING] === true) throw invalidArgument('queue', 'queue already has a heartbeat');
  inside[BEATING] = true;
  return inside;
}

function opened(inside: Inside, maxBlockedMs: number): { wire: RedisWire; options: NativeOptions } {
  const { [WIRE]: wire, scriptsSet } = inside.client as WiredClient;
  const script = scriptsSet[SCRIPT];
  if (wire === undefined) throw new MooringError('MOORING_CLOSED', 'the connection of the queue is closed');
  if (script?.numberOfKeys !== 2)
    throw new MooringError('MOORING_INVALID_CONFIG', `this Bull does not renew locks by a script ${SCRIPT} with two keys`);
  const { keys, settings } = inside;
  const options = { source: script.lua, prefix: inside.toKey(''), stalled: keys.stalled, lockMs: settings.lockDuration, maxBlockedMs };
  return { wire, options: { batch: false, ...options } };
}

/** Follows the jobs that Bull runs; one whose claim lay unread for long must show that it still has its lock. */
function followJobs(inside: Inside, beats: Beats, running: Map<string, Job>): void {
  const { token } = inside;
  const processJob = inside.processJob.bind(inside);
  const { lockDuration } = inside.settings;
  const run = async (job: Job, notFetch: boolean | undefined): Promise<unknown> => {
    const id = String(job.id);
    const takenAt = job.processedOn ?? Date.now();
    if (Date.now() - takenAt > lockDuration / 2 && !(await job.extendLock(lockDuration))) {
      inside.emit('lock-extension-failed', job, new Error(`job ${id} lost its lock before it could start`));
      return null;
    }
    running.set(id, job);
    beats.track(id, token, takenAt);
    const ended = (): void => {
      beats.untrack(id);
      running.delete(id);
    };
    endsBefore(job, ended);
    return processJob(job, notFetch).finally(ended);
  };
  inside.processJob = (job, notFetch) => (job ? run(job, notFetch) : processJob(job, notFetch));
}

/** A job's lock goes with the report of its end: from then on it is not to be renewed. */
function endsBefore(job: Job, ended: () => void): void {
  const moveToCompleted = job.moveToCompleted.bind(job);
  const moveToFailed = job.moveToFailed.bind(job);
  job.moveToCompleted = (...args) => {
    ended();
    return moveToCompleted(...args);
  };
  job.moveToFailed = (...args) => {
    ended();
    return moveToFailed(...args);
  };
}
