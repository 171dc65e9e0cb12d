/**
 * @module redis/cluster/options
 *
 * Options of `Cluster` with the peer's defaults, and startup nodes in any of their forms.
 */
import { lookup, resolveSrv, type SrvRecord } from 'node:dns';
import { invalidOption } from '../../error/index.js';
import type { Redis } from '../client.js';
import type { CommandInfo } from '../errors.js';
import { parseUrl, redactedOptions, type RedisOptions, showAs } from '../options.js';
import type { ScriptDefinition } from '../script.js';
import type { KeyPrefix } from '../transformers.js';
import type { NodeKey } from './slots.js';

/** Which nodes. */
export type NodeRole = 'all' | 'master' | 'slave';

/** A node to ask for the cluster's shape: a URL, a port or an address, with options of its own when they differ from `redisOptions`. */
export type ClusterNode = string | number | (Omit<RedisOptions, 'port'> & { port?: number | string | undefined });

/** Where a node is reached. */
export interface NodeAddress {
  readonly host: string;
  readonly port: number;
}

/** A node with the options that it alone has. */
export type NodeOptions = RedisOptions & { host: string; port: number };

/** Answers reads: all nodes of a slot, master first, and the command. */
export type ScaleReads = (nodes: Redis[], command: CommandInfo) => Redis | Redis[] | undefined | null;

/** Options of `Cluster`. Times are milliseconds. */
export interface ClusterOptions {
  /** Milliseconds to wait before attempt `times` when no node was reached; anything but a number stops. Default `min(100 + times * 2, 2000)`. */
  clusterRetryStrategy?: ((times: number, reason?: Error) => number | void | null) | null | undefined;
  /** Lets single nodes reconnect. Default none: a lost node leaves the pool until a refresh or MOVED names it again. */
  clusterNodeRetryStrategy?: ((times: number) => number | void | null) | null | undefined;
  /** Commands called before the cluster is ready wait. Default true. */
  enableOfflineQueue?: boolean | undefined;
  /** Ready only when `CLUSTER INFO` says so. Default true. */
  enableReadyCheck?: boolean | undefined;
  /** Where reads go. Default 'master'. */
  scaleReads?: NodeRole | ScaleReads | undefined;
  /** Redirections and retries of one command at most. Default 16. */
  maxRedirections?: number | undefined;
  /** Wait before a command whose node was lost is tried elsewhere; 0 rejects it. Default 100. */
  retryDelayOnFailover?: number | undefined;
  /** Wait after CLUSTERDOWN; 0 rejects. Default 100. */
  retryDelayOnClusterDown?: number | undefined;
  /** Wait after TRYAGAIN. Default 100. */
  retryDelayOnTryAgain?: number | undefined;
  /** Wait after MOVED. Default 0. */
  retryDelayOnMoved?: number | undefined;
  /** How long one node may take to tell the slots. Default 1000. */
  slotsRefreshTimeout?: number | undefined;
  /** Asks for the slots again and again. Default off: MOVED and lost nodes cause refreshes. */
  slotsRefreshInterval?: number | undefined;
  /** A connection per master for sharded channels from the start. Without it they are made by the first `ssubscribe`. */
  shardedSubscribers?: boolean | undefined;
  /** Options of every node's connection. */
  redisOptions?: RedisOptions | undefined;
  lazyConnect?: boolean | undefined;
  /** Startup hosts are names of SRV records. */
  useSRVRecords?: boolean | undefined;
  resolveSrv?: ((hostname: string, callback: (error: Error | null | undefined, records?: SrvRecord[]) => void) => void) | undefined;
  /** Resolves startup hosts. Default `dns.lookup`. */
  dnsLookup?:
    ((hostname: string, callback: (error: Error | null | undefined, address: string, family?: number) => void) => void) | undefined;
  /** Addresses that nodes announce to addresses where they are reached. */
  natMap?: Record<NodeKey, NodeAddress> | ((key: NodeKey) => NodeAddress | null | undefined) | undefined;
  enableAutoPipelining?: boolean | undefined;
  autoPipeliningIgnoredCommands?: string[] | undefined;
  keyPrefix?: KeyPrefix | undefined;
  scripts?: Record<string, ScriptDefinition> | undefined;
  showFriendlyErrorStack?: boolean | undefined;
}

/** Options after defaults; live. */
export type ResolvedClusterOptions = Omit<ClusterOptions, Defaulted> & { [Name in Defaulted]: NonNullable<ClusterOptions[Name]> };
type Defaulted =
  | ('scaleReads' | 'maxRedirections' | 'slotsRefreshTimeout' | 'resolveSrv' | 'dnsLookup')
  | ('retryDelayOnFailover' | 'retryDelayOnClusterDown' | 'retryDelayOnTryAgain');

