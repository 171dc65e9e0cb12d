/**
 * @module redis/managed
 *
 * Clients with safe defaults, and the one that an application shares: `createRedisClient`, `redisClient`, `connectRedis`, `closeRedis`, `getRedisStatus`.
 *
 * Guarantees: options are checked by name before any I/O; `connectRedis` shares one attempt between concurrent callers; `closeRedis` is bounded, closes
 * every duplicate too and never rejects. This module holds no state: the default client hangs on `globalThis` under a registered symbol, so that
 * reloaded copies of the package find it.
 */
import { inspect } from 'node:util';
import { checkOptions, invalidArgument, invalidOption, MooringError } from '../error/index.js';
import { checkCloseDeadline, CLOSE_MS } from './deadline.js';
import { Redis } from './client.js';
import { CORE, KIN, type Kin, type Profile } from './core.js';
import { parseUrl, type RedisOptions } from './options.js';
import { SENTINEL_OPTIONS, usesSentinels } from './sentinel.js';

/** What the log lines go to. */
export interface RedisLogger {
  warn(message: string, ...details: unknown[]): void;
  error(message: string, ...details: unknown[]): void;
}

/** Options of a managed client: those of `Redis` with other defaults, and these. Unknown ones are refused. */
export interface ManagedRedisOptions extends RedisOptions {
  /** Instead of host, port, username, password and db. Default `REDIS_URI`, then `REDIS_URL`. */
  url?: string | undefined;
  /** Failed attempts after which the client gives up. Default 5 until it was ready once, then unlimited; a number given here always holds. */
  maxConnectRetries?: number | undefined;
  /** Default `console`. */
  logger?: RedisLogger | undefined;
}

/** How the default client is. */
export interface RedisStatusReport {
  readonly state: 'disconnected' | 'connecting' | 'ready' | 'error' | 'reconnecting' | 'closed';
  /** The client's own status. */
  readonly status: string;
  /** Reconnection attempts since the client was last ready. */
  readonly retries: number;
  readonly inFlight: number;
  readonly queued: number;
  /** Why the last attempt failed. */
  readonly lastError?: string;
}

/** Options of `closeRedis`. */
export interface CloseRedisOptions {
  /** Milliseconds for commands in flight. Default 5000. */
  readonly deadlineMs?: number;
}

const CONNECT_RETRIES = 5;
const CLOSE_OPTIONS: ReadonlySet<string> = new Set(['deadlineMs']);
const DEFAULT_CLIENT = Symbol.for('mooring.redis.default');
const ENVIRONMENT = ['REDIS_URI', 'REDIS_URL'] as const;

const DEFAULTS = {
  connectTimeout: 10_000,
  keepAlive: 30_000,
  family: 4,
  maxRetriesPerRequest: null,
  lazyConnect: true,
  enableReadyCheck: true,
  sharedSubscriber: true,
  resend: 'safe',
  blockingTimeoutGrace: 500,
  socketTimeout: 30_000,
  inflightLimit: 10_000,
  offlineQueueMax: 10_000,
  offlineQueueMaxBytes: 32 * 1024 * 1024,
} as const satisfies RedisOptions;

/** Wire options that have no name on the surface. */
const WIRE = { armBlocking: true, failover: true, heartbeatMs: 15_000 };

const KNOWN = new Set<string>([
  ...[
    'url',
    'maxConnectRetries',
    'logger',
    'host',
    'port',
    'path',
    'family',
    'db',
    'username',
    'password',
    'connectionName',
    'tls',
    'noDelay',
  ],
  ...['keepAlive', 'connectTimeout', 'disconnectTimeout', 'commandTimeout', 'socketTimeout', 'blockingTimeout', 'blockingTimeoutGrace'],
  ...['maxLoadingRetryTime', 'retryStrategy', 'reconnectOnError', 'maxRetriesPerRequest', 'autoResubscribe', 'enableOfflineQueue'],
  ...['autoResendUnfulfilledCommands', 'enableReadyCheck', 'lazyConnect', 'readOnly', 'keyPrefix', 'stringNumbers', 'scripts'],
  ...['showFriendlyErrorStack', 'disableClientInfo', 'clientInfoTag', 'enableAutoPipelining', 'autoPipeliningIgnoredCommands'],
  ...['resend', 'resendBlocking', 'inflightLimit', 'offlineQueueMax', 'offlineQueueMaxBytes', 'quitTimeout', 'tcpUserTimeout', 'protocol'],
  ...['sharedSubscriber', 'monitor', ...SENTINEL_OPTIONS],
]);

