/**
 * @module mooring
 *
 * The public surface. Importing it opens no socket, timer, thread-safe function or signal handler.
 */
export { type ErrorCode, type ErrorDetails, isMooringError, MooringError } from './error/index.js';
export * from './lifecycle/index.js';
export * from './mongo/index.js';
export * from './redis/index.js';
export * from './solana/index.js';
