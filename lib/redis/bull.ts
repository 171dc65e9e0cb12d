/**
 * @module redis/bull
 *
 * Entry `mooring/bull`: connections for Bull 4. All queues share one client and one subscriber; each gets its own blocking connection.
 *
 * Bull closes none of the connections that it was given: `closeRedis()` closes those of the default client.
 */
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
/** The subscriber that queues of one client share. */
const SUBSCRIBER = Symbol('mooring.redis.bull.subscriber');

function connection(type: BullClientType, client: Redis): Redis {
  if (type === 'bclient') return client.duplicate(BLOCKING);
  if (type === 'subscriber') return ((client as { [SUBSCRIBER]?: Redis })[SUBSCRIBER] ??= client.duplicate(BLOCKING));
  // Bull waits for `ready` without connecting.
  if (client.status === 'wait') void client.connect().catch(() => {});
  return client;
}

/**
 * `createClient` for Bull queues on the default client (`REDIS_URI`). A queue with `redis` options of its own gets connections of its own.
 * `Client` is as in `BullCreateClient`.
 *
 * @throws MooringError as `createRedisClient`.
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- inferred from what Bull's option is typed as
export function bullCreateClient<Client = Redis>(type: BullClientType, options: object = {}): Client {
  const own: RedisOptions = options;
  if (Object.keys(own).length > 0) return new Redis(type === 'client' ? own : { ...own, ...BLOCKING }) as Client;
  return connection(type, redisClient) as Client;
}

/**
 * `createClient` for Bull queues that share a client of their own; close it with `client.close()`.
 *
 * @throws MooringError as `createRedisClient`.
 */
export function bullClients(urlOrOptions?: string | ManagedRedisOptions): { client: Redis; createClient: BullCreateClient } {
  const client = createRedisClient(urlOrOptions);
  const createClient: BullCreateClient = (type) => connection(type, client) as never;
  return { client, createClient };
}
