/** @module __tests__/lifecycle/lane: replies reach their callers whole, whatever their size and number, and nobody waits for those who wait. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Document, MongoClient } from '../../dist/index.js';
import { connected } from '../mongo/fixture';

let client: MongoClient;

beforeAll(async () => {
  client = await connected('mooring_lane', { maxPoolSize: 60 });
});
afterAll(async () => {
  await client.db().dropDatabase();
  await client.close();
});

test('replies of every size that arrive together are each its own, also those that are kept', async () => {
  const rows = client.db().collection('rows');
  // Around what is aligned, what is copied (8 KiB) and what one buffer holds (64 KiB).
  const sizes = [0, 1, 7, 8, 9, 500, 4_000, 8_100, 8_191, 8_192, 8_200, 20_000, 65_536, 200_000];
  const document = (n: number): Document => ({
    _id: n,
    text: String.fromCodePoint(97 + (n % 26)).repeat(sizes[n % sizes.length] as number),
  });
  await rows.insertMany(Array.from({ length: sizes.length * 4 }, (_, n) => document(n)) as never[]);
  const count = sizes.length * 4;
  const kept = await Promise.all(Array.from({ length: count }, (_, n) => rows.findOne({ _id: n as never }, { raw: true })));
  const copies = kept.map((raw) => Buffer.from(raw as unknown as Buffer));
  const found = await Promise.all(Array.from({ length: 2_000 }, (_, n) => rows.findOne({ _id: (n % count) as never })));
  for (const [n, one] of found.entries()) expect(one).toEqual(document(n % count));
  for (const [n, raw] of kept.entries()) expect((raw as unknown as Buffer).equals(copies[n] as Buffer)).toBe(true);
});

test('an operation among many that wait is told before they end', async () => {
  const order: string[] = [];
  const sleepers = Array.from({ length: 40 }, async () => {
    await client.db('admin').command({ sleep: 1, millis: 3_000, lock: 'none' });
    order.push('slept');
  });
  for (let n = 0; n < 20; n++) {
    await client.db().collection('rows').findOne({}); // oxlint-disable-line eslint/no-await-in-loop -- one at a time is what is tested
    order.push('found');
  }
  expect(order).toEqual(Array.from({ length: 20 }, () => 'found'));
  await Promise.all(sleepers);
});