/**
 * Makes a client with safe defaults; nothing is connected before the first command or `connect()`.
 *
 * @param urlOrOptions a URL, options, or nothing for `REDIS_URI` (then `REDIS_URL`).
 * @throws MooringError `MOORING_INVALID_ARGUMENT` or `MOORING_INVALID_CONFIG`, with the name of what is wrong, before any I/O.
 */
export function createRedisClient(urlOrOptions?: string | ManagedRedisOptions): Redis {
  return new Redis(managedOptions(urlOrOptions));
}

/**
 * The options of a managed client, with what its duplicates will share.
 *
 * @throws MooringError as `createRedisClient`.
 */
export function managedOptions(urlOrOptions?: string | ManagedRedisOptions): RedisOptions {
  const { url, maxConnectRetries, logger = console, ...own } = checked(urlOrOptions);
  // What is written in code wins over the URL, which often comes from the environment.
  const options: RedisOptions = { ...DEFAULTS, retryStrategy: null, ...(url === undefined ? {} : parseUrl(url)), ...defined(own) };
  if (own.autoResendUnfulfilledCommands !== undefined && own.resend === undefined) {
    options.resend = own.autoResendUnfulfilledCommands ? 'all' : 'none';
  }
  const native = typeof own.retryStrategy !== 'function';
  const profile: Profile = {
    // The reconnect policy with its jitter and its limit counts attempts, whatever they failed at.
    sentinelRound: 'attempt',
    wire: {
      ...WIRE,
      ...(native ? { retry: { kind: own.retryStrategy === null || own.retryStrategy === false ? 'none' : 'native' } } : {}),
      maxConnectRetries: maxConnectRetries ?? CONNECT_RETRIES,
      maxConnectRetriesAlways: maxConnectRetries !== undefined,
    },
    onGaveUp: (retries: number) => logger.error('Redis: Max retries reached, giving up', { retries }),
    onReconnecting: (delayMs: number) => logger.warn(`Redis: Reconnecting in ${delayMs} ms`),
    onDeaf: (client: Redis, lateMs: number) =>
      logger.warn('Redis: A blocking command was not answered in time, replacing its connection', {
        connection: client.options.connectionName ?? undefined,
        lateMs,
      }),
  };
  const kin: Kin = { profile, family: new Set() };
  return { ...options, [KIN]: kin } as RedisOptions;
}

function defined(options: RedisOptions): RedisOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function checked(urlOrOptions: string | ManagedRedisOptions | undefined): ManagedRedisOptions {
  if (typeof urlOrOptions === 'string') return { url: checkedUrl('url', urlOrOptions) };
  if (urlOrOptions !== undefined && (typeof urlOrOptions !== 'object' || urlOrOptions === null || Array.isArray(urlOrOptions))) {
    throw invalidArgument('urlOrOptions', 'urlOrOptions must be a URL or an object');
  }
  const options = urlOrOptions ?? {};
  for (const name of Object.keys(options)) if (!KNOWN.has(name)) throw invalidOption(name, `unknown option ${name}`);
  checkOwn(options);
  if (usesSentinels(options)) return checkedSentinels(options);
  const lone = SENTINEL_OPTIONS.find((name) => (options as Record<string, unknown>)[name] !== undefined);
  if (lone !== undefined && lone !== 'sentinels') throw invalidOption(lone, `${lone} is an option for sentinels`);
  if (options.url !== undefined) return { ...options, url: checkedUrl('url', options.url) };
  if (options.host !== undefined || options.path !== undefined || options.port !== undefined) return options;
  const name = ENVIRONMENT.find((variable) => process.env[variable] !== undefined);
  if (name === undefined) throw invalidOption('REDIS_URI', 'no url or host was given and REDIS_URI is not set');
  return { ...options, url: checkedUrl(name, process.env[name] ?? '') };
}

