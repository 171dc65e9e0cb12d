/**
 * @module demo/main
 *
 * The demo's backend process: starts the backend, calls its functions while the parent process injects faults, audits, shuts down. Exit code 0 when every
 * check holds.
 */
import { startBackend } from '../jobs/backend.js';
import { reconcile } from '../jobs/reconcile.js';
import { TokenState } from '../models/index.js';
import { Book } from './calls.js';
import { audit } from './ledger.js';
import { untilSettled } from './proof.js';
import { calm, commitFailure, mongoGone, redisGone, redisKilled, rpcFaults, rpcGone, type Stage, untilState } from './scenes.js';
import { fund, seedLaunch } from './seed.js';
import { printStatus } from './status.js';
import { Checks, heading, note, table } from './table.js';
import { enterWorld } from './world.js';

const TOKENS = 5;

async function main(): Promise<void> {
  const { ask, leave } = enterWorld();
  const checks = new Checks();
  heading('Start');
  const backend = await startBackend();
  note('MongoDB, Redis and RPC connected; 3 queues and 3 workers run');
  const broke = await seedLaunch('BROKE', { funded: false });
  const launches = await Promise.all(Array.from({ length: TOKENS }, (_, i) => seedLaunch(`TOKEN${i + 1}`, { funded: true })));
  note(`${TOKENS + 1} users, ${(TOKENS + 1) * 3} wallets and ${TOKENS + 1} tokens seeded; one dev wallet is empty`);
  const book = new Book();
  const stage: Stage = { ask, book, checks, launches, broke };
  await calm(stage);
  await printStatus(book, [...launches, broke]);
  for (const scene of [commitFailure, redisKilled, rpcFaults, mongoGone, redisGone, rpcGone]) await scene(stage);
  await retryLaunch(stage);
  heading('Ledger: what callers were told against what the servers hold');
  await reconcile(0);
  checks.check('every transfer has ended', await untilSettled([...launches, broke]));
  await audit({ ask, book, checks, launches: [...launches, broke] });
  await printStatus(book, [...launches, broke]);
  await finish(backend, checks);
  leave();
}

/** The launch that had to fail is launched again, now with lamports. */
async function retryLaunch({ book, broke, checks }: Stage): Promise<void> {
  heading('A failed launch, launched again');
  checks.check('the launch from an empty wallet has failed', await untilState([broke], TokenState.FAILED, 60_000));
  await fund(broke.dev);
  const retry = await book.launch(broke, 2);
  checks.check('its retry is accepted', retry.success, retry.message);
  checks.check('and launched', await untilState([broke], TokenState.LAUNCHED));
}

async function finish(backend: Awaited<ReturnType<typeof startBackend>>, checks: Checks): Promise<void> {
  heading('Graceful shutdown');
  const { clean, deadlineMs, elapsedMs, errors, phases } = await backend.stop('end of the demo');
  table(
    ['phase', 'ms', 'closed', 'drained', 'aborted'],
    phases.map((phase) => [phase.name, Math.round(phase.elapsedMs), phase.closed, phase.drained, phase.aborted]),
  );
  checks.check('the shutdown was clean', clean && errors.length === 0, `${Math.round(elapsedMs)} ms of ${deadlineMs} ms`);
  heading('Result');
  note(checks.failed === 0 ? 'no acknowledged work was lost or doubled; every check holds' : `${checks.failed} checks do not hold`);
  process.exitCode = checks.failed === 0 ? 0 : 1;
}

main().catch((error: unknown) => {
  process.stdout.write(`demo failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
});
