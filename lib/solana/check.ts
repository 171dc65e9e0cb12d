/**
 * @module solana/check
 *
 * Arguments of pool methods, checked before anything is sent. Messages never quote what was given.
 */
import { checkMilliseconds, checkObject, invalidArgument, MooringError } from '../error/index.js';
import { type CallOptions, PRIORITIES } from './operation.js';
import { base58, type PublicKeyLike } from './peer.js';
import type { SendOptions, Signer } from './transaction.js';

const SEND_FIELDS = ['skipPreflight', 'preflightCommitment', 'maxRetries', 'minContextSlot'] as const;

/** Call options that can be used. */
export function callOptions(options: CallOptions): CallOptions {
  checkObject(options);
  const { signal, deadlineMs, priority } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw invalidArgument('signal', 'signal must be an AbortSignal');
  if (deadlineMs !== undefined) milliseconds('deadlineMs', deadlineMs, 1);
  if (priority !== undefined && !PRIORITIES.includes(priority))
    throw invalidArgument('priority', 'priority must be send, confirm, read or bulk');
  return { signal, deadlineMs, priority };
}

/** A number of milliseconds. */
export function milliseconds(argument: string, value: unknown, least: number): number {
  return Math.ceil(checkMilliseconds(argument, value, least));
}

/** A transaction signature. */
export function signature(value: unknown, argument: string): string {
  if (typeof value === 'string' && /^[1-9A-HJ-NP-Za-km-z]{64,88}$/.test(value)) return value;
  throw invalidArgument(argument, `${argument} must be a transaction signature`);
}

/** The bytes of a transaction. */
export function bytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (Array.isArray(value) && value.every((byte) => Number.isInteger(byte) && byte >= 0 && byte <= 255))
    return Uint8Array.from(value as number[]);
  throw invalidArgument('transaction', 'transaction must be the bytes of a signed transaction');
}

/** The node's options of a send, without ours. */
export function sendFields(given: unknown): Record<string, unknown> {
  checkObject(given);
  const options = given as SendOptions;
  return Object.fromEntries(SEND_FIELDS.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]));
}

/** Whether the second argument of a send is web3.js's array of signers. */
export function isSigners(value: unknown): value is readonly Signer[] {
  return Array.isArray(value);
}

/** Public keys as text. */
export function keys(values: readonly (PublicKeyLike | string)[], argument: string): string[] {
  if (!Array.isArray(values)) throw invalidArgument(argument, `${argument} must be an array of public keys`);
  return values.map((key) => base58(key as PublicKeyLike | string, argument));
}

/** Which token accounts are meant. */
export function tokenFilter(filter: { readonly mint?: PublicKeyLike | string; readonly programId?: PublicKeyLike | string }): object {
  const { mint, programId } = filter ?? {};
  if (mint !== undefined) return { mint: base58(mint, 'mint') };
  if (programId !== undefined) return { programId: base58(programId, 'programId') };
  throw invalidArgument('filter', 'filter must have a mint or a programId');
}

/** The error of a call on a closed pool. */
export function closed(): MooringError {
  return new MooringError('MOORING_CLOSED', 'rpc pool is closed', { details: { state: 'closed', maybeExecuted: false } });
}

/** An option of a pool that cannot be used. */
export function invalid(option: string, message: string): MooringError {
  return new MooringError('MOORING_INVALID_CONFIG', message, { details: { option, maybeExecuted: false } });
}
