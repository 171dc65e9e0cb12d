/**
 * @module redis/heartbeat
 *
 * The JavaScript half of a heartbeat: tells Rust which jobs run and that the event loop lives, and hands on what became of their locks. Rust renews.
 *
 * Guarantees: nothing here keeps the process alive; news are told once. Opens nothing before the first job.
 */
import { clearInterval, setInterval } from 'node:timers';
import { checkMilliseconds, checkOptions, unwrap } from '../error/index.js';
import { type HeartbeatOptions as NativeOptions, native, type RedisHeartbeat, type RedisWire, WIRE } from '../native.js';
import type { Script } from './script.js';

/** Options of `heartbeat`. */
export interface HeartbeatOptions {
  /** Milliseconds that the event loop may be blocked before the locks of its jobs are let go. Default 300000. */
  readonly maxBlockedMs?: number;
}

/** The heartbeat of one worker or queue. */
export interface Heartbeat {
  /** Jobs whose locks are kept. */
  readonly jobs: number;
  /** Renews nothing any more. The worker's or queue's own close does this. */
  stop(): void;
}

/** What a client of ours offers to a heartbeat. */
export interface WiredClient {
  readonly [WIRE]: RedisWire | undefined;
  readonly scriptsSet: Readonly<Record<string, Script>>;
}

/** Which jobs are whose, for the one who made the heartbeat. */
export interface HeartbeatListener {
  /** What to renew and how; asked when the first job runs. */
  open(): { wire: RedisWire; options: NativeOptions };
  onRenewed(ids: string[]): void;
  /** Locks that are another's, gone, or let go: the jobs should stop. */
  onLost(ids: string[]): void;
  onError(error: unknown): void;
}

const MAX_BLOCKED_MS = 300_000;
const OPTIONS: ReadonlySet<string> = new Set(['maxBlockedMs']);
/** How often the event loop shows that it lives. */
const BEAT_MS = 250;
const MAX_AGE_MS = 0xffff_ffff;

/** `maxBlockedMs` after defaults. */
export function checkedMaxBlocked(options: HeartbeatOptions): number {
  checkOptions(options, OPTIONS);
  const { maxBlockedMs = MAX_BLOCKED_MS } = options;
  return checkMilliseconds('maxBlockedMs', maxBlockedMs, 1);
}

/** Whether `client` is one of ours, or a wrapper around one. */
export function isWired(client: unknown): client is WiredClient {
  return typeof client === 'object' && client !== null && WIRE in client;
}

/** Renews the locks of jobs from Rust, from `track` to `untrack`. */
export class Beats {
  readonly #listener: HeartbeatListener;
  readonly #beat = (): void => this.beat();
  #native: RedisHeartbeat | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(listener: HeartbeatListener) {
    this.#listener = listener;
  }

  /** Jobs whose locks are kept. */
  get jobs(): number {
    return this.#native?.jobs ?? 0;
  }

  /** A job runs; its lock was taken at `takenAt` (milliseconds since the epoch). */
  track(id: string, token: string, takenAt: number): void {
    if (this.#stopped) return;
    try {
      this.#native ??= this.#open();
    } catch (error) {
      return this.#listener.onError(error);
    }
    this.#native.track(id, token, Math.min(Math.max(Date.now() - takenAt, 0), MAX_AGE_MS));
    this.#timer ??= setInterval(this.#beat, BEAT_MS).unref();
  }

  /** A job has ended. */
  untrack(id: string): void {
    this.#native?.untrack(id);
  }

  /** Shows that the event loop lives and hands on the news. */
  beat(): void {
    if (this.#native === undefined) return;
    const { renewed, refused, letGo } = this.#native.beat();
    if (this.#native.jobs === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    const lost = [...refused, ...letGo];
    if (renewed.length > 0) this.#listener.onRenewed(renewed);
    if (lost.length > 0) this.#listener.onLost(lost);
  }

  /** Renews nothing any more. */
  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#native?.stop();
    this.#native = undefined;
  }

  #open(): RedisHeartbeat {
    const { wire, options } = this.#listener.open();
    return unwrap(native.RedisHeartbeat.open(wire, options));
  }
}
