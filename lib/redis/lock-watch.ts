/**
 * @module redis/lock-watch
 *
 * Notices that nobody renews the locks of a BullMQ worker: one made with `skipLockRenewal` whose `heartbeat` was never called. Such a worker looks healthy
 * until a job takes longer than `lockDuration`; then another worker runs that job too. What was asked of a worker does not reach its connection, so that
 * what shows is the lock itself: a quarter of its time before its end nobody has renewed it, and a tenth later neither. One look is not enough: after a failover
 * BullMQ's renewal may still be on its way when the question is not.
 *
 * Guarantees: costs nothing but a note per job that is claimed; one PTTL, or two, for a job that runs nearly as long as its lock lasts. Its timer holds nothing.
 */
import { clearTimeout, setTimeout } from 'node:timers';
import type { Script } from './script.js';
import type { RedisValue } from './transformers.js';

/** Where the application made the clients with a name, among a client and its duplicates. */
export const PLACES = Symbol('mooring.redis.places');

/** What is watched: a client whose scripts BullMQ runs. */
export interface WatchedClient {
  readonly status: string;
  readonly isCluster: boolean;
  pttl(key: string): Promise<number>;
  [PLACES](isNamed: (name: string) => boolean): string[];
}

/** A job's lock as it was taken. */
interface Claim {
  /** What the queue's keys begin with: `bull:mail:`. */
  readonly queue: string;
  readonly id: string;
  readonly lockMs: number;
  /** When the lock is looked at, by `performance.now()`. */
  readonly dueAt: number;
  /** Whether it was looked at before, and nobody had renewed it. */
  readonly wasLow: boolean;
}

/** Where a script has what is of interest here, behind its keys. */
interface Places {
  readonly queue: number;
  readonly options: number;
  /** The job that ends with the call. */
  readonly ended?: number;
}

/** Scripts of BullMQ that take a job, by the name before their version. */
const CLAIMING: Readonly<Record<string, Places>> = {
  moveToActive: { queue: 0, options: 2 },
  moveToFinished: { queue: 6, options: 7, ended: 0 },
};
/** What of its time a lock has left when it is looked at first, what passes until the second look, and what it has more at most when nobody has renewed it: clocks differ. */
const LEFT = 0.25;
const AGAIN = 0.1;
const MARGIN = 0.05;
/** Jobs that are remembered, and those that are asked about at once: one is enough to know. */
const MOST_CLAIMS = 10_000;
const MOST_ASKED = 50;
/** Queues that are remembered as warned of. */
const MOST_WARNED = 1000;
const LIVE = new Set(['ready', 'connect']);
const LOCK_DURATION = Buffer.from('lockDuration');

/** The claims that go through one client. */
export class LockWatch {
  readonly #client: WatchedClient;
  readonly #claims = new Map<string, Claim>();
  readonly #warned = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #nextAt = Number.POSITIVE_INFINITY;

  constructor(client: WatchedClient) {
    this.#client = client;
  }

  /** Looks on at the script `name` if it is one by which workers of BullMQ claim jobs: `moveToActive:6.7.0`. */
  watch(name: string, script: Script): void {
    const [base = '', version] = name.split(':');
    const places = Object.hasOwn(CLAIMING, base) && version !== undefined ? CLAIMING[base] : undefined;
    if (places === undefined || script.numberOfKeys === undefined) return;
    const keys = script.numberOfKeys;
    script.witness = (args, reply) => this.#seen(args.slice(keys), places, reply);
  }

  #seen(args: readonly RedisValue[], places: Places, reply: unknown): void {
    const queue = args[places.queue];
    if (typeof queue !== 'string') return;
    if (places.ended !== undefined) this.#claims.delete(`${queue}${String(args[places.ended])}`);
    const id = claimedId(reply);
    if (id === undefined || this.#warned.has(queue) || this.#claims.size >= MOST_CLAIMS) return;
    const lockMs = lockDuration(args[places.options]);
    if (lockMs === undefined) return;
    this.#remember({ queue, id, lockMs, dueAt: performance.now() + lockMs * (1 - LEFT), wasLow: false });
  }

