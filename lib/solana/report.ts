/**
 * @module solana/report
 *
 * Hands the pool's events to the logger: one line each, never a URL. A logger that throws does not disturb the pool.
 */
import type { FeedBatch } from '../native.js';
import { type PoolListeners, transactionEvent } from './events.js';
import type { PoolLogger } from './options.js';

interface EventRecord {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
}

/** Hands a batch of events to the listeners and the logger. */
export function hand(batch: FeedBatch, logger: PoolLogger, listeners: PoolListeners): void {
  for (const text of batch.events) {
    const record = JSON.parse(text) as EventRecord & Record<string, unknown>;
    const transaction = transactionEvent(record);
    if (transaction !== undefined) {
      listeners.tell('transaction', transaction);
      continue;
    }
    const { level, message, ...fields } = record;
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

/** A listener of the host threw: its own matter, but somebody should see it. */
export function threw(logger: PoolLogger, event: string, error: unknown): void {
  const reason = error instanceof Error ? error.name : typeof error;
  say(logger, 'error', `Connection pool: a listener of ${event} threw`, { reason });
}
