/**
 * @module __tests__/package/alone
 *
 * The root package without any platform package: the load failure is ours, and says on what.
 */
const assert = require('node:assert/strict');

assert.throws(
  () => require('mooring'),
  (error) => {
    assert.equal(error.code, 'MOORING_UNSUPPORTED_PLATFORM');
    assert.equal(error.name, 'MooringError');
    assert.deepEqual([error.details.platform, error.details.arch], [process.platform, process.arch]);
    assert.match(error.message, new RegExp(`${process.platform} ${process.arch}`));
    assert.ok(error.cause instanceof Error);
    return true;
  },
);
process.stdout.write('used\n');
