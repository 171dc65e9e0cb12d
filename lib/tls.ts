/**
 * @module tls
 *
 * TLS options with Node's names, as PEM text for the wire: those of Redis clients and of RPC pools. What rustls cannot honour is refused by name.
 */
import { invalidOption } from './error/index.js';

/** PEM text, or several. */
export type Pem = string | Buffer | readonly (string | Buffer)[];

/** TLS options. */
export interface TlsOptions {
  /** Replaces the system's roots. */
  ca?: Pem | undefined;
  /** Client certificate. */
  cert?: Pem | undefined;
  /** Key of the client certificate. */
  key?: Pem | undefined;
  /** Default true. */
  rejectUnauthorized?: boolean | undefined;
  /** Name asked for and checked; default the host. */
  servername?: string | undefined;
}

/** Node's TLS options that repeat what the own options of a Redis client say. */
export const REPEATED_IN_TLS = ['host', 'port', 'path', 'family', 'keepAlive', 'timeout'];
const KNOWN = new Set(['ca', 'cert', 'key', 'rejectUnauthorized', 'servername']);

function texts(pem: Pem | undefined): string[] | undefined {
  if (pem === undefined) return undefined;
  return (Array.isArray(pem) ? (pem as readonly (string | Buffer)[]) : [pem as string | Buffer]).map(String);
}

/** The wire's `tls` option; `undefined` without TLS. `option` names it in errors; names in `repeated` are passed over: the client knows their values already. */
export function wireTls(tls: TlsOptions | boolean | undefined, option = 'tls', repeated: readonly string[] = []): object | undefined {
  if (tls === undefined || tls === null || tls === false) return undefined;
  if (tls === true) return {};
  if (typeof tls !== 'object') throw invalidOption(option, `${option} must be true or an object`);
  for (const [name, value] of Object.entries(tls)) {
    if (value !== undefined && !KNOWN.has(name) && !repeated.includes(name))
      throw invalidOption(`${option}.${name}`, `option ${option}.${name} is not supported`);
  }
  const { rejectUnauthorized, servername } = tls;
  return { ca: texts(tls.ca), cert: texts(tls.cert)?.join('\n'), key: texts(tls.key)?.join('\n'), rejectUnauthorized, servername };
}
