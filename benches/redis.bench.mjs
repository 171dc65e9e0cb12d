/**
 * @module benches/redis
 *
 * Commands on one connection. `ioredis corked` is ioredis with its socket corked per tick: most of ioredis' cost is one write per command.
 */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
export const supportsTls = true;

/** What the suite needs running. */
export const servers = ({ tls }) => ({ mongo: false, solana: false, redis: { tls } });

/** Environment of the children. */
export const connection = (stack, { tls }) => ({
  BENCH_REDIS_URI: tls ? stack.env.REDIS_TLS_URI : stack.env.REDIS_URI,
  BENCH_REDIS_CA: tls ? stack.env.REDIS_TLS_CA : '',
});

const tlsOf = async (env) => {
  if (!env.BENCH_REDIS_CA) return undefined;
  const { readFile } = await import('node:fs/promises');
  return { ca: await readFile(env.BENCH_REDIS_CA, 'utf8'), servername: 'localhost' };
};

const ioredisShaped = async (Redis, env) => {
  const tls = await tlsOf(env);
  const client = new Redis(env.BENCH_REDIS_URI, tls === undefined ? {} : { tls });
  await client.ping();
  return client;
};

function corkPerTick(client) {
  const { stream } = client;
  const write = stream.write.bind(stream);
  let corked = false;
  stream.write = (...args) => {
    if (!corked) {
      corked = true;
      stream.cork();
      process.nextTick(() => {
        corked = false;
        stream.uncork();
      });
    }
    return write(...args);
  };
  return client;
}

/** Each opens a ready client. */
export const clients = {
  mooring: { open: (env) => ioredisShaped(require('../dist/index.js').Redis, env) },
  ioredis: { open: async (env) => ioredisShaped((await import('ioredis')).Redis, env) },
  'ioredis corked': { open: async (env) => corkPerTick(await ioredisShaped((await import('ioredis')).Redis, env)) },
  'node-redis': {
    open: async (env) => {
      const { createClient } = await import('redis');
      const tls = await tlsOf(env);
      const client = createClient({ url: env.BENCH_REDIS_URI, ...(tls === undefined ? {} : { socket: { tls: true, ...tls } }) });
      await client.connect();
      return client;
    },
  },
  'valkey-glide': {
    open: async (env) => {
      const { GlideClient } = await import('@valkey/valkey-glide');
      const { hostname, port } = new URL(env.BENCH_REDIS_URI);
      const tls = await tlsOf(env);
      const advanced = tls === undefined ? {} : { advancedConfiguration: { tlsAdvancedConfiguration: { rootCertificates: tls.ca } } };
      return GlideClient.createClient({ addresses: [{ host: hostname, port: Number(port) }], useTLS: tls !== undefined, ...advanced });
    },
  },
};

const SCRIPT = "return redis.call('GET', KEYS[1]) .. ARGV[1]";
const keys100 = Array.from({ length: 100 }, (_, i) => `bench:m:${i}`);

const get = (name, concurrency, key, value) => ({
  name,
  concurrency,
  prepare: async (client) => {
    await client.set(key, value);
    return () => client.get(key);
  },
});

/** What is measured. */
export const cases = [
  get('GET, 50 in flight', 50, 'bench:small', 'x'.repeat(16)),
  get('GET, 1000 in flight', 1000, 'bench:small', 'x'.repeat(16)),
  get('GET, 1 in flight', 1, 'bench:small', 'x'.repeat(16)),
  get('GET of 10 KiB, 50 in flight', 50, 'bench:large', 'x'.repeat(10_240)),
  {
    name: 'SET of 100 B, 50 in flight',
    concurrency: 50,
    prepare: async (client) => {
      const value = 'v'.repeat(100);
      return (i) => client.set(`bench:set:${i & 1023}`, value);
    },
  },
  {
    name: 'EVALSHA, 50 in flight',
    concurrency: 50,
    only: ['mooring', 'ioredis', 'ioredis corked'],
    prepare: async (client) => {
      await client.set('bench:small', 'x');
      client.defineCommand('benchScript', { numberOfKeys: 1, lua: SCRIPT });
      return () => client.benchScript('bench:small', 'y');
    },
  },
  {
    name: 'MGET of 100 keys, 50 in flight',
    concurrency: 50,
    prepare: async (client, name) => {
      for (const key of keys100) await client.set(key, 'value of a key');
      return name === 'node-redis' ? () => client.mGet(keys100) : () => client.mget(keys100);
    },
  },
];
