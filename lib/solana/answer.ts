/**
 * @module solana/answer
 *
 * Small answers in the shape that nodes give them, told by a look at their fields instead of a schema. `undefined` means: not the usual shape. The pool's own
 * methods refuse it; those of a `Connection` let the peer decide.
 */
import { type Failure, MooringError } from '../error/index.js';
import type { Outcome } from '../lane.js';

/** An outcome that is no failure. */
export type Answered = Exclude<Outcome, Failure>;

/** What `look` makes of an answer to `method`. @throws MooringError `MOORING_PROTOCOL` when it is not of the usual shape. */
export function expected<T>(method: string, look: () => T | undefined): T {
  let seen: T | undefined;
  try {
    seen = look();
  } catch {
    // A look that stumbles has seen another shape; its own message may quote what it saw.
  }
  if (seen !== undefined) return seen;
  throw new MooringError('MOORING_PROTOCOL', `reply to ${method} is not of the usual shape`, { details: { maybeExecuted: false } });
}

/** `{context, value: number}` */
export function balance(outcome: Answered): unknown {
  const answer = parse(outcome);
  return typeof answer?.value === 'number' ? answer : undefined;
}

/** `{context, value: {blockhash, lastValidBlockHeight}}` */
export function blockhash(outcome: Answered): unknown {
  const answer = parse(outcome);
  if (!isObject(answer?.value)) return undefined;
  const { blockhash: hash, lastValidBlockHeight } = answer.value;
  return typeof hash === 'string' && typeof lastValidBlockHeight === 'number' ? answer : undefined;
}

/** `{context, value: (status | null)[]}` */
export function statuses(outcome: Answered): unknown {
  const answer = parse(outcome);
  return Array.isArray(answer?.value) && answer.value.every(isStatus) ? answer : undefined;
}

/** `{context, value: {amount, decimals, ...}}` */
export function tokenAmount(outcome: Answered): unknown {
  const answer = parse(outcome);
  if (!isObject(answer?.value)) return undefined;
  const { amount, decimals } = answer.value;
  return typeof amount === 'string' && typeof decimals === 'number' ? answer : undefined;
}

/** `{context, value: []}` */
export function list(outcome: Answered): unknown {
  const answer = parse(outcome);
  return Array.isArray(answer?.value) ? answer : undefined;
}

function isStatus(value: unknown): boolean {
  if (value === null) return true;
  if (!isObject(value)) return false;
  const { slot, confirmations, err, confirmationStatus: status } = value;
  const known = status === undefined || status === 'processed' || status === 'confirmed' || status === 'finalized';
  const failed = err === null || typeof err === 'string' || isObject(err);
  return typeof slot === 'number' && (confirmations === null || typeof confirmations === 'number') && failed && known;
}

/** `{context: {slot: number}, ...}` */
function parse(outcome: Answered): { readonly value?: unknown } | undefined {
  const answer: unknown = JSON.parse(String(outcome));
  if (!isObject(answer)) return undefined;
  const { context } = answer;
  return isObject(context) && typeof context['slot'] === 'number' ? answer : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
