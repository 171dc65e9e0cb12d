/**
 * @module redis/bullmq-register
 *
 * Entry `mooring/bullmq/register`: connections that BullMQ makes from plain options become ours. Import it once, also in sandboxed processors.
 * This is the only entry with an effect at import: it sets `RedisConnection.clientFactory`.
 */
import { createIORedisClient, RedisConnection } from 'bullmq';
import { Redis } from './client.js';
import type { RedisOptions } from './options.js';

RedisConnection.clientFactory = ({ url, ...options }) =>
  createIORedisClient(url === undefined ? new Redis(options as RedisOptions) : new Redis(url, options as RedisOptions));
