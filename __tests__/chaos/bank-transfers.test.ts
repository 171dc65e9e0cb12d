/** @module __tests__/chaos/bank-transfers: the bank on three nodes under every fault; the money is all there, and every answer was true. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { limitMs, rounds, seed } from '../support/chaos';

/** In the full run 20 000 transfers (`MOORING_CHAOS=100`), a fault every 400; in `npm test` one fault of each kind. */
const TRANSFERS = rounds(200);
const BETWEEN = Math.min(400, Math.floor(TRANSFERS / 7));

test(
  `keeps the total, loses nothing and applies nothing that was refused (seed ${seed})`,
  async () => {
    const args = [
      join(__dirname, 'bank-transfers.mjs'),
      '--transfers',
      String(TRANSFERS),
      '--between',
      String(BETWEEN),
      '--seed',
      String(seed),
    ];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: limitMs(110_000) });
    const report = JSON.parse(stdout) as Record<string, number> & {
      sessions: { open: number };
      recovery: Record<string, { struck: number; p50Ms: number }>;
    };
    process.stdout.write(`bank: ${stdout}`);
    expect(report).toMatchObject({
      total: report['wanted'],
      wrongBalances: 0,
      lost: 0,
      appliedThoughRefused: 0,
      untrueOutcomes: 0,
      openTransactions: 0,
    });
    expect(report.sessions.open).toBe(0);
    expect(report['done']).toBeGreaterThan(TRANSFERS / 2);
    // Every kind of fault struck, and work went on after each.
    for (const kind of Object.values(report.recovery))
      expect(kind).toMatchObject({ struck: expect.any(Number), p50Ms: expect.any(Number) });
  },
  limitMs(120_000),
);
