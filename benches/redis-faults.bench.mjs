/**
 * @module benches/redis-faults
 *
 * Commands under faults: `node benches/redis-faults.bench.mjs [--commands 20000] [--faults 26] [--clients mooring,ioredis] [--seed N] [--tls] [--preset] [--json]`.
 * A master and its replica stand behind a fault proxy (`redis-faults/pair.mjs`); 200 callers in a process of their own. Faults come as the work goes on. At the
 * end the servers are asked what ran. `--preset` leaves the managed client's 30 s until a silent connection is given up as they are; without it they are 1 s.
 */
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { audit } from './redis-faults/audit.mjs';
import { FAULTS, startPair } from './redis-faults/pair.mjs';
import { seeded } from './redis-faults/outcome.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const CALLERS = 200;
const DEADLINE_MS = 150;
/** Without a word from the client for so long, what is left counts as never settled. */
const SILENCE_MS = 60_000;
const QUICK = { socketTimeout: 1000, connectTimeout: 1000 };

const { values } = parseArgs({
  options: {
    commands: { type: 'string', default: '20000' },
    faults: { type: 'string', default: String(2 * Object.keys(FAULTS).length) },
    clients: { type: 'string', default: 'mooring,ioredis' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    tls: { type: 'boolean', default: false },
    preset: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const [commands, faults, seed] = [values.commands, values.faults, values.seed].map(Number);

// All kinds again and again, in another order each time.
function* schedule(random) {
  for (;;) {
    const names = Object.keys(FAULTS).map((name) => [random(), name]);
    for (const [, name] of names.toSorted((a, b) => a[0] - b[0])) yield name;
  }
}

function startLoad(name, pair) {
  const trap = name === 'mooring' ? ['--require', join(here, '..', 'dev', 'peer-sockets.cjs')] : [];
  const tls = values.tls ? { ca: readFileSync(pair.master.ca, 'utf8'), rejectUnauthorized: false } : undefined;
  const settings = { port: pair.proxy.port, commands, callers: CALLERS, seed, deadlineMs: DEADLINE_MS, tls };
  settings.options = values.preset ? {} : QUICK;
  const child = fork(join(here, 'redis-faults', 'load.mjs'), [name, JSON.stringify(settings)], {
    execArgv: trap,
    serialization: 'advanced',
  });
  const state = { child, progress: -1, spokeAt: performance.now(), ready: false, result: undefined, over: false };
  child.on('message', (message) => {
    Object.assign(state, message, { spokeAt: performance.now() });
  });
  child.on('exit', (code) => {
    state.over = true;
    state.code = code;
  });
  return state;
}

const ended = (load) => load.over || load.result !== undefined;

async function until(load, holds) {
  while (!holds() && !ended(load)) {
    if (performance.now() - load.spokeAt > SILENCE_MS) throw new Error(`no progress since command ${load.progress}`);
    await delay(5);
  }
}

/** Each fault has a share of the commands: it begins when some of them are under way, and the next share begins when it is over. */
async function harass(load, pair, counts) {
  const random = seeded(seed);
  const names = schedule(random);
  const context = { random, holeMs: values.preset ? 60_000 : 3000 };
  for (let step = 0; step < faults && !ended(load); step++) {
    const share = commands / faults;
    load.child.send({ budget: Math.ceil((step + 1) * share) });
    await until(load, () => load.progress >= (step + 0.2) * share);
    const name = names.next().value;
    counts.set(name, (counts.get(name) ?? 0) + 1);
    await FAULTS[name](pair, context);
  }
  if (!ended(load)) load.child.send({ budget: commands });
}

async function run(name) {
  const pair = await startPair({ tls: values.tls });
  const load = startLoad(name, pair);
  try {
    await until(load, () => load.ready);
    const from = performance.now();
    const counts = new Map();
    await harass(load, pair, counts);
    await until(load, () => false);
    const seconds = (performance.now() - from) / 1000;
    if (load.result === undefined) throw new Error(`the process of ${name} ended with ${load.code}`);
    // What is still on its way through the proxy arrives now or never.
    await delay(300);
    return {
      client: name,
      seconds,
      ...(await audit(pair.master, load.result)),
      faults: Object.fromEntries(counts),
      texts: load.result.texts,
    };
  } finally {
    load.child.kill('SIGKILL');
    await pair.stop();
  }
}

const COLUMNS = [
  ['client', 'client'],
  ['commands', 'commands'],
  ['rejected', 'rejected'],
  ['timed out', 'timedOut'],
  ['sent no', 'no'],
  ['sent maybe', 'maybe'],
  ['does not say', 'unknown'],
  ['wrong reply', 'wrongReply'],
  ['lost', 'lost'],
  ['ran twice', 'twice'],
  ['ran though no', 'ranThoughNo'],
  ['ran late', 'ranLate'],
  ['seconds', 'seconds'],
];

function table(rows) {
  const cells = [COLUMNS.map(([title]) => title)];
  for (const row of rows) cells.push(COLUMNS.map(([, key]) => (key === 'seconds' ? row[key].toFixed(1) : String(row[key]))));
  const widths = COLUMNS.map((_, column) => Math.max(...cells.map((line) => line[column].length)));
  return cells.map((line) => line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ')).join('\n');
}

const rows = await Promise.all(values.clients.split(',').map(run));
if (values.json) console.log(JSON.stringify({ seed, rows }));
else {
  console.log(`${faults} faults, seed ${seed}${values.tls ? ', TLS' : ''}${values.preset ? ', preset' : ''}\n${table(rows)}`);
  for (const { client, texts } of rows) console.log(`${client}: ${texts.map(([text, count]) => `${count} x ${text}`).join('; ')}`);
}
