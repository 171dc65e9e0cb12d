/**
 * @module __tests__/redis/fuzz: a server that answers garbage: right replies to the wrong question, torn and damaged ones, lengths that never come, noise. Every command
 * settles, nothing is thrown at the process, memory stays, and the client works again with the next honest server. Options of any value: an error of ours or a client.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { createRedisClient, isMooringError, openThings, Redis } from '../../dist/index.js';
import { limitMs, rounds, seed } from '../support/chaos';
import { until } from '../support/until';
import { redisUri } from './server';

const QUIET = { warn: (): void => {}, error: (): void => {} };

/** A server that shakes hands and then answers every chunk with what `says` gives; nothing more when it is used up. */
class Liar {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  honest = false;
  says: () => Buffer | undefined = () => undefined;

  private constructor(handshake: boolean) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
      let greeted = !handshake;
      socket.on('data', (bytes) => {
        if (greeted && !this.honest) {
          this.#lie(socket);
          return;
        }
        greeted = true;
        for (const [, name] of String(bytes).matchAll(/\*\d+\r\n\$\d+\r\n(\w+)\r\n/g)) socket.write(truth(name as string));
      });
    });
  }

  static async start(options: { handshake: boolean }): Promise<Liar> {
    const made = new Liar(options.handshake);
    made.#server.listen(0, '127.0.0.1');
    await once(made.#server, 'listening');
    return made;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #lie(socket: Socket): void {
    const lie = this.says();
    if (lie === undefined) socket.destroy();
    else socket.write(lie);
  }
}

const truth = (name: string): string => (name.toUpperCase() === 'INFO' ? '$9\r\nloading:0\r\n' : '+OK\r\n');

