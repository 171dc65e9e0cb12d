/**
 * @module solana/shape
 *
 * Results in the shapes of web3.js, with the key class of the caller's argument. Every caller gets objects of its own.
 */
import { keyLike, type PublicKeyLike } from './peer.js';

/** A value and the slot it was read at. */
export interface WithContext<T> {
  readonly context: { readonly slot: number; readonly apiVersion?: string };
  readonly value: T;
}

/** An account, as `AccountInfo` of web3.js. */
export interface AccountInfo<K, D = Buffer> {
  data: D;
  executable: boolean;
  lamports: number;
  owner: K;
  rentEpoch?: number;
  space?: number;
}

/** A blockhash and the last block height at which it is valid. */
export interface BlockhashInfo {
  readonly blockhash: string;
  readonly lastValidBlockHeight: number;
}

/** The status of a signature. */
export interface SignatureStatus {
  readonly slot: number;
  readonly confirmations: number | null;
  readonly err: unknown;
  readonly confirmationStatus?: 'processed' | 'confirmed' | 'finalized';
}

/** An amount of a token. */
export interface TokenAmount {
  readonly amount: string;
  readonly decimals: number;
  readonly uiAmount: number | null;
  readonly uiAmountString?: string;
}

/** A token account with its data parsed by the node. */
export interface ParsedTokenAccount<K> {
  readonly pubkey: K;
  readonly account: AccountInfo<K, { readonly program: string; readonly parsed: unknown; readonly space: number }>;
}

type Wire = { owner: string; data: unknown } & Record<string, unknown>;

/** Whether it is an account of a base64 reply, or null for none. */
export function isAccount(wire: unknown): boolean {
  if (wire === null) return true;
  const { owner, data } = (wire ?? {}) as Partial<Wire>;
  return typeof owner === 'string' && Array.isArray(data) && typeof data[0] === 'string' && data[1] === 'base64';
}

/** One account of a base64 reply. */
export function account<K extends PublicKeyLike | string>(wire: unknown, like: K): AccountInfo<K> | null {
  if (wire === null || wire === undefined) return null;
  const { owner, data, ...rest } = wire as Wire;
  const [text] = data as [string];
  return { ...rest, owner: keyLike(like, owner), data: Buffer.from(text, 'base64') } as unknown as AccountInfo<K>;
}

/** Token accounts of a parsed reply. */
export function tokenAccounts<K extends PublicKeyLike | string>(wire: unknown, like: K): ParsedTokenAccount<K>[] {
  const list = wire as { pubkey: string; account: Wire }[];
  return list.map(({ pubkey, account: { owner, ...rest } }) => {
    const info = { ...rest, owner: keyLike(like, owner) } as unknown as ParsedTokenAccount<K>['account'];
    return { pubkey: keyLike(like, pubkey), account: info };
  });
}
