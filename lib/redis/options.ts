/**
 * @module redis/options
 *
 * Constructor arguments and URLs to options, and options to what the wire takes. Types are checked here by name; ranges and defaults of the wire in Rust.
 *
 * The look-alike keeps the peer's defaults and ignores unknown keys; known options that cannot be honoured are refused by name.
 */
import { inspect } from 'node:util';
import { invalidArgument, invalidOption } from '../error/index.js';
import type { ScriptDefinition } from './script.js';
import {
  checkSentinels,
  SENTINEL_DEFAULTS,
  SENTINEL_FLAGS,
  SENTINEL_FUNCTIONS,
  SENTINEL_NUMBERS,
  SENTINEL_TEXTS,
  type SentinelAddress,
  type SentinelConnectionOptions,
  usesSentinels,
  wireSentinel,
} from './sentinel.js';
import { REPEATED_IN_TLS, type TlsOptions, wireTls } from '../tls.js';
import type { KeyPrefix } from './transformers.js';

/** Options of `Redis`. Times are milliseconds. */
export interface RedisOptions extends SentinelConnectionOptions {
  /** Default 'localhost'. */
  host?: string | undefined;
  /** Default 6379. */
  port?: number | undefined;
  /** A unix socket; wins over host and port. */
  path?: string | undefined;
  /** 4, 6 or 0 for both. Default 0. */
  family?: number | undefined;
  db?: number | undefined;
  username?: string | null | undefined;
  password?: string | null | undefined;
  connectionName?: string | null | undefined;
  /** TLS, with Node's names; `true` or `{}` for the system's roots. */
  tls?: TlsOptions | boolean | undefined;
  noDelay?: boolean | undefined;
  /** Idle time before the first keep-alive probe. */
  keepAlive?: number | undefined;
  /** Default 10000. */
  connectTimeout?: number | undefined;
  /** Default 2000. */
  disconnectTimeout?: number | undefined;
  /** Total life of a command, offline included. Default none. */
  commandTimeout?: number | undefined;
  /** Drops a connection that stays silent while commands wait. Default none. */
  socketTimeout?: number | undefined;
  /** Arms a limit for blocking commands. Default none. */
  blockingTimeout?: number | undefined;
  /** Default 100. */
  blockingTimeoutGrace?: number | undefined;
  /** Default 10000. */
  maxLoadingRetryTime?: number | undefined;
  /** Milliseconds to wait before attempt `times`; anything but a number stops. Default `min(times * 50, 2000)`. */
  retryStrategy?: ((times: number) => number | void | null) | null | false | undefined;
  /** Asked for every error reply: `true` or 1 reconnects, 2 also sends the command again. */
  reconnectOnError?: ((error: Error) => boolean | 1 | 2 | 0) | null | undefined;
  /** Default 20; `null` waits for ever. */
  maxRetriesPerRequest?: number | null | undefined;
  autoResubscribe?: boolean | undefined;
  autoResendUnfulfilledCommands?: boolean | undefined;
  enableOfflineQueue?: boolean | undefined;
  enableReadyCheck?: boolean | undefined;
  lazyConnect?: boolean | undefined;
  readOnly?: boolean | undefined;
  monitor?: boolean | undefined;
  keyPrefix?: KeyPrefix | undefined;
  /** Integers as strings. */
  stringNumbers?: boolean | undefined;
  scripts?: Record<string, ScriptDefinition> | undefined;
  showFriendlyErrorStack?: boolean | undefined;
  disableClientInfo?: boolean | undefined;
  clientInfoTag?: string | undefined;
  /** Accepted: commands are always batched per tick. */
  enableAutoPipelining?: boolean | undefined;
  autoPipeliningIgnoredCommands?: string[] | undefined;
  /** What happens to commands in flight when a connection is lost. Look-alike: from `autoResendUnfulfilledCommands`; managed: 'safe'. */
  resend?: 'all' | 'safe' | 'none' | undefined;
  /** Default true. */
  resendBlocking?: boolean | undefined;
  /** Commands in flight at most; 0 for no limit. */
  inflightLimit?: number | undefined;
  /** Commands waiting for a connection at most; 0 for no limit. */
  offlineQueueMax?: number | undefined;
  offlineQueueMaxBytes?: number | undefined;
  /** How long QUIT waits for a connection. Default 5000; 0 for ever. */
  quitTimeout?: number | undefined;
  /** Linux: unacknowledged data drops the connection. Default 20000. */
  tcpUserTimeout?: number | undefined;
  /** RESP version. Default 2. */
  protocol?: 2 | 3 | undefined;
  /** The subscribe family uses a second connection, so that this one stays usable. Look-alike: false; managed: true. */
  sharedSubscriber?: boolean | undefined;
}

