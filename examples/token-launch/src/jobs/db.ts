/**
 * @module jobs/db
 *
 * The wiring: MongoDB, Redis and the RPC pool. Everything comes from the environment (`MONGODB_URI`, `REDIS_URI`, `SOLANA_RPC_ENDPOINTS`); reconnecting,
 * retrying and the order of the shutdown are mooring's.
 */
import { connectDB, ConnectionPool, connectRedis, redisClient } from 'mooring';
import mongoose from 'mongoose';
import { logger } from '../logger.js';
import { prepareModels } from '../models/index.js';

export { redisClient };

/** The RPC pool over all endpoints of `SOLANA_RPC_ENDPOINTS`. */
export const pool = new ConnectionPool({ commitment: 'confirmed', logger });

/** Connects MongoDB (for the Mongoose models) and Redis, and waits for the unique indexes. */
export async function connect(): Promise<void> {
  await Promise.all([connectDB({ mongoose }), connectRedis()]);
  await prepareModels();
}
