/**
 * @module benches/redis-faults/audit
 *
 * Compares what callers were told with what the server holds.
 */
import { OUTCOME, PLACE } from './outcome.mjs';

const STEP = 5000;
/** Clocks are one machine's; a command that runs while its rejection is on its way is no later than this. */
const GRACE_MS = 50;

/** Every effect on the server: how often, and the list with its places. */
async function collect(server, effects) {
  const times = new Uint8Array(effects);
  const list = [];
  for (let from = 0; ; from += STEP) {
    const part = await server.command('LRANGE', 'list', from, from + STEP - 1);
    for (const id of part) {
      times[id] += 1;
      list.push(Number(id));
    }
    if (part.length < STEP) break;
  }
  const ranAt = new Float64Array(effects);
  for (let from = '-'; ;) {
    const part = await server.command('XRANGE', 'log', from, '+', 'COUNT', STEP);
    for (const [time, [, id]] of part) {
      times[id] += 1;
      ranAt[id] = Number(time.split('-')[0]);
    }
    if (part.length < STEP) break;
    from = `(${part.at(-1)[0]}`;
  }
  return { times, list, ranAt };
}

async function countCounters(server, { effects, place }, times) {
  const ids = Array.from({ length: effects }, (_, id) => id).filter((id) => place[id] === PLACE.count);
  for (let from = 0; from < ids.length; from += STEP) {
    const part = ids.slice(from, from + STEP);
    const values = await server.command('MGET', ...part.map((id) => `count:${id}`));
    for (const [at, id] of part.entries()) times[id] = Number(values[at] ?? 0);
  }
}

/** The figures of one run. Everything but `maybe`, `unknown` and `late` must be 0 for a client that keeps its word. */
export async function audit(server, { figures, effects, place, outcome, told }) {
  const held = await collect(server, effects);
  await countCounters(server, { effects, place }, held.times);
  const found = {
    maybe: 0,
    no: 0,
    unknown: 0,
    refused: 0,
    lost: 0,
    twice: 0,
    ranThoughNo: 0,
    ranThoughRefused: 0,
    ranLate: 0,
    misplaced: 0,
  };
  for (let id = 0; id < effects; id++) {
    const times = held.times[id];
    const said = outcome[id];
    for (const name of ['maybe', 'no', 'unknown', 'refused']) if (said === OUTCOME[name]) found[name] += 1;
    if (times > 1) found.twice += 1;
    if (said === OUTCOME.done && times === 0) found.lost += 1;
    if (said === OUTCOME.no && times > 0) found.ranThoughNo += 1;
    if (said === OUTCOME.refused && times > 0) found.ranThoughRefused += 1;
    if (said !== OUTCOME.done && times > 0 && held.ranAt[id] > told[id] + GRACE_MS) found.ranLate += 1;
    // The reply says where it stands, so it must be there; a counter of its own stands where the reply says.
    if (said === OUTCOME.done && place[id] === PLACE.list && held.list[told[id] - 1] !== id) found.misplaced += 1;
    if (said === OUTCOME.done && place[id] === PLACE.count && told[id] !== times) found.misplaced += 1;
  }
  return { ...figures, effects, ...found, wrongReply: figures.wrongReply + found.misplaced };
}
