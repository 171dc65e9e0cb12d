/**
 * @module redis/cluster/redirect
 *
 * What an error means for a command of a cluster: go elsewhere, try again later, or give up. One rule for single commands and pipelines.
 */
import { CONNECTION_CLOSED, localError, type Sent } from '../errors.js';
import type { ResolvedClusterOptions } from './options.js';
import { isSlot, type NodeKey } from './slots.js';
import type { DelayQueue } from './waiting.js';

/** What follows from an error. */
export interface Verdicts {
  /** The slot has moved for good. */
  moved(slot: number, key: NodeKey): void;
  /** The slot is on its way: this command goes to another node, once. */
  ask(key: NodeKey): void;
  /** Another attempt, at any node. */
  again(): void;
  /** The error stands; or another one, when there were too many redirections. */
  giveUp(error: Error): void;
}

/** What a decision needs to know. */
export interface Surroundings {
  readonly options: ResolvedClusterOptions;
  readonly delays: DelayQueue;
  /** Whether the cluster is there or will be again: a closed connection is then no end. */
  readonly goesOn: boolean;
  /** Whether redirections are followed: otherwise the command waits for the cluster, whose nodes are those of its next connect, or none. */
  readonly isReady: boolean;
  readonly refresh: (done?: () => void) => void;
}

/** The redirections that one command or pipeline has left. */
export class Redirections {
  #left: number | undefined;
  /** An attempt may have been executed although it failed. */
  #sent: Sent = 'no';

  /** Decides about one error. `mayRepeat`: the command may be sent again although it may have been executed. */
  decide(error: Error, surroundings: Surroundings, verdicts: Verdicts, mayRepeat: boolean): void {
    const { options, delays, refresh } = surroundings;
    if ((error as { sent?: Sent }).sent === 'maybe') this.#sent = 'maybe';
    this.#left = this.#left === undefined ? options.maxRedirections : this.#left - 1;
    if (this.#left <= 0) {
      const text = `Too many Cluster redirections. Last error: ${String(error)}`;
      return verdicts.giveUp(localError(text, 'MOORING_SERVER_ERROR', undefined, this.#sent));
    }
    const [kind, slot, key] = error.message.split(' ');
    const again = (): void => verdicts.again();
    if (kind === 'MOVED' && key !== undefined && isSlot(Number(slot))) {
      const move = (): void => (surroundings.isReady ? verdicts.moved(Number(slot), key) : verdicts.again());
      const delayMs = options.retryDelayOnMoved ?? 0;
      if (delayMs > 0) delays.push('moved', delayMs, move);
      else move();
    } else if (kind === 'ASK' && key !== undefined) {
      if (surroundings.isReady) verdicts.ask(key);
      else verdicts.again();
    } else if (kind === 'TRYAGAIN') delays.push('tryagain', options.retryDelayOnTryAgain, again);
    else if (kind === 'CLUSTERDOWN' && options.retryDelayOnClusterDown > 0) {
      delays.push('clusterdown', options.retryDelayOnClusterDown, again, refresh);
    } else if (error.message === CONNECTION_CLOSED && options.retryDelayOnFailover > 0 && surroundings.goesOn && mayRepeat) {
      delays.push('failover', options.retryDelayOnFailover, again, refresh);
    } else verdicts.giveUp(error);
  }
}

/** Functions of the user's may throw, and so may addresses that a server names: that is the outcome of what is on its way, and nobody else's. */
export function attempt(step: () => void, reject: (error: Error) => void): void {
  try {
    step();
  } catch (error) {
    reject(error as Error);
  }
}
