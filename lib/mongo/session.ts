/**
 * @module mongo/session
 *
 * `ClientSession`, shaped as the Node driver's, plus `signal`, `deadline`, `attempt`, `afterCommit` and `afterRollback`. The session itself lives in Rust
 * under a handle; this object counts nothing and decides nothing about commits.
 *
 * Guarantees: a session ends exactly once, however often `endSession` is called; operations of a session that has ended, or whose transaction is over by
 * its deadline, are refused before anything is sent.
 */
import { EventEmitter } from 'node:events';
import { checkMilliseconds, invalidArgument, isFailure, MooringError, unwrap } from '../error/index.js';
import type { MongoClient } from './client.js';
import { refuse } from './errors.js';
import { type Hook, Hooks } from './hook.js';
import type { Document } from './host.js';
import { given } from './concern.js';
import { Opcode, type Operations } from './operation.js';
import { checkGiven } from './given.js';
import { REFUSED, refuseKnown } from './refused.js';
import { FORGOTTEN, type ForgottenSession, placeOf } from './scope.js';
import { encodeTransaction, Transaction, type TransactionOptions } from './transaction-options.js';
import { runTransaction, specificationPlan } from './transaction.js';

/** Options of {@link MongoClient.startSession}. */
export interface ClientSessionOptions {
  causalConsistency?: boolean;
  snapshot?: boolean;
  /** A `Timestamp`: what a session with `snapshot` reads; default: that of its first read. */
  snapshotTime?: unknown;
  defaultTransactionOptions?: TransactionOptions;
  /** `timeoutMS` of operations in the session that give none. */
  defaultTimeoutMS?: number;
}

/** How one attempt of a transaction begins. */
export interface AttemptOptions {
  readonly transaction: TransactionOptions;
  /** 1 for the first. */
  readonly attempt: number;
  /** Milliseconds for the attempt; absent: none. */
  readonly timeoutMs?: number | undefined;
}

/** A session of a client. Made by `startSession`, `withSession` and `withTransaction`. */
export class ClientSession extends EventEmitter {
  readonly explicit = true;
  readonly snapshotEnabled: boolean;
  readonly supports: { causalConsistency: boolean };
  /** As given to `startSession`. Typed `never` for the reason given at {@link serverSession}. */
  readonly defaultTransactionOptions: never;
  /** @internal */
  readonly defaultTimeoutMS: number | undefined;
  hasEnded = false;
  transaction = new Transaction();
  /** @internal Operations that have not settled; the lane counts them. */
  unsettled = 0;
  /** Which attempt of `withTransaction` runs, from 1; 0 outside. */
  attempt = 0;
  /** When the attempt's deadline is, in milliseconds since the epoch; `undefined` without one. */
  deadline: number | undefined;
  readonly #operations: Operations;
  readonly #handle: number;
  readonly #client: MongoClient;
  /** Made when somebody asks for the signal: most transactions never do. */
  #controller: AbortController | undefined;
  #cutBy: MooringError | undefined;
  /** Made with the first hook of an attempt. */
  #hooks: Hooks | undefined;
  #late: string | undefined;
  #lastUse = performance.now();
  #firstError: Error | undefined;
  #ending: Promise<void> | undefined;
  /** Whether the transaction was committed without an operation: the server never heard of it. */
  #committedNothing = false;
  #outcome: 'committed' | 'rolled-back' | undefined;
  #loop = false;
  #endAfterLoop = false;
  /** Whether the server may still hold a transaction of it: until a commit succeeds. */
  #uncommitted = false;

