/** @module __tests__/redis/redlock: what the tests use of redlock 5 beta, whose package hides its own types from TypeScript (its `exports` name none). */
declare module 'redlock' {
  /** Another holder has the lock. */
  export class ResourceLockedError extends Error {}
  /** One attempt to get votes. */
  export interface ExecutionStats {
    readonly votesAgainst: ReadonlyMap<unknown, Error>;
  }
  export class ExecutionError extends Error {
    readonly attempts: readonly Promise<ExecutionStats>[];
  }
  export class Lock {
    readonly value: string;
    release(): Promise<unknown>;
    extend(duration: number): Promise<Lock>;
  }
  export default class Redlock {
    constructor(clients: Iterable<object>, settings?: { retryCount?: number; retryDelay?: number; retryJitter?: number });
    acquire(resources: string[], duration: number): Promise<Lock>;
    using<T>(resources: string[], duration: number, routine: (signal: { aborted: boolean }) => Promise<T>): Promise<T>;
    quit(): Promise<void>;
  }
}
