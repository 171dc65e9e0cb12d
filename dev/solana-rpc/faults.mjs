/**
 * @module dev/solana-rpc/faults
 *
 * What is wrong with one front end at the moment. A fault is `{ kind, methods?, probability?, count?, ... }`: `methods` limits it to requests that name one of
 * them, `probability` (0..1, default 1) rolls for each request, `count` removes it after so many hits. Unknown kinds and options are refused.
 */

/** Every kind with the options of its own. README.md says what each does. */
const KINDS = {
  status: ['status', 'retryAfter', 'body'],
  envelope: ['code', 'message', 'data'],
  reset: ['when'],
  hang: ['when'],
  rateLimit: ['perSecond', 'retryAfter'],
  delay: ['ms'],
  drip: ['ms', 'bytes'],
  truncate: ['clean'],
  wrongId: [],
  gzip: ['force'],
  socketCap: ['max'],
  idleClose: ['ms'],
  refuse: [],
  lag: ['slots', 'healthy'],
  freeze: [],
  blackhole: [],
  late: ['slots'],
  fork: ['slots'],
  slotAsHeight: [],
  wrongSignature: [],
  wsClose: ['code'],
  wsSilence: [],
  wsNoPong: [],
  wsHalfOpen: [],
  wsLimit: ['max'],
  wsDuplicate: [],
  wsRefuse: ['status'],
};
/** Which of the filters a kind obeys, where it is not all of them. States are on or off. */
const STATE = [];
const FILTERS = {
  rateLimit: ['methods'],
  blackhole: ['probability', 'count'],
  late: ['probability', 'count'],
  fork: ['probability', 'count'],
  wrongSignature: ['probability', 'count'],
  wsRefuse: ['probability', 'count'],
  socketCap: STATE,
  idleClose: STATE,
  refuse: STATE,
  lag: STATE,
  freeze: STATE,
  slotAsHeight: STATE,
  wsClose: STATE,
  wsSilence: STATE,
  wsNoPong: STATE,
  wsHalfOpen: STATE,
  wsLimit: STATE,
  wsDuplicate: STATE,
};
const ALL_FILTERS = ['methods', 'probability', 'count'];
const REQUIRED = {
  status: ['status'],
  envelope: ['code'],
  rateLimit: ['perSecond'],
  delay: ['ms'],
  socketCap: ['max'],
  idleClose: ['ms'],
  lag: ['slots'],
  late: ['slots'],
  wsLimit: ['max'],
};

/** Throws when a fault says something that nothing would obey. */
export function checkFault(spec) {
  const own = KINDS[spec?.kind];
  if (own === undefined) throw new Error(`unknown fault kind ${JSON.stringify(spec?.kind)}: one of ${Object.keys(KINDS).join(', ')}`);
  const filters = FILTERS[spec.kind] ?? ALL_FILTERS;
  const unknown = Object.keys(spec).find((name) => name !== 'kind' && !own.includes(name) && !filters.includes(name));
  if (unknown !== undefined) throw new Error(`fault ${spec.kind} has no option ${unknown}`);
  const missing = (REQUIRED[spec.kind] ?? []).find((name) => spec[name] === undefined);
  if (missing !== undefined) throw new Error(`fault ${spec.kind} needs the option ${missing}`);
}

export class Faults {
  #active = [];

  add(spec) {
    checkFault(spec);
    if (FILTERS[spec.kind] === STATE) this.clear(spec.kind);
    this.#active.push({ ...spec, left: spec.count ?? Infinity, admitted: [] });
  }

  /** Removes all, or those of one kind. */
  clear(kind) {
    this.#active = kind === undefined ? [] : this.#active.filter((fault) => fault.kind !== kind);
  }

  /** The fault of a kind that hits a request with these methods; uses up one of its count. */
  take(kind, methods, accept = () => true) {
    const fault = this.#active.find(
      (one) => one.kind === kind && accept(one) && concerns(one, methods) && Math.random() < (one.probability ?? 1),
    );
    if (fault === undefined) return undefined;
    fault.left -= 1;
    if (fault.left <= 0) this.#active = this.#active.filter((one) => one !== fault);
    return fault;
  }

  /** The fault of a kind as a state of the front end: looked at, not used up. */
  has(kind) {
    return this.#active.find((fault) => fault.kind === kind);
  }

  /** The rate limit that refuses a request now; an admitted request is counted. Windows slide over one second. */
  refusedByRate(methods) {
    const now = performance.now();
    for (const fault of this.#active) {
      if (fault.kind !== 'rateLimit' || !concerns(fault, methods)) continue;
      fault.admitted = fault.admitted.filter((at) => at > now - 1000);
      if (fault.admitted.length >= fault.perSecond) return fault;
      fault.admitted.push(now);
    }
    return undefined;
  }
}

function concerns(fault, methods) {
  return fault.methods === undefined || methods.some((method) => fault.methods.includes(method));
}
