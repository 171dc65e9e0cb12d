/**
 * @module redis/bullmq-register
 *
 * Entry `mooring/bullmq/register`: connections that BullMQ makes from plain options become ours. Import it once, also in sandboxed processors.
 * This is the only entry with an effect at import: it sets `RedisConnection.clientFactory`.
 */
import { RedisConnection } from 'bullmq';
import { BullmqClient } from './bullmq-client.js';

RedisConnection.clientFactory = ({ url, ...options }) => (url === undefined ? new BullmqClient(options) : new BullmqClient(url, options));
