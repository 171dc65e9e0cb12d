/**
 * @module dev/solana-rpc/transfer
 *
 * Key pairs and signed transfers of SOL, written by hand: the faucet's airdrops and the self-test's payments.
 */
import { generateKeyPairSync, sign } from 'node:crypto';
import { fromBase58, toBase58 } from './base58.mjs';

const SYSTEM = Buffer.alloc(32);

/** A key pair with its address. */
export function newSigner() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const bytes = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  return { address: toBase58(bytes), bytes, privateKey };
}

/** A signed legacy transaction as bytes. A `nonce` adds a transfer of so many lamports to the payer itself, which makes equal transfers differ. */
export function signedTransfer({ from, to, lamports, blockhash, nonce }) {
  const head = Buffer.from([1, 0, 1, 3]);
  const instructions = [pay(1, lamports), ...(nonce === undefined ? [] : [pay(0, nonce)])];
  const message = Buffer.concat([
    head,
    from.bytes,
    fromBase58(to),
    SYSTEM,
    fromBase58(blockhash),
    Buffer.from([instructions.length]),
    ...instructions,
  ]);
  return Buffer.concat([Buffer.from([1]), sign(null, message, from.privateKey), message]);
}

/** The system program's transfer from account 0 to the account with this index. */
function pay(to, lamports) {
  const data = Buffer.alloc(12);
  data.writeUInt32LE(2, 0);
  data.writeBigUInt64LE(BigInt(lamports), 4);
  return Buffer.concat([Buffer.from([2, 2, 0, to, data.length]), data]);
}
