/**
 * @module solana/wire
 *
 * How endpoints are reached: TLS options as PEM text, and proxies, of the pool and of single endpoints. Values are checked in Rust; here is what only
 * JavaScript has: buffers and, when the option says so, the environment.
 */
import { type TlsOptions, wireTls } from '../tls.js';

/** How an endpoint is reached. */
export interface WireOptions {
  /** For `https` and `wss`, with Node's names. Default: the system's roots and Mozilla's, no client certificate. */
  readonly tls?: TlsOptions;
  /**
   * `http://`, `socks5://` (names looked up here) or `socks5h://` (by the proxy), with user and password if need be; `'env'` reads `HTTPS_PROXY`, `HTTP_PROXY`,
   * `ALL_PROXY` and `NO_PROXY`; `false` for none. Default: none, whatever the environment says.
   */
  readonly proxy?: string | false | ProxyRules;
}

/** Proxies by the scheme of the endpoint. */
export interface ProxyRules {
  readonly http?: string;
  readonly https?: string;
  /** For schemes not named. */
  readonly all?: string;
  /** Hosts that are reached without: names (with all names below them), addresses, networks such as `10.0.0.0/8`, or `*`; comma separated. */
  readonly no?: string;
}

/** Options with `tls` and `proxy`, also those of their endpoints, as Rust reads them. */
export function wired(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { endpoints } = options;
  const own = wire(options, '');
  return Array.isArray(endpoints) ? { ...own, endpoints: endpoints.map(wiredEndpoint) } : own;
}

/** One endpoint, as Rust reads it. */
export function wiredEndpoint(endpoint: unknown): unknown {
  const isObject = typeof endpoint === 'object' && endpoint !== null && !Array.isArray(endpoint);
  return isObject ? wire(endpoint as Record<string, unknown>, 'endpoints.') : endpoint;
}

function wire(options: Readonly<Record<string, unknown>>, prefix: string): Record<string, unknown> {
  const { tls, proxy } = options;
  const isObject = typeof tls === 'object' && tls !== null && !Array.isArray(tls);
  return {
    ...options,
    ...(isObject ? { tls: wireTls(tls, `${prefix}tls`) } : {}),
    ...(proxy === 'env' ? { proxy: fromEnvironment() } : {}),
  };
}

/** As curl reads it. */
function fromEnvironment(): ProxyRules {
  const found: Record<string, string> = {};
  for (const rule of ['http', 'https', 'all', 'no']) {
    const value = process.env[`${rule}_proxy`] ?? process.env[`${rule.toUpperCase()}_PROXY`];
    if (value !== undefined && value.trim() !== '') found[rule] = value.trim();
  }
  return found;
}
