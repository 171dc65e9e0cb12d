/**
 * @module redis/reply
 *
 * Cuts values out of one drained batch: tokens in an `Int32Array`, their bytes in one blob.
 *
 * Guarantees: Buffers handed out are copies, so that the blob can be reused. Nesting is limited by the parser in Rust.
 */
import { replyError } from './errors.js';
import type { Reply } from './transformers.js';

/** Types of values; the table is `src/redis/reply.rs`. */
const Type = {
  nil: 0,
  simple: 1,
  error: 2,
  int: 3,
  bigint: 4,
  bulk: 5,
  array: 6,
  nilArray: 7,
  double: 8,
  boolean: 9,
  map: 10,
  set: 11,
  push: 12,
} as const;
/** Batches up to this size that are pure ASCII become one string which values are cut from. */
const ONE_STRING_BYTES = 64 * 1024;
/** A blob that has grown beyond this is not kept. */
const KEEP_BYTES = 16 * 1024 * 1024;
/** Longer values are cut from the blob, so that a small substring does not keep a whole batch in memory. */
const SUBSTRING_BYTES = 256;

interface FastBuffer extends Buffer {
  latin1Slice(start: number, end: number): string;
  utf8Slice(start: number, end: number): string;
}

/** Reads one batch. */
export class ReplyReader {
  meta: Int32Array;
  blob: FastBuffer;
  /** The next token. */
  at = 0;
  readonly #stringNumbers: boolean;
  #offset = 0;
  #ascii = false;
  #text: string | undefined;

  constructor(metaEntries: number, blobBytes: number, stringNumbers: boolean) {
    this.meta = new Int32Array(metaEntries);
    this.blob = Buffer.allocUnsafeSlow(blobBytes) as FastBuffer;
    this.#stringNumbers = stringNumbers;
  }

  /** Starts with the batch that was just drained. */
  begin(firstToken: number, blobBytes: number, ascii: boolean): void {
    this.at = firstToken;
    this.#offset = 0;
    this.#ascii = ascii;
    this.#text = ascii && blobBytes <= ONE_STRING_BYTES ? this.blob.latin1Slice(0, blobBytes) : undefined;
  }

  /** Makes room for a batch that did not fit. */
  grow(metaEntries: number, blobBytes: number): void {
    if (metaEntries > this.meta.length) this.meta = new Int32Array(metaEntries);
    if (blobBytes > this.blob.length) this.blob = Buffer.allocUnsafeSlow(blobBytes) as FastBuffer;
  }

  /** Lets go of the room that an unusually large batch took. Values are copies. */
  trim(blobBytes: number): void {
    if (this.blob.length > KEEP_BYTES) this.blob = Buffer.allocUnsafeSlow(blobBytes) as FastBuffer;
  }

  /** One number of the token stream. */
  int(): number {
    return this.meta[this.at++] ?? 0;
  }

  /** The next value; bulk strings as Buffers when `buffers`. An error reply is returned, not thrown. */
  value(buffers: boolean): Reply {
    const type = this.int();
    const size = this.int();
    switch (type) {
      case Type.nil:
      case Type.nilArray:
        return null;
      case Type.int:
        return this.#stringNumbers ? String(size) : size;
      case Type.bigint:
        return this.#stringNumbers ? this.#cut(size) : Number(this.#cut(size));
      case Type.error:
        return replyError(this.#cut(size));
      case Type.double:
        return buffers ? this.#copy(size) : this.#cut(size);
      case Type.boolean:
        return size;
      case Type.array:
      case Type.push:
      case Type.set:
        return this.#list(size, buffers);
      case Type.map:
        return this.#list(size * 2, buffers);
      default:
        return buffers ? this.#copy(size) : this.#cut(size);
    }
  }

  #list(count: number, buffers: boolean): Reply[] {
    const items = new Array<Reply>(count);
    for (let index = 0; index < count; index++) items[index] = this.value(buffers);
    return items;
  }

  #cut(bytes: number): string {
    const start = this.#offset;
    const end = start + bytes;
    this.#offset = end;
    if (this.#text !== undefined && bytes <= SUBSTRING_BYTES) return this.#text.substring(start, end);
    return this.#ascii ? this.blob.latin1Slice(start, end) : this.blob.utf8Slice(start, end);
  }

  #copy(bytes: number): Buffer {
    const start = this.#offset;
    this.#offset = start + bytes;
    return Buffer.from(this.blob.subarray(start, start + bytes));
  }
}
