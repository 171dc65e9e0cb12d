/**
 * @module benches/redis-faults/load
 *
 * The process of one client under faults: callers that wait for one reply each, every command with a number of its own. What each came to is sent to the parent,
 * which compares it with what the server holds. `node load.mjs <client> <JSON settings>` with an IPC channel.
 */
import { createRequire } from 'node:module';
import { OUTCOME, PLACE, seeded } from './outcome.mjs';

const require = createRequire(import.meta.url);
const [clientName, json] = process.argv.slice(2);
const { port, commands, callers, seed, deadlineMs, options, tls } = JSON.parse(json);
const KEYS = 1000;
const PROGRESS = 50;
/** Appends and says at which place, as RPUSH does. */
const APPEND = "return redis.call('RPUSH', KEYS[1], ARGV[1])";

const server = { host: '127.0.0.1', port, ...(tls === undefined ? {} : { tls }) };
const quiet = { warn: () => {}, error: () => {} };
const clients = {
  mooring: (own) => require('../../dist/index.js').createRedisClient({ ...server, ...options, ...own, logger: quiet }),
  ioredis: (own) => new (require('ioredis').Redis)({ ...server, ...own }),
};

const plain = clients[clientName]({});
const hurried = clients[clientName]({ commandTimeout: deadlineMs });
for (const client of [plain, hurried]) client.on('error', () => {});
plain.defineCommand('append', { numberOfKeys: 1, lua: APPEND });

const random = seeded(seed);
/** By number of the effect: where it goes, what the caller was told, the reply or when it was rejected. */
const place = new Uint8Array(commands * 2);
const outcome = new Uint8Array(commands * 2);
const told = new Float64Array(commands * 2);
const figures = { commands: 0, acknowledged: 0, rejected: 0, wrongReply: 0, timedOut: 0 };
const texts = new Map();
let effects = 0;

function wrong(what) {
  figures.wrongReply += 1;
  if (figures.wrongReply <= 5) process.stderr.write(`${clientName}: wrong reply: ${what}\n`);
}

function effect(where) {
  place[effects] = where;
  return effects++;
}

function done(id, reply) {
  outcome[id] = OUTCOME.done;
  told[id] = place[id] === PLACE.log ? 0 : Number(reply);
}

function failed(id, error) {
  outcome[id] = error.name === 'ReplyError' ? OUTCOME.refused : (OUTCOME[error.sent] ?? OUTCOME.unknown);
  told[id] = Date.now();
}

/** One effect by one command. */
async function change(where, run) {
  const id = effect(where);
  try {
    done(id, await run(id));
  } catch (error) {
    failed(id, error);
    throw error;
  }
}

/** Two effects and what lies between them, by one pipeline or transaction. */
async function both(make) {
  const ids = [effect(PLACE.list), effect(PLACE.list)];
  let replies;
  try {
    replies = await make(ids);
  } catch (error) {
    for (const id of ids) failed(id, error);
    throw error;
  }
  // Aborted by the server, as after a failed WATCH: nothing ran.
  if (replies === null) throw new Error('transaction gave null');
  const ends = [replies[0], replies.at(-1)];
  for (const [at, id] of ids.entries()) {
    const [error, reply] = ends[at];
    if (error) failed(id, error);
    else done(id, reply);
  }
  const [error] = replies.find(([found]) => found) ?? [];
  if (error) throw error;
  if (replies.length === 3 && replies[1][1] !== `between ${ids[0]}`) wrong(`${replies[1][1]} for between ${ids[0]}`);
}

const expectReply = (reply, wanted) => {
  if (reply !== wanted) wrong(`${reply} for ${wanted}`);
};

/** What callers do, and how often of a hundred. */
const KINDS = [
  [26, async (n) => expectReply(await plain.echo(`echo ${n}`), `echo ${n}`)],
  [14, async (n) => expectReply(await plain.get(`key:${n % KEYS}`), `value of ${n % KEYS}`)],
  [
    5,
    async (n) => {
      const numbers = [n % KEYS, (n + 1) % KEYS, (n + 2) % KEYS];
      expectReply((await plain.mget(numbers.map((i) => `key:${i}`))).join(), numbers.map((i) => `value of ${i}`).join());
    },
  ],
  [14, () => change(PLACE.list, (id) => plain.rpush('list', id))],
  [12, () => change(PLACE.count, (id) => plain.incr(`count:${id}`))],
  [7, () => change(PLACE.list, (id) => plain.append('list', id))],
  [5, () => both(([a, b]) => plain.pipeline().rpush('list', a).echo(`between ${a}`).rpush('list', b).exec())],
  [5, () => both(([a, b]) => plain.multi().rpush('list', a).rpush('list', b).exec())],
  [12, () => change(PLACE.log, (id) => hurried.xadd('log', '*', 'id', id))],
];
const WHEEL = KINDS.flatMap(([share, run]) => Array.from({ length: share }, () => run));

/** How many commands may have begun; the parent raises it, so that each fault finds work. */
let budget = 0;
let raised = signal();

function signal() {
  const made = {};
  made.promise = new Promise((resolve) => (made.resolve = resolve));
  return made;
}

process.on('message', (message) => {
  budget = message.budget;
  raised.resolve();
  raised = signal();
});

async function caller() {
  while (figures.commands < commands) {
    if (figures.commands >= budget) {
      await raised.promise;
      continue;
    }
    const number = figures.commands++;
    try {
      await WHEEL[Math.floor(random() * WHEEL.length)](number);
      figures.acknowledged += 1;
    } catch (error) {
      figures.rejected += 1;
      if (error.message === 'Command timed out') figures.timedOut += 1;
      texts.set(error.message, (texts.get(error.message) ?? 0) + 1);
      // A client without a connection may refuse at once: callers do not spin.
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    if (number % PROGRESS === 0) process.send({ progress: number });
  }
}

for (let from = 0; from < KEYS; from += 100) {
  await plain.mset(Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`key:${from + i}`, `value of ${from + i}`])));
}
await hurried.ping();
process.send({ ready: true });
await Promise.all(Array.from({ length: callers }, caller));
plain.disconnect();
hurried.disconnect();
const result = { figures, texts: [...texts].toSorted((a, b) => b[1] - a[1]).slice(0, 6), effects, place, outcome, told };
process.send({ result }, () => process.exit(0));
