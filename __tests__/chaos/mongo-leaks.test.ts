/** @module __tests__/chaos/mongo-leaks: clients opened and closed, and transactions, leave nothing behind, here and on the server. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { limitMs, rounds } from '../support/chaos';

/** In the full run (`MOORING_CHAOS=100`) 10 000 cycles and 100 000 transactions. */
const CYCLES = rounds(100);
const TRANSACTIONS = rounds(1_000);
/** Transactions at once: a server session goes back in the background, so that each may have found a second one (decision 0014). */
const AT_ONCE = 16;

interface Measured {
  readonly kind: string;
  readonly grown: Record<string, number>;
}

test(
  'nothing grows',
  async () => {
    const script = join(__dirname, 'mongo-leaks.mjs');
    const args = ['--expose-gc', script, '--cycles', String(CYCLES), '--transactions', String(TRANSACTIONS)];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: limitMs(55_000) });
    process.stdout.write(stdout);
    const [cycles, transactions, stats] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Measured) as [Measured, Measured, object];
    expect(cycles.grown['sessions']).toBeLessThanOrEqual(2);
    expect(transactions.grown['sessions']).toBeLessThanOrEqual(AT_ONCE);
    for (const { grown } of [cycles, transactions]) {
      expect(grown).toMatchObject({ openTransactions: 0, openCursors: 0, openThings: 0 });
      // One more or less may be on its way.
      expect(grown['descriptors']).toBeLessThanOrEqual(2);
      expect(grown['connections']).toBeLessThanOrEqual(2);
      // A short run ends while the heap still finds its size.
      expect(grown['rssMb']).toBeLessThanOrEqual(CYCLES < 10_000 ? 20 : 10);
    }
    expect(stats).toMatchObject({ sessions: { open: 0 }, transactions: { unknown: 0, timedOut: 0 }, cursors: 0, inFlight: 0 });
  },
  limitMs(60_000),
);
