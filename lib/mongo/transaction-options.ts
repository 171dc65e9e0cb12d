/** @module mongo/transaction-options: how a transaction is asked for, and what `session.transaction` shows of it. */
import { checkMilliseconds } from '../error/index.js';
import {
  readConcern,
  type ReadConcernLike,
  readPreference,
  type ReadPreferenceLike,
  writeConcern,
  type WriteConcernLike,
} from './concern.js';
import type { Document } from './host.js';

/** Options of a transaction, with the Node driver's names. */
export interface TransactionOptions {
  readConcern?: ReadConcernLike;
  writeConcern?: WriteConcernLike;
  readPreference?: ReadPreferenceLike;
  /** Milliseconds the server may take for the commit. */
  maxCommitTimeMS?: number;
}

/** Where a transaction stands; the names are the Node driver's. */
export type TransactionState =
  'NO_TRANSACTION' | 'STARTING_TRANSACTION' | 'TRANSACTION_IN_PROGRESS' | 'TRANSACTION_COMMITTED' | 'TRANSACTION_ABORTED';

/** What `session.transaction` shows. */
export class Transaction {
  state: TransactionState = 'NO_TRANSACTION';
  /** As given. Typed `never` for the reason given at {@link ClientSession.serverSession}. */
  readonly options: never;

  constructor(options: TransactionOptions = {}) {
    this.options = options as never;
  }
  get isStarting(): boolean {
    return this.state === 'STARTING_TRANSACTION';
  }
  get isActive(): boolean {
    return this.state === 'STARTING_TRANSACTION' || this.state === 'TRANSACTION_IN_PROGRESS';
  }
  get isCommitted(): boolean {
    return this.state === 'TRANSACTION_COMMITTED' || this.state === 'TRANSACTION_ABORTED';
  }
  /** Pinning is the server selection's business, in Rust. */
  get isPinned(): boolean {
    return false;
  }
  get recoveryToken(): undefined {
    return undefined;
  }
}

/** The options as Rust takes them. */
export function encodeTransaction(options: TransactionOptions): Document {
  const body: Document = {};
  if (options.readConcern !== undefined) body['readConcern'] = readConcern(options.readConcern);
  if (options.writeConcern !== undefined) body['writeConcern'] = writeConcern(options.writeConcern);
  if (options.readPreference !== undefined) body['readPreference'] = readPreference(options.readPreference);
  const { maxCommitTimeMS } = options;
  if (maxCommitTimeMS !== undefined) body['maxCommitTimeMS'] = checkMilliseconds('maxCommitTimeMS', maxCommitTimeMS, 0);
  return body;
}
