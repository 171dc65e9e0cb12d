/**
 * @module jobs/backend
 *
 * Start and stop of the whole backend: connections, the reconciler, the workers; and `gracefulShutdown`, which closes them in the right order.
 */
import { gracefulShutdown, type ShutdownReport } from 'mooring';
import { logger } from '../logger.js';
import { connect } from './db.js';
import { queues } from './queues.js';
import { reconcile } from './reconcile.js';
import { startWorkers } from './workers.js';

const SWEEP_EVERY_MS = 15_000;

/** A running backend. */
export interface Backend {
  /** Finishes what runs, closes everything, reports. Calling it twice joins the first call. */
  stop(reason: string): Promise<ShutdownReport>;
}

/** Connects, repairs what a crash left behind, starts the workers. */
export async function startBackend(): Promise<Backend> {
  await connect();
  await reconcile(0);
  const workers = startWorkers();
  const sweep = setInterval(() => void reconcile().catch((error: unknown) => logger.error('reconcile', error)), SWEEP_EVERY_MS);
  sweep.unref();
  return {
    async stop(reason) {
      clearInterval(sweep);
      const report = await gracefulShutdown({ reason, workers, queues: Object.values(queues), logger });
      logger.info('shutdown report', report);
      return report;
    },
  };
}