  /** @internal */
  constructor(client: MongoClient, operations: Operations, handle: number, options: ClientSessionOptions = {}) {
    super();
    this.#client = client;
    this.#operations = operations;
    this.#handle = handle;
    checkSessionOptions(options);
    this.snapshotEnabled = options.snapshot === true;
    if (options.causalConsistency === true && this.snapshotEnabled) {
      throw operations.refuse('causalConsistency', 'properties "causalConsistency" and "snapshot" are mutually exclusive');
    }
    this.supports = { causalConsistency: options.causalConsistency ?? !this.snapshotEnabled };
    this.defaultTimeoutMS = options.defaultTimeoutMS;
    refuseKnown(REFUSED.transaction, options.defaultTransactionOptions, (name, message) => operations.refuse(name, message));
    this.defaultTransactionOptions = { ...options.defaultTransactionOptions } as never;
    const { snapshotTime } = options;
    const body = {
      causalConsistency: this.supports.causalConsistency,
      snapshot: this.snapshotEnabled,
      ...(snapshotTime === undefined || snapshotTime === null ? {} : { snapshotTime }),
    };
    const refused = operations.lane.handle.openSession(handle, operations.encodeSession(body));
    if (isFailure(refused)) throw operations.error(refused);
  }

  /** Its client. No property of its own: it is large and would print with the session. */
  get client(): MongoClient {
    return this.#client;
  }

  /** Aborted when the attempt is over before its callback: by its deadline, by the caller's signal or by the client's close. Its reason is the error. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#cutBy !== undefined) this.#controller.abort(this.#cutBy);
    }
    return this.#controller.signal;
  }

  /** @internal Whether its attempt was cut: {@link signal} is aborted, if anybody has asked for it. */
  get isCut(): boolean {
    return this.#cutBy !== undefined;
  }

  /** The server session's id, once its first operation has run; of a session that has ended as long as it is among the client's last 256. */
  get id(): { readonly id: never } | undefined {
    const bytes = this.#operations.lane.handle.sessionId(this.#handle);
    if (bytes === null || bytes === undefined) return undefined;
    const { Binary } = this.#operations.host.bson;
    return { id: new Binary(bytes, 4) as never };
  }

