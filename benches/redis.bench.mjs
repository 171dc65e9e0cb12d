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
      // Its limit is 1000, which a thousand in flight reach.
      const inflightRequestsLimit = 2000;
      return GlideClient.createClient({
        inflightRequestsLimit,
        addresses: [{ host: hostname, port: Number(port) }],
        useTLS: tls !== undefined,
        ...advanced,
      });
    },
  },
};

const SMALL = 'x'.repeat(16);
const LARGE = 'x'.repeat(10_240);
const KEYS_100 = Array.from({ length: 100 }, (_, i) => `bench:m:${i}`);
/** A script of one key and ten arguments, as queue libraries send them. */
const SCRIPT = "return redis.call('GET', KEYS[1]) .. ARGV[10]";
const ARGUMENTS = Array.from({ length: 10 }, (_, i) => `argument ${i}`);

const get = (key, value) => async (client) => {
  await client.set(key, value);
  return () => client.get(key);
};

const set = async (client) => (i) => client.set(`bench:set:${i & 1023}`, SMALL);

async function mget(client, name) {
  for (const key of KEYS_100) await client.set(key, 'value of a key');
  return name === 'node-redis' ? () => client.mGet(KEYS_100) : () => client.mget(KEYS_100);
}

/** By each client's own way to a script that the server knows. */
async function evalsha(client, name) {
  await client.set('bench:small', SMALL);
  if (name === 'node-redis') {
    const sha = await client.scriptLoad(SCRIPT);
    return () => client.evalSha(sha, { keys: ['bench:small'], arguments: ARGUMENTS });
  }
  if (name === 'valkey-glide') {
    const { Script } = await import('@valkey/valkey-glide');
    const script = new Script(SCRIPT);
    return () => client.invokeScript(script, { keys: ['bench:small'], args: ARGUMENTS });
  }
  client.defineCommand('benchScript', { numberOfKeys: 1, lua: SCRIPT });
  return () => client.benchScript('bench:small', ...ARGUMENTS);
}

const OPERATIONS = {
  'GET of 16 B': get('bench:small', SMALL),
  'SET of 16 B': set,
  'GET of 10 KiB': get('bench:large', LARGE),
  'MGET of 100 keys': mget,
  'EVALSHA with 10 arguments': evalsha,
};

/** What is measured: every operation with so many in flight, the middle first. */
export const cases = [50, 1000, 1].flatMap((concurrency) =>
  Object.entries(OPERATIONS).map(([name, prepare]) => ({ name: `${name}, ${concurrency} in flight`, concurrency, prepare })),
);
