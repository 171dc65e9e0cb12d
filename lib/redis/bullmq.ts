/**
 * @module redis/bullmq
 *
 * Entry `mooring/bullmq`: connections for BullMQ queues and workers, and a close that keeps its deadline. Works with BullMQ 5 and 6; needs neither at import.
 */
import { BullmqClient } from './bullmq-client.js';
import { managedOptions, type ManagedRedisOptions } from './managed.js';

export { closeQueue, type ClosableQueue, type ClosableWorker, closeWorker, type CloseOptions, type CloseReport } from './bullmq-close.js';
export { BullmqClient, type BullmqTransaction } from './bullmq-client.js';
export { type ClaimedJob, heartbeat, type HeartbeatWorker, type WorkerHeartbeat } from './bullmq-heartbeat.js';
// Also makes it `BullmqClient.Cluster`: who is handed the class as a factory of clients finds both.
export { Cluster } from './cluster/index.js';
export type { ClusterNode, ClusterOptions } from './cluster/options.js';
export type { Heartbeat, HeartbeatOptions } from './heartbeat.js';

/**
 * A managed client for `connection:` of queues and workers. BullMQ 6 uses it as it is, BullMQ 5 as an ioredis client. Share it: each worker adds one
 * blocking connection of its own.
 *
 * @throws MooringError as `createRedisClient`.
 */
export function bullmqConnection(urlOrOptions?: string | ManagedRedisOptions): BullmqClient {
  return new BullmqClient(managedOptions(urlOrOptions));
}
