/**
 * @module solana/errors
 *
 * Errors of RPC calls: a node's own error becomes the peer's class (`SolanaJSONRPCError`, `SendTransactionError`) with the `MooringError` as its cause, when the
 * peer is installed; everything else, and everything without a peer, is a `MooringError`.
 */
import { fromFailure, MooringError } from '../error/index.js';
import type { FailureRecord } from '../native.js';
import type { Web3 } from './peer.js';

/** A node's error object. */
export interface RpcErrorBody {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

/** The node's error inside a failure, if that is what it is. */
export function nodeError(failure: FailureRecord): RpcErrorBody | undefined {
  if (failure.reply === undefined || failure.reply === null) return undefined;
  return JSON.parse(failure.reply.toString('utf8')) as RpcErrorBody;
}

/** The error to throw for a failure of a read. */
export function readError(failure: FailureRecord, web3: () => Web3 | undefined): Error {
  const error = fromFailure(failure);
  const body = nodeError(failure);
  const peer = body === undefined ? undefined : web3();
  if (body === undefined || peer === undefined) return withBody(error, body);
  return caused(new peer.SolanaJSONRPCError({ ...body, message: error.message }), error);
}

/** The error to throw for a failure of a send: for a node's own error what web3.js throws, with `code` and `data` besides. */
export function sendError(failure: FailureRecord, skipPreflight: boolean, web3: () => Web3 | undefined): Error {
  const body = nodeError(failure);
  const peer = body === undefined ? undefined : web3();
  if (body === undefined || peer === undefined) return readError(failure, web3);
  const { logs } = (body.data ?? {}) as { logs?: string[] };
  const action = skipPreflight ? 'send' : 'simulate';
  const made = new peer.SendTransactionError({
    action,
    signature: '',
    transactionMessage: body.message,
    ...(logs === undefined ? {} : { logs }),
  });
  // Not enumerable: the error compares equal to web3.js's own.
  Object.defineProperty(made, 'code', { value: body.code, configurable: true });
  Object.defineProperty(made, 'data', { value: body.data, configurable: true });
  return caused(made, fromFailure(failure));
}

/** Without a peer the node's facts stay reachable. */
function withBody(error: MooringError, body: RpcErrorBody | undefined): MooringError {
  if (body === undefined) return error;
  return new MooringError(error.code, error.message, {
    labels: error.labels,
    details: {
      ...error.details,
      serverMessage: body.message,
      ...(body.data === undefined ? {} : { serverData: JSON.stringify(body.data) }),
    },
    cause: error.cause,
  });
}

/** The error with its cause, not enumerable. */
export function caused(error: Error, cause: Error): Error {
  Object.defineProperty(error, 'cause', { value: cause, configurable: true, writable: true });
  return error;
}
