/**
 * @module dev/solana-rpc/front
 *
 * One node as its clients see it: a view of the ledger that may lag, freeze or lie, and its own faults and counters. Executes JSON-RPC bodies; HTTP and
 * websocket are next door.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { randomBytes } from 'node:crypto';
import { accountMethods } from './account-methods.mjs';
import { toBase58 } from './base58.mjs';
import { chainMethods } from './chain-methods.mjs';
import { invalidParams, RpcError, slotNotReached } from './errors.mjs';
import { Faults } from './faults.mjs';
import { historyMethods } from './history-methods.mjs';
import { sendMethods } from './send-methods.mjs';

const METHODS = new Map(Object.entries({ ...accountMethods, ...chainMethods, ...historyMethods, ...sendMethods }));
/** Slots below the newest one. The default of a node is `finalized`. */
const DEPTH = { processed: 0, confirmed: 1, finalized: 32 };
/** More than this behind, a node calls itself unhealthy. */
const UNHEALTHY_SLOTS = 128;
const KEPT_ARRIVALS = 200_000;

export class Front {
  constructor(ledger, index) {
    this.ledger = ledger;
    this.index = index;
    this.identity = toBase58(randomBytes(32));
    this.faults = new Faults();
    this.ghosts = new Map(); // signature -> { slot, until }: seen here, then lost in a fork
    this.sends = new Map(); // signature -> how often it was received, was to be simulated, was not to be retried by the node
    this.loopDelay = monitorEventLoopDelay({ resolution: 5 });
    this.loopDelay.enable();
    this.resetHits();
  }

  resetHits() {
    this.counters = { requests: 0, methods: {}, faults: {}, wsMessages: 0, maxInFlight: 0 };
    this.arrivals = []; // [[ms since the epoch, method]]
    this.loopDelay.reset();
    this.inFlight = 0;
  }

  /** Milliseconds by which an arrival may have been noted late: the longest that this process was held up since the last reset. */
  get lateMs() {
    return this.loopDelay.max / 1e6;
  }

  /** Slots this node is behind and admits it; a `healthy` lag is not admitted. */
  slotsBehind() {
    const lag = this.faults.has('lag');
    return lag === undefined || lag.healthy || lag.slots <= UNHEALTHY_SLOTS ? 0 : lag.slots;
  }

  slotAt(commitment = 'finalized') {
    const depth = DEPTH[commitment];
    if (depth === undefined)
      throw invalidParams(
        `Invalid params: unknown variant \`${commitment}\`, expected one of \`processed\`, \`confirmed\`, \`finalized\`.`,
      );
    const frozen = this.faults.has('freeze');
    if (frozen !== undefined) frozen.at ??= this.ledger.slot;
    return (frozen?.at ?? this.ledger.slot) - (this.faults.has('lag')?.slots ?? 0) - depth;
  }

  blockAt(commitment) {
    return this.ledger.blockAt(this.slotAt(commitment));
  }

  /** A block's height; a lying provider gives its slot. */
  heightOf(block) {
    return this.faults.has('slotAsHeight') === undefined ? block.height : block.slot;
  }

  context(commitment) {
    return { apiVersion: '4.2.2', slot: this.slotAt(commitment) };
  }

  noteSend(signature, { skipPreflight, maxRetries } = {}) {
    const { received = 0, simulated = 0, unretried = 0 } = this.sends.get(signature) ?? {};
    this.sends.set(signature, {
      received: received + 1,
      simulated: simulated + (skipPreflight === true ? 0 : 1),
      unretried: unretried + (maxRetries === 0 ? 1 : 0),
    });
  }

  /** Passes a transaction on to the leader, or does what the fault of the moment says. */
  forward(transaction) {
    const { signature } = transaction;
    const methods = ['sendTransaction'];
    if (this.faults.take('blackhole', methods) !== undefined) return;
    const fork = this.faults.take('fork', methods);
    if (fork !== undefined) {
      this.ghosts.set(signature, { ghost: true, err: null, slot: this.ledger.slot, until: this.ledger.slot + (fork.slots ?? 5) });
      return;
    }
    const late = this.faults.take('late', methods);
    if (late === undefined) this.ledger.land(transaction);
    else this.ledger.landLate(transaction, late.slots);
  }

  /** A transaction of an abandoned fork, while it is still seen here. */
  ghost(signature) {
    const ghost = this.ghosts.get(signature);
    return ghost === undefined || this.ledger.slot >= ghost.until ? undefined : ghost;
  }

  noteArrival(methods) {
    const now = Date.now();
    this.counters.requests += 1;
    for (const method of methods) {
      this.counters.methods[method] = (this.counters.methods[method] ?? 0) + 1;
      this.arrivals.push([now, method]);
    }
    if (this.arrivals.length > KEPT_ARRIVALS) this.arrivals.splice(0, KEPT_ARRIVALS / 2);
  }

  noteFault(kind) {
    this.counters.faults[kind] = (this.counters.faults[kind] ?? 0) + 1;
  }

  /** Answers a parsed body: one reply, or one for each member of a batch. */
  answer(body) {
    if (!Array.isArray(body)) return this.#answerOne(body);
    if (body.length === 0) return { error: { code: -32600, message: 'Invalid request' }, id: null, jsonrpc: '2.0' };
    return body.map((request) => this.#answerOne(request));
  }

  #answerOne(request) {
    const id = request?.id ?? null;
    try {
      return { id, jsonrpc: '2.0', result: this.#call(request) };
    } catch (error) {
      if (error instanceof RpcError) return { error: error.toJSON(), id, jsonrpc: '2.0' };
      process.stderr.write(`[solana-rpc] ${request?.method}: ${error.stack}\n`);
      return { error: { code: -32603, message: `Internal error: ${error.message}` }, id, jsonrpc: '2.0' };
    }
  }

  #call(request) {
    if (typeof request?.method !== 'string' || request.jsonrpc !== '2.0') throw new RpcError(-32600, 'Invalid request');
    const method = METHODS.get(request.method);
    if (method === undefined) throw new RpcError(-32601, 'Method not found');
    const params = request.params ?? [];
    if (!Array.isArray(params)) throw invalidParams('Invalid params: expected an array.');
    for (const config of params) {
      const floor = config?.minContextSlot;
      const slot = floor === undefined ? 0 : this.slotAt(config.commitment ?? config.preflightCommitment);
      if (floor > slot) throw slotNotReached(slot);
    }
    return method(this, params);
  }
}

/** The methods a body names. */
export function methodsOf(body) {
  return (Array.isArray(body) ? body : [body]).map((request) => String(request?.method ?? 'invalid'));
}
