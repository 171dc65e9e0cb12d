/**
 * @module __tests__/support/global-setup
 *
 * Starts real servers on free ports once for a Jest run, unless the environment names some (the test runner shares one stack between Rust and Jest).
 */
const NAMES = ['MONGODB_URI', 'REDIS_URI', 'SOLANA_RPC_ENDPOINTS'];

export default async function globalSetup() {
  if (NAMES.every((name) => process.env[name] !== undefined)) return;
  const { startStack } = await import('../../dev/stack.mjs');
  const stack = await startStack({ mongo: { nodes: 1 }, redis: { tls: true }, solana: { fronts: 2 } });
  Object.assign(process.env, stack.env);
  globalThis.mooringStack = stack;
}
