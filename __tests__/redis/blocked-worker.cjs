/**
 * @module __tests__/redis/blocked-worker
 *
 * A worker in a process of its own whose jobs block the event loop. Its one argument says on whose connection: mooring's with a heartbeat, or stock BullMQ.
 * Prints `ready`, then `start ID` and `end ID` of every job.
 */
const { writeSync } = require('node:fs');
const { setTimeout: delay } = require('node:timers/promises');
const { Worker } = require('bullmq');

const { stock, queue, host, port, lockMs, blockMs } = JSON.parse(process.argv[2]);
const print = (line) => writeSync(1, `${line}\n`);

const { bullmqConnection, heartbeat } = stock ? {} : require('../../dist/redis/bullmq.js');
const connection = stock ? { host, port, maxRetriesPerRequest: null } : bullmqConnection({ host, port });
const settings = { concurrency: 3, lockDuration: lockMs, stalledInterval: lockMs, maxStalledCount: 100, skipLockRenewal: !stock };

const worker = new Worker(
  queue,
  async (job) => {
    print(`start ${job.id}`);
    // The other claims come in; then nothing of this process moves.
    await delay(20);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockMs);
    print(`end ${job.id}`);
  },
  { connection, ...settings },
);
worker.on('error', () => {});
if (!stock) heartbeat(worker);
void worker.waitUntilReady().then(() => print('ready'));
