/**
 * @module __tests__/support/watch-run
 *
 * A Jest reporter for runs that nobody watches: it says which file runs, and ends a run that is over but kept alive by something that was not closed.
 * A file that blocks the event loop for good is ended by `scripts/test.mjs`, which waits for this line or a result.
 */
import { relative } from 'node:path';

/** What a process gets to end by itself. */
const EXIT_LIMIT_MS = 30_000;

export default class WatchRun {
  #stays;

  /** With `--watch` the process stays on purpose. */
  constructor({ watch, watchAll }) {
    this.#stays = watch || watchAll;
  }

  onTestFileStart({ path }) {
    if (!process.stderr.isTTY) process.stderr.write(`RUNS ${relative(process.cwd(), path)}\n`);
  }

  onRunComplete() {
    if (this.#stays) return;
    setTimeout(() => {
      const held = process.getActiveResourcesInfo();
      process.stderr.write(`The run is over, but the process was kept alive for ${EXIT_LIMIT_MS / 1000} s by: ${held.join(', ')}\n`);
      process.exit(1);
    }, EXIT_LIMIT_MS).unref();
  }
}
