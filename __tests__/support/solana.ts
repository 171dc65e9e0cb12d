/**
 * @module __tests__/support/solana
 *
 * A Solana RPC service for one test file: front ends over a real SVM in a child process, driven over its control door. Every file has its own, because faults
 * belong to a whole front end.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ConnectionPool, type ConnectionPoolOptions } from '../../dist/index.js';

/** Counters of one front end. */
export interface Hits {
  readonly requests: number;
  readonly methods: Readonly<Record<string, number>>;
  readonly arrivals?: readonly (readonly [number, string])[];
  /** By how much an arrival may have been noted late. */
  readonly lateMs?: number;
}

/** Files of a run's authority and certificates. */
export type Certificates = Readonly<Record<'ca' | 'serverCert' | 'serverKey' | 'clientCert' | 'clientKey', string>>;

/** A running service. */
export class RpcService {
  readonly urls: readonly string[];
  /** Of a service that speaks https. */
  readonly certificates: Certificates | undefined;
  readonly #child: ChildProcess;
  readonly #control: string;
  readonly #pools: ConnectionPool[] = [];

  private constructor(child: ChildProcess, urls: readonly string[], control: string, certificates: Certificates | undefined) {
    this.#child = child;
    this.urls = urls;
    this.certificates = certificates;
    this.#control = control;
  }

  /** Starts one; `slotMs` 0 stops the clock, `skipRate` is the share of slots without a block, `tls` makes it speak https. */
  static async start(fronts = 2, slotMs = 400, skipRate = 0, tls = false): Promise<RpcService> {
    const program = join(__dirname, '..', '..', 'dev', 'solana-rpc.mjs');
    const child = spawn(
      process.execPath,
      [program, '--fronts', String(fronts), '--slot-ms', String(slotMs), '--skip-rate', String(skipRate), ...(tls ? ['--tls'] : [])],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    for await (const line of createInterface({ input: child.stdout })) {
      const { endpoints, control, certificates } = JSON.parse(line) as {
        endpoints: { url: string }[];
        control: string;
        certificates?: Certificates;
      };
      return new RpcService(
        child,
        endpoints.map(({ url }) => url),
        control,
        certificates,
      );
    }
    throw new Error('the Solana RPC service ended before it was ready');
  }

  /** A pool over all front ends, without limits that tests would wait for and without log lines. Closed by `reset`. */
  pool(options: ConnectionPoolOptions = {}): ConnectionPool {
    const logger = { warn: () => {}, error: () => {} };
    const pool = new ConnectionPool({
      endpoints: this.urls,
      maxRequestsPerSecond: 10_000,
      maxTransactionsPerSecond: 10_000,
      logger,
      ...options,
    });
    this.#pools.push(pool);
    return pool;
  }

  /** Closes the pools of the last test, removes all faults, clears all counters. */
  async reset(): Promise<void> {
    await Promise.all(this.#pools.splice(0).map((pool) => pool.close()));
    await this.clearFaults();
    await this.call('resetHits');
  }

  async stop(): Promise<void> {
    await Promise.all(this.#pools.splice(0).map((pool) => pool.close()));
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGTERM');
    await ended;
  }

  airdrop(key: unknown, lamports: number): Promise<string> {
    return this.call('airdrop', { key: String(key), lamports: String(lamports) });
  }

  advance(slots: number): Promise<{ slot: number; height: number }> {
    return this.call('advance', { slots });
  }

  fault(front: number | 'all', spec: object): Promise<unknown> {
    return this.call('fault', { front, spec });
  }

  clearFaults(front: number | 'all' = 'all'): Promise<unknown> {
    return this.call('clearFaults', { front });
  }

  hits(times = false): Promise<Hits[]> {
    return this.call('hits', { times });
  }

  /** The websockets of each front end. */
  sockets(): Promise<{ readonly wsSockets: number; readonly subscriptions: number; readonly wsMessages: number }[]> {
    return this.call('hits');
  }

  /** Requests of one method at all front ends. */
  async count(method: string): Promise<number> {
    return (await this.hits()).reduce((sum, { methods }) => sum + (methods[method] ?? 0), 0);
  }

  landed(): Promise<{ signature: string; slot: number; err: unknown; received: number }[]> {
    return this.call('landed');
  }

  sends(): Promise<{ signature: string; received: number; simulated: number; unretried: number; fronts: number[] }[]> {
    return this.call('sends');
  }

  /** One action of the control door. */
  call<T>(action: string, args: object = {}): Promise<T> {
    const text = JSON.stringify({ action, ...args });
    return new Promise((resolve, reject) => {
      const req = request(
        new URL('/__ctl', this.#control),
        { method: 'POST', agent: false, headers: { 'content-type': 'application/json' } },
        (res) => {
          let body = '';
          res.setEncoding('utf8');
          res.on('data', (chunk: string) => (body += chunk));
          res.on('end', () => {
            const reply = JSON.parse(body) as { result: T; error?: string };
            if (reply.error === undefined) resolve(reply.result);
            else reject(new Error(reply.error));
          });
        },
      );
      req.on('error', reject);
      req.end(text);
    });
  }
}
