/**
 * @module solana/configuration
 *
 * The configuration parameter of a read as web3.js builds it: the method's encoding, the commitment (the caller's, else the connection's), then whatever else
 * the caller gave, which may override both.
 */

/** A configuration as callers give it: a commitment, or an object with one. */
export type Given = string | (Record<string, unknown> & { readonly commitment?: unknown }) | null | undefined;

/** The parameter as JSON text; empty when there is nothing to say. */
export function configuration(own: string | undefined, encoding: string | undefined, given: Given): string {
  const { commitment, extra } = split(given);
  const chosen = commitment || own;
  const options: Record<string, unknown> = {};
  if (encoding) options['encoding'] = encoding;
  if (chosen) options['commitment'] = chosen;
  if (!chosen && !encoding && extra === undefined) return '';
  return JSON.stringify(extra === undefined ? options : Object.assign(options, extra));
}

/** The configuration of `getProgramAccounts`: base64 unless asked otherwise, and each `memcmp` filter says what its bytes are. */
export function programConfiguration(own: string | undefined, given: Given): string {
  const { commitment, extra } = split(given);
  const { encoding = 'base64', filters, ...rest } = extra ?? {};
  const filled = Array.isArray(filters) ? { filters: filters.map(withEncoding) } : filters === undefined ? {} : { filters };
  return configuration(own, (encoding as string) || 'base64', { ...rest, ...filled, commitment });
}

/** Whether the caller asks for the context around a list. */
export function wantsContext(given: Given): boolean {
  return typeof given === 'object' && given !== null && given['withContext'] === true;
}

function split(given: Given): { commitment: unknown; extra: Record<string, unknown> | undefined } {
  if (typeof given === 'string') return { commitment: given, extra: undefined };
  if (!given) return { commitment: undefined, extra: undefined };
  const { commitment, ...extra } = given;
  return { commitment, extra };
}

function withEncoding(filter: unknown): unknown {
  const memcmp = (filter as { memcmp?: { encoding?: unknown } }).memcmp;
  if (memcmp === undefined) return filter;
  return { ...(filter as object), memcmp: { ...memcmp, encoding: memcmp.encoding ?? 'base58' } };
}
