/**
 * @module lifecycle
 *
 * Shutdown and what is open. Holds no state: the truth is the registry that Rust keeps per environment.
 */
export { type Closeable, gracefulShutdown, type ShutdownLogger, type ShutdownOptions, type ShutdownReport } from './shutdown.js';
export { type OpenThing, openThings } from './open-things.js';
