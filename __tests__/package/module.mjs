/**
 * @module __tests__/package/module
 *
 * An ES module consumer: named imports work, and they are the very objects that CommonJS gets.
 */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { gracefulShutdown, isMooringError, MooringError, openThings } from 'mooring';

const common = createRequire(import.meta.url)('mooring');
assert.equal(common.MooringError, MooringError);
assert.equal(common.gracefulShutdown, gracefulShutdown);
assert.deepEqual(openThings(), []);
assert.equal(isMooringError(new MooringError('MOORING_CLOSED', 'client is closed'), 'MOORING_CLOSED'), true);
process.stdout.write('used\n');
