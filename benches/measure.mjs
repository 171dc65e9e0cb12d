/**
 * @module benches/measure
 *
 * Runs one case of one client in this process and measures it: main-thread CPU per operation first, then operations per second, latency and process CPU.
 * CPU of the main thread comes from the scheduler's statistics (Linux); elsewhere it is not measured and says so (`null`).
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** One latency in so many is timed: the clock must not be what is measured. */
const SAMPLE_EVERY = 16;

/** Nanoseconds that the main thread has run, or null where the system does not tell. */
function mainThreadNs() {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1').split(' ')[0]);
  } catch {
    return null;
  }
}

/** One chain of operations: the next starts when the last has settled. */
async function chain(operation, state) {
  while (!state.over) {
    const number = state.started++;
    if (number % SAMPLE_EVERY === 0) {
      const from = performance.now();
      await operation(number);
      state.latencies.push(performance.now() - from);
    } else {
      await operation(number);
    }
    state.done++;
  }
}

async function during(milliseconds, concurrency, operation) {
  const state = { over: false, started: 0, done: 0, latencies: [] };
  const chains = Array.from({ length: concurrency }, () => chain(operation, state));
  const from = performance.now();
  await Promise.race([delay(milliseconds), Promise.all(chains)]);
  state.over = true;
  const elapsed = performance.now() - from;
  const counted = state.done;
  await Promise.all(chains);
  return { counted, elapsed, latencies: state.latencies.toSorted((a, b) => a - b) };
}

const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

/** Measures `operation` at `concurrency` for `milliseconds` after a warm-up of a third of it. */
export async function measure({ operation, concurrency, milliseconds, perOperation = 1 }) {
  await during(milliseconds / 3, concurrency, operation);
  const mainFrom = mainThreadNs();
  const cpuFrom = process.cpuUsage();
  const { counted, elapsed, latencies } = await during(milliseconds, concurrency, operation);
  const mainTo = mainThreadNs();
  const cpu = process.cpuUsage(cpuFrom);
  const operations = counted * perOperation;
  return {
    mainUs: mainFrom === null || mainTo === null ? null : (mainTo - mainFrom) / 1000 / operations,
    processUs: (cpu.user + cpu.system) / operations,
    opsPerSecond: (operations / elapsed) * 1000,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    operations,
  };
}
