/**
 * @module dev/solana-rpc/send-methods
 *
 * JSON-RPC methods that take transactions: send (with preflight), simulate, fee, airdrop. Preflight checks lifetime and duplicates as of the front end's own
 * slot; programs run on the newest state, not on the lagging one.
 */
import { randomBytes } from 'node:crypto';
import { publicKey } from './account-methods.mjs';
import { toBase58 } from './base58.mjs';
import { encodeAccount, u64 } from './encoding.mjs';
import { behind, invalidParams, preflightFailure, RpcError } from './errors.mjs';
import { feeOf, readMessage, readTransaction, signaturesAreValid, transactionBytes } from './transaction.mjs';

const signatureFailure = () => new RpcError(-32003, 'Transaction signature verification failure');

function decode([text, config], fallback) {
  const encoding = config?.encoding ?? fallback;
  if (encoding !== 'base58' && encoding !== 'base64')
    throw invalidParams(`unsupported encoding: ${encoding}. Supported encodings: base58, base64`);
  return readTransaction(transactionBytes(text, encoding));
}

function sendTransaction(front, params) {
  const config = params[1] ?? {};
  const transaction = decode(params, 'base58');
  front.noteSend(transaction.signature, config);
  if (config.skipPreflight !== true) preflight(front, transaction, config.preflightCommitment);
  // A leader drops what is not signed correctly without telling anybody.
  else if (!signaturesAreValid(transaction)) return transaction.signature;
  front.forward(transaction);
  // A crossed answer: taken, but named by somebody else's signature.
  if (front.faults.take('wrongSignature', ['sendTransaction']) !== undefined) return toBase58(randomBytes(64));
  return transaction.signature;
}

function preflight(front, transaction, commitment) {
  if (!signaturesAreValid(transaction)) throw signatureFailure();
  const slots = front.slotsBehind();
  if (slots > 0) throw behind(slots);
  const tip = front.slotAt(commitment);
  const seen = front.ledger.transactions.get(transaction.signature);
  if (seen !== undefined && seen.slot <= tip) throw preflightFailure({ err: 'AlreadyProcessed' });
  if (!front.ledger.isAlive(transaction, tip)) throw preflightFailure({ err: 'BlockhashNotFound' });
  // Landed, but not yet at this commitment: the node would forward it and the leader would drop it.
  if (seen !== undefined) return;
  const { err, meta } = front.ledger.simulate(transaction);
  if (err !== null) throw preflightFailure({ err, logs: meta.logs(), unitsConsumed: Number(meta.computeUnitsConsumed()) });
}

function simulateTransaction(front, params) {
  const config = params[1] ?? {};
  const transaction = decode(params, 'base58');
  if (config.sigVerify && config.replaceRecentBlockhash) throw invalidParams('sigVerify may not be used with replaceRecentBlockhash');
  const context = front.context(config.commitment);
  const block = front.blockAt(config.commitment);
  const replacement = config.replaceRecentBlockhash ? { blockhash: block.hash, lastValidBlockHeight: front.heightOf(block) + 150 } : null;
  const failure = refuse(front, transaction, config);
  if (failure !== undefined) return { context, value: simulation({ err: failure, logs: [], unitsConsumed: 0, config, replacement }) };
  // The SVM always verifies; without `sigVerify` unsigned bytes must run all the same.
  front.ledger.svm.setSigverify(config.sigVerify === true);
  try {
    const { err, meta, accounts } = front.ledger.simulate(transaction);
    return {
      context,
      value: simulation({
        err,
        logs: meta.logs(),
        unitsConsumed: Number(meta.computeUnitsConsumed()),
        returnData: returnData(meta),
        accounts,
        config,
        replacement,
      }),
    };
  } finally {
    front.ledger.svm.setSigverify(true);
  }
}

function refuse(front, transaction, config) {
  if (config.sigVerify && !signaturesAreValid(transaction)) return 'SignatureFailure';
  if (!config.replaceRecentBlockhash && !front.ledger.isAlive(transaction, front.slotAt(config.commitment))) return 'BlockhashNotFound';
  return undefined;
}

function simulation({ err, logs, unitsConsumed, returnData: data = null, accounts = [], config, replacement }) {
  const after = new Map(accounts.map((entry) => [toBase58(entry.address), entry.account()]));
  const wanted = config.accounts?.addresses?.map((key) => {
    const account = after.get(publicKey(key));
    if (account === undefined) return null;
    const plain = {
      lamports: account.lamports(),
      data: Buffer.from(account.data()),
      owner: toBase58(account.owner()),
      executable: account.executable(),
    };
    return encodeAccount(plain, { encoding: config.accounts.encoding ?? 'base64' });
  });
  return {
    accounts: wanted ?? null,
    err,
    innerInstructions: null,
    loadedAccountsDataSize: 0,
    logs,
    replacementBlockhash: replacement,
    returnData: data,
    unitsConsumed,
  };
}

function returnData(meta) {
  const data = Buffer.from(meta.returnData().data());
  return data.length === 0 ? null : { data: [data.toString('base64'), 'base64'], programId: toBase58(meta.returnData().programId()) };
}

function getFeeForMessage(front, [text, config]) {
  const bytes = transactionBytes(text, 'base64', 'solana_message::versions::VersionedMessage');
  let message;
  try {
    message = readMessage(bytes);
  } catch (error) {
    throw invalidParams(`failed to deserialize solana_message::versions::VersionedMessage: ${error.message}`);
  }
  const alive = front.ledger.isAlive(message, front.slotAt(config?.commitment));
  return { context: front.context(config?.commitment), value: alive ? u64(feeOf(message)) : null };
}

function requestAirdrop(front, [key, lamports]) {
  publicKey(key);
  if (!Number.isInteger(lamports) || lamports < 0) throw invalidParams('Invalid params: invalid type: expected u64.');
  const signature = front.ledger.airdrop(key, lamports);
  front.noteSend(signature);
  return signature;
}

export const sendMethods = { sendTransaction, simulateTransaction, getFeeForMessage, requestAirdrop };
