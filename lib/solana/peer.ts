/**
 * @module solana/peer
 *
 * The copy of `@solana/web3.js` in use: handed in, or loaded on first need. The core works without one.
 */
import { MooringError } from '../error/index.js';

// The peer is optional: without it installed these types are `any` in the consumer's build, and nothing else changes.
// oxlint-disable-next-line typescript/ban-ts-comment -- see above
/** @ts-ignore optional peer */
export type Connection = import('@solana/web3.js').Connection;
// oxlint-disable-next-line typescript/ban-ts-comment -- see above
/** @ts-ignore optional peer */
export type Web3 = typeof import('@solana/web3.js');

/** The class of a peer's public key, taken from the argument. */
export interface PublicKeyLike {
  toBase58(): string;
  toBytes?(): Uint8Array;
}

/** The installed peer. */
export function loadWeb3(given: Web3 | undefined): Web3 {
  const web3 = given ?? requireWeb3();
  return checkedWeb3(web3);
}

/** Refuses what is not the peer. */
export function checkedWeb3(web3: unknown): Web3 {
  if (typeof (web3 as Partial<Web3>).Connection !== 'function') {
    throw new MooringError('MOORING_INVALID_CONFIG', '@solana/web3.js has no Connection: install version 1', {
      details: { option: 'web3', maybeExecuted: false },
    });
  }
  return web3 as Web3;
}

/** The peer if it can be had. */
export function tryWeb3(given: Web3 | undefined): Web3 | undefined {
  try {
    return loadWeb3(given);
  } catch {
    return undefined;
  }
}

function requireWeb3(): Web3 {
  try {
    // oxlint-disable-next-line typescript/no-require-imports -- an optional peer, loaded on first need
    return require('@solana/web3.js') as Web3;
  } catch (cause) {
    throw new MooringError('MOORING_INVALID_CONFIG', '@solana/web3.js is not installed', { details: { option: 'web3' }, cause });
  }
}

/** A key as base58 text. */
export function base58(key: PublicKeyLike | string, argument: string): string {
  const text = typeof key === 'string' ? key : typeof key?.toBase58 === 'function' ? key.toBase58() : undefined;
  if (typeof text === 'string' && /^[1-9A-HJ-NP-Za-km-z]{32,44}$/.test(text)) return text;
  throw new MooringError('MOORING_INVALID_ARGUMENT', `${argument} must be a public key`, { details: { argument, maybeExecuted: false } });
}

/** A key of the same class as `like`; text when `like` is text. */
export function keyLike<K extends PublicKeyLike | string>(like: K, text: string): K {
  if (typeof like === 'string') return text as K;
  const PublicKey = like.constructor as new (value: string) => K;
  return new PublicKey(text);
}
