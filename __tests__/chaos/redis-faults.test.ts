/**
 * @module __tests__/chaos/redis-faults: commands of a managed client through resets, black holes, slices, half-open connections, stopped and restarted servers and
 * failovers: every reply is its caller's own, nothing runs twice, nothing runs that was rejected unsent. ioredis goes through the same, for the figures.
 * `MOORING_CHAOS=100` makes it a million commands. The harness is `benches/redis-faults.bench.mjs`.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { limitMs, rounds, seed } from '../support/chaos';

const HARNESS = join(__dirname, '../../benches/redis-faults.bench.mjs');
const COMMANDS = rounds(10_000);
/** Kinds of faults: each comes at least once. */
const KINDS = 13;
const FAULTS = KINDS * Math.max(1, Math.ceil(rounds(100) / 400));

interface Row {
  readonly client: string;
  readonly commands: number;
  readonly acknowledged: number;
  readonly rejected: number;
  readonly timedOut: number;
  readonly wrongReply: number;
  readonly maybe: number;
  readonly no: number;
  readonly unknown: number;
  readonly lost: number;
  readonly twice: number;
  readonly ranThoughNo: number;
  readonly ranThoughRefused: number;
  readonly faults: Record<string, number>;
}

async function run(clients: string, ...more: string[]): Promise<Row[]> {
  const args = [HARNESS, '--commands', COMMANDS, '--faults', FAULTS, '--seed', seed, '--clients', clients, '--json', ...more].map(String);
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { maxBuffer: 64 * 1024 * 1024 });
  const { rows } = JSON.parse(stdout) as { rows: Row[] };
  for (const { faults: _, ...row } of rows) process.stderr.write(`faults (seed ${seed}${more.join(' ')}): ${JSON.stringify(row)}\n`);
  expect(stderr).toBe('');
  return rows;
}

function expectKept(row: Row | undefined): void {
  expect(row).toMatchObject({
    client: 'mooring',
    commands: COMMANDS,
    wrongReply: 0,
    lost: 0,
    twice: 0,
    ranThoughNo: 0,
    ranThoughRefused: 0,
  });
  // Every rejection says whether the command may have run.
  expect(row?.unknown).toBe(0);
  expect(Object.keys(row?.faults ?? {})).toHaveLength(KINDS);
  // The faults were felt, and most of the work was done all the same.
  expect(row?.maybe).toBeGreaterThan(0);
  expect(row?.timedOut).toBeGreaterThan(0);
  expect(row?.acknowledged).toBeGreaterThan(COMMANDS * 0.8);
}

describe('a managed client under faults', () => {
  it(
    'keeps its word, beside ioredis',
    async () => {
      const [mooring, ioredis] = await run('mooring,ioredis');
      expectKept(mooring);
      expect(ioredis?.commands).toBe(COMMANDS);
    },
    limitMs(90_000),
  );

  it(
    'keeps its word over TLS',
    async () => {
      const [mooring] = await run('mooring', '--tls');
      expectKept(mooring);
      expect(mooring?.acknowledged).toBe(COMMANDS - (mooring?.rejected ?? 0));
    },
    limitMs(90_000),
  );
});