/** Sentinels name the server: nothing else may, and encryption is not left to a default. */
function checkedSentinels(options: ManagedRedisOptions): ManagedRedisOptions {
  for (const name of ['url', 'host', 'port', 'path'] as const)
    if (options[name] !== undefined) throw invalidOption(name, `${name} cannot be given with sentinels`);
  if (options.tls && options.enableTLSForSentinelMode === undefined) {
    throw invalidOption('enableTLSForSentinelMode', 'tls with sentinels needs enableTLSForSentinelMode, true or false');
  }
  return options;
}

function checkOwn({ maxConnectRetries, logger }: ManagedRedisOptions): void {
  if (maxConnectRetries !== undefined && (!Number.isInteger(maxConnectRetries) || maxConnectRetries < 0)) {
    throw invalidOption('maxConnectRetries', 'maxConnectRetries must be an integer of 0 or more');
  }
  if (logger !== undefined && (typeof logger?.warn !== 'function' || typeof logger.error !== 'function')) {
    throw invalidOption('logger', 'logger must have the functions warn and error');
  }
}

/** A URL with scheme and host and only known query options. Never shown: it may hold a password. */
function checkedUrl(argument: string, url: unknown): string {
  if (typeof url !== 'string') throw invalidArgument(argument, `${argument} must be a string`);
  if (!/^rediss?:\/\/[^/]/i.test(url)) throw invalidArgument(argument, `${argument} must be a Redis URL such as redis://host:6379`);
  for (const name of Object.keys(renamed(argument, () => parseUrl(url))))
    if (!KNOWN.has(name)) throw invalidOption(name, `unknown option ${name} in ${argument}`);
  return url;
}

/** Errors about a URL name where it came from. */
function renamed<T>(argument: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw error instanceof MooringError ? invalidArgument(argument, error.message.replace(/^url/, argument)) : error;
  }
}

/** What this process keeps of its default client. */
interface DefaultClient {
  client?: Redis;
  connecting?: Promise<void> | undefined;
  closed: boolean;
}

function shared(): DefaultClient {
  const holder = globalThis as { [DEFAULT_CLIENT]?: DefaultClient };
  return (holder[DEFAULT_CLIENT] ??= { closed: false });
}

function defaultClient(): Redis {
  const state = shared();
  return (state.client ??= createRedisClient());
}

/**
 * The application's client, made from `REDIS_URI` (then `REDIS_URL`) on first use. Importing it does nothing.
 */
export const redisClient: Redis = new Proxy(Object.create(Redis.prototype, { [inspect.custom]: { value: printed } }) as Redis, {
  get: (_target, name): unknown => {
    // Printing or awaiting it must not make a client.
    if (name === 'then') return undefined;
    if (name === inspect.custom) return printed;
    const client = defaultClient();
    const value: unknown = Reflect.get(client, name, client);
    return typeof value === 'function' && name !== 'constructor' ? bound(client, name, value as (...args: unknown[]) => unknown) : value;
  },
  set: (_target, name, value) => Reflect.set(defaultClient(), name, value),
  has: (_target, name) => Reflect.has(defaultClient(), name),
  deleteProperty: (_target, name) => Reflect.deleteProperty(defaultClient(), name),
  ownKeys: () => [],
  getOwnPropertyDescriptor: (_target, name) => {
    const descriptor = Reflect.getOwnPropertyDescriptor(defaultClient(), name);
    return descriptor === undefined ? undefined : { ...descriptor, configurable: true };
  },
});

function printed(): string {
  return `Redis ${inspect(getRedisStatus())}`;
}

/** Bound methods by client, so that two reads of one method give the same function. */
const BOUND = new WeakMap<Redis, Map<string | symbol, { readonly from: unknown; readonly method: unknown }>>();

function bound(client: Redis, name: string | symbol, value: (...args: unknown[]) => unknown): unknown {
  let methods = BOUND.get(client);
  if (methods === undefined) BOUND.set(client, (methods = new Map()));
  const known = methods.get(name);
  if (known?.from === value) return known.method;
  const method = value.bind(client);
  methods.set(name, { from: value, method });
  return method;
}

