/**
 * @module dev/solana-rpc/control
 *
 * What `POST /__ctl` understands: `{ action, ...arguments }`. Sent to a front end, `front` is that one unless the body names an index or `'all'`.
 */
import { createRequire } from 'node:module';
import { fromBase58 } from './base58.mjs';
import { TOKEN } from './encoding.mjs';
import { checkFault } from './faults.mjs';

const { Account } = createRequire(import.meta.url)('litesvm/dist/internal.js');

/** The function that runs control bodies over these nodes (`[{ front, subscriptions, server }]`). */
export function createControl({ ledger, nodes }) {
  const pick = (which) => {
    const picked = which === 'all' || which === undefined ? nodes : [nodes[which]];
    if (picked[0] === undefined) throw new Error(`there is no front ${which}: there are ${nodes.length}`);
    return picked;
  };
  const actions = {
    fault: ({ front, spec }) => {
      checkFault(spec);
      for (const node of pick(front)) addFault(node, spec);
    },
    clearFaults: ({ front, kind }) => {
      for (const node of pick(front)) clearFaults(node, kind);
    },
    hits: ({ times = false }) => nodes.map((node) => hitsOf(node, times)),
    resetHits: () => nodes.forEach(({ front }) => front.resetHits()),
    landed: () => landed(ledger, nodes),
    sends: () => sendsOf(nodes),
    slot: () => ({ slot: ledger.slot, height: ledger.height }),
    advance: ({ slots = 1 }) => {
      ledger.advance(slots);
      return { slot: ledger.slot, height: ledger.height };
    },
    airdrop: ({ key, lamports }) => ledger.airdrop(key, BigInt(lamports)),
    setAccount: ({ key, lamports, owner, data = '', executable = false }) => {
      ledger.setAccount(key, new Account(BigInt(lamports), Buffer.from(data, 'base64'), fromBase58(owner), executable, 0n));
    },
    setMint: ({ key, decimals = 9, supply = 0 }) => setToken(ledger, key, mintData(decimals, BigInt(supply))),
    setTokenAccount: ({ key, mint, owner, amount = 0 }) => setToken(ledger, key, tokenData({ mint, owner, amount: BigInt(amount) })),
  };
  return ({ action, ...args }) => {
    const run = Object.hasOwn(actions, action) ? actions[action] : undefined;
    if (run === undefined) throw new Error(`unknown action ${JSON.stringify(action)}: one of ${Object.keys(actions).join(', ')}`);
    return run(args);
  };
}

function addFault({ front, subscriptions, server }, spec) {
  if (spec.kind === 'wsClose') {
    subscriptions.closeAll(spec.code);
    return;
  }
  if (spec.kind === 'idleClose') server.keepAliveTimeout = spec.ms;
  front.faults.add(spec);
}

function clearFaults({ front, server }, kind) {
  front.faults.clear(kind);
  if (kind === undefined || kind === 'idleClose') server.keepAliveTimeout = 20_000;
}

function hitsOf({ front, subscriptions }, times) {
  return {
    ...front.counters,
    inFlight: front.inFlight,
    sockets: front.sockets.size,
    wsSockets: subscriptions.sockets.size,
    subscriptions: subscriptions.count,
    ...(times ? { arrivals: front.arrivals, lateMs: front.lateMs } : {}),
  };
}

const total = (nodes, signature, what) => nodes.reduce((sum, { front }) => sum + (front.sends.get(signature)?.[what] ?? 0), 0);

/** Every transaction in the order it ran. The ledger runs each once; `received` counts how often nodes were sent it. */
function landed(ledger, nodes) {
  return [...ledger.transactions.values()].map(({ signature, slot, err }) => ({
    signature,
    slot,
    err,
    received: total(nodes, signature, 'received'),
  }));
}

/** Every signature nodes were sent, landed or not. */
function sendsOf(nodes) {
  const signatures = new Set(nodes.flatMap(({ front }) => [...front.sends.keys()]));
  return [...signatures].map((signature) => ({
    signature,
    received: total(nodes, signature, 'received'),
    simulated: total(nodes, signature, 'simulated'),
    unretried: total(nodes, signature, 'unretried'),
    fronts: nodes.flatMap(({ front }) => (front.sends.has(signature) ? [front.index] : [])),
  }));
}

function setToken(ledger, key, data) {
  const rent = ledger.svm.minimumBalanceForRentExemption(BigInt(data.length));
  ledger.setAccount(key, new Account(rent, data, fromBase58(TOKEN), false, 0n));
}

function mintData(decimals, supply) {
  const data = Buffer.alloc(82);
  data.writeBigUInt64LE(supply, 36);
  data[44] = decimals;
  data[45] = 1; // initialised
  return data;
}

function tokenData({ mint, owner, amount }) {
  const data = Buffer.alloc(165);
  fromBase58(mint).copy(data, 0);
  fromBase58(owner).copy(data, 32);
  data.writeBigUInt64LE(amount, 64);
  data[108] = 1; // initialised
  return data;
}