  #remember(claim: Claim): void {
    this.#claims.set(`${claim.queue}${claim.id}`, claim);
    if (claim.dueAt < this.#nextAt) this.#wakeAt(claim.dueAt);
  }

  #wakeAt(at: number): void {
    clearTimeout(this.#timer);
    this.#nextAt = at;
    this.#timer = setTimeout(() => this.#look(), Math.max(at - performance.now(), 0));
    this.#timer.unref();
  }

  /** Asks the server about the claims that are due, and waits for the next. */
  #look(): void {
    this.#nextAt = Number.POSITIVE_INFINITY;
    const now = performance.now();
    let next = Number.POSITIVE_INFINITY;
    const due: Claim[] = [];
    for (const [key, claim] of this.#claims) {
      if (claim.dueAt > now) next = Math.min(next, claim.dueAt);
      else if (this.#claims.delete(key) && !this.#warned.has(claim.queue)) due.push(claim);
    }
    if (next !== Number.POSITIVE_INFINITY) this.#wakeAt(next);
    if (LIVE.has(this.#client.status)) for (const claim of due.slice(0, MOST_ASKED)) void this.#ask(claim).catch(() => {});
  }

  async #ask(claim: Claim): Promise<void> {
    const { queue, id, lockMs, wasLow } = claim;
    const left = await this.#client.pttl(`${queue}${id}:lock`);
    const share = (wasLow ? LEFT - AGAIN : LEFT) + MARGIN;
    // Below zero: the job ended in a way that this does not know, or the event loop was blocked for so long that nothing can be told.
    if (left < 0 || left > lockMs * share || this.#warned.has(queue)) return;
    if (!wasLow) return this.#remember({ ...claim, dueAt: performance.now() + lockMs * AGAIN, wasLow: true });
    if (this.#warned.size < MOST_WARNED) this.#warned.add(queue);
    process.emitWarning(this.#message(claim), { code: 'MOORING_LOCK_NOT_RENEWED' });
  }

  #message({ queue, id, lockMs }: Claim): string {
    const places = [...new Set(this.#client[PLACES]((name) => names(queue, name)))];
    const made = places.length === 0 ? '' : ` made at ${places.join(' and at ')}`;
    const remedy = this.#client.isCluster
      ? `A worker on a Cluster has no heartbeat: leave skipLockRenewal out, so that BullMQ renews, and extend the locks of jobs claimed by getNextJob()`
      : `A worker${made} with skipLockRenewal: true needs heartbeat(worker) of mooring/bullmq, and a job claimed by getNextJob() needs track(job, token)`;
    return `nobody renews the lock of job ${id} of queue ${queue.slice(0, -1)}, which ends ${lockMs} ms after it was taken: then another worker runs the job too. ${remedy}`;
  }
}

/** The job that the reply hands out: `[fields, id, ..]`. */
function claimedId(reply: unknown): string | undefined {
  if (!Array.isArray(reply) || !Array.isArray(reply[0])) return undefined;
  return typeof reply[1] === 'string' && reply[1] !== '' ? reply[1] : undefined;
}

/** `lockDuration` of the script's options, which are MessagePack. */
function lockDuration(options: RedisValue | undefined): number | undefined {
  if (!Buffer.isBuffer(options)) return undefined;
  const key = options.indexOf(LOCK_DURATION);
  const at = key + LOCK_DURATION.length;
  if (key < 0 || options.length < at + 9) return undefined;
  const kind = options[at] as number;
  const read = { 0xcc: 'readUInt8', 0xcd: 'readUInt16BE', 0xce: 'readUInt32BE', 0xcb: 'readDoubleBE' }[kind] as 'readUInt8' | undefined;
  const value = read === undefined ? kind : options[read](at + 1);
  return (read !== undefined || kind < 0x80) && value > 0 && value <= 0x7fff_ffff ? value : undefined;
}

/** Whether a worker of the queue names its blocking connection so: prefix, queue in base64, and perhaps the worker's name. */
function names(queue: string, connection: string): boolean {
  const parts = queue.slice(0, -1).split(':');
  return parts.some((_part, index) => {
    const name = `${parts.slice(0, index).join(':')}:${Buffer.from(parts.slice(index).join(':')).toString('base64')}`;
    return connection === name || connection.startsWith(`${name}:w:`);
  });
}
