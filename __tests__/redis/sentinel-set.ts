/**
 * @module __tests__/redis/sentinel-set
 *
 * A master, replicas and sentinels of the test's own, from the same redis-server program: a real set that fails over by itself.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Redis } from '../../dist/index.js';
import { until } from '../support/until';
import { freePort, OwnServer } from './server';

/** The master's name. */
export const NAME = 'mymaster';

/** How a set is made. */
export interface SetOptions {
  readonly replicas?: number;
  readonly sentinels?: number;
  /** Password of the servers. */
  readonly password?: string;
  /** ACL user of the sentinels; without one anybody may ask. It may do what a client needs and nothing else. */
  readonly user?: { readonly name: string; readonly password: string };
  /** TLS everywhere, with the certificates of the run. */
  readonly tls?: boolean;
}

/** Certificates of the run's own TLS server. */
function certificates(): { ca: string; cert: string; key: string } {
  const ca = process.env['REDIS_TLS_CA'];
  if (ca === undefined) throw new Error('REDIS_TLS_CA is not set: start the stack first');
  return { ca, cert: join(dirname(ca), 'server.crt'), key: join(dirname(ca), 'server.key') };
}

/** A running set. */
export class SentinelSet {
  readonly ports: number[] = [];
  readonly sentinelPorts: number[] = [];
  readonly #servers = new Map<number, OwnServer>();
  readonly #folder = mkdtempSync(join(tmpdir(), 'mooring-sentinel-'));
  readonly #options: SetOptions;

  private constructor(options: SetOptions) {
    this.#options = options;
  }

