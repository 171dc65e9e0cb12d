/**
 * @module __tests__/redis/session
 *
 * What a server keeps for one connection (transactions, watched keys, the database, who is answered), through the end of that connection and what must not touch it.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis, type RedisOptions } from '../../dist/index.js';
import { type FailureRecord, native } from '../../dist/native.js';
import { ReplyReader } from '../../dist/redis/reply.js';
import { until } from '../support/until';
import { ScriptedRedis } from './scripted-redis';
import { freePort, redisUri } from './server';

const ABORTED = 'Command aborted due to connection close';
let admin: Redis;
const clients: Redis[] = [];
const servers: ScriptedRedis[] = [];

function client(options: RedisOptions = {}): Redis {
  const made = options.port === undefined ? new Redis(redisUri(), options) : new Redis(options);
  made.on('error', () => {});
  clients.push(made);
  return made;
}

async function scripted(...answer: Parameters<typeof ScriptedRedis.start>): Promise<ScriptedRedis> {
  const server = await ScriptedRedis.start(...answer);
  servers.push(server);
  return server;
}

/** Cuts the connection of a client from the server's side and waits until it has another one. */
async function cut(victim: Redis, id: unknown): Promise<void> {
  const closed = once(victim, 'close');
  await admin.client('KILL', 'ID', String(id));
  await closed;
  await once(victim, 'ready');
}

beforeAll(() => {
  admin = new Redis(redisUri());
});

beforeEach(async () => {
  await admin.flushall();
});

afterEach(async () => {
  for (const made of clients.splice(0)) made.disconnect();
  for (const server of servers.splice(0)) await server.stop();
});

afterAll(async () => {
  await admin.quit();
});

describe('a transaction that is sent command by command', () => {
  test('does not go on over another connection', async () => {
    const redis = client();
    const id = await redis.client('ID');
    await redis.multi({ pipeline: false });
    await cut(redis, id);
    await expect(redis.set('k', 'v')).rejects.toThrow(ABORTED);
    await expect(redis.exec()).rejects.toThrow(ABORTED);
    expect(await admin.get('k')).toBeNull();
    expect(await redis.set('k', 'after')).toBe('OK');
  });

  test('that failed and is never ended leaves a client that works', async () => {
    let cuts = true;
    const server = await scripted(([name], socket) => {
      if (name === 'set' && cuts) {
        cuts = false;
        socket.destroy();
      }
      return name === 'get' ? '$1\r\nx\r\n' : undefined;
    });
    const redis = client({ port: server.port });
    await redis.multi({ pipeline: false });
    await expect(redis.set('k', 'v')).rejects.toThrow(ABORTED);
    expect(await redis.get('a')).toBe('x');
    expect(await redis.get('b')).toBe('x');
  });
});

test('a transaction does not run when the connection that watched its keys is gone', async () => {
  await admin.set('balance', '10');
  const redis = client();
  const id = await redis.client('ID');
  await redis.watch('balance');
  await cut(redis, id);
  await admin.set('balance', '0');
  await expect(redis.multi().set('balance', '9').exec()).rejects.toThrow(ABORTED);
  expect(await admin.get('balance')).toBe('0');
  await redis.watch('balance');
  expect(await redis.multi().set('balance', '1').exec()).toEqual([[null, 'OK']]);
});

test('a database that is selected in a transaction which does not run is not selected', async () => {
  const redis = client();
  await redis.watch('w');
  await admin.set('w', '1');
  expect(await redis.multi().select(5).set('x', '1').exec()).toBeNull();
  expect(redis.condition.select).toBe(0);
  await redis.set('x', 'here');
  expect(await admin.get('x')).toBe('here');
});

test('commands after which replies no longer belong to their commands are refused', async () => {
  await admin.mset({ a: 'A', b: 'B' });
  const redis = client();
  const refused = { message: expect.stringContaining('not possible'), sent: 'no' };
  const [skip, off, reset, on, a, b] = await Promise.allSettled([
    ...[redis.client('REPLY', 'SKIP'), redis.call('client', 'reply', 'off'), redis.call('RESET'), redis.client('REPLY', 'ON')],
    ...[redis.get('a'), redis.get('b')],
  ]);
  for (const outcome of [skip, off, reset]) expect(outcome).toMatchObject({ status: 'rejected', reason: refused });
  expect([on, a, b].map((outcome) => (outcome as PromiseFulfilledResult<unknown>).value)).toEqual(['OK', 'A', 'B']);
});

test('a list that begins like a message is a reply with protocol 3', async () => {
  const redis = client({ protocol: 3 });
  await redis.rpush('l', 'message', 'a');
  await redis.subscribe('channel');
  expect(await Promise.all([redis.lrange('l', 0, -1), redis.echo('next')])).toEqual([['message', 'a'], 'next']);
  const told = once(redis, 'message');
  await admin.publish('channel', 'm');
  expect(await told).toEqual(['channel', 'm']);
});

