/** @module __tests__/chaos/open-close: opening and closing leaves nothing behind: no descriptor, no registry entry, no growing memory. */
import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { ConnectionPool, MongoClient, openThings, Redis } from '../../dist/index.js';
import { limitMs, rounds } from '../support/chaos';

const uri = (name: string): string => process.env[name] as string;
const descriptors = (): number => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0);

const cycles: Record<string, () => Promise<void>> = {
  redis: async () => {
    const client = new Redis(uri('REDIS_URI'));
    await client.ping();
    await client.quit();
  },
  mongo: async () => {
    const client = await new MongoClient(uri('MONGODB_URI')).connect();
    await client.db('cycles').command({ ping: 1 });
    await client.close();
  },
  solana: async () => {
    const pool = new ConnectionPool({ endpoints: uri('SOLANA_RPC_ENDPOINTS').split(',') });
    await pool.request('getSlot', []);
    await pool.close();
  },
};

describe('open and close', () => {
  test.each(Object.keys(cycles))(
    'leaves nothing of %s behind',
    async (kind) => {
      const cycle = cycles[kind] as () => Promise<void>;
      for (let i = 0; i < 5; i++) await cycle();
      await delay(200);
      const before = { descriptors: descriptors(), rss: process.memoryUsage.rss() };
      const count = rounds(40);
      for (let i = 0; i < count; i++) await cycle();
      await delay(500);
      expect(openThings()).toEqual([]);
      // Sockets of the server's side may linger in closing for a moment; a leak would show as one per cycle.
      expect(descriptors() - before.descriptors).toBeLessThan(8);
      // 64 KiB a cycle would be a leaked buffer; the constant part is allocator noise.
      expect(process.memoryUsage.rss() - before.rss).toBeLessThan(64 * 1024 * 1024 + count * 16 * 1024);
    },
    limitMs(60_000),
  );
});
