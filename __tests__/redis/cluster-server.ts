/**
 * @module __tests__/redis/cluster-server
 *
 * A real Redis Cluster for one test file: masters and replicas made of redis-server on free ports, joined without redis-cli. With TLS for clients and among
 * the nodes, where that is asked for.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from '../../dist/index.js';
import { freePort, OwnServer } from './server';

const SLOTS = 16_384;
const LIMIT_MS = 30_000;
/**
 * After so long without a word a master counts as lost. Where no failover is wanted it is long: on a busy machine a node may get no processor for a second, and
 * then a replica takes its place in the middle of a test that knows who is who.
 */
const NODE_TIMEOUT_MS = 15_000;

/** What a cluster is made of. */
export interface TestClusterOptions {
  /** One for each master. Default true. */
  readonly replicas?: boolean;
  /** Only TLS, with the certificates of the run's own authority. */
  readonly tls?: boolean;
  /** What a node wrote survives its restart. */
  readonly persistent?: boolean;
  /** `cluster-node-timeout`. Default 15 s. */
  readonly nodeTimeoutMs?: number;
}

/** The certificate of the run's authority; those of servers lie beside it. */
export function authority(): string {
  const file = process.env['REDIS_TLS_CA'];
  if (file === undefined) throw new Error('REDIS_TLS_CA is not set: start the stack first');
  return file;
}

/** One server of the cluster. */
export class TestNode {
  readonly port: number;
  readonly busPort: number;
  readonly #tls: { readonly ca: string } | undefined;
  readonly #server: OwnServer;
  id = '';
  running = false;

  /** `folder` has the certificates. */
  constructor(
    port: number,
    busPort: number,
    { persistent = false, nodeTimeoutMs = NODE_TIMEOUT_MS }: TestClusterOptions = {},
    folder?: string,
  ) {
    this.port = port;
    this.busPort = busPort;
    const file = (name: string): string => join(folder ?? '', name);
    this.#tls = folder === undefined ? undefined : { ca: readFileSync(file('ca.crt'), 'utf8') };
    const cluster = ['--cluster-enabled', 'yes', '--cluster-port', String(busPort), '--cluster-node-timeout', String(nodeTimeoutMs)];
    const replicas = ['--cluster-replica-validity-factor', '0', '--repl-diskless-sync-delay', '0'];
    const kept = persistent ? ['--appendonly', 'yes'] : [];
    // The later one of two equal options counts.
    const certificates = [
      '--tls-cert-file',
      file('server.crt'),
      '--tls-key-file',
      file('server.key'),
      '--tls-ca-cert-file',
      file('ca.crt'),
    ];
    const ports = [
      '--port',
      '0',
      '--tls-port',
      String(port),
      '--tls-cluster',
      'yes',
      '--tls-replication',
      'yes',
      '--tls-auth-clients',
      'optional',
    ];
    const tls = folder === undefined ? [] : [...ports, ...certificates];
    this.#server = new OwnServer(port, [...cluster, ...replicas, ...kept, ...tls, '--maxmemory-policy', 'noeviction']);
  }

  /** Starts it, or starts it again with what it knew of the cluster. */
  async start(): Promise<void> {
    await this.#server.start();
    this.running = true;
    this.id = String(await this.command('CLUSTER', 'MYID'));
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    this.running = false;
    await this.#server.stop();
  }

  async remove(): Promise<void> {
    this.running = false;
    await this.#server.remove();
  }

