/**
 * @module benches/child
 *
 * One client, one case, one process: `node child.mjs <suite> <client> <case> <milliseconds>`. Prints one JSON line.
 */
import { measure } from './measure.mjs';

const [suiteName, clientName, caseName, milliseconds] = process.argv.slice(2);
const { clients, cases } = await import(`./${suiteName}.bench.mjs`);
const bench = cases.find((candidate) => candidate.name === caseName);
const client = await clients[clientName].open(process.env, bench);
const operation = await bench.prepare(client, clientName);
const result = await measure({
  operation,
  concurrency: bench.concurrency,
  milliseconds: Number(milliseconds),
  perOperation: bench.perOperation ?? 1,
});
process.stdout.write(`${JSON.stringify(result)}\n`);
// Peers may hold the process: the measurement is over.
process.exit(0);
