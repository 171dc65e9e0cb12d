/**
 * @module __tests__/support/global-teardown
 *
 * Stops what the set-up started.
 */
export default async function globalTeardown() {
  await globalThis.mooringStack?.stop();
}
