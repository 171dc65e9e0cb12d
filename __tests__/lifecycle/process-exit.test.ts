/** @module __tests__/lifecycle/process-exit: idle clients let a process go, work in flight holds it, and nothing aborts it. */
import { describe, expect, test } from '@jest/globals';
import { runChild } from '../support/child';

const OPEN = {
  redis: `const redis = new mooring.Redis(process.env.REDIS_URI); await redis.ping();`,
  mongo: `const mongo = await new mooring.MongoClient(process.env.MONGODB_URI).connect(); await mongo.db('exit').command({ ping: 1 });`,
  solana: `const pool = new mooring.ConnectionPool({ endpoints: process.env.SOLANA_RPC_ENDPOINTS.split(',') }); await pool.request('getSlot', []);`,
};
const CLOSE = { redis: 'await redis.quit();', mongo: 'await mongo.close();', solana: 'await pool.close();' };
type Kind = keyof typeof OPEN;
const KINDS = Object.keys(OPEN) as Kind[];

describe('a process', () => {
  test('holds nothing open after importing the package', async () => {
    const result = await runChild(
      `console.log(JSON.stringify(process.getActiveResourcesInfo().filter((name) => !/^(PipeWrap|TTYWrap|FSReqPromise)$/.test(name))));`,
    );
    expect(JSON.parse(result.stdout)).toEqual([]);
    expect(result.code).toBe(0);
  });

  test.each(KINDS)('with an idle %s client exits by itself within a second', async (kind) => {
    const result = await runChild(`${OPEN[kind]} console.log('idle');`);
    expect(result).toMatchObject({ code: 0, signal: null, stdout: 'idle\n' });
    expect(result.sinceLastOutputMs).toBeLessThan(1000);
  });

  test.each(KINDS)('with a closed %s client exits by itself within a second', async (kind) => {
    const result = await runChild(`${OPEN[kind]} ${CLOSE[kind]} console.log('closed', mooring.openThings().length);`);
    expect(result).toMatchObject({ code: 0, signal: null, stdout: 'closed 0\n' });
    expect(result.sinceLastOutputMs).toBeLessThan(1000);
  });

  test.each(['redis.disconnect();', 'await redis.quit();', 'void redis.quit().catch(() => {}); redis.disconnect();'])(
    'stays alive until the end of a Redis client that is awaited after `%s`',
    async (leave) => {
      const result = await runChild(
        `for (let round = 0; round < 50; round++) {
          const redis = new mooring.Redis(process.env.REDIS_URI);
          await redis.ping();
          const ended = new Promise((resolve) => redis.once('end', resolve));
          ${leave}
          await ended;
        }
        console.log('ended');`,
      );
      expect(result).toMatchObject({ code: 0, signal: null, stdout: 'ended\n' });
      expect(result.sinceLastOutputMs).toBeLessThan(1000);
    },
  );

  test('exits when whoever joins a shutdown asks for it', async () => {
    const result = await runChild(
      `const logger = { info() {}, error() {} };
      setInterval(() => {}, 1000);
      void mooring.gracefulShutdown({ logger, workers: [{ close: () => new Promise((resolve) => setTimeout(resolve, 100)) }] });
      await mooring.gracefulShutdown({ logger, exit: true });`,
      { timeoutMs: 5_000 },
    );
    expect(result).toMatchObject({ code: 0, signal: null });
  });

  test.each([
    ['redis', `const value = await redis.blpop('exit:nothing', 1);`],
    ['mongo', `const value = await mongo.db('admin').command({ sleep: 1, millis: 700, lock: 'none' });`],
  ] as [Kind, string][])('stays alive while a %s call is in flight', async (kind, call) => {
    const result = await runChild(
      `let settled = false; process.on('exit', () => console.log('settled', settled)); ${OPEN[kind]} ${call} settled = true;`,
    );
    expect(result).toMatchObject({ code: 0, stdout: 'settled true\n' });
  });

  test('stays alive while connecting is awaited and ends with the rejection', async () => {
    const result = await runChild(
      `try { await new mooring.MongoClient('mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=600').connect(); } catch (error) { console.log(error.name); }`,
    );
    expect(result).toMatchObject({ code: 0, stdout: 'MongoServerSelectionError\n' });
  });

  test.each(KINDS)('keeps its exit code when %s work is in flight', async (kind) => {
    const call = {
      redis: `redis.blpop('exit:nothing', 5);`,
      mongo: `mongo.db('admin').command({ sleep: 1, millis: 3000, lock: 'none' });`,
      solana: `pool.request('getSlot', []);`,
    };
    const result = await runChild(`${OPEN[kind]} ${call[kind]} setTimeout(() => process.exit(7), 20);`);
    expect(result).toMatchObject({ code: 7, signal: null });
  });

  test('survives twenty workers that are terminated with work in flight', async () => {
    const result = await runChild(
      `
      const { Worker } = require('node:worker_threads');
      const code = \`
        const mooring = require(\${JSON.stringify(require.resolve('./dist/index.js'))});
        (async () => {
          ${OPEN.redis} ${OPEN.mongo} ${OPEN.solana}
          redis.blpop('exit:nothing', 5); mongo.db('admin').command({ sleep: 1, millis: 2000, lock: 'none' }); pool.request('getSlot', []);
          require('node:worker_threads').parentPort.postMessage('busy');
        })();\`;
      for (let round = 0; round < 5; round++) {
        await Promise.all(Array.from({ length: 4 }, async () => {
          const worker = new Worker(code, { eval: true });
          await new Promise((resolve, reject) => { worker.once('message', resolve); worker.once('error', reject); });
          await worker.terminate();
        }));
      }
      ${OPEN.redis}
      console.log('alive', await redis.ping());`,
      { timeoutMs: 60_000 },
    );
    expect(result).toMatchObject({ code: 0, signal: null, stdout: 'alive PONG\n' });
  }, 60_000);
});
