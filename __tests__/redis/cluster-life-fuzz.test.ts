/**
 * @module __tests__/redis/cluster-life-fuzz
 *
 * Random lives of a cluster: calls, calls by listeners, nodes that redirect, go silent, cut and come back. A seed that fails is printed; `MOORING_CHAOS_SEED` sets
 * the first one. Everything settles, each life ends once and leaves nothing, and the cluster is of use again.
 */
import { expect, test } from '@jest/globals';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Cluster } from '../../dist/index.js';
import { until } from '../support/until';
import { ScriptedRedis } from './scripted-redis';

const ROUNDS = 40;
/** A QUIT behind something that a silent node does not answer is given five seconds. */
const LIMIT_MS = 10_000;
const STATUSES = ['connecting', 'connect', 'ready', 'close', 'reconnecting', 'end'];
const EVENTS = [...STATUSES, '+node', '-node', 'node error', 'error', 'refresh'];

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Three nodes; how they behave may be changed at any time. */
class World {
  readonly nodes: ScriptedRedis[] = [];
  /** How often a command is not answered as usual. */
  wild = 0;
  table: 'usual' | 'none' | 'dead' | 'hostless' | 'refused' = 'usual';
  readonly #silent = new Set<Socket>();

  constructor(readonly pick: <T>(choices: readonly T[]) => T) {}

  async start(): Promise<void> {
    for (let left = 3; left > 0; left--) {
      const node: ScriptedRedis = await ScriptedRedis.start(([name, first], socket) => this.#answer(node, name ?? '', first, socket));
      this.nodes.push(node);
    }
  }

  get open(): number {
    return this.nodes.reduce((sum, node) => sum + node.open, 0);
  }

  well(): void {
    this.wild = 0;
    this.table = 'usual';
    for (const socket of this.#silent) socket.destroy();
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) await node.stop();
  }

  #answer(node: ScriptedRedis, name: string, first: string | undefined, socket: Socket): string | undefined {
    if (this.#silent.has(socket)) return '';
    if (name === 'cluster') return first?.toLowerCase() === 'slots' ? this.#slots(node) : '$16\r\ncluster_state:ok\r\n';
    if (!['get', 'set', 'quit'].includes(name) || Number(this.pick(['0.1', '0.4', '0.7', '0.95'])) > this.wild) return undefined;
    const port = this.pick([1, ...this.nodes.map((each) => each.port)]);
    const odd = ['MOVED', 'ASK', 'TRYAGAIN', 'CLUSTERDOWN', 'cut', 'reset', 'silence'];
    const kind = this.pick(odd);
    if (kind === 'cut') socket.destroy();
    else if (kind === 'reset') socket.resetAndDestroy();
    else if (kind === 'silence') this.#silent.add(socket);
    else return `-${kind} ${this.pick([1, 9000])} ${this.pick(['127.0.0.1', ''])}:${port}\r\n`;
    return '';
  }

  #slots(node: ScriptedRedis): string {
    if (this.table === 'none') return '*0\r\n';
    if (this.table === 'refused') return '-ERR no\r\n';
    const host = this.table === 'hostless' ? '$0\r\n\r\n' : '$9\r\n127.0.0.1\r\n';
    const range = (start: number, end: number, port: number): string => `*3\r\n:${start}\r\n:${end}\r\n*2\r\n${host}:${port}\r\n`;
    const [first = node, , third = node] = this.nodes;
    return `*2\r\n${range(0, 8000, this.table === 'dead' ? 1 : first.port)}${range(8001, 16383, third.port)}`;
  }
}

/** One life story. */
class Story {
  readonly statuses: string[] = [];
  readonly #open = new Set<string>();
  readonly #redis: Cluster;
  #reactions = 6;
  #calls = 0;

