/**
 * @module redis/sentinel
 *
 * Options of clients whose server is named by sentinels: their checks, what the wire takes of them, and the user's functions that it asks.
 *
 * The search itself is Rust's. Names, defaults and meanings are the peer's; `sentinelConnectTimeout` is ours.
 */
import { invalidOption } from '../error/index.js';
import { REPEATED_IN_TLS, type TlsOptions, wireTls } from '../tls.js';

/** Where a sentinel listens. */
export interface SentinelAddress {
  /** Default 'localhost'. */
  host?: string | undefined;
  /** Default 26379. */
  port?: number | undefined;
  /** 4 or 6; default the client's `family`. */
  family?: number | undefined;
}

/** A replica as a sentinel describes it; more fields than these may be there. */
export interface SentinelReplica {
  readonly ip: string;
  readonly port: string;
  readonly flags?: string;
  readonly [field: string]: string | undefined;
}

/** A replica that is preferred; the lowest `prio` first, default 1. */
export interface PreferredReplica {
  readonly ip: string;
  readonly port: string | number;
  readonly prio?: number | undefined;
}

/** Picks one of the replicas that are up; anything else than a replica leaves the choice to chance. */
export type PreferredSlaves =
  | ((replicas: SentinelReplica[]) => { readonly ip: string; readonly port: string | number } | null | undefined | false)
  | readonly PreferredReplica[]
  | PreferredReplica;

/** Addresses by `host:port`, or a function of it; those that are not in it stay as they are. */
export type NatMap =
  | Readonly<Record<string, { readonly host: string; readonly port: number }>>
  | ((address: string) => { readonly host: string; readonly port: number } | null | undefined);

/** Options of a client whose server is named by sentinels. Times are milliseconds. */
export interface SentinelConnectionOptions {
  /** Sentinels to ask; more are learnt from them. Win over `host`, `port` and `path`. */
  sentinels?: readonly SentinelAddress[] | null | undefined;
  /** The master's name. Required with `sentinels`. */
  name?: string | null | undefined;
  /** What to connect to. Default 'master'. */
  role?: 'master' | 'slave' | undefined;
  sentinelUsername?: string | null | undefined;
  sentinelPassword?: string | null | undefined;
  /** TLS to the sentinels. */
  sentinelTLS?: TlsOptions | boolean | undefined;
  /** Whether `tls` holds for the server that sentinels name. Default false: without it the look-alike connects in the clear, as the peer does. */
  enableTLSForSentinelMode?: boolean | undefined;
  natMap?: NatMap | null | undefined;
  /** With role 'slave'. */
  preferredSlaves?: PreferredSlaves | null | undefined;
  /** Wait before round `times` when no sentinel answered; anything but a number ends the client. Default `min(times * 10, 1000)`. */
  sentinelRetryStrategy?: ((times: number) => number | void | null) | null | false | undefined;
  /** Wait before connecting again to a sentinel that `failoverDetector` listens to; anything but a number stops. Default 60000. */
  sentinelReconnectStrategy?: ((times: number) => number | void | null) | null | false | undefined;
  /** Learn further sentinels from those that answer. Default true. */
  updateSentinels?: boolean | undefined;
  /** Listen to sentinels, and leave the server as soon as one of them says that another has taken over. Default false. */
  failoverDetector?: boolean | undefined;
  /** Sentinels to listen to at most. Default 10. */
  sentinelMaxConnections?: number | undefined;
  /** For one command of a sentinel. Default `sentinelConnectTimeout`. */
  sentinelCommandTimeout?: number | undefined;
  /** For connecting to one sentinel. Default `connectTimeout`. */
  sentinelConnectTimeout?: number | undefined;
}

/** Wait before round `times`. */
function defaultRetryStrategy(times: number): number {
  return Math.min(times * 10, 1000);
}

/** Sentinels that are listened to are not needed for serving: a lost one is left alone for a minute. */
function defaultReconnectStrategy(): number {
  return 60_000;
}

