/**
 * @module dev/check/rpc-client
 *
 * The smallest client the self-test needs: JSON-RPC over fetch, and signed transfers.
 */
import { toBase58 } from '../solana-rpc/base58.mjs';
import { signedTransfer } from '../solana-rpc/transfer.mjs';

let lastId = 0;

/** The raw HTTP answer to one call. */
export function post(url, method, params = []) {
  const body = JSON.stringify({ id: ++lastId, jsonrpc: '2.0', method, params });
  return fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/json' }, signal: AbortSignal.timeout(5000) });
}

/** The result of one call; an error of the envelope is thrown with `code` and `data`. */
export async function rpc(url, method, params) {
  const { result, error } = await (await post(url, method, params)).json();
  if (error !== undefined) throw Object.assign(new Error(error.message), error);
  return result;
}

/** A signed legacy transfer in base64, with its signature. */
export function transfer(parts) {
  const bytes = signedTransfer(parts);
  return { signature: toBase58(bytes.subarray(1, 65)), base64: bytes.toString('base64') };
}
