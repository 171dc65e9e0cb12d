/**
 * @module dev/solana-rpc/account-methods
 *
 * JSON-RPC methods that read accounts. Each gets the front end (`front`: ledger, slot of a commitment, context) and the parameters.
 */
import { fromBase58 } from './base58.mjs';
import { encodeAccount, isTokenProgram, readMint, readTokenAccount, tokenAmount, TOKEN, TOKEN_2022, u64 } from './encoding.mjs';
import { invalidParams } from './errors.mjs';

const MAX_ACCOUNTS = 100;
const MAX_LARGEST = 20;

/** The key as given, after a check of its form. */
export function publicKey(text) {
  if (typeof text !== 'string') throw invalidParams('Invalid params: invalid type: expected a string.');
  const bytes = text.length > 44 ? undefined : fromBase58(text);
  if (bytes === undefined) throw invalidParams(text.length > 44 ? 'Invalid param: WrongSize' : 'Invalid param: Invalid');
  if (bytes.length !== 32) throw invalidParams('Invalid param: WrongSize');
  return text;
}

const withContext = (front, config, value) => ({ context: front.context(config?.commitment), value });

function encoderAt(front, config) {
  const slot = front.slotAt(config?.commitment);
  const at = (key) => front.ledger.accountAt(key, slot);
  return { slot, at, encode: (account) => encodeAccount(account, config ?? {}, at) };
}

function getBalance(front, [key, config]) {
  const account = front.ledger.accountAt(publicKey(key), front.slotAt(config?.commitment));
  return withContext(front, config, u64(account?.lamports ?? 0n));
}

function getAccountInfo(front, [key, config]) {
  const { at, encode } = encoderAt(front, config);
  return withContext(front, config, encode(at(publicKey(key))));
}

function getMultipleAccounts(front, [keys, config]) {
  if (!Array.isArray(keys)) throw invalidParams('Invalid params: invalid type: expected a sequence.');
  if (keys.length > MAX_ACCOUNTS) throw invalidParams(`Too many inputs provided; max ${MAX_ACCOUNTS}`);
  const { at, encode } = encoderAt(front, { encoding: 'base64', ...config });
  return withContext(
    front,
    config,
    keys.map((key) => encode(at(publicKey(key)))),
  );
}

function getProgramAccounts(front, [program, config]) {
  const { slot, encode } = encoderAt(front, config);
  const matches = (config?.filters ?? []).map(filterOf);
  const found = front.ledger.programAccountsAt(publicKey(program), slot).filter(([, account]) => matches.every((match) => match(account)));
  const accounts = found.map(([pubkey, account]) => ({ account: encode(account), pubkey }));
  return config?.withContext ? withContext(front, config, accounts) : accounts;
}

function filterOf(filter) {
  if (filter.dataSize !== undefined) return (account) => account.data.length === filter.dataSize;
  if (filter.tokenAccountState === true || filter === 'tokenAccountState') return (account) => readTokenAccount(account) !== undefined;
  if (filter.memcmp === undefined) throw invalidParams('Invalid params: unknown filter.');
  const { offset, bytes, encoding = 'base58' } = filter.memcmp;
  const wanted = Array.isArray(bytes) ? Buffer.from(bytes) : encoding === 'base64' ? Buffer.from(bytes, 'base64') : fromBase58(bytes);
  if (wanted === undefined) throw invalidParams('Invalid param: invalid base58 in memcmp');
  return (account) => account.data.subarray(offset, offset + wanted.length).equals(wanted);
}

function tokenAccountOf(front, key, config) {
  const { at } = encoderAt(front, config);
  const token = readTokenAccount(at(publicKey(key)));
  if (token === undefined)
    throw invalidParams(at(key) === null ? 'Invalid param: could not find account' : 'Invalid param: not a Token account');
  return { token, decimals: readMint(at(token.mint))?.decimals ?? 0 };
}

function getTokenAccountBalance(front, [key, config]) {
  const { token, decimals } = tokenAccountOf(front, key, config);
  return withContext(front, config, tokenAmount(token.amount, decimals));
}

function getTokenSupply(front, [key, config]) {
  const { at } = encoderAt(front, config);
  const mint = readMint(at(publicKey(key)));
  if (mint === undefined) throw invalidParams('Invalid param: not a Token mint');
  return withContext(front, config, tokenAmount(mint.supply, mint.decimals));
}

function getTokenLargestAccounts(front, [key, config]) {
  const { slot, at } = encoderAt(front, config);
  const mint = at(publicKey(key));
  const { decimals } = readMint(mint) ?? {};
  if (decimals === undefined) throw invalidParams('Invalid param: not a Token mint');
  const tokens = front.ledger
    .programAccountsAt(mint.owner, slot)
    .map(([address, account]) => ({ address, token: readTokenAccount(account) }));
  const held = tokens.filter(({ token }) => token?.mint === key).toSorted((a, b) => (a.token.amount < b.token.amount ? 1 : -1));
  const largest = held.slice(0, MAX_LARGEST).map(({ address, token }) => ({ address, ...tokenAmount(token.amount, decimals) }));
  return withContext(front, config, largest);
}

function tokenAccountsBy(field) {
  return (front, [key, filter, config]) => {
    publicKey(key);
    const { slot, at, encode } = encoderAt(front, config);
    const programs = filter?.programId === undefined ? [TOKEN, TOKEN_2022] : [publicKey(filter.programId)];
    if (!programs.every(isTokenProgram)) throw invalidParams('Invalid param: unrecognized Token program id');
    if (filter?.mint !== undefined && readMint(at(publicKey(filter.mint))) === undefined)
      throw invalidParams('Invalid param: could not find mint');
    const wanted = ([, account]) => {
      const token = readTokenAccount(account);
      return token?.[field] === key && (filter?.mint === undefined || token.mint === filter.mint);
    };
    const found = programs.flatMap((program) => front.ledger.programAccountsAt(program, slot)).filter(wanted);
    return withContext(
      front,
      config,
      found.map(([pubkey, account]) => ({ account: encode(account), pubkey })),
    );
  };
}

function getMinimumBalanceForRentExemption(front, [bytes]) {
  if (!Number.isInteger(bytes) || bytes < 0) throw invalidParams('Invalid params: invalid type: expected usize.');
  return u64(front.ledger.svm.minimumBalanceForRentExemption(BigInt(bytes)));
}

export const accountMethods = {
  getBalance,
  getAccountInfo,
  getMultipleAccounts,
  getProgramAccounts,
  getTokenAccountBalance,
  getTokenSupply,
  getTokenLargestAccounts,
  getTokenAccountsByOwner: tokenAccountsBy('owner'),
  getTokenAccountsByDelegate: tokenAccountsBy('delegate'),
  getMinimumBalanceForRentExemption,
};
