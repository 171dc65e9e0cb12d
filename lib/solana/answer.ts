/**
 * @module solana/answer
 *
 * Small answers in the shape that nodes give them, told by a look at their fields instead of a schema. `undefined` means: not the usual shape, the peer decides.
 */
import type { Failure } from '../error/index.js';
import type { Outcome } from '../lane.js';

/** An outcome that is no failure. */
export type Answered = Exclude<Outcome, Failure>;

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
