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

/** What Bull calls for each connection. */
export type BullCreateClient = (type: BullClientType, options?: RedisOptions) => Redis;

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
 *
 * @throws MooringError as `createRedisClient`.
 */
export function bullCreateClient(type: BullClientType, options: RedisOptions = {}): Redis {
  if (Object.keys(options).length > 0) return new Redis(type === 'client' ? options : { ...options, ...BLOCKING });
  return connection(type, redisClient);
}

/**
 * `createClient` for Bull queues that share a client of their own; close it with `client.close()`.
 *
 * @throws MooringError as `createRedisClient`.
 */
export function bullClients(urlOrOptions?: string | ManagedRedisOptions): { client: Redis; createClient: BullCreateClient } {
  const client = createRedisClient(urlOrOptions);
  return { client, createClient: (type) => connection(type, client) };
}
