/**
 * @module dev/stack
 *
 * The whole development stack: a replica set, a Redis server (plain and TLS) and Solana RPC front ends over one real SVM. As a program (`npm run stack`) it
 * prints the environment and runs until it is interrupted.
 */
import { pathToFileURL } from 'node:url';
import { startMongod } from './mongod.mjs';
import { startRedis } from './redis.mjs';
import { startSolanaRpc } from './solana-rpc.mjs';

/** Starts what is not `false`; each part takes the options of its own module. */
export async function startStack({ mongo = {}, redis = { tls: true }, solana = {} } = {}) {
  const parts = [
    mongo === false ? undefined : startMongod(mongo),
    redis === false ? undefined : startRedis(redis),
    solana === false ? undefined : startSolanaRpc(solana),
  ];
  const settled = await Promise.allSettled(parts);
  const [mongod, redisServer, rpc] = settled.map((part) => part.value);
  const stop = async () => {
    await Promise.all([mongod?.stop(), redisServer?.stop(), rpc?.stop()]);
  };
  const failed = settled.find((part) => part.status === 'rejected');
  if (failed !== undefined) {
    await stop();
    throw failed.reason;
  }
  const env = {
    ...(mongod === undefined ? {} : { MONGODB_URI: mongod.uri }),
    ...(redisServer === undefined ? {} : { REDIS_URI: redisServer.url }),
    ...(redisServer?.tlsUrl === undefined ? {} : { REDIS_TLS_URI: redisServer.tlsUrl, REDIS_TLS_CA: redisServer.ca }),
    ...(rpc === undefined ? {} : { SOLANA_RPC_ENDPOINTS: rpc.endpoints.map((endpoint) => endpoint.url).join(',') }),
  };
  return { env, mongod, redis: redisServer, solana: rpc, stop };
}

async function main() {
  process.stderr.write('[stack] starting mongod, redis-server and the Solana RPC server ...\n');
  const stack = await startStack({});
  for (const [name, value] of Object.entries(stack.env)) process.stdout.write(`export ${name}='${value}'\n`);
  const rows = [
    ['mongod', stack.mongod.uri, stack.mongod.pids().join(' ')],
    ['redis', stack.redis.url, stack.redis.pid()],
    ...stack.solana.endpoints.map(({ url, wsUrl }) => ['solana', `${url} ${wsUrl}`, stack.solana.pid()]),
  ];
  for (const [part, address, pid] of rows) process.stderr.write(`${part.padEnd(8)}${address.padEnd(60)}pid ${pid}\n`);
  process.stderr.write('[stack] ready; Ctrl-C stops everything\n');
  const hold = setInterval(() => {}, 0x7fff_ffff);
  const stop = async () => {
    clearInterval(hold);
    await stack.stop();
    process.stderr.write('[stack] stopped\n');
  };
  process.once('SIGINT', () => void stop());
  process.once('SIGTERM', () => void stop());
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
