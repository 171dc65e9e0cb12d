/**
 * @module __tests__/package/worker
 *
 * Loads the package on the main thread and in two worker threads; all of them end.
 */
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { isMainThread, parentPort, Worker } = require('node:worker_threads');
const mooring = require('mooring');

async function main() {
  const workers = [new Worker(__filename), new Worker(__filename)];
  const ended = workers.map((worker) => once(worker, 'exit'));
  const answers = await Promise.all(workers.map((worker) => once(worker, 'message')));
  assert.deepEqual(answers, [[0], [0]]);
  assert.deepEqual(await Promise.all(ended), [[0], [0]]);
}

if (isMainThread) void main().then(() => process.stdout.write('used\n'));
else parentPort.postMessage(mooring.openThings().length);