  constructor(
    readonly world: World,
    redis: Cluster,
  ) {
    this.#redis = redis;
    for (const status of STATUSES) redis.on(status, () => this.statuses.push(status));
    redis.on('error', () => {});
    for (const event of EVENTS) redis.on(event, () => this.#react());
  }

  /** What has not settled. */
  get open(): string[] {
    return [...this.#open];
  }

  #react(): void {
    if (this.#reactions <= 0 || this.world.pick([0, 1, 2, 3, 4, 5]) > 0) return;
    this.#reactions -= 1;
    this.act(this.world.pick(['disconnect', 'reconnect', 'connect', 'get', 'quit', 'again']));
  }

  rest(): void {
    this.#reactions = 0;
  }

  act(what: string): void {
    const redis = this.#redis;
    if (what === 'disconnect' || what === 'again') redis.disconnect();
    if (what === 'reconnect') redis.disconnect(true);
    if (what === 'connect' || what === 'again') this.#follow(what, redis.connect());
    if (what === 'quit') this.#follow(what, redis.quit());
    if (what === 'close') this.#follow(what, redis.close(20));
    if (what === 'get') this.#follow(what, redis.get(this.world.pick(['a', 'b', 'foo'])));
    if (what === 'pipeline') this.#follow(what, redis.pipeline().get('a').set('a', 1).exec());
    if (what === 'multi') this.#follow(what, redis.multi().set('a', 1).exec());
  }

  #follow(what: string, promise: Promise<unknown>): void {
    const name = `${what} ${++this.#calls} in ${this.#redis.status}`;
    this.#open.add(name);
    const settled = (): boolean => this.#open.delete(name);
    promise.then(settled, settled);
  }
}

async function round(seed: number): Promise<void> {
  const next = random(seed);
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(next() * choices.length)] as T;
  const world = new World(pick);
  await world.start();
  const redis = new Cluster(
    world.nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
    {
      ...{ clusterRetryStrategy: pick([null, () => 10, (times: number) => (times > 2 ? null : 5)]), lazyConnect: pick([true, false]) },
      ...{ retryDelayOnMoved: pick([0, 10]), retryDelayOnFailover: pick([0, 20]), slotsRefreshInterval: pick([0, 15]) },
      ...{ maxRedirections: pick([1, 8]), slotsRefreshTimeout: 500, enableAutoPipelining: pick([false, true]) },
    },
  );
  const story = new Story(world, redis);
  const calls = ['get', 'get', 'pipeline', 'multi', 'connect', 'disconnect', 'reconnect', 'again', 'quit', 'close'];
  for (let steps = 12; steps > 0; steps--) {
    if (pick([true, false, false]))
      [world.wild, world.table] = [pick([0, 0.5, 1]), pick(['usual', 'usual', 'none', 'dead', 'hostless', 'refused'])];
    story.act(pick(calls));
    await pick([() => Promise.resolve(), () => delay(1), () => delay(10)])();
  }
  story.rest();
  world.well();
  story.act(pick(['disconnect', 'quit', 'close']));
  await until(() => redis.status === 'end' && redis.nodes().length === 0 && world.open === 0 && story.open.length === 0, LIMIT_MS).catch(
    () => {},
  );
  expect({
    status: redis.status,
    nodes: redis.nodes().length,
    alive: redis.connectionPool.alive,
    sockets: world.open,
    open: story.open,
  }).toEqual({
    ...{ status: 'end', nodes: 0, alive: 0, sockets: 0, open: [] },
  });
  expect(story.statuses.join(' ')).not.toMatch(/end (close )?end/);
  await redis.connect();
  expect(await redis.set('a', 1)).toBe('OK');
  redis.disconnect();
  await world.stop();
}

test('random lives of a cluster end, leave nothing behind and begin again', async () => {
  const first = Number(process.env['MOORING_CHAOS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  for (let seed = first; seed < first + ROUNDS; seed++) {
    const outcome = await round(seed).catch((error: Error) => error.message);
    expect({ seed, outcome }).toEqual({ seed, outcome: undefined });
  }
}, 120_000);
