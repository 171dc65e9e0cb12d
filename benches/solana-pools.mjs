/**
 * @module benches/solana-pools
 *
 * What the fault benches compare with.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { toBase58 } from '../dev/solana-rpc/base58.mjs';

/** A public key that nobody has asked for. */
export const newKey = () => toBase58(randomBytes(32));

/** No log lines. */
export const quiet = { warn() {}, error() {} };

/** As backends write them: one endpoint after the other, one call at a time, a growing pause inside the queue after a failure, no limit on time. */
export class NaivePool {
  #queue = [];
  #next = 0;
  #busy = false;

  constructor(connections) {
    this.connections = connections;
  }

  run(work) {
    return new Promise((resolve, reject) => {
      this.#queue.push({ work, resolve, reject });
      void this.#process();
    });
  }

  async #process() {
    if (this.#busy) return;
    this.#busy = true;
    for (let job = this.#queue.shift(); job !== undefined; job = this.#queue.shift()) await this.#attempt(job);
    this.#busy = false;
  }

  async #attempt({ work, resolve, reject }) {
    for (let attempt = 0; ; attempt++) {
      try {
        resolve(await work(this.connections[this.#next++ % this.connections.length]));
        return;
      } catch (error) {
        if (attempt === 2) return void reject(error);
        await delay(1000 * 2 ** attempt);
      }
    }
  }
}