/** Options after defaults. Live: `retryStrategy`, `commandTimeout`, `keyPrefix`, `connectionName` are read when needed. */
export type ResolvedOptions = RedisOptions & { host: string; port: number; db: number };

/** The peer's default delay before attempt `times`. */
function defaultRetryStrategy(times: number): number {
  return Math.min(times * 50, 2000);
}

const LOOK_ALIKE: RedisOptions = {
  port: 6379,
  host: 'localhost',
  family: 0,
  connectTimeout: 10_000,
  disconnectTimeout: 2000,
  retryStrategy: defaultRetryStrategy,
  keepAlive: 0,
  noDelay: true,
  connectionName: null,
  disableClientInfo: false,
  username: null,
  password: null,
  db: 0,
  enableOfflineQueue: true,
  enableReadyCheck: true,
  autoResubscribe: true,
  autoResendUnfulfilledCommands: true,
  lazyConnect: false,
  keyPrefix: '',
  reconnectOnError: null,
  readOnly: false,
  stringNumbers: false,
  maxRetriesPerRequest: 20,
  maxLoadingRetryTime: 10_000,
  enableAutoPipelining: false,
  autoPipeliningIgnoredCommands: [],
  blockingTimeoutGrace: 100,
  sharedSubscriber: false,
  ...SENTINEL_DEFAULTS,
};

/** Options in the peer's types that this client does not have: a connector of the user's own, and two that the peer itself does not read. */
const REFUSED = ['Connector', 'offlineQueue', 'commandQueue'] as const;
/** What look-alikes have beside their options: they go by the peer's name, with a version of ours. */
export const LOOK_ALIKE_PRESET: Preset = { wire: {}, library: 'ioredis' };
const MAX_PORT = 65_535;
const SECRETS = new Set(['password', 'username', 'tls', 'sentinelPassword', 'sentinelUsername', 'sentinelTLS']);

/** Constructor arguments `(port, host, options)`, `(path)`, `(url)`, `(options)` in any mix, first one wins, with `defaults` last. */
export function resolveOptions(args: readonly unknown[], defaults: RedisOptions = LOOK_ALIKE): ResolvedOptions {
  const options: Record<string, unknown> = {};
  let secure = false;
  for (const argument of args) {
    if (argument === undefined || argument === null) continue;
    if (typeof argument === 'number') options['port'] = argument;
    else if (typeof argument === 'string') {
      const { tls, ...rest } = parseUrl(argument);
      fill(options, rest);
      // `rediss://` asks for TLS; the options after it may say how.
      secure ||= tls === true;
    } else if (typeof argument === 'object') fill(options, argument);
    else throw invalidArgument('options', `options cannot be of type ${typeof argument}`);
  }
  if (secure) fill(options, { tls: true });
  fill(options, defaults);
  for (const name of ['port', 'db', 'family']) if (typeof options[name] === 'string') options[name] = integer(options[name]);
  check(options);
  showAs(options, () => redactedOptions(options));
  return options as unknown as ResolvedOptions;
}

/** A number that came as text: what follows the digits does not count, as with the peer (`redis://host/0/`). */
function integer(text: string): number {
  return text === '' ? 0 : Number.parseInt(text, 10);
}

/**
 * Adds what is missing; symbols too, which carry what a client shares with its duplicates. What options inherit counts as well, as with the peer: they may be made by
 * `Object.create(shared)`, and without it the client would go to localhost.
 */
function fill(target: Record<string | symbol, unknown>, source: object): void {
  const given: Record<string | symbol, unknown> = { ...source };
  // oxlint-disable-next-line guard-for-in -- what is inherited is wanted
  for (const name in source) given[name] = (source as Record<string, unknown>)[name];
  for (const name of Reflect.ownKeys(given)) if (target[name] === undefined) target[name] = given[name];
}

/** Printing a client's options, also as JSON, shows no credential; spreading them into another client still carries it. */
export function showAs(options: object, shown: () => object): void {
  for (const name of [inspect.custom, 'toJSON']) Object.defineProperty(options, name, { value: shown, configurable: true });
}

/** What may be printed of options. */
export function redactedOptions(options: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([name, value]) => value !== undefined && value !== null && !SECRETS.has(name)));
}