const DEFAULTS: ClusterOptions = {
  clusterRetryStrategy: (times) => Math.min(100 + times * 2, 2000),
  clusterNodeRetryStrategy: null,
  enableOfflineQueue: true,
  enableReadyCheck: true,
  scaleReads: 'master',
  maxRedirections: 16,
  retryDelayOnMoved: 0,
  retryDelayOnFailover: 100,
  retryDelayOnClusterDown: 100,
  retryDelayOnTryAgain: 100,
  slotsRefreshTimeout: 1000,
  useSRVRecords: false,
  resolveSrv,
  dnsLookup: lookup,
  enableAutoPipelining: false,
  autoPipeliningIgnoredCommands: [],
  shardedSubscribers: false,
};
const ROLES = ['all', 'master', 'slave'];
const NUMBERS = [
  ...(['maxRedirections', 'retryDelayOnFailover', 'retryDelayOnClusterDown', 'retryDelayOnTryAgain'] as const),
  ...(['retryDelayOnMoved', 'slotsRefreshTimeout', 'slotsRefreshInterval'] as const),
];
const FUNCTIONS = ['clusterRetryStrategy', 'clusterNodeRetryStrategy', 'resolveSrv', 'dnsLookup'] as const;

/**
 * Options with defaults. Unknown ones are ignored, as with the peer.
 *
 * @throws Error with the peer's text for a bad `scaleReads`; MooringError `MOORING_INVALID_CONFIG` for options of a wrong type.
 */
export function resolveClusterOptions(options: ClusterOptions | null | undefined): ResolvedClusterOptions {
  const given = Object.fromEntries(Object.entries(options ?? {}).filter(([, value]) => value !== undefined));
  const resolved = { ...DEFAULTS, ...given } as ResolvedClusterOptions;
  const prefix = resolved.redisOptions?.keyPrefix;
  if (prefix && !resolved.keyPrefix) resolved.keyPrefix = prefix;
  const { scaleReads } = resolved;
  if (typeof scaleReads !== 'function' && !ROLES.includes(scaleReads)) {
    throw new Error(`Invalid option scaleReads "${scaleReads as string}". Expected "all", "master", "slave" or a custom function`);
  }
  for (const name of NUMBERS) {
    const value: unknown = resolved[name];
    if (value !== undefined && value !== null && (typeof value !== 'number' || !(value >= 0))) {
      throw invalidOption(name, `${name} must be a number of 0 or more`);
    }
  }
  for (const name of FUNCTIONS) {
    if (resolved[name] && typeof resolved[name] !== 'function') throw invalidOption(name, `${name} must be a function`);
  }
  // Printing a cluster or its options shows no credential; spreading them into another cluster still carries them.
  const shown = (): object => ({ ...resolved, redisOptions: redactedOptions({ ...resolved.redisOptions }) });
  showAs(resolved, shown);
  return resolved;
}

/** Startup nodes as options of single nodes. A cluster has one database: `db` is dropped. */
export function startupOptions(nodes: readonly ClusterNode[] | null | undefined): NodeOptions[] {
  if (!Array.isArray(nodes) || nodes.length === 0) throw new Error('`startupNodes` should contain at least one node.');
  return (nodes as readonly ClusterNode[]).map((node) => {
    if (typeof node !== 'object' && typeof node !== 'string' && typeof node !== 'number') {
      throw new Error(`Invalid argument ${String(node)}`);
    }
    const { db: _, ...options } = typeof node === 'string' ? parseUrl(node) : typeof node === 'number' ? { port: node } : { ...node };
    return { ...options, host: options.host || '127.0.0.1', port: Number(options.port) || 6379 };
  });
}

/** The key of a node. */
export function nodeKey({ host, port }: NodeAddress): NodeKey {
  return `${host || '127.0.0.1'}:${port || 6379}`;
}

/** The address in a key; IPv6 hosts have colons of their own. */
export function addressOf(key: NodeKey): NodeAddress {
  const colon = key.lastIndexOf(':');
  return { host: key.slice(0, colon), port: Number(key.slice(colon + 1)) };
}

/** The name of a connection that does one thing for a cluster, as the peer names it. */
export function partName(part: string, connectionName: string | null | undefined): string {
  const name = `ioredis-cluster(${part})`;
  return connectionName ? `${name}:${connectionName}` : name;
}
