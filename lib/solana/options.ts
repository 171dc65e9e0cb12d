/**
 * @module solana/options
 *
 * Options of a pool and where its endpoints come from: the options, else `SOLANA_RPC_ENDPOINTS` (comma separated), else the file that `MOORING_CONFIG` names
 * (JSON, key `solana`). Values are checked in Rust; here only what Rust never sees.
 */
import { readFileSync } from 'node:fs';
import { plainCopy, readable } from '../error/index.js';
import { invalid } from './check.js';
import { checkedWeb3, type Web3 } from './peer.js';
import { type SharedLimits, sharedLimits, type SharedLimitsClient, type SharedLimitsOptions } from './shared-limits.js';
import { wired, wiredEndpoint, type WireOptions } from './wire.js';

/** How sure a read must be. */
export type Commitment = 'processed' | 'confirmed' | 'finalized';

/** One endpoint. `tls` and `proxy` win over the pool's. */
export interface EndpointOptions extends WireOptions {
  /** `http` or `https`. Never shown anywhere: only the name is. */
  readonly url: string;
  /** Its websocket, `ws` or `wss`. Default: the next port, or the same place when `url` names none, as web3.js has it. */
  readonly wsUrl?: string;
  /** For logs and statistics. Default: host and port. */
  readonly name?: string;
  /** Headers of every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Share of the traffic. Default 1. */
  readonly weight?: number;
  /** Lower tiers are used first; higher ones only when no lower one can serve. Default 0. */
  readonly tier?: number;
  /** Starts per second on this endpoint alone. Default: none. */
  readonly limits?: EndpointLimits;
}

/** Starts per second on one endpoint, per class of methods; one that is not given is not limited there. */
export interface EndpointLimits {
  /** Reads, the heavy ones included. */
  readonly read?: number;
  /** `sendTransaction` and `requestAirdrop`. */
  readonly send?: number;
  /** `getProgramAccounts`, `getTokenAccountsBy*`, `getBlock(s)`, `getSignaturesForAddress`, `getTransaction`; they count as reads, too. */
  readonly heavy?: number;
  /** Subscribe and unsubscribe requests of its websockets, and ten times as many at once after a rest. Default 10. */
  readonly subscribe?: number;
}

/** When a read gets a second attempt elsewhere while the first one runs: after the time in which 95 % of its method's answers came. Heavy reads never do. */
export interface HedgeOptions {
  /** Share of the calls that may get one, 0 to 0.5; each also takes a token of the retry budget. Default 0.05. */
  readonly maxExtra?: number;
  /** Milliseconds, at least. Default 20. */
  readonly minDelayMs?: number;
  /** Milliseconds, at most. Default 1000. */
  readonly maxDelayMs?: number;
}

/** How long replies are kept, in milliseconds; 0 switches a kind off. */
export interface CacheConfig {
  /** Balances, token balances, parsed token accounts. Default 1000. */
  readonly balanceTTL?: number;
  /** Default 2000. */
  readonly blockhashTTL?: number;
  /** Default 1000. */
  readonly accountInfoTTL?: number;
  /** Default 500. A status not found is never kept. */
  readonly signatureStatusTTL?: number;
}

/** Where lines go; `console`, pino and winston fit. */
export interface PoolLogger {
  info?(message: string, ...details: unknown[]): unknown;
  warn(message: string, ...details: unknown[]): unknown;
  error(message: string, ...details: unknown[]): unknown;
}

/** Options of a {@link ConnectionPool}. Unknown names are refused. `tls` and `proxy` hold for every endpoint without its own. */
export interface ConnectionPoolOptions extends WireOptions {
  /** URLs or objects. Default: `SOLANA_RPC_ENDPOINTS`, else the configuration file, else none. */
  readonly endpoints?: readonly (string | EndpointOptions)[];
  /** Reads that may start per second, whole pool. Default 100. */
  readonly maxRequestsPerSecond?: number;
  /** Sends that may start per second, counted apart. Default 10. */
  readonly maxTransactionsPerSecond?: number;
  /** Lifetimes of kept replies; a partial object keeps the other defaults. */
  readonly cacheConfig?: CacheConfig;
  /** For reads without one of their own, and for preflight. Default `'processed'`. */
  readonly commitment?: Commitment;
  /** Milliseconds for a whole call. Default 30 000. */
  readonly deadlineMs?: number;
  /** Attempts of a read. Default: 3, or as many as there are endpoints if these are more. */
  readonly readAttempts?: number;
  /** Attempts of a send, the same bytes each. Default 2. */
  readonly sendAttempts?: number;
  /** Slots a node may be behind the best one. Default 20. */
  readonly maxSlotLag?: number;
  /** Default 64 MiB. */
  readonly cacheMaxBytes?: number;
  /** Calls that may wait per class. Default 10 000. */
  readonly queueMax?: number;
  /** Default 64. */
  readonly maxSocketsPerEndpoint?: number;
  /** Milliseconds between slot probes of an endpoint without a fresh slot. Default 2000. */
  readonly probeIntervalMs?: number;
  /** Heavy reads (`getProgramAccounts`, `getTokenAccountsBy*`, `getBlock`, ...) in flight. Default 25. */
  readonly maxHeavyInFlight?: number;
  /** Second attempts of slow reads on another endpoint: on, off, or with other settings. Default `true`. */
  readonly hedge?: boolean | HedgeOptions;
  /** Whether reads see what this pool has sent and confirmed: they are not answered from before its slot. Default `false`. */
  readonly readYourWrites?: boolean;
  /** Default `console`; lines below warn are given only to a logger of your own. */
  readonly logger?: PoolLogger;
  /**
   * Shares `maxRequestsPerSecond` and `maxTransactionsPerSecond` with other processes through Redis: a client of this package, or it with settings. Default:
   * each process has limits of its own.
   */
  readonly sharedLimits?: SharedLimitsClient | SharedLimitsOptions;
  /** A copy of `@solana/web3.js` 1.x; default: the installed one, loaded when first needed. */
  readonly web3?: Web3Module;
  /**
   * Whether `data` of decoded accounts gets memory of its own. Default false: it is a view of the whole reply, which lives as long as any view of it does, and
   * `data.buffer` is larger than `data`.
   */
  readonly copyAccountData?: boolean;
}

