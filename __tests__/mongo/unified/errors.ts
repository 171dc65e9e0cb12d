/**
 * @module __tests__/mongo/unified/errors
 *
 * Whether an error is what a test expects of it ("expectedError").
 */
import { MongoClientBulkWriteError, MongoServerError } from 'mongodb';
import { BulkWriteResult, type Document } from '../../../dist/index.js';
import type { ExpectedError } from './format';
import { type MatchContext, matchRoot, Mismatch } from './match';
import { resultDocument } from './result';

/** What the runner looks at in any error. */
interface AnyError extends Error {
  readonly code?: unknown;
  readonly codeName?: string;
  readonly errorLabels?: readonly string[];
  readonly labels?: readonly string[];
  readonly errorResponse?: Document;
  readonly result?: unknown;
  readonly writeErrors?: Iterable<{ readonly errmsg?: string }>;
}

const KNOWN = new Set([
  'isError', 'isClientError', 'isTimeoutError', 'errorContains', 'errorCode', 'errorCodeName', 'errorLabelsContain', 'errorLabelsOmit', 'errorResponse',
  'expectResult', 'writeErrors', 'writeConcernErrors',
]); // prettier-ignore

/** Throws unless `thrown` is what `expected` says. */
export function matchError(expected: ExpectedError, thrown: unknown, context: MatchContext): void {
  const unknown = Object.keys(expected).filter((key) => !KNOWN.has(key));
  if (unknown.length > 0) throw new Error(`expectError.${unknown.join(', ')} is not supported by this runner`);
  const error = thrown as AnyError;
  const told = `${error.name} ${JSON.stringify(error.message)}`;
  const check = (holds: boolean, what: string): void => {
    if (!holds) throw new Mismatch(`expected an error ${what}, got ${told}`);
  };
  const { isClientError, isTimeoutError, errorContains, errorCode, errorCodeName } = expected;
  if (isClientError !== undefined) check(isFromClient(error) === isClientError, `${isClientError ? '' : 'not '}of the client`);
  if (isTimeoutError !== undefined) check((error.name === 'MongoOperationTimeoutError') === isTimeoutError, 'of timeoutMS');
  if (errorContains !== undefined) check(contains(error, errorContains), `with ${JSON.stringify(errorContains)}`);
  if (errorCode !== undefined) check(error instanceof MongoServerError && error.code === errorCode, `with the code ${errorCode}`);
  if (errorCodeName !== undefined) check(codeNames(error).includes(errorCodeName.toLowerCase()), `with the codeName ${errorCodeName}`);
  matchLabels(expected, error, check);
  if (expected.errorResponse !== undefined) matchRoot(expected.errorResponse, responseOf(error), context, 'errorResponse');
  const result = error instanceof MongoClientBulkWriteError ? error.partialResult : error.result;
  if (expected.expectResult !== undefined)
    matchRoot(expected.expectResult, result === undefined ? undefined : resultDocument(result), context, 'result of the error');
  const { writeErrors, writeConcernErrors } = expected;
  if (writeErrors === undefined && writeConcernErrors === undefined) return;
  check(error instanceof MongoClientBulkWriteError, 'of a bulk write of the client');
  const failed = thrown as MongoClientBulkWriteError;
  for (const [index, wanted] of Object.entries(writeErrors ?? {}))
    matchRoot(wanted, failed.writeErrors.get(Number(index)), context, `writeErrors.${index}`);
  if (writeErrors !== undefined) check(failed.writeErrors.size === Object.keys(writeErrors).length, 'with as many write errors');
  if (writeConcernErrors !== undefined)
    check(failed.writeConcernErrors.length === writeConcernErrors.length, 'with as many write concern errors');
  for (const [index, wanted] of (writeConcernErrors ?? []).entries())
    matchRoot(wanted, failed.writeConcernErrors[index], context, `writeConcernErrors.${index}`);
}

function matchLabels(expected: ExpectedError, error: AnyError, check: (holds: boolean, what: string) => void): void {
  const labels = new Set([...(error.errorLabels ?? []), ...(error.labels ?? [])]);
  const found = [...labels].join(', ') || 'none';
  for (const label of expected.errorLabelsContain ?? []) check(labels.has(label), `with the label ${label} (labels: ${found})`);
  for (const label of expected.errorLabelsOmit ?? []) check(!labels.has(label), `without the label ${label}`);
}

function isFromClient(error: AnyError): boolean {
  return !(error instanceof MongoServerError);
}

/** Text of the error and of all that a bulk write has gathered in it. */
function contains(error: AnyError, text: string): boolean {
  const parts = [
    error.message,
    ...[...(error.writeErrors ?? [])].map(({ errmsg }) => errmsg ?? ''),
    ...concernErrors(error).map(({ errmsg }) => String(errmsg)),
  ];
  return parts.some((part) => part.toLowerCase().includes(text.toLowerCase()));
}

function codeNames(error: AnyError): string[] {
  return [error.codeName, ...concernErrors(error).map(({ codeName }) => codeName), responseOf(error)?.['codeName']].map((name) =>
    String(name).toLowerCase(),
  );
}

function concernErrors(error: AnyError): Document[] {
  const own = responseOf(error)?.['writeConcernError'] as Document | undefined;
  const gathered = error.result instanceof BulkWriteResult ? [error.result.getWriteConcernError() as Document | undefined] : [];
  return [own, ...gathered].filter((each): each is Document => each !== undefined && each !== null);
}

/** The reply of the server; that of a command of a bulk write of the client is with the error's cause. */
function responseOf(error: AnyError): Document | undefined {
  const { errorResponse } = (error instanceof MongoClientBulkWriteError ? (error.cause ?? {}) : error) as Partial<AnyError>;
  return errorResponse;
}
