/**
 * @module mongo/errors
 *
 * Builds the host driver's error classes from failure records: the same `code`, `keyPattern`, `keyValue`, `errorLabels`, `writeErrors` as the Node driver.
 * Each carries the `MooringError` as its non-enumerable `cause`; one without a server code is recognised by `isMooringError` itself, with our code.
 */
import { fromFailure, type MooringError } from '../error/index.js';
import type { FailureRecord } from '../native.js';
import { type BulkContext, type BulkCounts, BulkWriteResult, WriteError, type WriteFault } from './bulk-result.js';
import { type ClientBulkContext, type ClientBulkReply, clientBulkError } from './client-bulk-result.js';
import type { Document, Host } from './host.js';

const BRAND = Symbol.for('mooring.error');

/** What only the caller of an operation knows about its failure. */
export interface FailureContext {
  /** The operation writes many documents: its write errors make a `MongoBulkWriteError`. */
  readonly bulk?: BulkContext | undefined;
  /** The operation is a bulk write of the client. */
  readonly clientBulk?: ClientBulkContext | undefined;
  /** The topology's description at the time, for `MongoServerSelectionError.reason`. */
  readonly topology?: () => object;
}

interface WriteReply extends Document {
  writeErrors?: WriteFault[];
  writeConcernErrors?: Document[];
  errorLabels?: string[];
  result?: BulkCounts;
}

const CLASSES: Readonly<Record<string, readonly [string, ...string[]]>> = {
  network: ['MongoNetworkError'],
  networkTimeout: ['MongoNetworkTimeoutError', 'MongoNetworkError'],
  poolCleared: ['MongoPoolClearedError', 'MongoNetworkError'],
  transaction: ['MongoTransactionError'],
  invalidArgument: ['MongoInvalidArgumentError'],
  config: ['MongoParseError'],
  incompatible: ['MongoCompatibilityError'],
  protocol: ['MongoUnexpectedServerResponseError', 'MongoRuntimeError'],
  bson: ['BSONError', 'MongoRuntimeError'],
  timeout: ['MongoOperationTimeoutError', 'MongoRuntimeError'],
  waitQueueTimeout: ['MongoWaitQueueTimeoutError', 'MongoDriverError'],
  cursor: ['MongoCursorExhaustedError'],
  auth: ['MongoServerError'],
};

/** Failures of a command of a bulk write that the Node driver reports as that write's. */
const CUTS_BULK = new Set(['command', 'network', 'networkTimeout', 'poolCleared']);

/** The host's error for a failure. */
export function hostError(host: Host, failure: FailureRecord, context: FailureContext = {}): Error {
  const ours = fromFailure(failure);
  const error = build(host, failure, context);
  for (const label of failure.labels) addLabel(error, label);
  // A bulk write of the client may have the server's own error as its cause: ours is that one's then.
  setCause((error.cause as Error | undefined) ?? error, ours);
  if (typeof (error as { code?: unknown }).code !== 'number') brand(error, ours);
  return error;
}

/** Sets what is behind an error; it does not print with it. */
function setCause(error: Error, cause: Error): void {
  Object.defineProperty(error, 'cause', { value: cause, enumerable: false, configurable: true, writable: true });
}

/** An argument that the Node driver refuses with one of its own classes: that class, and our code and argument name. */
export function refuse(host: Host, argument: string, message: string, name = 'MongoInvalidArgumentError'): Error {
  const error = host.error([name, 'MongoInvalidArgumentError'], message);
  return refused(error, { code: 'MOORING_INVALID_ARGUMENT', message, details: { argument, maybeExecuted: false } });
}

/** As {@link refuse}, of what is used after its end. */
export function refuseClosed(host: Host, message: string, name = 'MongoClientClosedError'): Error {
  const error = withMessage(host.error([name, 'MongoAPIError'], message), message);
  return refused(error, { code: 'MOORING_CLOSED', message, details: { state: 'closed', maybeExecuted: false } });
}

function refused(error: Error, failure: Pick<FailureRecord, 'code' | 'message' | 'details'>): Error {
  const ours = fromFailure({ ...failure, failed: true, labels: [], causes: [] });
  setCause(error, ours);
  brand(error, ours);
  return error;
}

/** Labels of any error: the host's `errorLabels`, or ours. */
export function labelsOf(error: unknown): string[] {
  if (typeof error !== 'object' || error === null) return [];
  const { errorLabels, labels } = error as { errorLabels?: unknown; labels?: unknown };
  const found = Array.isArray(errorLabels) ? errorLabels : Array.isArray(labels) ? labels : [];
  return found.filter((label): label is string => typeof label === 'string');
}

