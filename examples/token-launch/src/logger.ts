/**
 * @module logger
 *
 * One JSON line per event on stderr; stdout stays free for whoever runs the program. `LOG_LEVEL=silent` turns it off. No secret is ever handed to it.
 */
type Level = 'info' | 'warn' | 'error';

function write(level: Level, message: string, details: readonly unknown[]): void {
  if (process.env['LOG_LEVEL'] === 'silent') return;
  const line = details.length === 0 ? { level, message } : { level, message, details: details.map(plain) };
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), ...line })}\n`);
}

/** Errors have no own enumerable fields that JSON would show. */
function plain(detail: unknown): unknown {
  if (!(detail instanceof Error)) return detail;
  const code = 'code' in detail ? { code: detail.code } : {};
  return { name: detail.name, message: detail.message, ...code };
}

/** The logger of this backend; it has the shape that mooring's `logger` options take. */
export const logger = {
  info: (message: string, ...details: unknown[]): void => write('info', message, details),
  warn: (message: string, ...details: unknown[]): void => write('warn', message, details),
  error: (message: string, ...details: unknown[]): void => write('error', message, details),
};
