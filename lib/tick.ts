/**
 * @module tick
 *
 * The end of the tick, also under fake timers. Jest's and sinon's fake timers replace `process.nextTick`: the real one is kept when this module loads, and
 * where the faked one is all there is, a microtask does, which nobody fakes.
 */
const atLoad = process.nextTick as typeof process.nextTick & { clock?: unknown };

/** Runs `task` at the end of the tick. */
export const nextTick: (task: () => void) => void =
  atLoad.clock === undefined ? (task) => atLoad.call(process, task) : (task) => void Promise.resolve().then(task);
