/**
 * @module demo/world
 *
 * What is outside the backend: the servers and their faults. The parent process owns them; this side asks and waits for the answer.
 */
interface Reply {
  id: number;
  value?: unknown;
  error?: string;
}

/** Asks the parent process. */
export type Ask = <T = void>(what: string, ...args: readonly unknown[]) => Promise<T>;

/** The world, and how to let go of it. */
export interface World {
  ask: Ask;
  /** Closes the channel to the parent, so that this process can end. */
  leave: () => void;
}

/** Opens the channel. Only under `npm run demo`, which starts this process with one. */
export function enterWorld(): World {
  const waiting = new Map<number, (reply: Reply) => void>();
  let lastId = 0;
  process.on('message', (reply: Reply) => {
    waiting.get(reply.id)?.(reply);
    waiting.delete(reply.id);
  });
  const ask = <T>(what: string, ...args: readonly unknown[]): Promise<T> =>
    new Promise((resolve, reject) => {
      const id = (lastId += 1);
      waiting.set(id, (reply) => (reply.error === undefined ? resolve(reply.value as T) : reject(new Error(reply.error))));
      process.send?.({ id, what, args });
    });
  // Without the parent nobody would undo a fault or read the result.
  const abandoned = (): never => process.exit(1);
  process.once('disconnect', abandoned);
  const leave = (): void => {
    process.off('disconnect', abandoned);
    process.disconnect();
  };
  return { ask, leave };
}
