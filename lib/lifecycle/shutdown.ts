/**
 * @module lifecycle/shutdown
 *
 * `gracefulShutdown`: one ordered shutdown under one deadline. Workers and queues handed to it close first, here, because they are the host's objects;
 * transactions, RPC pools, Redis and MongoDB follow in Rust. Safe to call twice (the second call joins), before connecting, while connecting, and with
 * servers gone. Never exits the process unless asked to, installs no signal handler.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { checkOptions, invalidArgument, MAX_MS } from '../error/index.js';
import { native, type NativeShutdownReport, type ShutdownPhase, type UnconfirmedTransaction } from '../native.js';

/** A worker, queue or queue-events object of BullMQ or Bull, or anything with an idempotent `close`. */
export interface Closeable {
  /** Finishes what runs and closes. */
  close(): Promise<unknown>;
}

/** Where the shutdown's lines go; `console`, pino and winston fit. */
export interface ShutdownLogger {
  info(message: string, ...details: unknown[]): unknown;
  error(message: string, ...details: unknown[]): unknown;
}

/** Options of {@link gracefulShutdown}. Unknown names are refused. */
export interface ShutdownOptions {
  /**
   * Milliseconds for everything. Default: below the kill time of the platform that is recognised by its environment variables: Kubernetes 25 000, PM2 1 400,
   * systemd 30 000, else 8 000 (Docker kills after 10 000).
   */
  readonly deadlineMs?: number;
  /** Why, for the report. Default `'requested'`. */
  readonly reason?: string;
  /** Job workers: closed first, so that running jobs end while every connection still serves them. */
  readonly workers?: readonly Closeable[];
  /** Queues and queue events: closed after the workers. */
  readonly queues?: readonly Closeable[];
  /** Exit the process afterwards: code 0 when clean, else 1. Default false. */
  readonly exit?: boolean;
  /** Default `console`. */
  readonly logger?: ShutdownLogger;
}

/** What a shutdown did. */
export interface ShutdownReport {
  /** True when nothing was cut, nothing failed and the deadline was kept. */
  readonly clean: boolean;
  readonly reason: string;
  readonly deadlineMs: number;
  readonly elapsedMs: number;
  /** `workers`, `queues`, `transactions`, `solana`, `redis`, `mongo`, in this order. */
  readonly phases: readonly ShutdownPhase[];
  /** Transactions that pools were sending or following when they closed: `{ signature, bytes }`. The same bytes may be sent again. */
  readonly unconfirmed: readonly UnconfirmedTransaction[];
  /** What the closers of workers and queues threw. They never stop the plan. */
  readonly errors: readonly unknown[];
}

const OPTION_NAMES = new Set(['deadlineMs', 'reason', 'workers', 'queues', 'exit', 'logger']);
/** Parts of the deadline that workers and queues may use together; the rest is for the connections. */
const WORKERS_SHARE = 0.6;
const QUEUES_SHARE = 0.15;

/** The default deadline on the platform that `environment` shows. Kill times: Kubernetes 30 s, PM2 1.6 s, systemd 90 s, Docker 10 s. */
export function defaultDeadlineMs(environment: NodeJS.ProcessEnv): number {
  if (environment['KUBERNETES_SERVICE_HOST'] !== undefined) return 25_000;
  if (environment['pm_id'] !== undefined) return 1_400;
  if (environment['INVOCATION_ID'] !== undefined) return 30_000;
  return 8_000;
}

/** Under this key the shutdown that runs is found: on the realm's global object, for all copies of this module. */
const LEADER = Symbol.for('mooring.shutdown');

/**
 * Closes everything this environment has open, in order, within a deadline.
 *
 * @returns what was done; a second call during a shutdown gets the report of the first, whose workers, queues and deadline hold. `exit` of either exits.
 * @throws MooringError `MOORING_INVALID_ARGUMENT` for a bad option, before anything is closed.
 */
export async function gracefulShutdown(options: ShutdownOptions = {}): Promise<ShutdownReport> {
  const plan = checked(options);
  const done = await (native.beginShutdown() ? leading(plan) : joining(plan));
  // oxlint-disable-next-line node/no-process-exit -- the caller asked for it
  if (plan.exit) process.exit(done.clean ? 0 : 1);
  return done;
}

