/**
 * @module redis/cluster/journey
 *
 * One command on its way through a cluster: which node it goes to, and where it goes after an error. It settles once, whatever happens on the way.
 */
import { Command } from '../command.js';
import { Flag, specOf } from '../commands.js';
import type { Redis } from '../client.js';
import type { Entry } from '../connection.js';
import { CORE } from '../core.js';
import { AbortError, CONNECTION_CLOSED, commandInfo, localError } from '../errors.js';
import { sample } from './nodes.js';
import { type NodeRole, nodeKey, type ScaleReads } from './options.js';
import { attempt, Redirections } from './redirect.js';
import type { Routes } from './routes.js';
import { commonSlot, type NodeKey } from './slots.js';
import { byteLength } from '../transformers.js';

/** What a member of a cluster's command is about. */
export interface Outgoing extends Entry {
  /** The caller says that it only reads. Default false. */
  readonly readOnly?: boolean;
}

const ASKING = specOf('asking');
const NOT_READY = "Cluster isn't ready and enableOfflineQueue options is false";
const CLUSTER_ENDED = 'Cluster is ended.';

/** One command. */
export class Journey {
  readonly #routes: Routes;
  readonly #outgoing: Outgoing;
  /** What the nodes get: errors come back here. */
  readonly #entry: Entry;
  readonly #redirections = new Redirections();
  readonly #expires: number;
  #slot: number | undefined;
  /** Where the last attempt was made. */
  #node: Redis | undefined;

  constructor(routes: Routes, outgoing: Outgoing) {
    const { spec, args, buffers, resolve, transform, stack } = outgoing;
    this.#routes = routes;
    this.#outgoing = outgoing;
    this.#entry = { spec, args, buffers, resolve, reject: (error) => this.#failed(error), transform, stack };
    this.#expires = routes.expiry();
    this.#slot = commonSlot(spec.keys(args));
  }

  /** Makes an attempt: at the slot's node, at any node, or at the one that the slot's node named. */
  go(anywhere = false, asked?: NodeKey): void {
    this.#try(() => this.#go(anywhere, asked));
  }

  #try(step: () => void): void {
    attempt(step, this.#outgoing.reject);
  }

  #go(anywhere: boolean, asked: NodeKey | undefined): void {
    const { spec, args } = this.#outgoing;
    const routes = this.#routes;
    if (routes.status === 'end') return this.#entry.reject(new AbortError(CLUSTER_ENDED));
    if (!routes.isReady) return this.#wait();
    if ((spec.flags & Flag.subscribe) !== 0) return this.#subscribe();
    const node = this.#choose(anywhere, asked);
    if (node === undefined) return this.#wait();
    if (routes.options.enableOfflineQueue === false && node.status !== 'ready' && node.status !== 'wait') {
      return this.#entry.reject(localError(CONNECTION_CLOSED, 'MOORING_CLOSED', commandInfo(spec.name, args)));
    }
    this.#node = node;
    const core = node[CORE];
    const deadlineMs = routes.millisecondsTo(this.#expires);
    if (asked !== undefined)
      core.send({ ...this.#entry, spec: ASKING, args: [], resolve: () => {}, reject: () => {}, transform: undefined });
    if (core.isPatched) this.#throughCommand(node);
    else core.send(this.#entry, { group: 0, index: 0, deadlineMs });
  }

  /** Tracing code looks at command objects. */
  #throughCommand(node: { sendCommand(command: Command): unknown }): void {
    const { spec, args, buffers } = this.#outgoing;
    const command = new Command(spec, [...args], { replyEncoding: buffers ? null : 'utf8', prepared: true });
    command.promise.then(this.#entry.resolve, this.#entry.reject);
    void node.sendCommand(command);
  }

  #subscribe(): void {
    const { spec, args } = this.#outgoing;
    const sharded = spec.key === 'ssubscribe' || spec.key === 'sunsubscribe';
    if (sharded) return this.#routes.sharded.run(this.#entry, this.#slot);
    const subscriber = this.#routes.subscriber.getInstance();
    if (subscriber === undefined) return this.#entry.reject(new AbortError('No subscriber for the cluster'));
    const resolve = (value: unknown): void => {
      this.#routes.subscriber.follow(spec.key, args);
      this.#outgoing.resolve(value);
    };
    const command = new Command(spec, [...args], { replyEncoding: 'utf8', prepared: true });
    command.promise.then(resolve, this.#entry.reject);
    void subscriber.sendCommand(command);
  }

  #wait(): void {
    const { spec, args } = this.#outgoing;
    const { offline, options } = this.#routes;
    if (options.enableOfflineQueue === false) {
      return this.#outgoing.reject(localError(NOT_READY, 'MOORING_CLOSED', commandInfo(spec.name, args)));
    }
    const reject = this.#outgoing.reject;
    offline.push({ run: () => this.go(), reject, bytes: byteLength(args), expires: this.#expires });
  }

  #choose(anywhere: boolean, asked: NodeKey | undefined): Redis | undefined {
    const { pool, options } = this.#routes;
    const reads = this.#outgoing.readOnly === true || (this.#outgoing.spec.flags & Flag.readOnly) !== 0;
    const scale = reads ? options.scaleReads : 'master';
    if (asked !== undefined) return pool.getInstanceByKey(asked);
    const { spec, args } = this.#outgoing;
    const chosen = anywhere ? undefined : this.#routes.nodeOf(this.#slot, scale, () => commandInfo(spec.name, args));
    return chosen ?? this.#routes.anyNode(scale);
  }

  #failed(error: Error): void {
    const { spec } = this.#outgoing;
    this.#redirections.decide(
      error,
      this.#routes,
      {
        moved: (slot, key) =>
          this.#try(() => {
            this.#slot = slot;
            this.#routes.follow(slot, key, this.#node);
            this.go();
            this.#routes.refresh();
          }),
        ask: (key) => this.#try(() => this.go(false, nodeKey(this.#routes.connect(key, this.#node).options))),
        again: () => this.go(true),
        giveUp: (final) => this.#outgoing.reject(final),
      },
      this.#routes.mayRepeat(error, spec.flagsWith(this.#outgoing.args, spec.blockingMs(this.#outgoing.args))),
    );
  }
}

/** One of a slot's nodes, by the option `scaleReads`. */
export function byRole(keys: readonly NodeKey[], role: NodeRole): NodeKey | undefined {
  if (role === 'all') return sample(keys);
  return role === 'slave' && keys.length > 1 ? sample(keys, 1) : keys[0];
}

/** The user's choice: a node, one of a list, or none of them. */
export function byUser(choose: ScaleReads, nodes: Redis[], command: ReturnType<typeof commandInfo>): Redis | undefined {
  const chosen = choose(nodes, command);
  return (Array.isArray(chosen) ? sample(chosen) : chosen) ?? nodes[0];
}