function brand(error: Error, ours: MooringError): void {
  Object.defineProperties(error, {
    [BRAND]: { value: true },
    code: { value: ours.code, enumerable: true, configurable: true, writable: true },
    labels: { value: ours.labels, enumerable: false, configurable: true },
    details: { value: ours.details, enumerable: false, configurable: true },
  });
}

function addLabel(error: Error, label: string): void {
  const { addErrorLabel } = error as { addErrorLabel?: (label: string) => void };
  addErrorLabel?.call(error, label);
}

function build(host: Host, failure: FailureRecord, context: FailureContext): Error {
  const kind = String(failure.details['kind'] ?? '');
  const reply = failure.reply === undefined || failure.reply === null ? undefined : (host.bson.deserialize(failure.reply) as WriteReply);
  if (context.clientBulk !== undefined && reply?.result !== undefined) {
    const { result, ...others } = reply;
    const answered = kind === 'write' || kind === 'writeConcern';
    const behind = answered ? undefined : plain(host, failure, Object.keys(others).length === 0 ? undefined : others, context);
    return clientBulkError(host, result as ClientBulkReply, context.clientBulk, behind);
  }
  return plain(host, failure, reply, context);
}

function plain(host: Host, failure: FailureRecord, reply: WriteReply | undefined, context: FailureContext): Error {
  const kind = String(failure.details['kind'] ?? '');
  if (reply !== undefined && kind === 'write') return writeError(host, reply, context.bulk);
  if (reply !== undefined && kind === 'writeConcern') return writeConcernError(host, reply, context.bulk);
  if (context.bulk !== undefined && CUTS_BULK.has(kind)) return cutBulk(host, failure, reply ?? {}, context.bulk);
  // A deadline stays one when the server noticed it first.
  if (reply !== undefined && kind !== 'timeout') return host.error(['MongoServerError'], reply);
  if (kind === 'serverSelection')
    return host.error(['MongoServerSelectionError'], failure.message, context.topology?.() ?? { servers: new Map() });
  if (kind === 'auth' || (kind === 'command' && failure.serverCode !== undefined)) {
    return host.error(['MongoServerError'], {
      message: failure.message,
      code: failure.serverCode ?? 18,
      codeName: failure.details['codeName'],
    });
  }
  // The class takes no message of its own; ours says which client state and, for a transaction, why.
  if (kind === 'closed') return withMessage(host.error(['MongoClientClosedError', 'MongoAPIError'], failure.message), failure.message);
  const names = CLASSES[kind];
  return names === undefined ? fromFailure(failure) : host.error(names, failure.message);
}

/** What a bulk write did before one of its commands failed as a whole. */
function cutBulk(host: Host, failure: FailureRecord, reply: WriteReply, bulk: BulkContext): Error {
  const { result = {}, code, codeName } = reply;
  const insertedIds = bulk.insertedIds.slice(0, result.insertedCount ?? 0);
  const done = new BulkWriteResult(result, { ...bulk, insertedIds });
  return host.error(['MongoBulkWriteError'], { message: failure.message, code, codeName, writeErrors: [] }, done);
}

function withMessage(error: Error, message: string): Error {
  error.message = message;
  return error;
}

function writeError(host: Host, reply: WriteReply, bulk: BulkContext | undefined): Error {
  const faults = reply.writeErrors ?? [];
  const [first] = faults;
  if (bulk === undefined) {
    const labels = reply.errorLabels === undefined ? {} : { errorLabels: reply.errorLabels };
    return host.error(['MongoServerError'], { ...first, ...labels });
  }
  const writeErrors = faults.map((fault) => new WriteError({ ...fault, op: bulk.operation(fault.index) }));
  const result = new BulkWriteResult(reply.result ?? {}, bulk, { writeErrors, writeConcernErrors: reply.writeConcernErrors ?? [] });
  const message = first?.errmsg ?? 'write operation failed';
  return host.error(['MongoBulkWriteError'], { message, code: first?.code, writeErrors }, result);
}

function writeConcernError(host: Host, reply: WriteReply, bulk: BulkContext | undefined): Error {
  if (bulk === undefined) return host.error(['MongoWriteConcernError'], reply);
  const fault = (reply['writeConcernError'] ?? reply.writeConcernErrors?.[0] ?? {}) as Document;
  const result = new BulkWriteResult(reply.result ?? {}, bulk, { writeErrors: [], writeConcernErrors: [fault] });
  return host.error(
    ['MongoBulkWriteError'],
    { message: fault['errmsg'] ?? 'write concern failed', code: fault['code'], writeErrors: [] },
    result,
  );
}
