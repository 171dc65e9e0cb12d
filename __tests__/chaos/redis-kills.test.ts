/** @module __tests__/chaos/redis-kills: connections are killed under load; what was acknowledged happened, once, and nothing unacknowledged is silent. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { closeRedis, createRedisClient, Redis } from '../../dist/index.js';
import { limitMs, random, rounds, seed } from '../support/chaos';

const uri = process.env['REDIS_URI'] as string;

describe(`a managed client under kills (seed ${seed})`, () => {
  const killer = new Redis(uri);
  const key = `chaos:kills:${process.pid}`;

  beforeAll(async () => {
    await killer.del(key);
  });
  afterAll(async () => {
    await killer.quit();
    await closeRedis();
  });

  test(
    'counts what was acknowledged and nothing twice',
    async () => {
      const client = createRedisClient({ url: uri, logger: { warn: () => {}, error: () => {} } });
      const next = random(seed);
      const count = rounds(4000);
      const outcomes = { acknowledged: 0, maybe: 0, no: 0 };
      const one = async (): Promise<void> => {
        try {
          await client.incr(key);
          outcomes.acknowledged += 1;
        } catch (error) {
          outcomes[(error as { sent: 'maybe' | 'no' }).sent] += 1;
        }
      };
      const self = await killer.client('ID');
      for (let done = 0; done < count;) {
        const batch = 1 + Math.floor(next() * 200);
        const running = Array.from({ length: batch }, one);
        if (next() < 0.3) await killer.client('KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        await Promise.all(running);
        done += batch;
      }
      expect(await killer.client('ID')).toBe(self);
      const stored = Number(await killer.get(key));
      expect(outcomes.acknowledged).toBeGreaterThan(0);
      expect(stored).toBeGreaterThanOrEqual(outcomes.acknowledged);
      expect(stored).toBeLessThanOrEqual(outcomes.acknowledged + outcomes.maybe);
      await client.quit();
    },
    limitMs(60_000),
  );
});