  /** The newest cluster time that the session knows; `undefined` before its first operation. Typed `never` for the reason given at {@link serverSession}. */
  get clusterTime(): never {
    return this.#times()['clusterTime'] as never;
  }
  /** The time of the session's last operation; as {@link clusterTime}. */
  get operationTime(): never {
    return this.#times()['operationTime'] as never;
  }
  /** What a session with `snapshot` reads; `undefined` before its first read. As {@link clusterTime}. */
  get snapshotTime(): never {
    return this.#times()['snapshotTime'] as never;
  }
  get loadBalanced(): boolean {
    return false;
  }
  get isPinned(): boolean {
    return false;
  }
  /**
   * Its `id`, and `lastUse` in milliseconds: all that is known here of the server session, which lives in Rust. Typed `never`, so that this session is accepted
   * where the Node driver's is asked for.
   */
  get serverSession(): never {
    return { id: this.id, lastUse: this.#lastUse } as never;
  }
  /** Not available. Typed `never` for the reason given at {@link serverSession}. */
  get clientOptions(): never {
    throw this.#operations.refuse('clientOptions', 'client options of a session are not available');
  }

  inTransaction(): boolean {
    return this.transaction.isActive;
  }

  /** Begins a transaction. No I/O: the server learns of it with the first operation. */
  startTransaction(options: TransactionOptions = {}): void {
    this.begin({ transaction: options, attempt: 0 });
  }

  async commitTransaction(): Promise<void> {
    if (this.transaction.state === 'NO_TRANSACTION') throw this.#transactionError('No transaction started');
    if (this.transaction.state === 'TRANSACTION_ABORTED')
      throw this.#transactionError('Cannot call commitTransaction after calling abortTransaction');
    if (this.transaction.isCommitted && this.#committedNothing) return;
    if (!this.transaction.isCommitted) this.#committedNothing = this.transaction.isStarting;
    try {
      await this.#operations.run({ opcode: Opcode.commit, session: this });
      this.#uncommitted = false;
    } finally {
      this.transaction.state = 'TRANSACTION_COMMITTED';
      this.#outcome = 'committed';
    }
    if (!this.#loop) await this.settleHooks('committed');
  }

  async abortTransaction(): Promise<void> {
    const { state } = this.transaction;
    if (state === 'NO_TRANSACTION') throw this.#transactionError('No transaction started');
    if (state === 'TRANSACTION_ABORTED') throw this.#transactionError('Cannot call abortTransaction twice');
    if (state === 'TRANSACTION_COMMITTED') throw this.#transactionError('Cannot call abortTransaction after calling commitTransaction');
    await this.#abort();
    if (!this.#loop) await this.settleHooks('rolled-back');
  }

  /**
   * Runs `fn` in a transaction with the specification's limits: retried without a count, 120 s in all. `forgottenSession` is that of the package's
   * `withTransaction`: what becomes of an operation on data in `fn` that names no session; default `warn`, once per call site.
   */
  async withTransaction<T = unknown>(
    fn: (session: this) => Promise<T>,
    options: TransactionOptions & { timeoutMS?: number; forgottenSession?: ForgottenSession } = {},
  ): Promise<T> {
    if (typeof fn !== 'function') throw this.#operations.refuse('fn', 'argument "fn" must be a function');
    checkGiven(options);
    const { forgottenSession: forgotten = 'warn', ...plan } = options;
    if (!FORGOTTEN.includes(forgotten))
      throw invalidArgument('forgottenSession', `forgottenSession must be one of ${FORGOTTEN.join(', ')}`);
    // Before the transaction begins: Rust would refuse it at the end of the first attempt, and the transaction would stay open.
    if (plan.timeoutMS !== undefined) checkMilliseconds('timeoutMS', plan.timeoutMS, 0);
    const around = { mode: 'explicit', forgotten } as const;
    return runTransaction(this, () => fn(this), { ...around, opened: placeOf(around) }, specificationPlan(plan));
  }

  /**
   * Runs `fn` once, after a definite commit of the transaction that is open now, outside of it. Its errors reject nothing and retry nothing.
   * Inside `withTransaction` it belongs to the attempt: an attempt that is rolled back forgets it.
   */
  afterCommit(fn: Hook): void {
    this.#register('committed', fn);
  }

  /** Runs `fn` once, after a definite rollback of the transaction (or attempt) that is open now. */
  afterRollback(fn: Hook): void {
    this.#register('rolled-back', fn);
  }

  /** Ends the session; aborts its transaction if one is open. Harmless when called again, and inside `withTransaction`, which ends it itself. */
  async endSession(options: { timeoutMS?: number } | null = {}): Promise<void> {
    const timeoutMS = options?.timeoutMS;
    if (this.#loop) {
      this.#endAfterLoop = true;
      return;
    }
    const deadlineMs = timeoutMS === undefined ? 0 : checkMilliseconds('timeoutMS', timeoutMS, 1);
    if (!this.hasEnded) this.#ending = this.#end(deadlineMs);
    if (this.#ending !== undefined) await this.#ending;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.endSession();
  }

  advanceOperationTime(operationTime: unknown): void {
    this.#advance({ operationTime });
  }

  advanceClusterTime(clusterTime: unknown): void {
    if (typeof clusterTime !== 'object' || clusterTime === null)
      throw this.#operations.refuse('clusterTime', 'input cluster time must be an object');
    this.#advance({ clusterTime });
  }

  equals(session: unknown): boolean {
    if (!(session instanceof ClientSession)) return false;
    const id = this.#idHex();
    return session === this || (id !== '' && session.#idHex() === id);
  }

  incrementTransactionNumber(): never {
    throw this.#operations.refuse('session', 'transaction numbers are counted in Rust');
  }

  /** Sessions are not data: a document that holds one is a mistake. */
  toBSON(): never {
    throw refuse(this.#operations.host, 'session', 'ClientSession cannot be serialized to BSON.', 'MongoRuntimeError');
  }

  /** As in `EventEmitter`; typed for the reason given at {@link serverSession}. */
  override listeners(event: string | symbol): never[] {
    return super.listeners(event) as never[];
  }
  /** As in `EventEmitter`; typed for the reason given at {@link serverSession}. */
  override eventNames(): never[] {
    return super.eventNames() as never[];
  }
  /** As in `EventEmitter`; typed for the reason given at {@link serverSession}. */
  override rawListeners(event: string | symbol): never[] {
    return super.rawListeners(event) as never[];
  }

  /** @internal The handle for an operation of `operations`' client; refuses a foreign, ended or late session. */
  handleFor(operations: Operations, opcode: number): number {
    if (operations !== this.#operations) throw operations.refuse('session', 'ClientSession must be from the same MongoClient');
    if (this.hasEnded && this.#late === undefined) throw this.#expired();
    if (this.#late !== undefined) {
      operations.late++;
      throw this.#lateError(this.#late);
    }
    if (opcode < Opcode.endSession) this.#step();
    this.#lastUse = performance.now();
    return this.#handle;
  }

  /** @internal How the transaction that was open last has ended; `undefined` while it has not. */
  get outcome(): 'committed' | 'rolled-back' | undefined {
    return this.#outcome;
  }

  /** @internal The transaction loop's commit has succeeded. */
  committed(): void {
    this.transaction.state = 'TRANSACTION_COMMITTED';
    this.#uncommitted = false;
  }

  /** @internal Begins a transaction or one attempt of it. */
  begin(attempt: AttemptOptions): void {
    if (this.hasEnded) throw this.#expired();
    if (this.snapshotEnabled)
      throw refuse(this.#operations.host, 'snapshot', 'Transactions are not supported in snapshot sessions', 'MongoCompatibilityError');
    if (this.inTransaction()) throw this.#transactionError('Transaction already in progress');
    refuseKnown(REFUSED.transaction, attempt.transaction, (name, message) => this.#operations.refuse(name, message));
    const options: TransactionOptions = { ...(this.defaultTransactionOptions as TransactionOptions), ...given(attempt.transaction) };
    const { lane } = this.#operations;
    const behind = this.unsettled > 0;
    if (behind) lane.flush();
    const body = { ...encodeTransaction(options), ...(attempt.timeoutMs === undefined ? {} : { timeoutMS: attempt.timeoutMs }) };
    const refused = lane.handle.beginTransaction(this.#handle, this.#operations.encode(body), behind);
    if (isFailure(refused)) throw this.#operations.error(refused);
    this.#late = undefined;
    this.#uncommitted = true;
    this.transaction = new Transaction(options);
    this.transaction.state = 'STARTING_TRANSACTION';
    this.attempt = attempt.attempt;
    this.deadline = attempt.timeoutMs === undefined ? undefined : Date.now() + attempt.timeoutMs;
    this.#controller = undefined;
    this.#cutBy = undefined;
    this.#hooks = undefined;
    this.#firstError = undefined;
    this.#outcome = undefined;
  }

  /** @internal A `withTransaction` loop owns the session from here on until {@link disown}. */
  own(): void {
    if (this.#loop) throw this.#transactionError('Transaction already in progress');
    this.#loop = true;
  }

  /** @internal The loop is over; its end carries out an `endSession` that came meanwhile. */
  disown(): Promise<void> | undefined {
    this.#loop = false;
    return this.#endAfterLoop ? this.endSession() : undefined;
  }

  /** @internal The attempt is over before its callback: signals it and refuses what the callback still asks for. */
  cut(reason: MooringError, state: string): void {
    this.#late = state;
    this.transaction.state = 'TRANSACTION_ABORTED';
    this.#cutBy = reason;
    this.#controller?.abort(reason);
  }

  /** @internal Remembers the first error of an operation in this attempt. */
  noteError(error: Error): void {
    if (this.inTransaction()) this.#firstError ??= error;
  }

  /** @internal Whether `error` is the first one that an operation of this attempt failed with. */
  isFirstError(error: unknown): boolean {
    return error === this.#firstError;
  }

  /** @internal The parts that the transaction loop works with. */
  get internals(): { operations: Operations; handle: number } {
    return { operations: this.#operations, handle: this.#handle };
  }

  /** @internal Runs the hooks of the attempt, once. */
  settleHooks(outcome: 'committed' | 'rolled-back', onHookError?: (error: unknown) => void): Promise<void> | undefined {
    const hooks = this.#hooks;
    this.#hooks = undefined;
    return hooks?.run(outcome, onHookError);
  }

  /**
   * Not through handleFor: a late session ends too. It cannot fail: Rust balances the count on every path. Waited for only if the server may still hold a
   * transaction of it, which the next one of its server session ends: that must be free for it by then.
   */
  #end(deadlineMs: number): Promise<void> | undefined {
    const { lane } = this.#operations;
    const operation = { opcode: Opcode.endSession, handle: this.#handle, deadlineMs };
    this.hasEnded = true;
    if (this.#uncommitted) return this.#endUncommitted(lane.run(operation));
    lane.post(operation);
    this.emit('ended', this);
    return undefined;
  }

  async #endUncommitted(ended: Promise<unknown>): Promise<void> {
    const hadTransaction = this.inTransaction();
    if (hadTransaction) this.transaction.state = 'TRANSACTION_ABORTED';
    await ended;
    this.emit('ended', this);
    if (hadTransaction) await this.settleHooks('rolled-back');
  }

  async #abort(): Promise<void> {
    // As the specification says, an abort reports no error: the server ends the transaction by itself.
    const outcome = this.#operations.outcome({ opcode: Opcode.abort, session: this });
    this.transaction.state = 'TRANSACTION_ABORTED';
    this.#outcome = 'rolled-back';
    await outcome;
  }

  /** An operation is about to run: in the transaction, or after it and without one. */
  #step(): void {
    if (this.transaction.isStarting) this.transaction.state = 'TRANSACTION_IN_PROGRESS';
    else if (this.transaction.isCommitted) this.transaction.state = 'NO_TRANSACTION';
  }

  #register(when: 'committed' | 'rolled-back', fn: Hook): void {
    if (typeof fn !== 'function') throw invalidArgument('fn', 'fn must be a function');
    if (this.#late !== undefined) throw this.#lateError(this.#late);
    if (!this.inTransaction()) throw invalidArgument('session', 'hook needs an open transaction');
    (this.#hooks ??= new Hooks()).add(when, fn);
  }

  #advance(times: Document): void {
    // In the session's queue before what is called next; a failure shows there.
    void this.#operations.outcome({ opcode: Opcode.advanceSession, session: this, body: times });
  }

  #times(): Document {
    const bytes = unwrap(this.#operations.lane.handle.sessionTimes(this.#handle));
    return bytes === null || bytes === undefined ? {} : this.#operations.decode(bytes);
  }

  #idHex(): string {
    return this.#operations.lane.handle.sessionId(this.#handle)?.toString('hex') ?? '';
  }

  #expired(): Error {
    return refuse(this.#operations.host, 'session', 'Cannot use a session that has ended', 'MongoExpiredSessionError');
  }

  #lateError(state: string): MooringError {
    return new MooringError('MOORING_CLOSED', `transaction is over: it was ${state} before this operation`, {
      details: { state, maybeExecuted: false },
    });
  }

  #transactionError(message: string): Error {
    return refuse(this.#operations.host, 'session', message, 'MongoTransactionError');
  }
}

function checkSessionOptions(options: ClientSessionOptions): void {
  checkGiven(options);
  const { defaultTimeoutMS, defaultTransactionOptions } = options;
  for (const name of ['causalConsistency', 'snapshot'] as const) {
    const value: unknown = options[name];
    if (value !== undefined && value !== null && typeof value !== 'boolean') throw invalidArgument(name, `${name} must be true or false`);
  }
  if (defaultTimeoutMS !== undefined) checkMilliseconds('defaultTimeoutMS', defaultTimeoutMS, 0);
  if (
    defaultTransactionOptions !== undefined &&
    (typeof defaultTransactionOptions !== 'object' || Array.isArray(defaultTransactionOptions))
  )
    throw invalidArgument('defaultTransactionOptions', 'defaultTransactionOptions must be an object');
}