/** Any value of RESP2 and RESP3. */
const resp: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => {
  const many = (mark: string, per: number): fc.Arbitrary<string> =>
    fc.array(tie('value'), { maxLength: 4 }).map((items) => {
      const whole = items.slice(0, Math.floor(items.length / per) * per);
      return `${mark}${whole.length / per}\r\n${whole.join('')}`;
    });
  return {
    value: fc.oneof(
      { depthSize: 'small', maxDepth: 4 },
      fc.constantFrom(
        '+OK\r\n',
        '+QUEUED\r\n',
        '$-1\r\n',
        '*-1\r\n',
        '_\r\n',
        '#t\r\n',
        ',1.5\r\n',
        ',inf\r\n',
        '(99999999999999999999\r\n',
      ),
      fc.constantFrom('-ERR no\r\n', '-NOSCRIPT no\r\n', '-READONLY no\r\n', '-MOVED 1 h:1\r\n', '-LOADING no\r\n', '-EXECABORT no\r\n'),
      fc.constantFrom('$7\r\nmessage\r\n', '$9\r\nsubscribe\r\n', '$8\r\npmessage\r\n', '$11\r\nunsubscribe\r\n', '$9\r\n__proto__\r\n'),
      fc.integer().map((n) => `:${n}\r\n`),
      fc.string({ maxLength: 12, unit: 'binary-ascii' }).map((text) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`),
      many('*', 1),
      many('%', 2),
      many('~', 1),
      many('>', 1),
    ),
  };
}).value;

/** What is wrong with it, if anything. */
const answer: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 5, arbitrary: fc.array(resp, { minLength: 1, maxLength: 4 }).map((replies) => Buffer.from(replies.join(''))) },
  {
    weight: 3,
    arbitrary: fc.tuple(resp, fc.nat(), fc.nat(255)).map(([reply, at, byte]) => {
      const bytes = Buffer.from(reply);
      bytes[at % bytes.length] = byte;
      return bytes;
    }),
  },
  { weight: 2, arbitrary: fc.tuple(resp, fc.nat()).map(([reply, at]) => Buffer.from(reply).subarray(0, at % reply.length)) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('$536870912\r\n', '*2147483647\r\n', '$99999999999\r\n', '%9\r\n', '*1\r\n'.repeat(200), '\r\n')
      .map((bytes) => Buffer.from(bytes)),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)) },
);

/** Commands whose replies are shaped in JavaScript, and some that are not. */
const asks: readonly ((client: Redis) => Promise<unknown>)[] = [
  (client) => client.get('k'),
  (client) => client.getBuffer('k'),
  (client) => client.hgetall('k'),
  (client) => client.mget('a', 'b'),
  (client) => client.scan('0'),
  (client) => client.zrange('k', 0, -1, 'WITHSCORES'),
  (client) => client.xread('STREAMS', 's', '0'),
  (client) => client.incr('k'),
  (client) => client.blpop('k', 1),
  (client) => client.eval('return 1', 0),
  (client) => client.evalsha('00', 0),
  (client) => client.subscribe('a', 'b'),
  (client) => client.unsubscribe(),
  (client) => client.select(1),
  (client) => client.multi().get('k').hgetall('k').exec(),
  (client) => client.pipeline().incr('k').hgetall('k').exec(),
  (client) => client.config('GET', '*'),
  (client) => client.info(),
  (client) => client.call('ANY', 'thing'),
];

let liar: Liar | undefined;
let client: Redis | undefined;
const thrown: unknown[] = [];
const onThrown = (error: unknown): void => void thrown.push(error);

afterEach(() => {
  client?.disconnect();
  liar?.stop();
});

const settings = (runs: number): fc.Parameters<unknown> => ({ numRuns: runs, seed, endOnFailure: true });

/** Every command settles within the time; a hang fails. */
async function settles(asked: readonly Promise<unknown>[]): Promise<void> {
  const all = Promise.allSettled(asked).then(() => 'settled');
  expect(await Promise.race([all, delay(8000, 'hangs', { ref: false })])).toBe('settled');
}

describe(`a server that lies (seed ${seed})`, () => {
  test.each(['look-alike', 'managed', 'managed, RESP3'] as const)(
    'settles every command of a %s client',
    async (kind) => {
      process.on('uncaughtException', onThrown).on('unhandledRejection', onThrown);
      try {
        await fc.assert(
          fc.asyncProperty(
            fc.array(answer, { maxLength: 6 }),
            fc.array(fc.nat(asks.length - 1), { minLength: 1, maxLength: 8 }),
            fc.boolean(),
            async (answers, chosen, handshake) => {
              liar = await Liar.start({ handshake });
              const left = [...answers];
              liar.says = () => left.shift();
              const options = { host: '127.0.0.1', port: liar.port, connectTimeout: 300, commandTimeout: 150, disconnectTimeout: 50 };
              client =
                kind === 'look-alike'
                  ? new Redis({ ...options, retryStrategy: () => 1, maxRetriesPerRequest: null })
                  : createRedisClient({
                      ...options,
                      retryStrategy: () => 1,
                      maxConnectRetries: 1e6,
                      logger: QUIET,
                      protocol: kind === 'managed' ? 2 : 3,
                    });
              client.on('error', () => {}).on('message', () => {});
              await settles(chosen.map((index) => (asks[index] as (client: Redis) => Promise<unknown>)(client as Redis)));
              // The next server means it.
              liar.honest = true;
              // Who only subscribes has used the connection of the subscriptions alone.
              if (client.status === 'wait') await client.connect();
              await until(() => (client as Redis).status === 'ready', 8000);
              client.disconnect();
              liar.stop();
              await delay(0);
              expect(thrown).toEqual([]);
            },
          ),
          settings(rounds(20)),
        );
        await until(() => openThings().length === 0);
      } finally {
        process.off('uncaughtException', onThrown).off('unhandledRejection', onThrown);
      }
    },
    limitMs(60_000),
  );

  test('takes no memory for lengths that are only promised', async () => {
    liar = await Liar.start({ handshake: true });
    const answers = ['$536870912\r\nabc', '*2147483647\r\n:1\r\n', '%1073741823\r\n'].map((text) => Buffer.from(text));
    liar.says = () => answers.shift();
    client = new Redis(liar.port, '127.0.0.1', { commandTimeout: 200, retryStrategy: () => 1 });
    client.on('error', () => {});
    const before = process.memoryUsage.rss();
    for (let left = answers.length; left > 0; left--) {
      await expect(client.get('k')).rejects.toThrow('Command timed out');
      client.disconnect(true);
      await until(() => client?.status === 'ready');
    }
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1024 * 1024);
  });

  test('drops a line that never ends', async () => {
    liar = await Liar.start({ handshake: true });
    liar.says = () => Buffer.alloc(3 * 1024 * 1024, '+a');
    client = new Redis(liar.port, '127.0.0.1', { retryStrategy: () => null });
    client.on('error', () => {});
    await expect(client.get('k')).rejects.toThrow('reply is larger than a line of 1 MiB allows');
  });
});

/** Makes a client and ends it; the code of our error when it is refused, any other error as it is. */
function outcome(make: () => Redis): unknown {
  try {
    make().disconnect();
    return 'made';
  } catch (error) {
    return isMooringError(error) ? error.code : error;
  }
}

describe('options of any value', () => {
  const names = [
    ...['host', 'port', 'path', 'family', 'db', 'username', 'password', 'connectionName', 'tls', 'noDelay', 'keepAlive', 'connectTimeout'],
    ...['disconnectTimeout', 'commandTimeout', 'socketTimeout', 'blockingTimeout', 'retryStrategy', 'maxRetriesPerRequest', 'keyPrefix'],
    ...[
      'resend',
      'inflightLimit',
      'offlineQueueMax',
      'quitTimeout',
      'protocol',
      'scripts',
      'sentinels',
      'url',
      'logger',
      'maxConnectRetries',
      'x',
    ],
  ];

  test.each([
    ['Redis', (options: object) => new Redis({ ...options, lazyConnect: true })],
    ['createRedisClient', (options: object) => createRedisClient({ url: redisUri(), ...options })],
  ])('%s takes them or says in our words what is wrong', (_, make) => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom(...names), fc.anything({ withBigInt: true, withDate: true }), { maxKeys: 4 }),
        (options) => {
          expect(['made', 'MOORING_INVALID_ARGUMENT', 'MOORING_INVALID_CONFIG']).toContain(outcome(() => make(options)));
        },
      ),
      settings(rounds(200)),
    );
  });
});