test('the replies behind commands that the wire refused are those of their commands', async () => {
  const redis = client();
  await redis.ping();
  const wire = native.RedisWire.prototype as { flush: (...args: unknown[]) => FailureRecord | null };
  const { flush } = wire;
  const failure = {
    failed: true,
    code: 'MOORING_INVALID_ARGUMENT',
    message: 'no',
    labels: [],
    maybeExecuted: false,
    details: {},
    causes: [],
  };
  wire.flush = () => failure as unknown as FailureRecord;
  const refused = redis.echo('refused');
  await expect(refused).rejects.toThrow('no');
  wire.flush = flush;
  expect(await Promise.all([redis.echo('a'), redis.echo('b')])).toEqual(['a', 'b']);
});

test('connect() straight behind disconnect() settles, however many commands waited', async () => {
  const redis = client({ port: await freePort(), retryStrategy: () => 60_000, maxRetriesPerRequest: null });
  await until(() => redis.status === 'reconnecting');
  let settled = 0;
  const waiting = Array.from({ length: 20_000 }, () => redis.get('k').catch(() => (settled += 1)));
  await delay(100);
  redis.disconnect();
  await expect(redis.connect()).rejects.toThrow('Connection is closed.');
  await Promise.all(waiting);
  expect(settled).toBe(20_000);
});

test.each([[0.5], [2 ** 32 + 5]])('a commandTimeout of %d ms is no other one', async (commandTimeout) => {
  const server = await scripted(([name]) => (name === 'get' ? '' : undefined));
  const redis = client({ port: server.port, commandTimeout });
  await once(redis, 'ready');
  const outcome = await Promise.race([redis.get('k').catch((error: Error) => error.message), delay(300, 'waits')]);
  expect(outcome).toBe(commandTimeout < 1 ? 'Command timed out' : 'waits');
});

test('a script that is defined again and again is known once', async () => {
  const wire = native.RedisWire.prototype as { registerScript: (...args: unknown[]) => void };
  const { registerScript } = wire;
  let registered = 0;
  wire.registerScript = function counted(...args) {
    registered += 1;
    registerScript.apply(this, args);
  };
  const redis = client();
  for (const name of ['one', 'other', 'one', 'one']) redis.defineCommand(name, { lua: 'return ARGV[1]', numberOfKeys: 0 });
  redis.defineCommand('another', { lua: 'return 2', numberOfKeys: 0 });
  wire.registerScript = registerScript;
  expect(registered).toBe(2);
  expect(await Promise.all([redis.call('echo', 'x'), (redis as unknown as { other(x: string): unknown }).other('y')])).toEqual(['x', 'y']);
});

test('an event comes also behind two listeners that throw', () => {
  // In a process of its own: Jest takes every uncaught exception for the test's.
  const script = `
    const { EventQueue } = require(process.argv[1]);
    process.on('uncaughtException', (error) => console.log(error.message));
    const queue = new EventQueue();
    for (const text of ['first', 'second']) queue.later(false, () => { throw new Error(text); });
    queue.later(false, () => console.log('told'));`;
  const { stdout } = spawnSync(process.execPath, ['-e', script, require.resolve('../../dist/redis/event-queue.js')], { encoding: 'utf8' });
  expect(stdout.trim().split('\n')).toEqual(['first', 'second', 'told']);
});

test('the room of an unusually large batch is given back', () => {
  const reader = new ReplyReader(16, 1024, false);
  reader.grow(16, 8 * 1024 * 1024);
  reader.trim(1024);
  expect(reader.blob).toHaveLength(8 * 1024 * 1024);
  reader.grow(16, 64 * 1024 * 1024);
  reader.trim(1024);
  expect(reader.blob).toHaveLength(1024);
});

describe('credentials that a server repeats in its error', () => {
  const unknown = (args: string[]): string => `-ERR unknown command '${args[0]}', with args beginning with: ${args.slice(1).join(' ')}\r\n`;

  test.each([[2], [3]] as const)('are not told by a handshake of protocol %d', async (protocol) => {
    const server = await scripted((args) => (args[0] === 'auth' || args[0] === 'hello' ? unknown(args) : undefined));
    const redis = client({ port: server.port, password: 'S3CR3T', protocol, retryStrategy: null });
    const told = once(redis, 'error');
    const error = await redis.get('k').catch((reason: Error) => reason);
    for (const each of [error, ...(await told)] as Error[]) {
      expect(each.message).toMatch(/^ERR unknown command/);
      expect(`${each.stack}`).not.toContain('S3CR3T');
    }
  });

  test('are not told by a command either, nor are settings that are passwords', async () => {
    const server = await scripted((args) => (args[0] === 'info' ? undefined : unknown(args)));
    const redis = client({ port: server.port, disableClientInfo: true });
    const errors = await Promise.all(
      [redis.call('AUTH', 'S3CR3T'), redis.config('SET', 'requirepass', 'S3CR3T'), redis.sentinel('SET', 'm', 'auth-pass', 'S3CR3T')].map(
        (command) => command.then(() => undefined).catch((reason: Error) => reason),
      ),
    );
    for (const error of errors) expect(`${error?.stack}${JSON.stringify(error)}`).not.toContain('S3CR3T');
  });
});
