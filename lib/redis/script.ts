/**
 * @module redis/script
 *
 * Lua scripts as commands. JavaScript always encodes EVALSHA; Rust swaps in EVAL with the text when a connection has not seen it.
 */
import { createHash } from 'node:crypto';
import { invalidArgument } from '../error/index.js';
import { CommandSpec, Flag, type Repeated, type ReplyTransformer } from './commands.js';
import { type KeyPrefix, type RedisValue, withPrefix } from './transformers.js';

/** What `defineCommand` takes. */
export interface ScriptDefinition {
  /** The Lua text. */
  readonly lua: string;
  /** How many of the arguments are keys. Without it the first argument of each call says so. */
  readonly numberOfKeys?: number | undefined;
  /** The script only reads: it may be repeated after a lost connection. */
  readonly readOnly?: boolean | undefined;
  /** Running it twice does the same as once: it may be repeated after a lost connection. Default false, but true for the scripts by which queue workers take and finish jobs. */
  readonly idempotent?: boolean | undefined;
}

/**
 * Scripts by which workers of BullMQ and Bull take and finish jobs. They are guarded by the job's lock token or only take the next job, and their
 * callers rely on them being sent again after a lost connection: when one is rejected instead, a worker pauses for `runRetryDelay` (15 s).
 * Scripts that add jobs are not among them: repeating those could add a job twice.
 */
const GUARDED_BY_LOCK = new Set([
  ...['moveToActive', 'moveToFinished', 'moveToDelayed', 'moveToWaitingChildren', 'moveJobFromActiveToWait', 'moveStalledJobsToWait'],
  ...['extendLock', 'extendLocks', 'releaseLock', 'takeLock', 'retryJob', 'updateDelaySet', 'updateProgress'],
]);

/** After so many calls in a row whose keys are other ones than those of the call before, the keys of a script are no longer remembered. */
const MOST_CHANGES = 16;

/** A defined script. Its sha and, when fixed, its number of keys are part of the cached prefix. */
export class Script extends CommandSpec {
  override readonly script: number;
  /** What it was made from; duplicates of a client define it again. */
  readonly definition: ScriptDefinition;
  readonly lua: string;
  readonly sha: string;
  readonly numberOfKeys: number | undefined;
  /** Looks on at single calls: their arguments, and the reply when it is no error. */
  witness: ((args: readonly RedisValue[], reply: unknown) => void) | undefined;
  #keys: Repeated = { args: [], bytes: Buffer.alloc(0) };
  #changes = 0;

  constructor(id: number, name: string, definition: ScriptDefinition) {
    super('evalsha', flagsOf(name, definition));
    this.script = id;
    this.definition = definition;
    this.lua = definition.lua;
    this.sha = createHash('sha1').update(definition.lua).digest('hex');
    this.numberOfKeys = typeof definition.numberOfKeys === 'number' ? definition.numberOfKeys : undefined;
  }

  /** What stands before the arguments of a call: sha and number of keys. */
  get head(): (string | number)[] {
    return this.numberOfKeys === undefined ? [this.sha] : [this.sha, this.numberOfKeys];
  }

  override replyOf(args: readonly RedisValue[]): ReplyTransformer | undefined {
    const { witness, reply } = this;
    if (witness === undefined) return reply;
    return (value) => {
      witness(args, value);
      return reply === undefined ? value : reply(value);
    };
  }

  override keys(args: readonly RedisValue[]): RedisValue[] {
    return args.slice(...this.#keyRange(args));
  }

  override prefixKeys(args: RedisValue[], prefix: KeyPrefix): RedisValue[] {
    const [first, end] = this.#keyRange(args);
    return args.map((argument, index) => (index >= first && index < end ? withPrefix(argument, prefix) : argument));
  }

  #keyRange(args: readonly RedisValue[]): [first: number, end: number] {
    const first = this.numberOfKeys === undefined ? 1 : 0;
    return [first, first + (this.numberOfKeys ?? (Number(args[0]) || 0))];
  }

  /** Its keys, or the first of them: a queue names the same ones in every call, which is most of what there is to encode. */
  override repeated(args: readonly RedisValue[]): Repeated | undefined {
    if (this.#changes > MOST_CHANGES) return undefined;
    const known = this.#keys.args;
    for (let index = 0; index < known.length; index++) if (args[index] !== known[index]) return this.#changed(args, index);
    if (known.length === 0) return this.#changed(args, 0);
    this.#changes = 0;
    return this.#keys;
  }

  /** So many keys are those of the calls before: from now on these are looked at, or those of this call if there are none. */
  #changed(args: readonly RedisValue[], same: number): undefined {
    const keys = same > 0 ? this.#keys.args.slice(0, same) : args.slice(0, this.numberOfKeys ?? 0);
    // Bytes may change in place: only texts are the same again.
    const other = keys.findIndex((key) => typeof key !== 'string');
    const texts = (other < 0 ? keys : keys.slice(0, other)) as string[];
    this.#changes = texts.length === 0 ? MOST_CHANGES + 1 : this.#changes + 1;
    this.#keys = { args: texts, bytes: Buffer.from(texts.map((key) => `$${Buffer.byteLength(key)}\r\n${key}\r\n`).join('')) };
  }

  override shown(args: readonly RedisValue[]): readonly RedisValue[] {
    return [...this.head, ...args];
  }

  protected override header(count: number): string {
    const { head } = this;
    const texts = ['evalsha', ...head.map(String)];
    return `*${count + texts.length}\r\n${texts.map((text) => `$${text.length}\r\n${text}\r\n`).join('')}`;
  }
}

function flagsOf(name: string, definition: ScriptDefinition): number {
  const idempotent = definition.idempotent ?? GUARDED_BY_LOCK.has(name.split(':', 1)[0] ?? name);
  return Flag.script | (definition.readOnly === true ? Flag.readOnly : 0) | (idempotent ? Flag.idempotent : 0);
}

/** Refuses what cannot be a script. */
export function checkDefinition(name: string, definition: ScriptDefinition): void {
  if (typeof name !== 'string' || name === '') throw invalidArgument('name', 'name of a script must be a non-empty string');
  if (typeof (definition as ScriptDefinition | null)?.lua !== 'string')
    throw invalidArgument('definition', `definition of script ${name} has no lua text`);
  const { numberOfKeys } = definition;
  if (typeof numberOfKeys === 'number' && (!Number.isInteger(numberOfKeys) || numberOfKeys < 0)) {
    throw invalidArgument('numberOfKeys', `number of keys of script ${name} must be an integer of 0 or more`);
  }
}
