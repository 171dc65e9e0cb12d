/**
 * @module __tests__/types/doc-names
 *
 * What the examples of the documents take from their reader, or from an example before them. Checked by `scripts/doc-examples.mjs`.
 */
import type { PublicKey, Transaction } from '@solana/web3.js';
import type BullQueue from 'bull';
import type { Queue as BullmqQueue, Worker as BullmqWorker } from 'bullmq';
import type { Model } from 'mongoose';
import type * as mooring from '../../dist/index.js';
import type * as mooringBull from '../../dist/redis/bull.js';

declare global {
  interface User {
    name: string;
    active: boolean;
  }
  const TokenModel: Model<{ tokenAddress: string; state: string }>;
  const Token: typeof TokenModel;
  const tokenAddress: string;
  const filter: { tokenAddress: string };
  const uri: string;
  const users: mooring.Collection<User>;
  const user: User;
  const work: () => Promise<number>;
  const withTransaction: typeof mooring.withTransaction;
  const audit: (change: unknown) => void;
  const duplicate: (key: unknown) => unknown;
  const later: () => unknown;
  const askAgainLater: () => unknown;
  const logger: Console;

  const queue: BullmqQueue;
  const launchQueue: BullmqQueue;
  const launchWorker: BullmqWorker;
  const launch: (tokenId: string) => Promise<unknown>;
  const send: () => Promise<unknown>;
  const url: string;
  const password: string;
  const sentinels: { host: string; port: number }[];
  const Redis: typeof mooring.Redis;
  const createRedisClient: typeof mooring.createRedisClient;
  const redisClient: typeof mooring.redisClient;
  const Bull: typeof BullQueue;
  namespace Bull {
    type QueueOptions = BullQueue.QueueOptions;
  }
  const bullCreateClient: typeof mooringBull.bullCreateClient;

  const wallet: { publicKey: PublicKey };
  const wallets: string[];
  const signedBytes: Uint8Array;
  const transaction: Transaction;
  const lastValidBlockHeight: number;
  const endpoints: string[];
  const key: string;
  const ConnectionPool: typeof mooring.ConnectionPool;
  const pool: mooring.ConnectionPool;
}
