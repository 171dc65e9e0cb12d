/**
 * @module benches/redis-faults/pair
 *
 * A master and its replica behind one fault proxy, as behind a virtual address, and everything that can go wrong with them. Nothing here loses what a server has
 * acknowledged: restarts find it in the append-only file, a failover waits until the replica has all of it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { startRedis } from '../../dev/redis.mjs';
import { startProxy } from '../../dev/tcp-proxy.mjs';

/** Written before every reply, and never behind one: a killed server keeps what it has acknowledged. */
const DURABLE = [
  '--appendfsync',
  'no',
  '--repl-diskless-sync-delay',
  '0',
  '--repl-ping-replica-period',
  '1',
  '--repl-backlog-size',
  '64mb',
];

/** Starts the pair. `tls`: the proxy leads to the TLS port. */
export async function startPair({ tls = false } = {}) {
  const servers = await Promise.all([0, 1].map(() => startRedis({ tls, appendonly: true, extra: DURABLE })));
  const pair = new Pair(servers, tls);
  await pair.replica.command('REPLICAOF', '127.0.0.1', pair.master.port);
  await pair.inStep();
  pair.proxy = await startProxy({ target: pair.target() });
  return pair;
}

class Pair {
  #servers;
  #tls;

  constructor(servers, tls) {
    this.#servers = servers;
    this.#tls = tls;
  }

  get master() {
    return this.#servers[0];
  }

  get replica() {
    return this.#servers[1];
  }

  target() {
    return { host: '127.0.0.1', port: this.#tls ? this.master.tlsPort : this.master.port };
  }

  /** Waits until the replica follows. */
  async inStep() {
    for (let tries = 0; tries < 600; tries++) {
      const info = await this.master.command('INFO', 'replication').catch(() => '');
      if (info.includes('state=online')) return;
      await delay(50);
    }
    throw new Error('the replica does not follow its master');
  }

  /** The two change places; the old master's clients are cut a moment later, as a load balancer does. */
  async failover() {
    await this.inStep();
    await this.master.command('FAILOVER', 'TIMEOUT', '10000');
    for (;;) {
      const [role] = await this.replica.command('ROLE');
      if (role === 'master') break;
      const info = await this.master.command('INFO', 'replication');
      if (info.includes('master_failover_state:no-failover') && info.includes('role:master')) return;
      await delay(10);
    }
    this.#servers.reverse();
    this.proxy.retarget(this.target());
    await delay(500);
    this.proxy.cut();
  }

  async restart() {
    await this.master.kill();
    await delay(100);
    await this.master.restart();
  }

  async stop() {
    await this.proxy?.stop();
    await Promise.all(this.#servers.map((server) => server.stop()));
  }
}

/** What can happen: each begins and ends one fault. `random` gives 0 to below 1, `holeMs` is how long a dead connection stays open. */
export const FAULTS = {
  reset: async ({ proxy }) => proxy.cut(),
  'reset in the middle': async ({ proxy }, { random }) => proxy.cutAfterBytes(1 + Math.floor(random() * 4000)),
  'byte by byte': async ({ proxy }) => {
    proxy.setSlice(1);
    await delay(300);
    proxy.setSlice(0);
  },
  'byte by byte, then reset': async ({ proxy }, { random }) => {
    proxy.setSlice(1);
    await delay(100 + random() * 100);
    proxy.cut();
    proxy.setSlice(0);
  },
  slow: async ({ proxy }) => {
    proxy.setDelay(60);
    await delay(400);
    proxy.setDelay(0);
  },
  stalled: async ({ proxy }) => {
    proxy.stall(true);
    await delay(500);
    proxy.stall(false);
  },
  'half-open': async ({ proxy }, { holeMs }) => {
    const reset = proxy.halfOpen();
    setTimeout(() => reset(), holeMs).unref();
  },
  'half-closed': async ({ proxy }) => proxy.halfClose(),
  // Connections begun in it are dead as well.
  'black hole': async ({ proxy }, { holeMs }) => {
    const resets = [];
    const from = performance.now();
    while (performance.now() - from < 400) {
      resets.push(proxy.halfOpen());
      await delay(20);
    }
    setTimeout(() => resets.forEach((reset) => reset()), holeMs).unref();
  },
  refused: async ({ proxy }) => {
    await proxy.refuse(true);
    proxy.cut();
    await delay(400);
    await proxy.refuse(false);
  },
  'stopped server': async ({ master }) => {
    master.suspend();
    await delay(500);
    master.resume();
  },
  restart: (pair) => pair.restart(),
  failover: (pair) => pair.failover(),
};
