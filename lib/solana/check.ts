/**
 * @module solana/check
 *
 * Arguments of pool methods, checked before anything is sent. Messages never quote what was given.
 */
import { checkMilliseconds, checkObject, checkOptions, invalidArgument, MooringError } from '../error/index.js';
import { type CallOptions, PRIORITIES } from './operation.js';
import type { Commitment } from './options.js';
import { base58, type PublicKeyLike } from './peer.js';
import type { SendOptions, Signer } from './transaction.js';

/** As many as a `u32` holds. */
const MAX_NODE_RETRIES = 0xffff_ffff;
const COMMITMENTS: readonly unknown[] = ['processed', 'confirmed', 'finalized'] satisfies Commitment[];
const isWhole = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
/** The node's options of a send: what each must be, and how to say so. */
const SEND_FIELDS: Readonly<Record<string, readonly [fits: (value: unknown) => boolean, what: string]>> = {
  skipPreflight: [(value) => typeof value === 'boolean', 'true or false'],
  preflightCommitment: [(value) => COMMITMENTS.includes(value), 'processed, confirmed or finalized'],
  maxRetries: [(value) => isWhole(value) && (value as number) <= MAX_NODE_RETRIES, `a whole number between 0 and ${MAX_NODE_RETRIES}`],
  minContextSlot: [isWhole, 'a whole number of 0 or more'],
};
const HISTORY_NAMES: ReadonlySet<string> = new Set(['searchTransactionHistory']);
const CALL_NAMES: ReadonlySet<string> = new Set(['signal', 'deadlineMs', 'priority']);
/** What a call that sends or follows a transaction may say besides. */
export const TRANSACTION_NAMES: readonly string[] = [
  ...Object.keys(SEND_FIELDS),
  ...['signers', 'commitment', 'lastValidBlockHeight', 'fanout', 'nonce'],
];

/** Call options that can be used. `others` are the names that the method itself looks at. */
export function callOptions(options: CallOptions, others: readonly string[] = []): CallOptions {
  checkObject(options);
  const unknown = Object.keys(options).find((name) => !CALL_NAMES.has(name) && !others.includes(name));
  if (unknown !== undefined) throw invalidArgument(unknown, `unknown option ${unknown}`);
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
  const fields = Object.entries(given as SendOptions).filter(([name, value]) => Object.hasOwn(SEND_FIELDS, name) && value !== undefined);
  for (const [name, value] of fields) {
    const [fits, what] = SEND_FIELDS[name] ?? [];
    if (fits?.(value) === false) throw invalidArgument(name, `${name} must be ${what}`);
  }
  return Object.fromEntries(fields);
}

/** Whether statuses are looked for in the whole history. */
export function searchesHistory(config: { readonly searchTransactionHistory?: boolean }): boolean {
  checkOptions(config, HISTORY_NAMES);
  const { searchTransactionHistory: search = false } = config;
  if (typeof search !== 'boolean') throw invalidArgument('searchTransactionHistory', 'searchTransactionHistory must be true or false');
  return search;
}

/** How sure a read must be. */
export function commitment(value: unknown): Commitment {
  if (COMMITMENTS.includes(value)) return value as Commitment;
  throw invalidArgument('commitment', 'commitment must be processed, confirmed or finalized');
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
