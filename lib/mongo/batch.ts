/**
 * @module mongo/batch
 *
 * A batch of documents as Rust lays it out: handle of the cursor (0: it has ended), number of documents, the documents, and what comes behind them.
 * A document is decoded when it is asked for.
 */
import type { BsonOptions, Document } from './host.js';
import { decodeAt, type Operations } from './operation.js';

const HEADER_BYTES = 8;

/** Documents of one batch, not yet decoded. */
export class Batch {
  readonly handle: number;
  left: number;
  readonly #bytes: Buffer;
  #offset = HEADER_BYTES;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.handle = bytes.readUInt32LE(0);
    this.left = bytes.readUInt32LE(4);
  }

  next(operations: Operations, bson: BsonOptions): Document {
    const start = this.#offset;
    this.#offset += this.#bytes.readInt32LE(start);
    this.left -= 1;
    if (bson.raw === true) return this.#bytes.subarray(start, this.#offset) as unknown as Document;
    return decodeAt(operations.host, this.#bytes, start, bson);
  }

  /** The document behind the batch, once all of it has been taken. */
  behind(operations: Operations): Document | undefined {
    return this.left === 0 && this.#offset < this.#bytes.length ? decodeAt(operations.host, this.#bytes, this.#offset, {}) : undefined;
  }
}

/** The bytes of a batch of one document that is the last. */
export function single(document: Uint8Array): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(1, 4);
  return Buffer.concat([header, document]);
}
