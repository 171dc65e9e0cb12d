/**
 * @module __tests__/chaos/redis-storm: 200 clients lose their server and come back to it: never more than eight handshakes at once, attempts that are bounded and
 * spread out, everybody ready within seconds of the server's return. `MOORING_CHAOS=10` keeps the server away for 30 s.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { createRedisClient, type Redis } from '../../dist/index.js';
import { limitMs, rounds } from '../support/chaos';
import { until } from '../support/until';
import { redisUri } from '../redis/server';

const CLIENTS = 200;
const DOWN_MS = Math.min(30_000, Math.max(3000, rounds(3000)));
const READY_MS = 5000;
/** What the server takes for each step of a handshake, so that those at once are seen at once. */
const STEP_MS = 5;

/** A door before the server that counts who stands in it: connections whose INFO is not answered yet. */
class Door {
  #server: Server | undefined;
  #port = 0;
  readonly #sockets = new Set<Socket>();
  /** Each passes on what one connection was told in vain. */
  readonly #late = new Set<() => void>();
  #silent = false;
  atOnce = 0;
  most = 0;
  accepted = 0;

  get port(): number {
    return this.#port;
  }

  async open(): Promise<void> {
    this.#server = createServer((socket) => this.#accept(socket)).listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Resets everybody. With `silent` newcomers are let in and find nobody, as before a stopped process; without it they are refused. */
  shut(silent: boolean): void {
    this.#silent = silent;
    if (!silent) this.#server?.close();
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** What was said to the stopped process is heard now. */
  async reopen(): Promise<void> {
    this.most = 0;
    if (!this.#silent) return this.open();
    this.#silent = false;
    for (const passOn of this.#late) passOn();
  }

  #accept(client: Socket): void {
    this.accepted += 1;
    this.most = Math.max(this.most, ++this.atOnce);
    let inside = false;
    const enter = (): void => {
      if (!inside) this.atOnce -= 1;
      inside = true;
    };
    const { hostname, port } = new URL(redisUri());
    const server = connect(Number(port), hostname);
    const held: Buffer[] = [];
    const passOn = (): void => held.splice(0).forEach((bytes) => void server.write(bytes));
    this.#late.add(passOn);
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one);
      one
        .on('error', () => {})
        .on('close', () => {
          this.#sockets.delete(one);
          this.#late.delete(passOn);
          other.destroy();
          enter();
        });
    }
    // Read in silence too, or nobody would see that a client has given up.
    client.on('data', (bytes: Buffer) => (this.#silent ? held.push(bytes) : server.write(bytes)));
    server.on('data', (bytes) => {
      setTimeout(() => {
        // The answer to INFO is the last of the handshake.
        if (bytes.includes('loading:0')) enter();
        client.write(bytes);
      }, STEP_MS);
    });
  }
}

interface Crowd {
  readonly clients: Redis[];
  /** By client, the delays before each attempt. */
  readonly delays: number[][];
}

let door: Door | undefined;
let crowd: Crowd | undefined;

afterEach(() => {
  for (const client of crowd?.clients ?? []) client.disconnect();
  door?.shut(false);
});

async function gather(through: Door): Promise<Crowd> {
  const logger = { warn: () => {}, error: () => {} };
  const delays: number[][] = Array.from({ length: CLIENTS }, () => []);
  const clients = delays.map((of) => {
    const client = createRedisClient({ host: '127.0.0.1', port: through.port, logger });
    return client.on('error', () => {}).on('reconnecting', (ms: number) => of.push(ms));
  });
  crowd = { clients, delays };
  await Promise.all(clients.map((client) => client.ping()));
  return crowd;
}

const ready = ({ clients }: Crowd): number => clients.filter(({ status }) => status === 'ready').length;

/** Attempts that fit into the time at the least delay each: 100, 200, 400 .. 2000 ms, a fifth less. */
function bound(ms: number): number {
  let attempts = 0;
  for (let spent = 0; spent <= ms; attempts++) spent += 0.8 * Math.min(100 * 2 ** attempts, 2000);
  return attempts + 1;
}

/** How far the delays of one attempt are spread: the share of the nominal delay between the shortest and the longest. */
function spread(delays: readonly number[][], attempt: number): number {
  const of = delays.map((each) => each[attempt]).filter((ms) => ms !== undefined);
  return (Math.max(...of) - Math.min(...of)) / Math.min(100 * 2 ** attempt, 2000);
}

describe('a server that goes away and comes back', () => {
  it.each([
    ['refuses', false],
    ['accepts and says nothing', true],
  ])(
    'and meanwhile %s meets no storm',
    async (how, silent) => {
      door = new Door();
      await door.open();
      const all = await gather(door);
      const meeting = { accepted: door.accepted, most: door.most };
      const reads = all.clients.map((client) => client.get('storm'));
      await Promise.all(reads);
      door.shut(silent);
      const lost = performance.now();
      // Work that waits for the server is done when it is back.
      await delay(100);
      const waiting = Promise.all(all.clients.map((client) => client.set(`storm:${all.clients.indexOf(client)}`, 'x', 'EX', 60)));
      await delay(DOWN_MS - 100);
      const attempts = all.delays.map(({ length }) => length);
      const during = door.accepted - meeting.accepted;
      const down = door.most;
      await door.reopen();
      const returned = performance.now();
      await until(() => ready(all) === CLIENTS, 30_000);
      const readyMs = performance.now() - returned;
      expect(new Set(await waiting)).toEqual(new Set(['OK']));
      const figures = {
        downMs: Math.round(returned - lost),
        attempts: [Math.min(...attempts), Math.max(...attempts)],
        bound: bound(returned - lost),
        during,
        spread: spread(all.delays, 0),
        handshakesAtOnce: [meeting.most, down, door.most],
        readyMs: Math.round(readyMs),
      };
      process.stderr.write(`storm, the server ${how}: ${JSON.stringify(figures)}\n`);
      expect(Math.max(...figures.handshakesAtOnce)).toBeLessThanOrEqual(8);
      expect(figures.attempts[1]).toBeLessThanOrEqual(figures.bound);
      expect(figures.spread).toBeGreaterThan(0.1);
      expect(readyMs).toBeLessThan(READY_MS);
    },
    limitMs(60_000),
  );
});
