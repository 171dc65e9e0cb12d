/**
 * @module dev/solana-rpc/subscriptions
 *
 * The websocket side of one front end: subscriptions over the ledger as this node sees it, and the faults of sockets. A notification goes out when the node's
 * slot at the asked commitment reaches the change, so a lagging or frozen node notifies late or never. As with real nodes, equal parameters get one number: a
 * socket is notified of it once, and one unsubscribe ends it.
 */
import { WebSocketServer } from 'ws';
import { resetSocket } from '../reset.mjs';
import { publicKey } from './account-methods.mjs';
import { encodeAccount, toJson } from './encoding.mjs';
import { invalidParams, RpcError } from './errors.mjs';
import { statusOf } from './history-methods.mjs';

const RANK = { processed: 0, confirmed: 1, finalized: 2 };
const KINDS = ['account', 'logs', 'program', 'root', 'signature', 'slot'];

export class Subscriptions {
  #nextId = 1;
  #live = new Set();

  constructor(front, server) {
    this.front = front;
    this.sockets = new Set();
    this.wss = new WebSocketServer({ server, autoPong: false });
    this.wss.shouldHandle = () => true;
    this.wss.options.verifyClient = (_info, accept) => {
      const refused = front.faults.take('wsRefuse', []);
      if (refused === undefined) accept(true);
      else accept(false, refused.status ?? 503, 'refused');
    };
    this.wss.on('connection', (ws) => this.#accept(ws));
    front.ledger.listeners.add(() => this.#wake());
  }

  get count() {
    return this.#live.size;
  }

  #accept(ws) {
    const { front } = this;
    this.sockets.add(ws);
    front.counters.wsConnections = (front.counters.wsConnections ?? 0) + 1;
    ws.on('error', () => {});
    ws.on('ping', (data) => {
      if (!front.faults.has('wsNoPong') && !front.faults.has('wsHalfOpen')) ws.pong(data);
    });
    ws.on('message', (text) => {
      if (!front.faults.has('wsHalfOpen')) this.#onMessage(ws, text);
    });
    ws.on('close', () => {
      this.sockets.delete(ws);
      for (const one of this.#live) if (one.ws === ws) this.#live.delete(one);
    });
  }

  /** Closes every socket: 1006 breaks the connection without a close frame. */
  closeAll(code = 1006) {
    for (const ws of this.sockets) {
      if (code === 1006) resetSocket(ws._socket);
      else ws.close(code);
    }
  }

  stop() {
    for (const ws of this.sockets) ws.terminate();
    this.wss.close();
  }

  #onMessage(ws, text) {
    this.front.counters.wsMessages += 1;
    let request;
    try {
      request = JSON.parse(text);
    } catch {
      this.#send(ws, { error: { code: -32700, message: 'Parse error' }, id: null, jsonrpc: '2.0' });
      return;
    }
    const { id = null } = request;
    try {
      const { result, then } = this.#call(ws, request);
      this.#send(ws, { id, jsonrpc: '2.0', result });
      then?.();
    } catch (error) {
      const code = error instanceof RpcError ? error.toJSON() : { code: -32603, message: error.message };
      this.#send(ws, { error: code, id, jsonrpc: '2.0' });
    }
  }

  #call(ws, { method, params = [] }) {
    const [, kind, verb] = /^([a-z]+)(Subscribe|Unsubscribe)$/.exec(method) ?? [];
    if (!KINDS.includes(kind)) throw new RpcError(-32601, 'Method not found');
    if (verb === 'Subscribe') return this.#subscribe(ws, kind, params);
    const owned = [...this.#live].find((one) => one.id === params[0] && one.ws === ws && one.kind === kind);
    if (owned === undefined) throw invalidParams('Invalid subscription id.');
    this.#live.delete(owned);
    return { result: true };
  }

  #subscribe(ws, kind, params) {
    const limit = this.front.faults.has('wsLimit');
    const mine = [...this.#live].filter((one) => one.ws === ws).length;
    if (limit !== undefined && mine >= limit.max)
      throw new RpcError(-32603, 'Internal Error: Subscription refused. Node subscription limit reached');
    const { ledger } = this.front;
    const text = JSON.stringify([kind, ...params]);
    const equal = [...this.#live].filter((one) => one.text === text);
    const id = equal[0]?.id ?? this.#nextId++;
    if (equal.some((one) => one.ws === ws)) return { result: id };
    const config = params[1] ?? {};
    const tip = this.front.slotAt(config.commitment); // refuses an unknown commitment
    // As at real nodes, what has happened but not reached the commitment yet is told when it does.
    const later = ({ slot }) => slot > tip;
    const subscription = {
      id,
      text,
      ws,
      kind,
      key: keyOf(kind, params[0]),
      config,
      change: ledger.changesDropped + countBefore(ledger.changes, later),
      order: countBefore(ledger.records, later),
      slot: this.front.slotAt('processed'),
    };
    this.#live.add(subscription);
    return { result: id, then: () => this.#pump(subscription) };
  }

  /** Many changes of one tick are looked at once. */
  #wake() {
    if (this.woken || this.#live.size === 0) return;
    this.woken = true;
    setImmediate(() => {
      this.woken = false;
      for (const subscription of this.#live) this.#pump(subscription);
    });
  }

  #pump(subscription) {
    switch (subscription.kind) {
      case 'signature':
        return this.#pumpSignature(subscription);
      case 'logs':
        return this.#pumpLogs(subscription);
      case 'slot':
      case 'root':
        return this.#pumpSlot(subscription);
      default:
        return this.#pumpChanges(subscription);
    }
  }

  #pumpSlot(subscription) {
    const slot = this.front.slotAt('processed');
    if (slot <= subscription.slot) return;
    for (let at = subscription.slot + 1; at <= slot; at++) {
      if (subscription.kind === 'slot') this.#notify(subscription, { parent: at - 1, root: at - 32, slot: at });
      else this.#notify(subscription, at - 32);
    }
    subscription.slot = slot;
  }

  #pumpSignature(subscription) {
    const { front } = this;
    const { commitment = 'finalized', enableReceivedNotification } = subscription.config;
    const status = statusOf(front, subscription.key);
    if (status === null) return;
    const context = front.context(commitment);
    if (enableReceivedNotification && !subscription.received) {
      subscription.received = true;
      this.#notify(subscription, { context, value: 'receivedSignature' });
    }
    if (RANK[status.confirmationStatus] < RANK[commitment]) return;
    this.#notify(subscription, { context, value: { err: status.err } });
    this.#live.delete(subscription);
  }

  #pumpLogs(subscription) {
    const { front } = this;
    const { commitment } = subscription.config;
    const tip = front.slotAt(commitment);
    const records = front.ledger.recordsFrom(subscription.order);
    for (const record of records) {
      if (record.slot > tip) return;
      subscription.order = record.order + 1;
      const mentioned = subscription.key === 'all' || record.keys.includes(subscription.key);
      const value = { err: record.err, logs: record.logs, signature: record.signature };
      if (mentioned) this.#notify(subscription, { context: { apiVersion: '4.2.2', slot: record.slot }, value });
    }
  }

