/**
 * @module redis/bull
 *
 * Entry `mooring/bull`: connections for Bull 4. All queues share one client and one subscriber; each gets its own blocking connection.
 *
 * Bull closes none of the connections that it was given: `closeRedis()` closes those of the default client.
 */
import { checkObject, invalidArgument } from '../error/index.js';
import { Redis } from './client.js';
import { createRedisClient, type ManagedRedisOptions, redisClient } from './managed.js';
import type { RedisOptions } from './options.js';

export { heartbeat, type HeartbeatQueue } from './bull-heartbeat.js';
export type { Heartbeat, HeartbeatOptions } from './heartbeat.js';

/** What Bull asks a connection for. */
export type BullClientType = 'client' | 'subscriber' | 'bclient';

/**
 * What Bull calls for each connection: fits Bull's option `createClient` as it is.
 *
 * `Client` is what the caller takes the client for. Bull's types want the classes of ioredis, which have private members that nothing else has; ours do what
 * Bull asks of them.
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- inferred from what Bull's option is typed as
export type BullCreateClient = <Client = Redis>(type: BullClientType, options?: object) => Client;

/** Bull refuses ready checks and retry limits on these. */
const BLOCKING = { enableReadyCheck: false, maxRetriesPerRequest: null, lazyConnect: false, sharedSubscriber: false } as const;
const TYPES: ReadonlySet<unknown> = new Set<BullClientType>(['client', 'subscriber', 'bclient']);
/** What Bull fills in by itself, whatever it was given: these alone are no wish for another server. Its `retryStrategy` cannot be told from a caller's. */
const FILLED_IN: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['enableReadyCheck', false],
  ['host', '127.0.0.1'],
  ['port', 6379],
  ['db', undefined],
]);
const IGNORED = 'retryStrategy';
/** The subscriber that queues of one client share. */
const SUBSCRIBER = Symbol('mooring.redis.bull.subscriber');

function connection(type: BullClientType, client: Redis): Redis {
  if (type === 'bclient') return client.duplicate(BLOCKING);
  if (type === 'client') return connecting(client);
  return connecting(((client as { [SUBSCRIBER]?: Redis })[SUBSCRIBER] ??= client.duplicate(BLOCKING)));
}

/** Bull waits for `ready` without connecting. A client that was closed serves the queues that are made afterwards. */
function connecting(client: Redis): Redis {
  if (client.status === 'wait' || client.status === 'end') void client.connect().catch(() => {});
  return client;
}

/** Whether the options of a connection are none but those that Bull always gives. */
function isFilledIn(options: object): boolean {
  const given = Object.entries(options);
  const isComplete = given.length === 0 || [...FILLED_IN.keys(), IGNORED].every((name) => name in options);
  return isComplete && given.every(([name, value]) => name === IGNORED || (FILLED_IN.has(name) && FILLED_IN.get(name) === value));
}

/**
 * `createClient` for Bull queues on the default client (`REDIS_URI`). A queue with `redis` options of its own gets connections of its own; `127.0.0.1:6379`,
 * which Bull fills in when it was given no address, is none. `Client` is as in `BullCreateClient`.
 *
 * @throws MooringError as `createRedisClient`; `MOORING_INVALID_ARGUMENT` for another `type` or options that are no object.
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- inferred from what Bull's option is typed as
export function bullCreateClient<Client = Redis>(type: BullClientType, options: object = {}): Client {
  if (!TYPES.has(type)) throw invalidArgument('type', 'type must be client, subscriber or bclient');
  checkObject(options);
  const own: RedisOptions = options;
  if (!isFilledIn(own)) return new Redis(type === 'client' ? own : { ...own, ...BLOCKING }) as Client;
  return connection(type, redisClient) as Client;
}

/**
 * `createClient` for Bull queues that share a client of their own; close it, with the connections of its queues, by `client.closeFamily()`.
 *
 * @throws MooringError as `createRedisClient`.
 */
export function bullClients(urlOrOptions?: string | ManagedRedisOptions): { client: Redis; createClient: BullCreateClient } {
  const client = createRedisClient(urlOrOptions);
  const createClient: BullCreateClient = (type) => connection(type, client) as never;
  return { client, createClient };
}
