/**
 * @module solana/decode
 *
 * Accounts that Rust has decoded: one block of bytes per reply, cut into views here. The layout is that of `src/solana/decode/layout.rs`. Objects have the
 * fields of web3.js in the order of a node's reply; each owner is one key object, however many accounts it has.
 */
import type { AccountInfo } from './shape.js';

/** What becomes of a block. */
export interface Making<K> {
  /** A key of 32 bytes. */
  readonly key: (bytes: Uint8Array) => K;
  /** Whether each account gets memory of its own instead of a view of the reply. */
  readonly copy: boolean;
}

/** An account and its key. */
export interface KeyedAccount<K> {
  readonly account: AccountInfo<K>;
  readonly pubkey: K;
}

const HEAD = 4;
const ROW = 7;
const KEY_BYTES = 32;

/** A block being read. */
class Block<K> {
  readonly #bytes: Buffer;
  readonly #doubles: Float64Array;
  readonly #making: Making<K>;
  readonly #owners: K[] = [];
  readonly rows: number;

  constructor(bytes: Buffer, making: Making<K>) {
    this.#bytes = bytes;
    this.#making = making;
    // The lane puts values on multiples of eight.
    this.rows = new Float64Array(bytes.buffer, bytes.byteOffset, 1)[0] ?? 0;
    this.#doubles = new Float64Array(bytes.buffer, bytes.byteOffset, HEAD + ROW * this.rows);
    for (let owner = 0; owner < this.#double(1); owner++) this.#owners.push(this.#key(owner));
  }

  context(): unknown {
    const start = this.#double(2);
    return JSON.parse(this.#bytes.toString('utf8', start, start + this.#double(3)));
  }

  pubkey(row: number): K {
    return this.#key(this.#owners.length + row);
  }

  account(row: number): AccountInfo<K> | null {
    const at = HEAD + ROW * row;
    const owner = this.#double(at + 4);
    if (owner < 0) return null;
    const start = this.#double(at + 5);
    const view = this.#bytes.subarray(start, start + this.#double(at + 6));
    const account: AccountInfo<K> = {
      data: this.#making.copy ? Buffer.from(view) : view,
      executable: this.#double(at + 3) === 1,
      lamports: this.#double(at),
      owner: this.#owners[owner] as K,
      rentEpoch: this.#double(at + 1),
    };
    const space = this.#double(at + 2);
    if (!Number.isNaN(space)) account.space = space;
    return account;
  }

  #double(index: number): number {
    return this.#doubles[index] ?? 0;
  }

  #key(number: number): K {
    const start = (HEAD + ROW * this.rows) * Float64Array.BYTES_PER_ELEMENT + KEY_BYTES * number;
    return this.#making.key(this.#bytes.subarray(start, start + KEY_BYTES));
  }
}

/** The context of a reply and its accounts in order. */
export function accounts<K>(bytes: Buffer, making: Making<K>): { context: unknown; value: (AccountInfo<K> | null)[] } {
  const block = new Block(bytes, making);
  const value: (AccountInfo<K> | null)[] = [];
  for (let row = 0; row < block.rows; row++) value.push(block.account(row));
  return { context: block.context(), value };
}

/** The accounts of a reply that names their keys. */
export function keyedAccounts<K>(bytes: Buffer, making: Making<K>): KeyedAccount<K>[] {
  return keyed(new Block(bytes, making));
}

/** As {@link keyedAccounts}, with the context. */
export function keyedAccountsWithContext<K>(bytes: Buffer, making: Making<K>): { context: unknown; value: KeyedAccount<K>[] } {
  const block = new Block(bytes, making);
  return { context: block.context(), value: keyed(block) };
}

function keyed<K>(block: Block<K>): KeyedAccount<K>[] {
  const list: KeyedAccount<K>[] = [];
  for (let row = 0; row < block.rows; row++) list.push({ account: block.account(row) as AccountInfo<K>, pubkey: block.pubkey(row) });
  return list;
}