/** A copy of `@solana/web3.js` 1.x, known by its `Connection`. */
export interface Web3Module {
  readonly Connection: new (...args: never[]) => object;
}

/** The options split: what Rust checks, and what stays here. */
export interface ResolvedOptions {
  readonly json: string;
  /** Of reads through `getConnection()`; checked in Rust. */
  readonly commitment: Commitment;
  readonly logger: PoolLogger;
  readonly web3: Web3 | undefined;
  readonly copyAccountData: boolean;
  readonly shared: SharedLimits | undefined;
}

/** Checks what Rust never sees and fills in the endpoints. */
export function resolve(options: ConnectionPoolOptions): ResolvedOptions {
  const { logger, web3, sharedLimits: shared, ...rest } = own(options);
  const native = plain(rest, '') as ConnectionPoolOptions;
  const merged = native.endpoints === undefined || native.endpoints === null ? { ...configured(), ...defined(native) } : native;
  const { copyAccountData, ...others } = merged;
  const copy = copyAccountData ?? false;
  if (typeof copy !== 'boolean') throw invalid('copyAccountData', 'copyAccountData must be true or false');
  return {
    json: JSON.stringify(wired(others)),
    commitment: others.commitment ?? 'processed',
    logger: checkedLogger(logger),
    web3: web3 === undefined || web3 === null ? undefined : readable(() => checkedWeb3(web3), 'web3', wrong),
    copyAccountData: copy,
    shared: readable(() => sharedLimits(shared), 'sharedLimits', wrong),
  };
}

/** One endpoint as JSON text. */
export function endpointText(endpoint: unknown): string {
  return JSON.stringify(wiredEndpoint(plain(endpoint, 'endpoints')) ?? null);
}

/** The options that an object has, inherited ones as well. */
function own(options: ConnectionPoolOptions): ConnectionPoolOptions {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) throw invalid('options', 'options must be an object');
  const found: Record<string, unknown> = {};
  for (const name in options) found[name] = options[name as keyof ConnectionPoolOptions];
  return found;
}

const wrong = (name: string, what: string): Error => invalid(name, `${name} ${what}`);

/** As data for Rust, with PEM still in buffers and URLs as Node has them. */
function plain(value: unknown, path: string): unknown {
  return plainCopy(value, path, wrong, (part) => {
    if (part instanceof URL) return part.href;
    return part instanceof Uint8Array ? part : undefined;
  });
}

function checkedLogger(logger: PoolLogger | undefined): PoolLogger {
  if (logger === undefined) return console;
  const fits = readable(() => logger !== null && typeof logger.warn === 'function' && typeof logger.error === 'function', 'logger', wrong);
  if (!fits) throw invalid('logger', 'logger must have the functions warn and error');
  return logger;
}

function configured(): Record<string, unknown> {
  const listed = process.env['SOLANA_RPC_ENDPOINTS'];
  if (listed !== undefined && listed.trim() !== '') {
    const endpoints = listed.split(',').map((url) => url.trim());
    return { ...fromFile(), endpoints: endpoints.filter((url) => url !== '') };
  }
  return fromFile();
}

function fromFile(): Record<string, unknown> {
  const path = process.env['MOORING_CONFIG'];
  if (path === undefined || path === '') return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const reason = error instanceof SyntaxError ? 'is not JSON' : 'is not readable';
    // The parser's own message quotes the text, which may hold keys.
    throw invalid('MOORING_CONFIG', `configuration file ${reason}`);
  }
  const section = (parsed as { solana?: unknown } | null)?.solana ?? {};
  if (typeof section !== 'object' || Array.isArray(section))
    throw invalid('MOORING_CONFIG', 'configuration file must hold an object under solana');
  return section as Record<string, unknown>;
}

function defined(options: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined && value !== null));
}