/**
 * Connects the default client; resolves on ready. Concurrent callers share one attempt, connected ones return at once.
 *
 * @throws MooringError `MOORING_CONNECT_FAILED` or `MOORING_AUTH_FAILED` when the client gave up; `MOORING_INVALID_CONFIG` without `REDIS_URI`.
 */
export async function connectRedis(): Promise<void> {
  const client = defaultClient();
  const state = shared();
  state.closed = false;
  if (client.status === 'ready') return;
  state.connecting ??= settledConnect(client).finally(() => (state.connecting = undefined));
  await state.connecting;
}

/** Waits until the client is ready or has given up; single failed attempts are the reconnect policy's matter. */
function settledConnect(client: Redis): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (done: () => void): void => {
      client.off('ready', onReady);
      client.off('end', onEnd);
      done();
    };
    const onReady = (): void => settle(resolve);
    const onEnd = (): void => {
      // The event of an earlier end may still be on its way.
      if (client.status === 'end') settle(() => reject(connectError(client)));
    };
    if (client.status === 'wait' || client.status === 'end') void client.connect().catch(() => {});
    client.on('end', onEnd);
    client.once('ready', onReady);
  });
}

function connectError(client: Redis): MooringError {
  const { lastError, gaveUpAfter } = client[CORE];
  const cause = lastError?.cause;
  const code = cause instanceof MooringError && cause.code === 'MOORING_AUTH_FAILED' ? cause.code : 'MOORING_CONNECT_FAILED';
  const reason = lastError === undefined ? 'closed while connecting' : lastError.message;
  const retries = gaveUpAfter ?? 0;
  const details = { attempts: retries + 1, endpoint: endpoint(client), maybeExecuted: false };
  return new MooringError(code, `redis connection failed after ${retries} retries: ${reason}`, { details, cause: lastError });
}

function endpoint({ options }: Redis): string {
  if (usesSentinels(options)) return `${options.name} (sentinel)`;
  return options.path ?? `${options.host}:${options.port}`;
}

/**
 * Closes the default client and every duplicate of it: work in flight may finish until the deadline. Never rejects for a server that is gone; repeating
 * it is harmless, and so is calling it before anything was connected.
 *
 * @throws MooringError `MOORING_INVALID_ARGUMENT` for a bad option.
 */
export async function closeRedis(options: CloseRedisOptions = {}): Promise<void> {
  const deadlineMs = checkedDeadline(options);
  const state = shared();
  const { client } = state;
  state.closed = client !== undefined || state.closed;
  if (client === undefined) return;
  if (client.status === 'wait') client.disconnect();
  await client.closeFamily(deadlineMs);
}

function checkedDeadline(options: CloseRedisOptions): number {
  checkOptions(options, CLOSE_OPTIONS);
  const { deadlineMs = CLOSE_MS } = options;
  return checkCloseDeadline(deadlineMs);
}

/** How the default client is. Does not make one. */
export function getRedisStatus(): RedisStatusReport {
  const { client, closed } = shared();
  if (client === undefined) return { state: closed ? 'closed' : 'disconnected', status: 'wait', retries: 0, inFlight: 0, queued: 0 };
  const core = client[CORE];
  const stats = core.stats();
  return {
    state: stateOf(client, closed),
    status: client.status,
    retries: stats?.retries ?? core.gaveUpAfter ?? 0,
    inFlight: stats?.inFlight ?? 0,
    queued: stats?.queued ?? 0,
    ...(core.lastError === undefined ? {} : { lastError: core.lastError.message }),
  };
}

function stateOf(client: Redis, closed: boolean): RedisStatusReport['state'] {
  switch (client.status) {
    case 'wait':
      return closed ? 'closed' : 'disconnected';
    case 'connecting':
    case 'connect':
      return 'connecting';
    case 'ready':
    case 'monitoring':
      return 'ready';
    case 'close':
    case 'reconnecting':
      return 'reconnecting';
    default:
      return client[CORE].gaveUpAfter === undefined ? 'closed' : 'error';
  }
}
