/**
 * @module redis/cluster/auto-pipelines
 *
 * `enableAutoPipelining`: commands of one turn of the loop that belong to the same nodes go out as one pipeline, one pipeline per nodes at a time.
 */
import { setImmediate } from 'node:timers';
import type { Call } from '../commander.js';
import { RUN } from '../commander.js';
import { Flag } from '../commands.js';
import type { Pipeline } from '../pipeline.js';
import { withPrefix } from '../transformers.js';
import type { Routes } from './routes.js';
import { slotOf } from './slots.js';

interface Collecting {
  readonly pipeline: Pipeline;
  readonly settle: { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void }[];
}

/** Pipelines by the nodes they go to. */
export class AutoPipelines {
  readonly #routes: Routes;
  readonly #create: () => Pipeline;
  readonly #collecting = new Map<string, Collecting>();
  readonly #running = new Set<string>();

  constructor(routes: Routes, create: () => Pipeline) {
    this.#routes = routes;
    this.#create = create;
  }

  /** Commands that wait for the end of the turn. */
  get size(): number {
    let size = 0;
    for (const { pipeline } of this.#collecting.values()) size += pipeline.length;
    return size;
  }

  /** Puts one command into the pipeline of its nodes. */
  run(call: Call): Promise<unknown> {
    const name = this.#name(call);
    const collecting = this.#collecting.get(name) ?? this.#begin(name);
    return new Promise((resolve, reject) => {
      collecting.pipeline[RUN]({ ...call, args: [...call.args], callback: undefined });
      collecting.settle.push({ resolve, reject });
    });
  }

  #begin(name: string): Collecting {
    const collecting = { pipeline: this.#create(), settle: [] };
    this.#collecting.set(name, collecting);
    setImmediate(() => this.#execute(name));
    return collecting;
  }

  #execute(name: string): void {
    const collecting = this.#collecting.get(name);
    if (collecting === undefined || this.#running.has(name)) return;
    this.#collecting.delete(name);
    this.#running.add(name);
    void this.#send(collecting).finally(() => {
      this.#running.delete(name);
      this.#execute(name);
    });
  }

  async #send({ pipeline, settle }: Collecting): Promise<void> {
    try {
      const results = await pipeline.exec();
      for (const [index, { resolve, reject }] of settle.entries()) {
        const [error, value] = results?.[index] ?? [null, null];
        if (error) reject(error);
        else resolve(value);
      }
    } catch (error) {
      for (const { reject } of settle) reject(error as Error);
    }
  }

  #name({ spec, args }: Call): string {
    const { options, table } = this.#routes;
    const prepared = spec.prepare([...args]);
    const key = spec.keys(prepared)[0] ?? prepared[0];
    const slot = key === undefined ? undefined : slotOf(options.keyPrefix ? withPrefix(key, options.keyPrefix) : key);
    const nodes = table.nodes(slot)?.join(',') ?? '';
    if (options.scaleReads === 'master') return nodes;
    return `${nodes}:${(spec.flags & Flag.readOnly) === 0 ? 'write' : 'read'}`;
  }
}
