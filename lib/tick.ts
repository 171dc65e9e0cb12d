/**
 * @module tick
 *
 * The end of the tick, also under fake timers. Jest's and sinon's fake timers replace `process.nextTick` and mark theirs with a `clock`: the real one is kept
 * when this module loads, and where the faked one is all there is, a microtask does, which nobody fakes.
 */
const atLoad: (task: () => void) => void = process.nextTick.bind(process);
// oxlint-disable-next-line typescript/unbound-method -- only looked at, never called
const { clock } = process.nextTick as { clock?: unknown };

/** Runs `task` at the end of the tick. */
export const nextTick: (task: () => void) => void = clock === undefined ? atLoad : (task) => void Promise.resolve().then(task);

/** Runs what is the user's, such as a listener. What it throws surfaces as an uncaught exception at the end of the tick and stops nobody else's work. */
export function isolated(run: () => void): void {
  try {
    run();
  } catch (error) {
    nextTick(() => {
      throw error;
    });
  }
}
