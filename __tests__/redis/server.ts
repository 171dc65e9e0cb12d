/**
 * @module __tests__/redis/server
 *
 * Where the tests find Redis: the shared server of the run (`REDIS_URI`), or one of their own that they may stop.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** The shared server. */
export function redisUri(): string {
  const uri = process.env['REDIS_URI'];
  if (uri === undefined) throw new Error('REDIS_URI is not set: start the stack first');
  return uri;
}

/** A port that nobody listens on right now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A server of the test's own. */
export class OwnServer {
  readonly port: number;
  readonly #args: readonly string[];
  readonly #configuration: string | undefined;
  readonly #directory = mkdtempSync(join(tmpdir(), 'mooring-redis-'));
  #child: ChildProcess | undefined;

  /** `configuration` names a file that the server may write to, as sentinels do. */
  constructor(port: number, args: readonly string[] = [], configuration?: string) {
    this.port = port;
    this.#args = args;
    this.#configuration = configuration;
  }

  async start(): Promise<void> {
    const args = [
      ...(this.#configuration === undefined ? [] : [this.#configuration]),
      '--port',
      String(this.port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      '--dir',
      this.#directory,
      ...this.#args,
    ];
    this.#child = spawn(process.env['MOORING_TEST_REDIS'] ?? 'redis-server', args, { stdio: 'ignore' });
    const deadline = Date.now() + 10_000;
    while (!(await this.#listens())) {
      if (Date.now() > deadline) throw new Error(`redis-server does not listen on port ${this.port}`);
      await delay(20);
    }
  }

  /** Kills it at once: data and connections are gone. */
  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #listens(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.port, '127.0.0.1');
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
  }
}
