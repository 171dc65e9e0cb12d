/**
 * @module solana/operation
 *
 * How operations of a pool are written for the lane. The opcodes and layouts are those of `src/binding/solana_frame.rs`.
 */
import type { Operation } from '../lane.js';

/** What one call may say besides its arguments. */
export interface CallOptions {
  /** Gives the call up. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for the whole call: queue, limiter and all attempts. Default: the pool's `deadlineMs`. */
  readonly deadlineMs?: number | undefined;
  /**
   * How urgent it is among calls that wait for the pool's limit. Default: `'send'` for sends, `'confirm'` for signature statuses, else `'read'`.
   * The most urgent go first; one start in ten is for the least urgent of those that wait.
   */
  readonly priority?: Priority | undefined;
}

/** How urgent a call is: `'send'`, `'confirm'`, `'read'`, `'bulk'`, the most urgent first. */
export type Priority = 'send' | 'confirm' | 'read' | 'bulk';

/** In order; a frame holds the position, counted from 1. */
export const PRIORITIES: readonly Priority[] = ['send', 'confirm', 'read', 'bulk'];

const CALL = 1;
const FETCH = 2;
const BALANCES = 3;
const STATUSES = 4;
const SEND = 5;
const TRACK = 6;
const SEND_RAW = 7;
const ACCOUNTS = 16;
const SUBSCRIBE = 20;
const UNSUBSCRIBE = 21;
/** Flag: a kept reply will do. */
const CACHED = 1;
/** Flag: integers come back marked. */
const MARKED = 2;
/** Above the flags: the priority. */
const PRIORITY_SHIFT = 8;

function operation(opcode: number, flags: number, options: CallOptions, write: Operation['write']): Operation {
  const { signal, deadlineMs = 0, priority } = options;
  const urgency = priority === undefined ? 0 : (PRIORITIES.indexOf(priority) + 1) << PRIORITY_SHIFT;
  return { opcode, flags: flags | urgency, deadlineMs, signal, ...(write === undefined ? {} : { write }) };
}

/** Writes text at `offset`; `undefined` when it may not fit. */
function writeText(buffer: Buffer, offset: number, text: string): number | undefined {
  // A UTF-16 unit takes at most three bytes.
  if (text.length * 3 > buffer.length - offset && Buffer.byteLength(text) > buffer.length - offset) return undefined;
  return offset + buffer.write(text, offset);
}

function ofText(text: string): NonNullable<Operation['write']> {
  return (buffer, offset) => writeText(buffer, offset, text);
}

/** A `u16` length, the first part, the second part. */
function ofParts(first: string, second: string | Uint8Array): NonNullable<Operation['write']> {
  return (buffer, offset) => {
    if (buffer.length - offset < 2) return undefined;
    const middle = writeText(buffer, offset + 2, first);
    if (middle === undefined) return undefined;
    buffer.writeUInt16LE(middle - offset - 2, offset);
    if (typeof second === 'string') return writeText(buffer, middle, second);
    if (second.length > buffer.length - middle) return undefined;
    buffer.set(second, middle);
    return middle + second.length;
  };
}

/** One JSON-RPC call; settles as the text of its `result`. */
export function call(method: string, params: readonly unknown[], options: CallOptions, cached: boolean): Operation {
  return operation(CALL, cached ? CACHED : 0, options, ofParts(method, JSON.stringify(params)));
}

/** As {@link call}, with the parameters as text, uncached and with the pool's deadline. */
export function callText(method: string, params: string): Operation {
  return operation(CALL, 0, {}, ofParts(method, params));
}

/** Methods that take keys as bytes; the codes are those of `src/solana/decode/request.rs`. */
const ACCOUNT_METHODS = {
  getBalance: 0,
  getAccountInfo: 1,
  getMultipleAccounts: 2,
  getProgramAccounts: 3,
  getProgramAccountsWithContext: 4,
  getTokenAccountsByOwner: 5,
} as const;

/** The name of such a method. */
export type AccountMethod = keyof typeof ACCOUNT_METHODS;

/** Keys of one account read: their length is a `u16`. */
export const MAX_KEYS = 2000;
const KEY_BYTES = 32;

/** Which accounts are read, and how. */
export interface AccountRead {
  readonly method: AccountMethod;
  /** 32 bytes each. */
  readonly keys: readonly Uint8Array[];
  /** JSON text of further parameters, empty for none. */
  readonly rest: string;
}

/** Reads accounts. Settles as a block of `solana/decode`, or as the text of the `result` when it holds no accounts or is of an unusual shape. */
export function accounts({ method, keys, rest }: AccountRead, options: CallOptions, cached: boolean): Operation {
  return operation(ACCOUNTS, cached ? CACHED : 0, options, (buffer, offset) => {
    const length = keys.length * KEY_BYTES;
    let at = offset + 3;
    if (at + length > buffer.length) return undefined;
    buffer[offset] = ACCOUNT_METHODS[method];
    buffer.writeUInt16LE(length, offset + 1);
    for (const key of keys) {
      buffer.set(key, at);
      at += KEY_BYTES;
    }
    return writeText(buffer, at, rest);
  });
}

/** A whole request text; settles as the whole response text. */
export function fetchText(body: string, markIntegers: boolean, options: CallOptions): Operation {
  return operation(FETCH, markIntegers ? MARKED : 0, options, ofText(body));
}

/** Balances of many keys; settles as a JSON array. */
export function balances(keys: readonly string[], options: CallOptions): Operation {
  return operation(BALANCES, CACHED, options, ofText(JSON.stringify(keys)));
}

/** Statuses of many signatures; settles as `{context, value}` text. */
export function statuses(signatures: readonly string[], searchTransactionHistory: boolean, options: CallOptions): Operation {
  return operation(STATUSES, CACHED, options, ofText(JSON.stringify({ signatures, searchTransactionHistory })));
}

/** Sends signed bytes; settles as the signature. */
export function send(bytes: Uint8Array, how: object, options: CallOptions): Operation {
  return operation(SEND, 0, options, ofParts(JSON.stringify(how), bytes));
}

/** Sends signed bytes and goes on repeating them; settles as the signature once a node has taken them. */
export function sendRaw(bytes: Uint8Array, how: object, options: CallOptions): Operation {
  return operation(SEND_RAW, 0, options, ofParts(JSON.stringify(how), bytes));
}

/** Follows a transaction; with bytes it is sent first. Settles as JSON text. */
export function track(bytes: Uint8Array, how: object, options: CallOptions): Operation {
  return operation(TRACK, 0, options, ofParts(JSON.stringify(how), bytes));
}

/** Begins subscription `handle`; settles when a node has confirmed it. `how` is JSON text with the fields of `SubscribeArguments`. */
export function subscribe(handle: number, how: string, options: CallOptions): Operation {
  return { ...operation(SUBSCRIBE, 0, options, ofText(how)), handle };
}

/** Ends subscription `handle`; settles when no node knows it any more. */
export function unsubscribe(handle: number): Operation {
  return { opcode: UNSUBSCRIBE, handle };
}
