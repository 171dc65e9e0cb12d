/**
 * @module solana/account
 *
 * Accounts for the pool's own methods: decoded in Rust when the keys are objects of a peer's class, else from the reply's text.
 */
import type { Operation } from '../lane.js';
import { type Answered, expected } from './answer.js';
import * as decode from './decode.js';
import * as op from './operation.js';
import { base58, type PublicKeyLike } from './peer.js';
import * as shape from './shape.js';

type Key = PublicKeyLike | string;

/** What is asked for. */
export interface AccountsRead<K> {
  readonly method: 'getAccountInfo' | 'getMultipleAccounts';
  readonly keys: readonly K[];
  readonly commitment: string;
  readonly options: op.CallOptions;
  readonly copy: boolean;
}

/** Reads accounts in order, null for those that do not exist. `run` throws what a failed call throws. */
export async function readAccounts<K extends Key>(
  { method, keys, commitment, options, copy }: AccountsRead<K>,
  run: (operation: Operation) => Promise<Answered>,
): Promise<(shape.AccountInfo<K> | null)[]> {
  if (keys.length === 0) return [];
  const single = method === 'getAccountInfo';
  const configuration = { encoding: 'base64', commitment };
  const bytes = bytesOf(keys);
  const first = keys[0] as K;
  if (bytes === undefined) {
    const texts = keys.map((key) => base58(key, single ? 'publicKey' : 'publicKeys'));
    return fromText(await run(op.call(method, [single ? texts[0] : texts, configuration], options, true)), first);
  }
  const outcome = await run(op.accounts({ method, keys: bytes, rest: JSON.stringify(configuration) }, options, true));
  if (!Buffer.isBuffer(outcome)) return fromText(outcome, first);
  const Class = (first as object).constructor as new (bytes: Uint8Array) => K;
  return decode.accounts(outcome, { copy, key: (of) => new Class(of) }).value;
}

/** The keys as bytes; `undefined` when one is text or of another class than the first. */
function bytesOf(keys: readonly Key[]): Uint8Array[] | undefined {
  if (keys.length > op.MAX_KEYS) return undefined;
  const [first] = keys;
  const bytes: Uint8Array[] = [];
  for (const key of keys) {
    if (typeof key !== 'object' || key === null || key.constructor !== first?.constructor || typeof key.toBytes !== 'function')
      return undefined;
    const one = key.toBytes();
    if (one.length !== 32) return undefined;
    bytes.push(one);
  }
  return bytes;
}

function fromText<K extends Key>(outcome: Answered, like: K): (shape.AccountInfo<K> | null)[] {
  const { value } = (JSON.parse(String(outcome)) as { value?: unknown } | null) ?? {};
  const list = Array.isArray(value) ? value : [value];
  return expected('the read of accounts', () => (list.every(shape.isAccount) ? list.map((wire) => shape.account(wire, like)) : undefined));
}
