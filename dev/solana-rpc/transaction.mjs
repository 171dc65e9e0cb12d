/**
 * @module dev/solana-rpc/transaction
 *
 * Reads serialised transactions (legacy and version 0): signatures, keys, blockhash, instructions, the nonce account when there is one, the fee. It checks
 * layout and signatures; whether a transaction may run is the ledger's business.
 */
import { createPublicKey, verify } from 'node:crypto';
import { fromBase58, toBase58 } from './base58.mjs';
import { invalidParams } from './errors.mjs';

const MAX_BYTES = 1232;
const MAX_TEXT = { base58: 1683, base64: 1644 };
const SYSTEM = '11111111111111111111111111111111';
const COMPUTE_BUDGET = 'ComputeBudget111111111111111111111111111111';
const LAMPORTS_PER_SIGNATURE = 5000;
/** DER head of an Ed25519 public key. */
const ED25519_HEAD = Buffer.from('302a300506032b6570032100', 'hex');

/** Text of a request to bytes, with agave's limits and texts. */
export function transactionBytes(text, encoding, what = 'solana_transaction::versioned::VersionedTransaction') {
  if (typeof text !== 'string') throw invalidParams('Invalid params: invalid type: expected a string.');
  if (text.length > MAX_TEXT[encoding]) {
    throw invalidParams(
      `${encoding} encoded ${what} too large: ${text.length} bytes (max: encoded/raw ${MAX_TEXT[encoding]}/${MAX_BYTES})`,
    );
  }
  const bytes = encoding === 'base58' ? fromBase58(text) : strictBase64(text);
  if (bytes === undefined) throw invalidParams(`invalid ${encoding} encoding: InvalidByte`);
  if (bytes.length > MAX_BYTES) throw invalidParams(`decoded ${what} too large: ${bytes.length} bytes (max: ${MAX_BYTES} bytes)`);
  return bytes;
}

function strictBase64(text) {
  return /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0 ? Buffer.from(text, 'base64') : undefined;
}

/** The parts of a serialised transaction; -32602 when it is malformed. */
export function readTransaction(bytes) {
  try {
    const reader = new Reader(bytes);
    const signatures = reader.list(() => reader.take(64));
    const messageBytes = bytes.subarray(reader.at);
    const message = readMessage(messageBytes);
    if (signatures.length !== message.header.numRequiredSignatures) throw new RangeError('signature count');
    return { bytes, messageBytes, signatures, signature: toBase58(signatures[0]), ...message };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw invalidParams(`failed to deserialize solana_transaction::versioned::VersionedTransaction: ${error.message}`);
  }
}

/** The parts of a serialised message. */
export function readMessage(bytes) {
  const reader = new Reader(bytes);
  const version = (bytes[0] ?? 0) & 0x80 ? reader.byte() & 0x7f : 'legacy';
  if (version !== 'legacy' && version !== 0) throw new RangeError(`version ${version}`);
  const header = {
    numRequiredSignatures: reader.byte(),
    numReadonlySignedAccounts: reader.byte(),
    numReadonlyUnsignedAccounts: reader.byte(),
  };
  const keys = reader.list(() => toBase58(reader.take(32)));
  const blockhash = toBase58(reader.take(32));
  const instructions = reader.list(() => ({
    programIdIndex: reader.byte(),
    accounts: [...reader.bytesList()],
    data: reader.bytesList(),
  }));
  const lookups =
    version === 0
      ? reader.list(() => ({ table: toBase58(reader.take(32)), writable: [...reader.bytesList()], readonly: [...reader.bytesList()] }))
      : [];
  if (reader.at !== bytes.length || header.numRequiredSignatures === 0 || keys.length < header.numRequiredSignatures)
    throw new RangeError('layout');
  return { version, header, keys, blockhash, instructions, lookups };
}

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  byte() {
    return this.take(1)[0];
  }

  take(count) {
    if (this.at + count > this.bytes.length) throw new RangeError('io error: unexpected end of file');
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  /** A length of one to three bytes, seven bits each. */
  length() {
    let value = 0;
    for (let shift = 0; shift < 21; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('length');
  }

  list(readOne) {
    return Array.from({ length: this.length() }, readOne);
  }

  bytesList() {
    return this.take(this.length());
  }
}

/** Whether every signature is right. */
export function signaturesAreValid({ signatures, keys, messageBytes }) {
  return signatures.every((signature, i) => {
    const key = createPublicKey({ key: Buffer.concat([ED25519_HEAD, fromBase58(keys[i])]), format: 'der', type: 'spki' });
    return verify(null, messageBytes, key, signature);
  });
}

/** Whether a static key is writable. */
export function isWritable({ header, keys }, index) {
  if (index < header.numRequiredSignatures) return index < header.numRequiredSignatures - header.numReadonlySignedAccounts;
  return index < keys.length - header.numReadonlyUnsignedAccounts;
}

/** The nonce account, when the first instruction advances one. */
export function nonceAccount({ instructions, keys }) {
  const first = instructions[0];
  const advances =
    first !== undefined && keys[first.programIdIndex] === SYSTEM && first.data.length >= 4 && first.data.readUInt32LE(0) === 4;
  return advances ? keys[first.accounts[0]] : undefined;
}

/** Lamports: 5000 a signature plus the priority fee. A missing compute limit counts 200 000 units an instruction, as agave did before 2.2. */
export function feeOf({ header, instructions, keys }) {
  let price = 0n;
  let limit;
  let others = 0;
  for (const { programIdIndex, data } of instructions) {
    if (keys[programIdIndex] !== COMPUTE_BUDGET) others += 1;
    else if (data[0] === 2 && data.length >= 5) limit = data.readUInt32LE(1);
    else if (data[0] === 3 && data.length >= 9) price = data.readBigUInt64LE(1);
  }
  const units = BigInt(Math.min(limit ?? others * 200_000, 1_400_000));
  return LAMPORTS_PER_SIGNATURE * header.numRequiredSignatures + Number((price * units + 999_999n) / 1_000_000n);
}