/** Defaults, as the peer has them. */
export const SENTINEL_DEFAULTS: SentinelConnectionOptions = {
  sentinels: null,
  name: null,
  role: 'master',
  sentinelRetryStrategy: defaultRetryStrategy,
  sentinelReconnectStrategy: defaultReconnectStrategy,
  natMap: null,
  enableTLSForSentinelMode: false,
  updateSentinels: true,
  failoverDetector: false,
  sentinelMaxConnections: 10,
};

/** Options by what they must be. */
export const SENTINEL_NUMBERS = ['sentinelMaxConnections', 'sentinelCommandTimeout', 'sentinelConnectTimeout'] as const;
export const SENTINEL_FLAGS = ['enableTLSForSentinelMode', 'updateSentinels', 'failoverDetector'] as const;
export const SENTINEL_TEXTS = ['name', 'role', 'sentinelUsername', 'sentinelPassword'] as const;
export const SENTINEL_FUNCTIONS = ['sentinelRetryStrategy', 'sentinelReconnectStrategy'] as const;
/** All names. */
export const SENTINEL_OPTIONS: readonly string[] = [
  ...['sentinels', 'sentinelTLS', 'natMap', 'preferredSlaves'],
  ...[...SENTINEL_NUMBERS, ...SENTINEL_FLAGS, ...SENTINEL_TEXTS, ...SENTINEL_FUNCTIONS],
];
/** Functions that are only asked when they are the user's own. */
const ASKED = ['natMap', 'preferredSlaves', ...SENTINEL_FUNCTIONS] as const;

/** Whether a client finds its server by sentinels. */
export function usesSentinels(options: SentinelConnectionOptions): boolean {
  return options.sentinels !== undefined && options.sentinels !== null;
}

/**
 * Checks what is left after the types of numbers, flags, texts and functions.
 *
 * @throws MooringError `MOORING_INVALID_CONFIG` with the option's name.
 */
export function checkSentinels(options: SentinelConnectionOptions): void {
  const { sentinels, name, role, natMap, preferredSlaves } = options;
  if (role !== undefined && role !== 'master' && role !== 'slave') throw invalidOption('role', "role must be 'master' or 'slave'");
  if (!usesSentinels(options)) return;
  if (!Array.isArray(sentinels)) throw invalidOption('sentinels', 'sentinels must be an array of addresses');
  if (sentinels.length === 0) throw invalidOption('sentinels', 'Requires at least one sentinel to connect to.');
  for (const sentinel of sentinels as readonly unknown[]) checkAddress('sentinels', sentinel);
  if (!name) throw invalidOption('name', 'Requires the name of master.');
  if (natMap && typeof natMap !== 'function') {
    if (typeof natMap !== 'object') throw invalidOption('natMap', 'natMap must be a function or an object');
    for (const address of Object.values(natMap)) checkAddress('natMap', address);
  }
  if (preferredSlaves && typeof preferredSlaves !== 'function') {
    for (const replica of replicas(preferredSlaves)) checkReplica(replica);
  }
}

function checkAddress(option: string, address: unknown): void {
  if (typeof address !== 'object' || address === null) throw invalidOption(option, `${option} must hold addresses { host, port }`);
  const { host, port, family } = address as SentinelAddress;
  if (host !== undefined && (typeof host !== 'string' || host === '')) throw invalidOption(option, `${option} has a host that is no text`);
  if (port !== undefined && !isPort(port)) throw invalidOption(option, `${option} has a port that is none`);
  if (family !== undefined && ![0, 4, 6].includes(family)) throw invalidOption(option, `${option} has a family other than 0, 4 and 6`);
}

function checkReplica(replica: PreferredReplica | null): void {
  if (typeof replica?.ip !== 'string' || !isPort(replica.port) || (replica.prio !== undefined && typeof replica.prio !== 'number')) {
    throw invalidOption('preferredSlaves', 'preferredSlaves must hold { ip, port, prio? }');
  }
}

function isPort(port: unknown): boolean {
  const number = typeof port === 'string' && /^\d+$/.test(port) ? Number(port) : port;
  return Number.isInteger(number) && (number as number) > 0 && (number as number) < 65_536;
}

