/**
 * @module solana/report
 *
 * Hands the pool's events to the logger: one line each, never a URL. A logger that throws does not disturb the pool.
 */
import type { FeedBatch } from '../native.js';
import type { PoolLogger } from './options.js';

interface EventRecord {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
}

/** Hands a batch of events to the logger. */
export function hand(batch: FeedBatch, logger: PoolLogger): void {
  for (const text of batch.events) {
    const { level, message, ...fields } = JSON.parse(text) as EventRecord & Record<string, unknown>;
    say(logger, level, message, fields);
  }
  if (batch.dropped > 0) say(logger, 'warn', `Connection pool: ${batch.dropped} events were dropped`, {});
}

/** One line. */
export function say(logger: PoolLogger, level: EventRecord['level'], message: string, fields: object): void {
  try {
    if (level === 'error') logger.error(message, fields);
    else if (level === 'warn') logger.warn(message, fields);
    // Silent below warn, unless the host gave a logger of its own.
    else if (logger !== console) logger.info?.(message, fields);
  } catch {
    // A broken logger is the host's matter; the call that caused the line must not fail by it.
  }
}
