/**
 * @module dev/solana-rpc/encoding
 *
 * Accounts and integers as an agave node writes them: base58, base64, base64+zstd where Node has zstd, and jsonParsed for SPL token accounts and mints (every
 * other account falls back to base64, as on a node without a parser for it).
 */
import * as zlib from 'node:zlib';
import { toBase58 } from './base58.mjs';
import { invalidParams, RpcError } from './errors.mjs';

export const TOKEN = 'TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA';
export const TOKEN_2022 = 'TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb';
const TOKEN_ACCOUNT_BYTES = 165;
const MINT_BYTES = 82;
const MAX_BASE58_BYTES = 128;
/** Marks a string that goes out as a bare integer: JSON has u64, JavaScript's numbers do not. */
const MARK = '\u0001u64:';
const ACCOUNT_STATES = ['uninitialized', 'initialized', 'frozen'];

/** An integer of any size for a reply. */
export function u64(value) {
  const big = BigInt(value);
  return big <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(big) : `${MARK}${big}`;
}

/** A reply as JSON text with exact integers. */
export function toJson(value) {
  const text = JSON.stringify(value);
  return text.includes('\\u0001u64:') ? text.replace(/"\\u0001u64:(\d+)"/g, '$1') : text;
}

const RENT_EXEMPT_EPOCH = u64(2n ** 64n - 1n);

/** One account (or null) in the encoding of a request's configuration. `mintOf(key)` finds the mint of a token account. */
export function encodeAccount(account, { encoding = 'binary', dataSlice } = {}, mintOf = () => null) {
  if (account === null) return null;
  const parsed = encoding === 'jsonParsed' ? parseTokenData(account, mintOf) : undefined;
  return {
    data: parsed ?? encodeData(slice(account.data, dataSlice), encoding === 'jsonParsed' ? 'base64' : encoding),
    executable: account.executable,
    lamports: u64(account.lamports),
    owner: account.owner,
    rentEpoch: RENT_EXEMPT_EPOCH,
    space: account.data.length,
  };
}

function slice(data, dataSlice) {
  if (dataSlice === undefined || dataSlice === null) return data;
  return data.subarray(Math.min(dataSlice.offset, data.length), Math.min(dataSlice.offset + dataSlice.length, data.length));
}

/** Bytes in a named encoding, in the shape of a node's reply. */
export function encodeData(data, encoding) {
  switch (encoding) {
    case 'base64':
      return [data.toString('base64'), 'base64'];
    case 'base58':
    case 'binary':
      if (data.length > MAX_BASE58_BYTES) {
        throw new RpcError(-32600, 'Encoded binary (base 58) data should be less than 128 bytes, please use Base64 encoding.');
      }
      return encoding === 'binary' ? toBase58(data) : [toBase58(data), 'base58'];
    case 'base64+zstd':
      if (zlib.zstdCompressSync === undefined) throw invalidParams('this server has no zstd: it needs Node 22.15 or newer');
      return [zlib.zstdCompressSync(data).toString('base64'), 'base64+zstd'];
    default:
      throw invalidParams(
        `Invalid params: unknown variant \`${encoding}\`, expected one of \`binary\`, \`base64\`, \`base58\`, \`jsonParsed\`, \`base64+zstd\`.`,
      );
  }
}

export const isTokenProgram = (owner) => owner === TOKEN || owner === TOKEN_2022;

/** The fields of a token account, undefined when it is none. */
export function readTokenAccount(account) {
  if (account === null || !isTokenProgram(account.owner) || account.data.length < TOKEN_ACCOUNT_BYTES || account.data[108] === 0)
    return undefined;
  const { data } = account;
  return {
    mint: toBase58(data.subarray(0, 32)),
    owner: toBase58(data.subarray(32, 64)),
    amount: data.readBigUInt64LE(64),
    delegate: data.readUInt32LE(72) === 1 ? toBase58(data.subarray(76, 108)) : undefined,
    state: ACCOUNT_STATES[data[108]],
    isNative: data.readUInt32LE(109) === 1,
    rentExemptReserve: data.readBigUInt64LE(113),
    delegatedAmount: data.readBigUInt64LE(121),
  };
}

/** The fields of a mint, undefined when it is none. */
export function readMint(account) {
  if (
    account === null ||
    account === undefined ||
    !isTokenProgram(account.owner) ||
    account.data.length !== MINT_BYTES ||
    account.data[45] !== 1
  )
    return undefined;
  const { data } = account;
  const key = (flagAt) => (data.readUInt32LE(flagAt) === 1 ? toBase58(data.subarray(flagAt + 4, flagAt + 36)) : null);
  return { mintAuthority: key(0), supply: data.readBigUInt64LE(36), decimals: data[44], freezeAuthority: key(46) };
}

/** `{ amount, decimals, uiAmount, uiAmountString }`. */
export function tokenAmount(amount, decimals) {
  const digits = amount.toString().padStart(decimals + 1, '0');
  const whole = digits.slice(0, digits.length - decimals);
  const fraction = decimals === 0 ? '' : digits.slice(digits.length - decimals).replace(/0+$/, '');
  const uiAmountString = fraction === '' ? whole : `${whole}.${fraction}`;
  return { amount: amount.toString(), decimals, uiAmount: Number(uiAmountString), uiAmountString };
}

function parseTokenData(account, mintOf) {
  const program = account.owner === TOKEN ? 'spl-token' : 'spl-token-2022';
  const mint = readMint(account);
  if (mint !== undefined) {
    const info = {
      decimals: mint.decimals,
      freezeAuthority: mint.freezeAuthority,
      isInitialized: true,
      mintAuthority: mint.mintAuthority,
      supply: String(mint.supply),
    };
    return { parsed: { info, type: 'mint' }, program, space: account.data.length };
  }
  const token = readTokenAccount(account);
  const decimals = token === undefined ? undefined : readMint(mintOf(token.mint))?.decimals;
  if (decimals === undefined) return undefined;
  const info = {
    isNative: token.isNative,
    mint: token.mint,
    owner: token.owner,
    state: token.state,
    tokenAmount: tokenAmount(token.amount, decimals),
    ...(token.delegate === undefined ? {} : { delegate: token.delegate, delegatedAmount: tokenAmount(token.delegatedAmount, decimals) }),
    ...(token.isNative ? { rentExemptReserve: tokenAmount(token.rentExemptReserve, decimals) } : {}),
  };
  return { parsed: { info, type: 'account' }, program, space: account.data.length };
}
