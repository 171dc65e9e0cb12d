/** A worker, queue or queue-events object of BullMQ or Bull, or anything with an idempotent `close`. */
export declare interface Closeable {
    /** Finishes what runs and closes. */
    close(): Promise<unknown>;
}

/** What kind of failure an error is. */
export declare type ErrorCode = 'MOORING_INVALID_ARGUMENT' | 'MOORING_INVALID_CONFIG' | 'MOORING_UNSUPPORTED_PLATFORM' | 'MOORING_CONNECT_FAILED' | 'MOORING_AUTH_FAILED' | 'MOORING_DISCONNECTED' | 'MOORING_TIMEOUT' | 'MOORING_POOL_EXHAUSTED' | 'MOORING_CLOSED' | 'MOORING_ABORTED' | 'MOORING_SERVER_ERROR' | 'MOORING_CONFLICT' | 'MOORING_UNKNOWN_COMMIT' | 'MOORING_RATE_LIMITED' | 'MOORING_NO_HEALTHY_ENDPOINT' | 'MOORING_PROTOCOL' | 'MOORING_INTERNAL'

/** Named facts of an error: numbers, texts and flags such as `argument`, `endpoint`, `retryAfterMs`. */
export declare type ErrorDetails = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * Closes everything this environment has open, in order, within a deadline.
 *
 * @returns what was done; a second call during a shutdown gets the report of the first.
 * @throws MooringError `MOORING_INVALID_ARGUMENT` for a bad option, before anything is closed.
 */
export declare function gracefulShutdown(options?: ShutdownOptions): Promise<ShutdownReport>;

/** Whether `value` is a `MooringError` (of any copy of the package), and of `code` when one is given. */
export declare function isMooringError(value: unknown, code?: ErrorCode): value is MooringError;

/**
 * Any failure that mooring reports itself. Switch on `code`; `instanceof MooringError` holds across copies of the package.
 *
 * @example
 * try { await withTransaction(work); } catch (error) { if (isMooringError(error, 'MOORING_TIMEOUT')) retryLater(); else throw error; }
 */
export declare class MooringError extends Error {
    /** The stable code. */
    readonly code: ErrorCode;
    /** Labels of the server or the driver. */
    readonly labels: readonly string[];
    /** Named facts: `argument`, `option`, `phase`, `attempts`, `elapsedMs`, `maybeExecuted`, `serverCode`, `endpoint`, ... */
    readonly details: ErrorDetails;
    constructor(code: ErrorCode, message: string, options?: MooringErrorOptions);
    get name(): string;
    static [Symbol.hasInstance](value: unknown): boolean;
}

/** What a `MooringError` is made of besides code and message. */
declare interface MooringErrorOptions {
    /** Labels of the server or the driver, such as `TransientTransactionError`. */
    readonly labels?: readonly string[];
    /** Named facts. */
    readonly details?: ErrorDetails;
    /** What caused it. */
    readonly cause?: unknown;
}

/** Something open in this environment. */
export declare interface OpenThing {
    /** `mongo`, `redis` or `solana`. */
    kind: string
    /** Its name, without secrets. */
    name: string
    /** `idle`, `opening`, `ready`, `draining` or `closed`. */
    state: string
    /** Operations in flight. */
    inFlight: number
}

/** Clients and pools that are open in this environment, oldest first. */
export declare function openThings(): OpenThing[];

/** Where the shutdown's lines go; `console`, pino and winston fit. */
export declare interface ShutdownLogger {
    info(message: string, ...details: unknown[]): unknown;
    error(message: string, ...details: unknown[]): unknown;
}

/** Options of {@link gracefulShutdown}. Unknown names are refused. */
export declare interface ShutdownOptions {
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

/** One phase of a shutdown. */
declare interface ShutdownPhase {
    /** `workers`, `queues`, `transactions`, `solana`, `redis` or `mongo`. */
    name: string
    /** Milliseconds it took. */
    elapsedMs: number
    /** Things closed or drained in it. */
    closed: number
    /** Operations that finished by themselves. */
    drained: number
    /** Operations cut at the deadline. */
    aborted: number
}

/** What a shutdown did. */
export declare interface ShutdownReport {
    /** True when nothing was cut, nothing failed and the deadline was kept. */
    readonly clean: boolean;
    readonly reason: string;
    readonly deadlineMs: number;
    readonly elapsedMs: number;
    /** `workers`, `queues`, `transactions`, `solana`, `redis`, `mongo`, in this order. */
    readonly phases: readonly ShutdownPhase[];
    /** What the closers of workers and queues threw. They never stop the plan. */
    readonly errors: readonly unknown[];
}

export { }