/** Options in a Redis URL, a path or `host:port`. The text is never part of an error: it may hold a password. */
export function parseUrl(text: string): RedisOptions {
  if (/^\d+$/.test(text)) return { port: Number(text) };
  if (text.startsWith('/') && !text.startsWith('//')) {
    const [path, query] = text.split('?', 2);
    return { path, ...queryOptions(new URLSearchParams(query)) };
  }
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== 'redis' && scheme !== 'rediss') {
    throw invalidArgument('url', `url must start with redis:// or rediss://, not ${scheme}://`);
  }
  const url = parsed(scheme === undefined ? `redis:${text.startsWith('//') ? '' : '//'}${text}` : text);
  const options: RedisOptions = {};
  if (url.username !== '' || url.password !== '') {
    options.username = decoded(url.username);
    options.password = decoded(url.password);
  }
  const path = url.pathname.slice(1);
  if (path !== '') options.db = path as unknown as number;
  if (url.hostname !== '') options.host = url.hostname.replaceAll(/^\[|\]$/g, '');
  if (url.port !== '') options.port = Number(url.port);
  if (scheme === 'rediss') options.tls = true;
  return { ...queryOptions(url.searchParams), ...options };
}

function parsed(text: string): URL {
  try {
    return new URL(text);
  } catch {
    throw invalidArgument('url', 'url is not a valid Redis URL');
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalidArgument('url', 'url has credentials that are not percent-encoded correctly');
  }
}

const BOOLEANS: Readonly<Record<string, boolean | undefined>> = { true: true, false: false };

/** Query-string options: numbers and booleans where the option has that type. */
function queryOptions(query: URLSearchParams): RedisOptions {
  const options: Record<string, unknown> = {};
  for (const [name, text] of query) {
    if (NUMBERS.has(name)) options[name] = name === 'maxRetriesPerRequest' && text === 'null' ? null : Number(text);
    else options[name] = FLAGS.has(name) ? (BOOLEANS[text] ?? text) : text;
  }
  return options;
}

const NUMBERS = new Set([
  ...['port', 'db', 'family', 'keepAlive', 'connectTimeout', 'disconnectTimeout', 'commandTimeout', 'socketTimeout', 'blockingTimeout'],
  ...['blockingTimeoutGrace', 'maxLoadingRetryTime', 'maxRetriesPerRequest', 'inflightLimit', 'offlineQueueMax', 'offlineQueueMaxBytes'],
  ...['quitTimeout', 'tcpUserTimeout', 'protocol'],
  ...SENTINEL_NUMBERS,
]);
const FLAGS = new Set([
  ...['noDelay', 'autoResubscribe', 'autoResendUnfulfilledCommands', 'enableOfflineQueue', 'enableReadyCheck', 'lazyConnect', 'readOnly'],
  ...[
    'monitor',
    'stringNumbers',
    'showFriendlyErrorStack',
    'disableClientInfo',
    'enableAutoPipelining',
    'resendBlocking',
    'sharedSubscriber',
  ],
  ...SENTINEL_FLAGS,
]);
const TEXTS = ['host', 'path', 'connectionName', 'clientInfoTag', ...SENTINEL_TEXTS];
/** Numbers too: a password of digits may come as one from a file of settings. */
const CREDENTIALS = ['username', 'password'];

function check(options: Record<string, unknown>): void {
  for (const name of REFUSED) {
    if (options[name] !== undefined && options[name] !== null) throw invalidOption(name, `option ${name} is not supported`);
  }
  for (const name of NUMBERS) checkNumber(name, options[name]);
  for (const name of FLAGS) checkType(name, options[name], 'boolean');
  for (const name of TEXTS) checkType(name, options[name], 'string');
  for (const name of CREDENTIALS) if (typeof options[name] !== 'number') checkType(name, options[name], 'string');
  const port = options['port'] as number;
  if (port < 1 || port > MAX_PORT) throw invalidOption('port', `port must be between 1 and ${MAX_PORT}`);
  for (const name of ['retryStrategy', 'reconnectOnError', ...SENTINEL_FUNCTIONS]) {
    if (options[name] && typeof options[name] !== 'function') throw invalidOption(name, `${name} must be a function`);
  }
  checkScripts(options['scripts']);
  checkSentinels(options);
  const prefix = options['keyPrefix'];
  if (prefix !== null && typeof prefix !== 'string' && !Buffer.isBuffer(prefix))
    throw invalidOption('keyPrefix', 'keyPrefix must be a string or a Buffer');
}

function checkScripts(scripts: unknown): void {
  if (scripts === undefined || scripts === null) return;
  const fits =
    typeof scripts === 'object' && Object.values(scripts).every((one) => typeof (one as { lua?: unknown } | null)?.lua === 'string');
  if (!fits) throw invalidOption('scripts', 'scripts must be an object of definitions with lua text, by name');
}