  /** One command on a connection of its own. */
  async command(name: string, ...args: (string | number)[]): Promise<unknown> {
    const once = { lazyConnect: true, retryStrategy: null, commandTimeout: 5000 };
    const client = new Redis(this.port, '127.0.0.1', { ...once, tls: this.#tls });
    client.on('error', () => {});
    try {
      return await client.call(name, ...args);
    } finally {
      client.disconnect();
    }
  }
}

/** A running cluster. */
export class TestCluster {
  readonly nodes: TestNode[] = [];
  /** Three masters with one replica each, unless told otherwise; resolves when all of them serve. */
  static async start(options: TestClusterOptions = {}): Promise<TestCluster> {
    const { replicas = true, tls = false } = options;
    const cluster = new TestCluster();
    const folder = tls ? dirname(authority()) : undefined;
    try {
      for (let index = 0; index < (replicas ? 6 : 3); index++) {
        const node = new TestNode(await freePort(), await freePort(), options, folder);
        cluster.nodes.push(node);
        await node.start();
      }
      await cluster.#join(replicas);
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** A startup node. */
  get startup(): { host: string; port: number }[] {
    return this.nodes.filter((node) => node.running).map(({ port }) => ({ host: '127.0.0.1', port }));
  }

  /** The node that serves a slot as its master now; waits for a failover to end. */
  async masterOf(slot: number): Promise<TestNode> {
    const deadline = Date.now() + LIMIT_MS;
    while (Date.now() < deadline) {
      for (const node of this.nodes.filter(({ running }) => running)) {
        const lines = (await node.command('CLUSTER', 'SLOTS')) as [number, number, [string, number]][];
        const line = lines.find(([start, end]) => start <= slot && slot <= end);
        const master = this.nodes.find(({ port, running }) => running && port === line?.[2][1]);
        if (master !== undefined) return master;
      }
      await delay(50);
    }
    throw new Error(`nobody serves slot ${slot}`);
  }

  /** Moves a slot with its keys, as a resharding does. `between` runs while the source has given its keys away but still owns the slot: it answers ASK. */
  async moveSlot(slot: number, target: TestNode, between: () => Promise<void> = async () => {}): Promise<void> {
    const source = await this.masterOf(slot);
    await target.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', source.id);
    await source.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', target.id);
    for (;;) {
      const keys = (await source.command('CLUSTER', 'GETKEYSINSLOT', slot, 10)) as string[];
      if (keys.length === 0) break;
      await source.command('MIGRATE', '127.0.0.1', target.port, '', 0, 5000, 'KEYS', ...keys);
    }
    await between();
    for (const node of [target, source]) await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', target.id);
  }

  /** Resolves when the node is an up-to-date replica. */
  async replicates(node: TestNode): Promise<void> {
    await until(async () => /role:slave[\s\S]*master_link_status:up/.test(String(await node.command('INFO', 'replication'))));
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.remove()));
  }

  async #join(replicated: boolean): Promise<void> {
    const { nodes } = this;
    const masters = nodes.slice(0, 3);
    const [first, ...others] = nodes as [TestNode, ...TestNode[]];
    const share = Math.ceil(SLOTS / masters.length);
    for (const [index, master] of masters.entries()) {
      await master.command('CLUSTER', 'ADDSLOTSRANGE', index * share, Math.min((index + 1) * share, SLOTS) - 1);
      await master.command('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
    }
    for (const node of others) await node.command('CLUSTER', 'MEET', '127.0.0.1', first.port, first.busPort);
    const known = async (node: TestNode): Promise<number> =>
      String(await node.command('CLUSTER', 'NODES')).match(/connected/g)?.length ?? 0;
    for (const node of nodes) await until(async () => (await known(node)) === nodes.length);
    for (const [index, replica] of nodes.slice(3).entries()) {
      const master = masters[index] as TestNode;
      await until(() => replica.command('CLUSTER', 'REPLICATE', master.id).then(() => true));
    }
    for (const node of nodes) {
      await until(async () => String(await node.command('CLUSTER', 'INFO')).includes('cluster_state:ok'));
      const served = async (): Promise<boolean> => {
        const lines = (await node.command('CLUSTER', 'SLOTS')) as unknown[][];
        return lines.length === masters.length && lines.every((line) => line.length === (replicated ? 4 : 3));
      };
      await until(served);
    }
    for (const replica of nodes.slice(3)) await this.replicates(replica);
  }
}

/** Waits for a condition; errors on the way count as "not yet". */
export async function until(condition: () => Promise<boolean> | boolean, limitMs = LIMIT_MS): Promise<void> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    if (await Promise.resolve(condition()).catch(() => false)) return;
    if (Date.now() > deadline) throw new Error(`not so within ${limitMs} ms: ${String(condition)}`);
    await delay(20);
  }
}
