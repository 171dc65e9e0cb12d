/**
 * @module dev/solana-rpc/history-methods
 *
 * JSON-RPC methods that look back: statuses, transactions, signatures of an address. Instructions are never parsed: `jsonParsed` gives raw ones with resolved
 * keys, as a node does for programs it has no parser for. Inner instructions and token balances are not recorded and reported as null.
 */
import { toBase58 } from './base58.mjs';
import { publicKey } from './account-methods.mjs';
import { encodeData, u64 } from './encoding.mjs';
import { invalidParams, refuseProcessed, RpcError } from './errors.mjs';
import { isWritable } from './transaction.mjs';

const MAX_STATUSES = 256;
const MAX_SIGNATURES = 1000;
/** Slots for which a node answers a status without searching its history. */
const RECENT_SLOTS = 150;

/** The status of a signature as this front end sees it, null when it does not. */
export function statusOf(front, signature, { searchHistory = true } = {}) {
  const record = front.ledger.transactions.get(signature) ?? front.ghost(signature);
  const tip = front.slotAt('processed');
  if (record === undefined || record.slot > tip) return null;
  if (!searchHistory && tip - record.slot > RECENT_SLOTS) return null;
  // Nobody votes for the abandoned side of a fork.
  const voted = !record.ghost;
  const finalized = voted && record.slot <= front.slotAt('finalized');
  const confirmed = voted && record.slot <= front.slotAt('confirmed');
  return {
    confirmationStatus: finalized ? 'finalized' : confirmed ? 'confirmed' : 'processed',
    confirmations: finalized ? null : tip - record.slot,
    err: record.err,
    slot: record.slot,
    status: record.err === null ? { Ok: null } : { Err: record.err },
  };
}

function getSignatureStatuses(front, [signatures, config]) {
  if (!Array.isArray(signatures)) throw invalidParams('Invalid params: invalid type: expected a sequence.');
  if (signatures.length > MAX_STATUSES) throw invalidParams(`Too many inputs provided; max ${MAX_STATUSES}`);
  const searchHistory = config?.searchTransactionHistory === true;
  return { context: front.context('processed'), value: signatures.map((signature) => statusOf(front, signature, { searchHistory })) };
}

function getTransaction(front, [signature, config]) {
  const {
    commitment,
    encoding = 'json',
    maxSupportedTransactionVersion,
  } = typeof config === 'string' ? { encoding: config } : (config ?? {});
  refuseProcessed(commitment);
  const record = front.ledger.transactions.get(signature);
  if (record === undefined || record.slot > front.slotAt(commitment)) return null;
  return { blockTime: record.time, slot: record.slot, ...blockTransaction(record, { encoding, maxSupportedTransactionVersion }) };
}

/** A transaction with its outcome, as blocks and `getTransaction` hold it. */
export function blockTransaction(record, { encoding, maxSupportedTransactionVersion }) {
  const { transaction } = record;
  if (transaction.version === 0 && maxSupportedTransactionVersion === undefined) {
    throw new RpcError(
      -32015,
      'Transaction version (0) is not supported by the requesting client. Please try the request again with the following configuration parameter: "maxSupportedTransactionVersion": 0',
    );
  }
  return {
    meta: metaOf(record),
    transaction: encodeTransaction(record, encoding),
    ...(maxSupportedTransactionVersion === undefined ? {} : { version: transaction.version }),
  };
}

function metaOf({ err, fee, before, after, logs, unitsConsumed, keys, transaction }) {
  const loaded = keys.slice(transaction.keys.length);
  const writable = transaction.lookups.reduce((sum, lookup) => sum + lookup.writable.length, 0);
  return {
    computeUnitsConsumed: unitsConsumed,
    err,
    fee,
    innerInstructions: null,
    loadedAddresses: { readonly: loaded.slice(writable), writable: loaded.slice(0, writable) },
    logMessages: logs,
    postBalances: after.map(u64),
    postTokenBalances: null,
    preBalances: before.map(u64),
    preTokenBalances: null,
    rewards: null,
    status: err === null ? { Ok: null } : { Err: err },
  };
}

function encodeTransaction({ transaction, keys }, encoding) {
  if (!encoding.startsWith('json')) return encodeData(transaction.bytes, encoding);
  return {
    message: encoding === 'json' ? rawMessage(transaction) : parsedMessage(transaction, keys),
    signatures: transaction.signatures.map((bytes) => toBase58(bytes)),
  };
}

const lookupsOf = ({ version, lookups }) =>
  version === 0
    ? {
        addressTableLookups: lookups.map(({ table, writable, readonly }) => ({
          accountKey: table,
          readonlyIndexes: readonly,
          writableIndexes: writable,
        })),
      }
    : {};

function rawMessage(transaction) {
  const { header, keys, blockhash, instructions } = transaction;
  return {
    accountKeys: keys,
    ...lookupsOf(transaction),
    header: {
      numReadonlySignedAccounts: header.numReadonlySignedAccounts,
      numReadonlyUnsignedAccounts: header.numReadonlyUnsignedAccounts,
      numRequiredSignatures: header.numRequiredSignatures,
    },
    instructions: instructions.map(({ accounts, data, programIdIndex }) => ({
      accounts,
      data: toBase58(data),
      programIdIndex,
      stackHeight: 1,
    })),
    recentBlockhash: blockhash,
  };
}

function parsedMessage(transaction, keys) {
  const { header, blockhash, instructions } = transaction;
  const writableLookups = transaction.lookups.reduce((sum, lookup) => sum + lookup.writable.length, 0);
  const own = transaction.keys.length;
  const accountKeys = keys.map((pubkey, i) => ({
    pubkey,
    signer: i < header.numRequiredSignatures,
    source: i < own ? 'transaction' : 'lookupTable',
    writable: i < own ? isWritable(transaction, i) : i < own + writableLookups,
  }));
  const parsed = instructions.map(({ accounts, data, programIdIndex }) => ({
    accounts: accounts.map((i) => keys[i]),
    data: toBase58(data),
    programId: keys[programIdIndex],
    stackHeight: 1,
  }));
  return { accountKeys, ...lookupsOf(transaction), instructions: parsed, recentBlockhash: blockhash };
}

function getSignaturesForAddress(front, [address, config]) {
  publicKey(address);
  const { limit = MAX_SIGNATURES, before, until, commitment } = config ?? {};
  refuseProcessed(commitment);
  if (limit < 1 || limit > MAX_SIGNATURES) throw invalidParams(`Invalid limit; max ${MAX_SIGNATURES}`);
  const { transactions } = front.ledger;
  const newest = before === undefined ? Infinity : (transactions.get(before)?.order ?? Infinity);
  const oldest = until === undefined ? -1 : (transactions.get(until)?.order ?? -1);
  const tip = front.slotAt(commitment);
  const finalized = front.slotAt('finalized');
  const mine = [...transactions.values()].filter(
    (record) => record.order < newest && record.order > oldest && record.slot <= tip && record.keys.includes(address),
  );
  return mine
    .toReversed()
    .slice(0, limit)
    .map((record) => ({
      blockTime: record.time,
      confirmationStatus: record.slot <= finalized ? 'finalized' : 'confirmed',
      err: record.err,
      memo: null,
      signature: record.signature,
      slot: record.slot,
    }));
}

export const historyMethods = { getSignatureStatuses, getTransaction, getSignaturesForAddress };