function checkNumber(name: string, value: unknown): void {
  if (value === undefined || value === null) return;
  // The peer takes a negative maxRetriesPerRequest, and Infinity, as "no limit".
  const lowest = name === 'maxRetriesPerRequest' ? Number.NEGATIVE_INFINITY : 0;
  const unlimited = name === 'maxRetriesPerRequest' && value === Number.POSITIVE_INFINITY;
  if (!unlimited && (typeof value !== 'number' || !Number.isFinite(value) || value < lowest)) {
    throw invalidOption(name, `${name} must be a number of 0 or more`);
  }
}

function checkType(name: string, value: unknown, type: 'boolean' | 'string'): void {
  if (value !== undefined && value !== null && typeof value !== type) throw invalidOption(name, `${name} must be a ${type}`);
}

/** What a preset adds to the options. */
export interface Preset {
  /** Wire options that win over those derived from the client's. */
  readonly wire: Readonly<Record<string, unknown>>;
  /** What follows a round in which no sentinel answered, when the user's options do not say it. Default 'native'. */
  readonly sentinelRound?: 'native' | 'attempt';
  /** The name that CLIENT LIST shows of this library; none for our own. */
  readonly library?: string;
}

/** What one wire leaves to the next of the same client. */
export interface Legacy {
  /** The sentinels known by now. */
  readonly sentinels: readonly SentinelAddress[];
  /** Keys were watched for a transaction that has not come. */
  readonly watchLost: boolean;
}

/** What the wire takes, as JSON. */
export function wireOptions(options: ResolvedOptions, preset: Preset, { sentinels, watchLost }: Legacy): string {
  const { maxRetriesPerRequest: retries } = options;
  const behindSentinels = usesSentinels(options);
  const encrypted = !behindSentinels || options.enableTLSForSentinelMode === true;
  const asked = typeof options.reconnectOnError === 'function';
  return asJson({
    // Settings that are not set may be null or empty.
    host: options.host || LOOK_ALIKE.host,
    port: options.port,
    family: options.family ?? undefined,
    path: options.path || undefined,
    sentinel: wireSentinel(options, sentinels, preset.sentinelRound ?? 'native'),
    db: options.db ?? undefined,
    username: asText(options.username),
    password: asText(options.password),
    connectionName: options.connectionName || undefined,
    readOnly: options.readOnly,
    protocol: options.protocol,
    tls: encrypted ? wireTls(options.tls, 'tls', REPEATED_IN_TLS) : undefined,
    noDelay: options.noDelay,
    keepAliveMs: options.keepAlive,
    tcpUserTimeoutMs: options.tcpUserTimeout,
    connectTimeoutMs: options.connectTimeout,
    disconnectTimeoutMs: options.disconnectTimeout,
    quitTimeoutMs: options.quitTimeout,
    socketTimeoutMs: options.socketTimeout,
    blockingTimeoutMs: options.blockingTimeout,
    blockingTimeoutGraceMs: options.blockingTimeoutGrace,
    maxLoadingRetryTimeMs: options.maxLoadingRetryTime,
    retry: { kind: typeof options.retryStrategy === 'function' ? 'ask' : 'none' },
    maxRetriesPerRequest: typeof retries === 'number' && retries >= 0 && Number.isFinite(retries) ? retries : null,
    watchLost,
    autoResubscribe: options.autoResubscribe,
    resend: options.resend ?? (options.autoResendUnfulfilledCommands === false ? 'none' : 'all'),
    resendBlocking: options.resendBlocking,
    enableOfflineQueue: options.enableOfflineQueue,
    enableReadyCheck: options.enableReadyCheck,
    monitor: options.monitor,
    inflightLimit: options.inflightLimit,
    offlineQueueMax: options.offlineQueueMax,
    offlineQueueMaxBytes: options.offlineQueueMaxBytes,
    askReconnectOnError: asked,
    // A master that was demoted refuses writes: sentinels know its successor. A function of the user's that says what to do is asked instead.
    failover: behindSentinels && options.role !== 'slave' && !asked,
    disableClientInfo: options.disableClientInfo,
    clientInfoTag: options.clientInfoTag,
    library: preset.library,
    ...preset.wire,
  });
}

/** What is sent as text; nothing for what is not set. */
function asText(value: string | number | null | undefined): string | undefined {
  return value ? String(value) : undefined;
}

/** As JSON; what has no JSON (a BigInt, a circle) is named. */
function asJson(fields: Readonly<Record<string, unknown>>): string {
  try {
    return JSON.stringify(fields);
  } catch {
    for (const [name, value] of Object.entries(fields)) if (!hasJson(value)) throw unusable(name.replace(/Ms$/, ''));
    throw unusable('options');
  }
}

function hasJson(value: unknown): boolean {
  try {
    JSON.stringify(value);
    return true;
  } catch {
    return false;
  }
}

const unusable = (name: string): Error => invalidOption(name, `${name} has an unusable value`);