  /** Accounts and programs: the newest state of each changed key at or before the node's slot, once. */
  #pumpChanges(subscription) {
    const { ledger } = this.front;
    const { commitment } = subscription.config;
    const tip = this.front.slotAt(commitment);
    const changed = new Map(); // key -> slot
    for (let at = Math.max(0, subscription.change - ledger.changesDropped); at < ledger.changes.length; at++) {
      const { slot, key } = ledger.changes[at];
      if (slot > tip) break;
      subscription.change = ledger.changesDropped + at + 1;
      if (subscription.kind === 'program' || key === subscription.key) changed.set(key, slot);
    }
    for (const [key, slot] of changed) this.#notifyAccount(subscription, key, slot);
  }

  #notifyAccount(subscription, key, slot) {
    const { ledger } = this.front;
    const at = (other) => ledger.accountAt(other, slot);
    const account = at(key);
    const context = { apiVersion: '4.2.2', slot };
    const gone = { lamports: 0n, data: Buffer.alloc(0), owner: '11111111111111111111111111111111', executable: false };
    const value = encodeAccount(account ?? gone, subscription.config, at);
    if (subscription.kind === 'account') this.#notify(subscription, { context, value });
    else if (account?.owner === subscription.key) this.#notify(subscription, { context, value: { account: value, pubkey: key } });
  }

  #notify({ id, ws, kind }, result) {
    const { faults } = this.front;
    if (faults.has('wsSilence') || faults.has('wsHalfOpen')) return;
    const message = { jsonrpc: '2.0', method: `${kind}Notification`, params: { result, subscription: id } };
    this.#send(ws, message);
    if (faults.has('wsDuplicate')) this.#send(ws, message);
  }

  #send(ws, message) {
    if (ws.readyState === ws.OPEN) ws.send(toJson(message));
  }
}

/** How many items precede the newest ones for which `isNew` holds. */
function countBefore(items, isNew) {
  return items.findLastIndex((item) => !isNew(item)) + 1;
}

function keyOf(kind, param) {
  if (kind === 'slot' || kind === 'root') return undefined;
  if (kind === 'signature') {
    if (typeof param !== 'string' || param.length > 88) throw invalidParams('Invalid param: WrongSize');
    return param;
  }
  if (kind !== 'logs') return publicKey(param);
  if (param === 'all' || param === 'allWithVotes') return 'all';
  if (param?.mentions?.length !== 1) throw invalidParams('Invalid Request: Only 1 address supported');
  return publicKey(param.mentions[0]);
}
