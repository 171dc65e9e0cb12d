/**
 * @module dev/solana-rpc/base58
 *
 * Base58 with Bitcoin's alphabet, as Solana writes keys, hashes and signatures. Quick enough for keys and signatures; larger inputs are refused by the callers.
 */
const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const DIGIT = new Map([...ALPHABET].map((letter, value) => [letter, value]));

/** Bytes to text. */
export function toBase58(bytes) {
  const digits = [];
  for (const byte of bytes) {
    let carry = byte;
    for (let i = 0; i < digits.length; i++) {
      carry += digits[i] << 8;
      digits[i] = carry % 58;
      carry = Math.trunc(carry / 58);
    }
    for (; carry > 0; carry = Math.trunc(carry / 58)) digits.push(carry % 58);
  }
  let zeros = 0;
  while (zeros < bytes.length && bytes[zeros] === 0) zeros++;
  return (
    '1'.repeat(zeros) +
    digits
      .toReversed()
      .map((digit) => ALPHABET[digit])
      .join('')
  );
}

/** Text to bytes; undefined when a letter is not of the alphabet. */
export function fromBase58(text) {
  const bytes = [];
  for (const letter of text) {
    let carry = DIGIT.get(letter);
    if (carry === undefined) return undefined;
    for (let i = 0; i < bytes.length; i++) {
      carry += bytes[i] * 58;
      bytes[i] = carry & 0xff;
      carry >>= 8;
    }
    for (; carry > 0; carry >>= 8) bytes.push(carry & 0xff);
  }
  let zeros = 0;
  while (text[zeros] === '1') zeros++;
  return Buffer.from([...new Uint8Array(zeros), ...bytes.toReversed()]);
}
