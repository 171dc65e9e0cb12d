/**
 * @module redis/cluster/batch-journey
 *
 * A pipeline or transaction on its way through a cluster: all of it goes to one node, and all of it goes again when every member failed alike.
 */
import { Flag } from '../commands.js';
import type { Redis } from '../client.js';
import { CONNECTION_CLOSED, localError } from '../errors.js';
import type { Batch, MemberResult } from '../pipeline.js';
import { nodeKey } from './options.js';
import { attempt, Redirections } from './redirect.js';
import type { Routes } from './routes.js';
import { commonSlot, type NodeKey, slotOf, SLOTS } from './slots.js';
import { byteLength } from '../transformers.js';

const SAME_SLOT = 'All the keys in a pipeline command should belong to the same slot';
const SAME_GROUP = 'All keys in the pipeline should belong to the same slots allocation group';
const NOT_READY = "Cluster isn't ready and enableOfflineQueue options is false";
const DISCARDED = 'EXECABORT Transaction discarded because of previous errors.';

/** Whether a pipeline may go to a replica, and whether it may be repeated. */
function only(flag: number, { members }: Batch): boolean {
  return members.every(({ spec, args }) => (spec.flagsWith(args, spec.blockingMs(args)) & flag) !== 0);
}

/** One pipeline. */
export class BatchJourney {
  readonly #routes: Routes;
  readonly #batch: Batch;
  readonly #redirections = new Redirections();
  readonly #resolve: (results: MemberResult[]) => void;
  readonly #reject: (error: Error) => void;
  readonly #expires: number;
  #preferred: NodeKey | undefined;
  #asked = false;
  /** Where the last attempt was made. */
  #node: Redis | undefined;

  constructor(routes: Routes, batch: Batch, settle: { resolve: (results: MemberResult[]) => void; reject: (error: Error) => void }) {
    this.#routes = routes;
    this.#batch = batch;
    this.#resolve = settle.resolve;
    this.#reject = settle.reject;
    this.#expires = routes.expiry();
  }

  /** Makes an attempt. */
  go(): void {
    this.#try(() => this.#go());
  }

  #try(step: () => void): void {
    attempt(step, this.#reject);
  }

  #go(): void {
    const routes = this.#routes;
    if (routes.status === 'end') return this.#all(() => localError(CONNECTION_CLOSED, 'MOORING_CLOSED'));
    if (routes.table.known) {
      const refusal = this.#refusal();
      if (refusal !== undefined) return this.#reject(localError(refusal, 'MOORING_INVALID_ARGUMENT'));
    }
    const node = routes.isReady ? this.#choose() : undefined;
    if (node === undefined) return this.#wait();
    const asked = this.#asked;
    this.#asked = false;
    this.#preferred = undefined;
    const deadlineMs = routes.millisecondsTo(this.#expires);
    this.#node = node;
    this.#batch.attempt(node, { asking: asked, deadlineMs }).then(
      (results) => this.#try(() => this.#answered(results)),
      (error: Error) => this.#reject(error),
    );
  }

  #wait(): void {
    const { offline, options } = this.#routes;
    if (options.enableOfflineQueue === false) return this.#all(() => localError(NOT_READY, 'MOORING_CLOSED'));
    const bytes = this.#batch.members.reduce((sum, { args }) => sum + byteLength(args), 0);
    const run = (): void => this.go();
    offline.push({ run, reject: (error) => this.#notSent(error), bytes, expires: this.#expires });
  }

  /** The cluster ended while the pipeline waited: without a slot table it never was one, with one each member fails. */
  #notSent(error: Error): void {
    if (this.#routes.table.known) this.#all(() => error);
    else this.#reject(error);
  }

  /** Every member fails alike. */
  #all(error: () => Error): void {
    this.#resolve(this.#batch.members.map(() => [error()] as unknown as MemberResult));
  }

  #refusal(): string | undefined {
    const { groups } = this.#routes.table;
    let group: { readonly number: number | undefined } | undefined;
    for (const { spec, args } of this.#batch.members) {
      const slot = commonSlot(spec.keys(args));
      if (slot === undefined) continue;
      if (slot < 0) return SAME_SLOT;
      const number = groups[slot];
      if (group !== undefined && group.number !== number) return SAME_GROUP;
      group ??= { number };
    }
    return undefined;
  }

  #choose(): Redis | undefined {
    const { pool, options } = this.#routes;
    const preferred = this.#preferred === undefined ? undefined : pool.getInstanceByKey(this.#preferred);
    if (preferred !== undefined) return preferred;
    const scale = only(Flag.readOnly, this.#batch) ? options.scaleReads : 'master';
    const key = this.#batch.members.flatMap(({ spec, args }) => spec.keys(args).slice(0, 1))[0];
    const slot = key === undefined ? Math.floor(Math.random() * SLOTS) : slotOf(key);
    return this.#routes.nodeOf(slot, scale, () => ({ name: 'pipeline', args: [] })) ?? this.#routes.anyNode(scale);
  }

  #answered(results: MemberResult[]): void {
    const error = this.#commonError(results);
    if (error === undefined) return this.#resolve(results);
    this.#redirections.decide(
      error,
      this.#routes,
      {
        moved: (slot, key) =>
          this.#try(() => {
            this.#preferred = nodeKey(this.#routes.follow(slot, key, this.#node).options);
            this.#routes.refresh();
            this.go();
          }),
        ask: (key) =>
          this.#try(() => {
            this.#preferred = nodeKey(this.#routes.connect(key, this.#node).options);
            this.#asked = true;
            this.go();
          }),
        again: () => this.go(),
        // The members' own errors say more than one about redirections.
        giveUp: () => this.#resolve(results),
      },
      this.#routes.mayRepeat(error, only(Flag.readOnly | Flag.idempotent, this.#batch) ? Flag.idempotent : 0),
    );
  }

  /** The error with which everything failed that may not be left as it is: reads, and members of a transaction that was not executed, may. */
  #commonError(results: readonly MemberResult[]): Error | undefined {
    let common: Error | undefined;
    let open = false;
    for (const [index, { spec }] of this.#batch.members.entries()) {
      const inTransaction: boolean = open || (spec.flags & (Flag.multi | Flag.exec)) !== 0;
      open = (open || (spec.flags & Flag.multi) !== 0) && (spec.flags & Flag.exec) === 0;
      const error = results[index]?.[0];
      if (error) {
        if ((spec.flags & Flag.exec) !== 0 && error.message === DISCARDED) continue;
        if (common !== undefined && (common.name !== error.name || common.message !== error.message)) return undefined;
        common ??= error;
      } else if (!inTransaction && (spec.flags & Flag.readOnly) === 0) return undefined;
    }
    return common;
  }
}
