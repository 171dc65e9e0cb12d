/**
 * @module __tests__/types/bullmq
 *
 * What the compiler knows of connections for BullMQ 6 and 5.
 */
import type { ConnectionOptions } from 'bullmq';
import type { ConnectionOptions as ConnectionOptions5 } from 'bullmq-5';
import { expectAssignable, expectNotAssignable } from 'tsd';
import { createRedisClient, redisClient } from '../../dist/index.js';
import { bullmqConnection } from '../../dist/redis/bullmq.js';

expectAssignable<ConnectionOptions>(redisClient);
expectAssignable<ConnectionOptions>(createRedisClient());
expectAssignable<ConnectionOptions>(bullmqConnection());

expectAssignable<ConnectionOptions5>(bullmqConnection());
// It asks for the class of ioredis, with its private members: the documentation shows the cast.
expectNotAssignable<ConnectionOptions5>(redisClient);
