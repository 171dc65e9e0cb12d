/**
 * @module __tests__/redis/look-alike
 *
 * What the peer's own suite asks for and `client.test.ts` does not cover: order of callbacks, retries, automatic pipelines, transformers,
 * `reconnectOnError`, on real servers.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type Server, type Socket, type AddressInfo } from 'node:net';
import { AbortError, MaxRetriesPerRequestError, Redis, type RedisOptions } from '../../dist/index.js';
import IORedis, { Command } from '../../dist/redis/ioredis.js';
import { freePort, redisUri } from './server';

let redis: Redis;
const clients: Redis[] = [];
const servers: Server[] = [];

function client(options: RedisOptions = {}): Redis {
  const made = new Redis(redisUri(), options);
  clients.push(made);
  return made;
}

/** Something that is not quite Redis: `answer` gets the socket and what it received. */
async function impostor(answer: (socket: Socket, text: string) => void): Promise<number> {
  const server = createServer((socket) => socket.on('error', () => {}).on('data', (bytes) => answer(socket, String(bytes))));
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Resolves with the event; `error` does not end the wait. */
function emitted(made: Redis, event: string): Promise<void> {
  return new Promise((resolve) => made.once(event, () => resolve()));
}

beforeAll(() => {
  redis = new Redis(redisUri());
});

beforeEach(() => redis.flushall());

afterEach(() => {
  for (const made of clients.splice(0)) made.disconnect();
  for (const server of servers.splice(0)) server.close();
});

afterAll(() => redis.quit());

describe('callbacks', () => {
  test('of a pipeline come before that of exec, errors too', async () => {
    const order: string[] = [];
    await new Promise<void>((resolve) => {
      const pipeline = redis.pipeline();
      pipeline.set('k', '1', () => order.push('set'));
      pipeline.lpush('k', 'x', (error) => order.push(error?.message.slice(0, 9) ?? 'no error'));
      void pipeline.exec(() => {
        order.push('exec');
        resolve();
      });
    });
    expect(order).toEqual(['set', 'WRONGTYPE', 'exec']);
  });
});

describe('retries', () => {
  test('are counted, and the entry exports the error they end with', async () => {
    const nobody = new Redis(await freePort(), '127.0.0.1', { maxRetriesPerRequest: 1, retryStrategy: () => 50 });
    clients.push(nobody);
    nobody.on('error', () => {});
    const [error, attempts] = await nobody.get('k').then(
      () => [],
      (reason: unknown) => [reason, nobody.retryAttempts],
    );
    expect(error).toBeInstanceOf(MaxRetriesPerRequestError);
    expect(error).toBeInstanceOf(
      (IORedis as unknown as { MaxRetriesPerRequestError: typeof MaxRetriesPerRequestError }).MaxRetriesPerRequestError,
    );
    expect(attempts).toBe(2);
  });

  test('stop when `close` is answered by disconnect', async () => {
    const nobody = new Redis(await freePort(), '127.0.0.1', { retryStrategy: () => 0 });
    nobody.on('error', () => {});
    const events: string[] = [];
    for (const event of ['connecting', 'close', 'reconnecting', 'end']) nobody.on(event, () => events.push(event));
    nobody.once('close', () => nobody.disconnect());
    await emitted(nobody, 'end');
    expect(events.filter((event) => event !== 'connecting')).toEqual(['close', 'end']);
  });

  test('`end` comes also when an `error` listener disconnects', async () => {
    const nobody = new Redis(await freePort(), '127.0.0.1');
    nobody.on('error', () => nobody.disconnect());
    await emitted(nobody, 'end');
    expect(nobody.status).toBe('end');
  });

  test('are not asked about after a quit that came before the connection', async () => {
    const nobody = new Redis(await freePort(), '127.0.0.1', {
      retryStrategy: () => {
        throw new Error('asked');
      },
    });
    nobody.on('error', () => {});
    expect(await nobody.quitBuffer()).toEqual(Buffer.from('OK'));
  });

  test('the status is already `end` when the strategy has just said stop', async () => {
    const status = await freePort().then(
      (port) =>
        new Promise((resolve) => {
          const nobody = new Redis(port, '127.0.0.1', {
            retryStrategy: () => {
              process.nextTick(() => resolve(nobody.status));
              return null;
            },
          });
          nobody.on('error', () => {});
        }),
    );
    expect(status).toBe('end');
  });
});

describe('options', () => {
  test('enableAutoPipelining shows how many commands this tick has collected', async () => {
    const made = client({ enableAutoPipelining: true, autoPipeliningIgnoredCommands: ['hmget'] });
    await made.ping();
    const replies = [made.set('a', '1'), made.get('a')];
    expect(made.autoPipelineQueueSize).toBe(2);
    await Promise.all(replies);
    const ignored = [made.hmget('h', 'f'), made.info()];
    expect(made.autoPipelineQueueSize).toBe(0);
    await Promise.all(ignored);
  });

  test('enableOfflineQueue false refuses by the status of the call, but not what a loading server takes', async () => {
    const made = client({ enableOfflineQueue: false });
    const early = made.get('k').catch((reason: Error) => reason.message);
    const onConnect = new Promise((resolve) => made.once('connect', () => resolve(made.select(2))));
    expect(await early).toBe("Stream isn't writeable and enableOfflineQueue options is false");
    expect(await onConnect).toBe('OK');
  });

  test('blockingTimeout also ends what waits for a connection, and XREAD without BLOCK', async () => {
    const port = await impostor(() => {});
    const waiting = new Redis(port, '127.0.0.1', { blockingTimeout: 100 });
    clients.push(waiting);
    expect(await Promise.all([waiting.blpop('list', 5), waiting.xread('STREAMS', 's', '0')])).toEqual([null, null]);
  });

  test('showFriendlyErrorStack starts with the caller', async () => {
    const error = await client({ showFriendlyErrorStack: true })
      .call('set', 'k')
      .catch((reason: Error) => reason);
    expect((error as Error).stack?.split('\n')[1]).toContain('look-alike.test');
  });

  test('a username without a password is sent with an empty one', async () => {
    const seen: string[] = [];
    const port = await impostor((socket, text) => {
      seen.push(text);
      socket.write('-WRONGPASS no\r\n');
    });
    const made = new Redis(port, '127.0.0.1', { username: 'u', retryStrategy: () => null });
    const errors: Error[] = [];
    made.on('error', (error) => errors.push(error));
    await emitted(made, 'end');
    expect(errors.map(({ message }) => message)).toEqual(['WRONGPASS no']);
    expect(seen[0]).toContain('auth\r\n$1\r\nu\r\n$0\r\n\r\n');
  });
});

describe('reconnectOnError', () => {
  test('2 sends a member of a pipeline again, behind what the callback sent', async () => {
    const made = client({
      reconnectOnError: () => {
        void made.del('k');
        return 2;
      },
    });
    await made.set('k', 'text');
    expect(await made.pipeline().get('k').sadd('k', 'a').exec()).toEqual([
      [null, 'text'],
      [null, 1],
    ]);
  });

  test('2 aborts a member of a transaction', async () => {
    const made = client({ reconnectOnError: () => 2 });
    const error: unknown = await made
      .multi()
      .call('no-such-command')
      .exec()
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(AbortError);
    expect((error as { previousErrors: Error[] }).previousErrors.map(({ name }) => name)).toEqual(['AbortError']);
    expect(await made.ping()).toBe('PONG');
  });
});

describe('protocol errors', () => {
  test('reject what was sent, and the client recovers', async () => {
    let broken = true;
    const port = await impostor((socket, text) => {
      const commands = text.match(/\*/g)?.length ?? 0;
      if (!text.includes('get')) socket.write('+OK\r\n'.repeat(commands));
      else if (broken) socket.write('&');
      else socket.write('$1\r\n1\r\n'.repeat(commands));
    });
    const made = new Redis(port, '127.0.0.1', { retryStrategy: () => 1 });
    clients.push(made);
    made.on('error', () => {});
    await emitted(made, 'ready');
    await expect(made.get('a')).rejects.toThrow(/^Protocol error/);
    broken = false;
    expect(await made.get('b')).toBe('1');
  });
});

describe('transformers', () => {
  afterEach(() => {
    // As shipped.
    Command.setReplyTransformer('get', (reply) => reply);
  });

  test('of replies hold for calls and transactions, and what they throw is the outcome', async () => {
    await redis.set('k', 'v');
    Command.setReplyTransformer('get', (reply) => `${String(reply)}!`);
    expect(await redis.get('k')).toBe('v!');
    expect(await redis.multi().get('k').exec()).toEqual([[null, 'v!']]);
    Command.setReplyTransformer('get', () => {
      throw new Error('no');
    });
    await expect(redis.get('k')).rejects.toThrow('no');
    const results = await redis.multi().get('k').exec();
    expect(results?.[0]?.[0]?.message).toBe('no');
  });

  test('of arguments replace what the command does by itself', async () => {
    Command.setArgumentTransformer('sadd', (args) => args.map((argument) => String(argument).toUpperCase()));
    await redis.sadd('set', 'a', 'b');
    Command.setArgumentTransformer('sadd', (args) => args);
    expect((await redis.smembers('SET')).toSorted()).toEqual(['A', 'B']);
  });
});
