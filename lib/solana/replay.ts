/**
 * @module solana/replay
 *
 * Answers that the peer judges itself: its own method runs over an answer already here. So errors have its classes and texts, and replies of unusual shapes are
 * taken or refused as it does, whatever its version.
 */
import { fromFailure, isFailure } from '../error/index.js';
import type { Outcome } from '../lane.js';
import { caused, nodeError } from './errors.js';

/** A method of the peer and what it is called with. */
export interface PeerCall {
  readonly connection: object;
  /** The prototype that has the peer's own method. */
  readonly peer: object;
  readonly method: string;
  readonly args: readonly unknown[];
}

/** Runs a method of the peer over the outcome of a call, as if it had made the request. A failure without an answer of a node is thrown as it is. */
export async function replay(call: PeerCall, outcome: Outcome): Promise<unknown> {
  if (!isFailure(outcome)) return await over(call, { result: JSON.parse(String(outcome)) as unknown });
  const error = fromFailure(outcome);
  const body = nodeError(outcome);
  if (body === undefined) throw error;
  try {
    return await over(call, { error: body });
  } catch (reason) {
    throw reason instanceof Error ? caused(reason, error) : reason;
  }
}

/** Runs a method of the peer with its inner method `name` failing: the peer words what comes of it. */
export async function reword(call: PeerCall, name: string, error: unknown): Promise<never> {
  const failing = async (): Promise<never> => {
    throw error as Error;
  };
  try {
    await invoke(call, { [name]: failing });
  } catch (reason) {
    throw reason instanceof Error && reason !== error && error instanceof Error ? caused(reason, error) : reason;
  }
  throw error;
}

function over(call: PeerCall, answer: object): Promise<unknown> {
  return invoke(call, { _rpcRequest: () => Promise.resolve({ jsonrpc: '2.0', id: '', ...answer }) });
}

/** The method on an object derived from the connection, with `replaced` in place of its own. */
async function invoke({ connection, peer, method, args }: PeerCall, replaced: Record<string, unknown>): Promise<unknown> {
  const view: unknown = Object.create(connection, Object.getOwnPropertyDescriptors(replaced));
  const own = (peer as Record<string, (...args: unknown[]) => Promise<unknown>>)[method];
  return await own?.apply(view, [...args]);
}
