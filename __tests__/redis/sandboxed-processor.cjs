/**
 * @module __tests__/redis/sandboxed-processor
 *
 * A sandboxed processor: BullMQ runs it in a process of its own. It adds a job from there, on a connection that BullMQ makes from plain options.
 */
require('../../dist/redis/bullmq-register.js');
const { Queue } = require('bullmq');
const { BullmqClient } = require('../../dist/redis/bullmq.js');

module.exports = async ({ data }) => {
  const queue = new Queue(data.answers, { connection: data.connection });
  const client = await queue.backend.client;
  await queue.add('answer', { n: data.n * 2 });
  await queue.close();
  return { pid: process.pid, ours: client instanceof BullmqClient };
};
