/** Jest runs the tests of the public API against `dist` and real servers; see `__tests__/support`. */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/__tests__'],
  testMatch: ['**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/__tests__/types/', '/__tests__/package/'],
  transform: { '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } }] },
  globalSetup: '<rootDir>/__tests__/support/global-setup.mjs',
  globalTeardown: '<rootDir>/__tests__/support/global-teardown.mjs',
  reporters: ['default', '<rootDir>/__tests__/support/watch-run.mjs'],
  setupFiles: ['<rootDir>/dev/peer-sockets.cjs'],
  setupFilesAfterEnv: ['<rootDir>/__tests__/support/no-peer-sockets.ts'],
  // Fail points and connection kills belong to a whole server: files that use them must not overlap.
  maxWorkers: 1,
  testTimeout: 30_000,
};
