/**
 * @module __tests__/package/commonjs
 *
 * A CommonJS consumer without any peer: loads the package, sees one error class, finds nothing open, shuts down, and leaves the process free to end.
 */
const assert = require('node:assert/strict');
const mooring = require('mooring');

async function main() {
  assert.deepEqual(mooring.openThings(), []);
  await assert.rejects(mooring.gracefulShutdown({ deadlineMs: -1 }), (error) => {
    assert.ok(error instanceof mooring.MooringError && error instanceof Error);
    assert.ok(mooring.isMooringError(error, 'MOORING_INVALID_ARGUMENT'));
    assert.equal(error.details.argument, 'deadlineMs');
    return true;
  });
  const report = await mooring.gracefulShutdown({ reason: 'package test', logger: { info() {}, error() {} } });
  assert.equal(report.clean, true);
  assert.equal(report.reason, 'package test');
  assert.equal(require('mooring/package.json').name, 'mooring');
  assert.throws(() => require('mooring/dist/native.js'), { code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' });
}

void main().then(() => process.stdout.write('used\n'));