function leading(plan: Required<ShutdownOptions>): Promise<ShutdownReport> {
  const work = lead(plan).finally(() => Reflect.deleteProperty(globalThis, LEADER));
  Object.defineProperty(globalThis, LEADER, { value: work, configurable: true });
  return work;
}

/** The report of the call that leads. Of one in another realm of this environment only what Rust knows is known here. */
async function joining(plan: Required<ShutdownOptions>): Promise<ShutdownReport> {
  const leader = (globalThis as { [LEADER]?: Promise<ShutdownReport> })[LEADER];
  return leader === undefined ? report(plan, await native.joinShutdown(), []) : await leader;
}

async function lead(plan: Required<ShutdownOptions>): Promise<ShutdownReport> {
  const { logger } = plan;
  logger.info('Initiating graceful shutdown...');
  const started = performance.now();
  const errors: unknown[] = [];
  const phases = [
    await closeAll('workers', plan.workers, plan.deadlineMs * WORKERS_SHARE, errors),
    await closeAll('queues', plan.queues, plan.deadlineMs * QUEUES_SHARE, errors),
  ];
  const left = Math.max(plan.deadlineMs - (performance.now() - started), 1);
  const done = report(plan, await native.finishShutdown(Math.ceil(left), phases), errors);
  if (errors.length > 0) logger.error('Error during graceful shutdown:', ...errors);
  logger.info('Graceful shutdown completed', { clean: done.clean, elapsedMs: Math.round(done.elapsedMs) });
  return done;
}

async function closeAll(name: string, things: readonly Closeable[], limitMs: number, errors: unknown[]): Promise<ShutdownPhase> {
  const started = performance.now();
  let closed = 0;
  const closing = things.map(async (thing) => {
    try {
      await thing.close();
      closed += 1;
    } catch (error) {
      errors.push(error);
    }
  });
  const timer = new AbortController();
  if (things.length > 0) {
    // Each closer ends by itself or is overtaken by the limit; closing the connections below settles what it still waits for.
    await Promise.race([Promise.all(closing), delay(limitMs, undefined, { signal: timer.signal }).catch(() => {})]);
    timer.abort();
  }
  return { name, elapsedMs: performance.now() - started, closed, drained: 0, aborted: things.length - closed, unconfirmed: [] };
}

function report(plan: Required<ShutdownOptions>, done: NativeShutdownReport, errors: readonly unknown[]): ShutdownReport {
  const { reason, deadlineMs } = plan;
  const unconfirmed = done.phases.flatMap((phase) => phase.unconfirmed);
  return {
    clean: done.clean && errors.length === 0,
    reason,
    deadlineMs,
    elapsedMs: done.elapsedMs,
    phases: done.phases,
    unconfirmed,
    errors,
  };
}

function checked(options: ShutdownOptions): Required<ShutdownOptions> {
  checkOptions(options, OPTION_NAMES);
  const { deadlineMs = defaultDeadlineMs(process.env), reason = 'requested', exit = false, logger = console } = options;
  if (!Number.isFinite(deadlineMs) || deadlineMs <= 0 || deadlineMs > MAX_MS) {
    throw invalidArgument('deadlineMs', `deadlineMs must be a number between 1 and ${MAX_MS}`);
  }
  if (typeof reason !== 'string') throw invalidArgument('reason', 'reason must be a string');
  if (typeof exit !== 'boolean') throw invalidArgument('exit', 'exit must be a boolean');
  if (typeof logger?.info !== 'function' || typeof logger.error !== 'function') {
    throw invalidArgument('logger', 'logger must have the functions info and error');
  }
  return {
    deadlineMs,
    reason,
    exit,
    logger,
    workers: closeables('workers', options.workers),
    queues: closeables('queues', options.queues),
  };
}

function closeables(name: string, things: readonly Closeable[] = []): readonly Closeable[] {
  const given: unknown = things;
  if (!Array.isArray(given) || !given.every(isCloseable))
    throw invalidArgument(name, `${name} must be an array of objects with a close function`);
  return things;
}

function isCloseable(thing: unknown): boolean {
  return typeof (thing as Partial<Closeable> | null | undefined)?.close === 'function';
}
