/**
 * @module mongo/hook
 *
 * What runs after a transaction: `afterCommit` and `afterRollback`. Each hook runs once, in order of registration, after a definite outcome; its error goes
 * to `onHookError` (default: a process warning) and changes nothing about the transaction.
 */
import { clearTimeout, setTimeout } from 'node:timers';

/** A function to run after the transaction. */
export type Hook = () => unknown;

/** Milliseconds that all hooks of a transaction are waited for; they run on afterwards. */
const HOOKS_LIMIT_MS = 5_000;

/** The hooks of one attempt. */
export class Hooks {
  readonly #hooks: { when: 'committed' | 'rolled-back'; fn: Hook }[] = [];

  add(when: 'committed' | 'rolled-back', fn: Hook): void {
    this.#hooks.push({ when, fn });
  }

  /** Runs those for `outcome` and forgets all. */
  async run(outcome: 'committed' | 'rolled-back', onError: (error: unknown) => void = warn): Promise<void> {
    const due = this.#hooks.splice(0).filter(({ when }) => when === outcome);
    if (due.length === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, HOOKS_LIMIT_MS);
    });
    await Promise.race([inOrder(due, onError), limit]);
    clearTimeout(timer);
  }
}

async function inOrder(due: readonly { fn: Hook }[], onError: (error: unknown) => void): Promise<void> {
  for (const { fn } of due) {
    try {
      await fn();
    } catch (error) {
      report(error, onError);
    }
  }
}

function report(error: unknown, onError: (error: unknown) => void): void {
  try {
    onError(error);
  } catch (second) {
    warn(second);
  }
}

function warn(error: unknown): void {
  process.emitWarning(`transaction hook failed: ${error instanceof Error ? error.message : String(error)}`, { code: 'MOORING_HOOK' });
}