  static async start(options: SetOptions = {}): Promise<SentinelSet> {
    const set = new SentinelSet(options);
    const { replicas = 2, sentinels = 3 } = options;
    for (let index = 0; index <= replicas; index++) set.ports.push(await freePort());
    for (const port of set.ports) await set.#startServer(port);
    await until(async () => (await set.#linked()) === replicas, 20_000);
    for (let index = 0; index < sentinels; index++) await set.#startSentinel(await freePort());
    await until(() => set.#known(replicas, sentinels), 20_000);
    return set;
  }

  /** As the option `sentinels` takes them. */
  get sentinels(): { host: string; port: number }[] {
    return this.sentinelPorts.map((port) => ({ host: this.#options.tls === true ? 'localhost' : '127.0.0.1', port }));
  }

  /** The port of the master, as the sentinels see it. */
  async master(): Promise<number> {
    const answers = await Promise.all(this.sentinelPorts.map((port) => this.#ask(port, ['get-master-addr-by-name', NAME]).catch(() => [])));
    const ports = answers.map((answer) => Number((answer as string[])[1])).filter((port) => port > 0);
    return ports.every((port) => port === ports[0]) ? (ports[0] ?? 0) : 0;
  }

  /** Kills a server or a sentinel at once, as kill -9 does. */
  kill(port: number): Promise<void> {
    return this.#servers.get(port)!.stop();
  }

  /** Starts a killed server again: its sentinels make a replica of it. */
  async revive(port: number): Promise<void> {
    await this.#servers.get(port)!.start();
  }

  /** Runs one command on a server of the set. */
  async command(port: number, name: string, ...args: string[]): Promise<unknown> {
    return this.#once(port, { password: this.#options.password }, (client) => client.call(name, ...args));
  }

  /** Asks a sentinel to fail over without a reason, and waits until another server is the master. */
  async failover(): Promise<number> {
    const before = await this.master();
    await until(async () => (await this.#ask(this.sentinelPorts[0]!, ['failover', NAME]).catch(() => 'no')) === 'OK', 15_000);
    return this.settled(before);
  }

  /** Waits until the sentinels agree on a master other than `before`. */
  async settled(before: number): Promise<number> {
    await until(async () => ![0, before].includes(await this.master()), 20_000);
    return this.master();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#servers.values()].map((server) => server.remove()));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #startServer(port: number): Promise<void> {
    const { password } = this.#options;
    const args = ['--repl-diskless-sync-delay', '0', ...this.#tlsArgs(port)];
    if (password !== undefined) args.push('--requirepass', password, '--masterauth', password);
    if (port !== this.ports[0]) args.push('--replicaof', '127.0.0.1', String(this.ports[0]));
    await this.#start(port, args);
  }

  async #startSentinel(port: number): Promise<void> {
    const { user, password, tls } = this.#options;
    const lines = [
      `sentinel monitor ${NAME} 127.0.0.1 ${this.ports[0]} 2`,
      `sentinel down-after-milliseconds ${NAME} 500`,
      `sentinel failover-timeout ${NAME} 3000`,
      `sentinel parallel-syncs ${NAME} 2`,
    ];
    if (password !== undefined) lines.push(`sentinel auth-pass ${NAME} ${password}`);
    if (user !== undefined) {
      const commands = ['auth', 'hello', 'sentinel|get-master-addr-by-name', 'sentinel|slaves', 'sentinel|sentinels', 'subscribe', 'ping'];
      lines.push('user default off', `user peer on >peer allchannels +@all`, 'sentinel sentinel-user peer', 'sentinel sentinel-pass peer');
      lines.push(`user ${user.name} on >${user.password} allchannels -@all ${commands.map((command) => `+${command}`).join(' ')}`);
    }
    if (tls === true) lines.push('tls-replication yes');
    const file = join(this.#folder, `${port}.conf`);
    writeFileSync(file, `${lines.join('\n')}\n`);
    await this.#start(port, [...this.#tlsArgs(port), '--sentinel'], file);
    this.sentinelPorts.push(port);
  }

  async #start(port: number, args: readonly string[], configuration?: string): Promise<void> {
    const server = new OwnServer(port, args, configuration);
    this.#servers.set(port, server);
    await server.start();
  }

  #tlsArgs(port: number): string[] {
    if (this.#options.tls !== true) return [];
    const { ca, cert, key } = certificates();
    const files = ['--tls-ca-cert-file', ca, '--tls-cert-file', cert, '--tls-key-file', key, '--tls-auth-clients', 'no'];
    return ['--port', '0', '--tls-port', String(port), '--tls-replication', 'yes', ...files];
  }

  /** Replicas that follow the master. */
  async #linked(): Promise<number> {
    const info = (await this.command(this.ports[0]!, 'info', 'replication')) as string;
    return info.split('\n').filter((line) => /^slave\d+:.*state=online/.test(line)).length;
  }

  /** Whether every sentinel knows every replica and every other sentinel. */
  async #known(replicas: number, sentinels: number): Promise<boolean> {
    const counts = await Promise.all(
      this.sentinelPorts.map(async (port) => {
        const [all, others] = await Promise.all([this.#ask(port, ['slaves', NAME]), this.#ask(port, ['sentinels', NAME])]);
        // One that is known by name only, and not connected yet, is flagged so: clients do not take it for a sentinel.
        const connected = !JSON.stringify(others).includes('disconnected');
        return connected && (all as unknown[]).length === replicas && (others as unknown[]).length === sentinels - 1;
      }),
    );
    return counts.every(Boolean);
  }

  #ask(port: number, parts: readonly string[]): Promise<unknown> {
    const peer = this.#options.user === undefined ? {} : { username: 'peer', password: 'peer' };
    return this.#once(port, peer, (client) => client.call('sentinel', ...parts));
  }

  async #once(port: number, auth: object, run: (client: Redis) => Promise<unknown>): Promise<unknown> {
    const tls = this.#options.tls === true ? { tls: { rejectUnauthorized: false } } : {};
    const client = new Redis({
      host: '127.0.0.1',
      port,
      ...auth,
      ...tls,
      retryStrategy: null,
      enableReadyCheck: false,
      commandTimeout: 2000,
    });
    client.on('error', () => {});
    try {
      return await run(client);
    } finally {
      client.disconnect();
    }
  }
}
