/**
 * @module solana/bigint
 *
 * JSON with integers as `bigint`: written as plain integers, read back from text whose integers were marked in Rust (`src/solana/mark.rs`), so that the text is
 * not walked in JavaScript.
 */
const DEL = 0x7f;

/** Reads text with marked integers. */
export function parseMarked(text: string): unknown {
  return JSON.parse(text, revive) as unknown;
}

/** JSON with `bigint` as plain integers: a mark that no other string has, then its quotes are cut away. */
export function stringify(payload: unknown): string {
  const text = JSON.stringify(payload, (_name, value: unknown) => {
    if (typeof value === 'bigint') return `\u007f${value}`;
    return typeof value === 'string' && value.charCodeAt(0) === DEL ? `\u007f${value}` : value;
  });
  return text.replace(/"\u007f(-?\d+)"/g, '$1').replace(/"\u007f\u007f/g, '"\u007f');
}

function revive(_name: string, value: unknown): unknown {
  if (typeof value !== 'string' || value.charCodeAt(0) !== DEL) return value;
  return value.charCodeAt(1) === DEL ? value.slice(1) : BigInt(value.slice(1));
}
