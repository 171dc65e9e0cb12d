/**
 * @module benches/solana
 *
 * Reads through one front end of the development RPC server. The caches of mooring are off and its limits far away: what is measured is the transport.
 */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
export const supportsTls = false;

/** What the suite needs running. */
export const servers = () => ({ mongo: false, redis: false, solana: { fronts: 2 } });

/** Environment of the children. */
export const connection = (stack) => ({ BENCH_RPC_ENDPOINTS: stack.env.SOLANA_RPC_ENDPOINTS });

const endpoints = (env) => env.BENCH_RPC_ENDPOINTS.split(',');
const openPool = (env) => {
  const { ConnectionPool } = require('../dist/index.js');
  return new ConnectionPool({
    endpoints: endpoints(env),
    maxRequestsPerSecond: 1_000_000,
    maxTransactionsPerSecond: 1_000_000,
    cacheConfig: { balanceTTL: 0, blockhashTTL: 0, accountInfoTTL: 0, signatureStatusTTL: 0 },
  });
};

/** Each opens something with web3.js' or kit's calls. */
export const clients = {
  mooring: { open: openPool },
  'mooring web3.js': { open: (env) => openPool(env).getConnection() },
  'web3.js': {
    open: async (env) => {
      const { Connection } = await import('@solana/web3.js');
      return new Connection(endpoints(env)[0], { commitment: 'processed' });
    },
  },
  kit: {
    open: async (env) => {
      const { createSolanaRpc } = await import('@solana/kit');
      return createSolanaRpc(endpoints(env)[0]);
    },
  },
};

const addresses = async () => {
  const { Keypair } = await import('@solana/web3.js');
  return Array.from({ length: 1000 }, () => Keypair.generate().publicKey);
};

const balance = (concurrency) => ({
  name: `getBalance, ${concurrency} in flight`,
  concurrency,
  prepare: async (client, name) => {
    const keys = await addresses();
    if (name === 'kit') {
      const texts = keys.map((key) => key.toBase58());
      return (i) => client.getBalance(texts[i % texts.length]).send();
    }
    return (i) => client.getBalance(keys[i % keys.length]);
  },
});

/** What is measured. */
export const cases = [
  balance(50),
  balance(1),
  {
    name: 'getMultipleAccounts of 100, 8 in flight',
    concurrency: 8,
    only: ['mooring web3.js', 'web3.js'],
    prepare: async (client) => {
      const keys = (await addresses()).slice(0, 100);
      return () => client.getMultipleAccountsInfo(keys);
    },
  },
];
