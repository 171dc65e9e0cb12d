/**
 * @module redis/stream
 *
 * SCAN and its family as readable streams of key batches.
 */
import { Readable } from 'node:stream';
import type { RedisValue } from './transformers.js';

/** Options of a scan stream. */
export interface ScanStreamOptions {
  match?: string | Buffer | undefined;
  type?: string | undefined;
  count?: number | string | undefined;
  /** HSCAN without values. */
  noValues?: boolean | undefined;
  highWaterMark?: number | undefined;
}

/** What a scan stream asks. */
export interface Scan {
  /** Runs one step; the reply is `[cursor, items]`. */
  readonly step: (args: RedisValue[]) => Promise<unknown>;
  /** SSCAN, HSCAN, ZSCAN: the key. */
  readonly key?: RedisValue | undefined;
}

/** Emits one array per step; keys may repeat, as the server says. */
export class ScanStream extends Readable {
  readonly #scan: Scan;
  readonly #options: ScanStreamOptions;
  #cursor: RedisValue = '0';
  #drained = false;

  constructor(scan: Scan, options: ScanStreamOptions = {}) {
    super({ objectMode: true, ...(options.highWaterMark === undefined ? {} : { highWaterMark: options.highWaterMark }) });
    this.#scan = scan;
    this.#options = options;
  }

  override _read(): void {
    if (this.#drained) {
      this.push(null);
      return;
    }
    this.#scan.step(this.#arguments()).then(
      (reply) => this.#take(reply as [RedisValue, unknown[]]),
      (error: unknown) => this.destroy(error as Error),
    );
  }

  /** Ends after the batch that is under way. */
  close(): void {
    this.#drained = true;
  }

  #take([cursor, items]: [RedisValue, unknown[]]): void {
    this.#cursor = String(cursor);
    if (this.#cursor === '0') this.#drained = true;
    if (!this.destroyed) this.push(items);
  }

  #arguments(): RedisValue[] {
    const { match, type, count, noValues } = this.#options;
    const args: RedisValue[] = this.#scan.key === undefined ? [this.#cursor] : [this.#scan.key, this.#cursor];
    if (match) args.push('MATCH', match);
    if (type) args.push('TYPE', type);
    if (count) args.push('COUNT', String(count));
    if (noValues === true) args.push('NOVALUES');
    return args;
  }
}
