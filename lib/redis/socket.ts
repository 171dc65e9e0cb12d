/**
 * @module redis/socket
 *
 * `client.stream`: what other code looks at or does to a client's socket. The socket itself lives in Rust.
 */
import { EventEmitter } from 'node:events';
import type { Redis } from './client.js';
import { CORE } from './core.js';

const WRITABLE = new Set<string>(['connect', 'ready', 'monitoring']);

/** A view of the connection with the names of `net.Socket`. */
export class SocketView extends EventEmitter {
  readonly #client: Redis;

  constructor(client: Redis) {
    super();
    this.#client = client;
  }

  get writable(): boolean {
    return WRITABLE.has(this.#client.status);
  }

  get destroyed(): boolean {
    return !this.writable && this.#client.status !== 'connecting';
  }

  get remoteAddress(): string | undefined {
    return this.#client[CORE].stats()?.remoteAddress ?? undefined;
  }

  get remotePort(): number | undefined {
    return this.#client[CORE].stats()?.remotePort ?? undefined;
  }

  /** Drops the connection; it reconnects as after a loss. */
  destroy(): this {
    this.#client[CORE].disconnect(true);
    return this;
  }

  /** The same as `destroy`. */
  end(): this {
    return this.destroy();
  }

  /** Set by the option `noDelay` at connect. */
  setNoDelay(): this {
    return this;
  }

  /** Set by the option `keepAlive` at connect. */
  setKeepAlive(): this {
    return this;
  }
}