/** Ports come as text too, from URLs and from sentinels. */
function portNumber(port: number | string | undefined): number | undefined {
  return port === undefined ? undefined : Number(port);
}

function replicas(preferred: readonly PreferredReplica[] | PreferredReplica): readonly PreferredReplica[] {
  return Array.isArray(preferred) ? (preferred as readonly PreferredReplica[]) : [preferred as PreferredReplica];
}

/**
 * What the wire takes; nothing without sentinels. `known` are those that were learnt too; `usualRound` is what follows a round without an answer when the
 * user's options do not say it: a pause of the search itself, or a failed attempt.
 */
export function wireSentinel(
  options: SentinelConnectionOptions & { connectTimeout?: number | undefined },
  known: readonly SentinelAddress[],
  usualRound: 'native' | 'attempt',
): object | undefined {
  if (!usesSentinels(options)) return undefined;
  return {
    sentinels: known.map(({ host, port, family }) => ({
      host: host ?? undefined,
      port: portNumber(port),
      family,
    })),
    name: options.name,
    role: options.role,
    username: options.sentinelUsername || undefined,
    password: options.sentinelPassword || undefined,
    tls: wireTls(options.sentinelTLS, 'sentinelTLS', REPEATED_IN_TLS),
    connectTimeoutMs: options.sentinelConnectTimeout ?? options.connectTimeout,
    commandTimeoutMs: options.sentinelCommandTimeout,
    updateSentinels: options.updateSentinels,
    nat: typeof options.natMap === 'function' ? 'ask' : { map: numbered(options.natMap ?? {}) },
    preferred: typeof options.preferredSlaves === 'function' ? 'ask' : { list: inOrder(options.preferredSlaves) },
    retry: strategy(options.sentinelRetryStrategy, defaultRetryStrategy, { usually: usualRound, without: 'end' }),
    failoverDetector: options.failoverDetector,
    reconnect: strategy(options.sentinelReconnectStrategy, defaultReconnectStrategy, { usually: 'native', without: 'never' }),
    maxConnections: options.sentinelMaxConnections,
  };
}

/** A default strategy is Rust's: it works while this thread is blocked. */
function strategy(given: unknown, usual: unknown, { usually, without }: { usually: string; without: string }): string {
  if (given === usual) return usually;
  return typeof given === 'function' ? 'ask' : without;
}

function numbered(map: Exclude<NatMap, (address: string) => unknown>): object {
  return Object.fromEntries(Object.entries(map).map(([name, { host, port }]) => [name, { host, port: portNumber(port) }]));
}

function inOrder(preferred: Exclude<PreferredSlaves, (list: SentinelReplica[]) => unknown> | null | undefined): object[] {
  if (!preferred) return [];
  return replicas(preferred)
    .toSorted((a, b) => (a.prio || 1) - (b.prio || 1))
    .map(({ ip, port }) => ({ host: ip, port: Number(port) }));
}

/** Asks the user's function; the answer as JSON, none when the option is no function any more. */
export function answerQuestion(options: SentinelConnectionOptions, kind: string, argument: string): string | undefined {
  const name = ASKED.find((option) => option === kind);
  const asked: unknown = name === undefined ? undefined : options[name];
  if (typeof asked !== 'function') return undefined;
  const answer: unknown = (asked as (argument: unknown) => unknown)(JSON.parse(argument));
  if (name === 'natMap') return JSON.stringify(natAddress(answer));
  return JSON.stringify(typeof answer === 'number' ? Math.max(Math.floor(answer), 0) : (answer ?? null));
}

function natAddress(answer: unknown): object | null {
  if (typeof answer !== 'object' || answer === null) return null;
  const { host, port } = answer as { host?: unknown; port?: unknown };
  return { host, port: Number(port) };
}

/** `known` and those of `told` that are not in it. */
export function mergeSentinels(known: SentinelAddress[], told: readonly SentinelAddress[]): void {
  const key = ({ host = 'localhost', port = 26_379 }: SentinelAddress): string => `${host}:${port}`;
  const there = new Set(known.map(key));
  for (const sentinel of told) if (!there.has(key(sentinel))) known.push({ host: sentinel.host, port: sentinel.port });
}
