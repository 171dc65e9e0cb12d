/**
 * @module redis/bullmq-client
 *
 * BullMQ 6's `IRedisClient`, natively: a `Redis` whose commands also take BullMQ's structured forms, so that BullMQ uses it as it is instead of
 * wrapping it in its ioredis proxy.
 *
 * Guarantees: what a `Redis` takes is taken here too; duplicates know the scripts of the client they come from. Does not import BullMQ.
 */
import type { Callback } from './callback.js';
import { Redis } from './client.js';
import { RUN } from './commander.js';
import type { ChainableCommands, RedisCommands, RedisKey } from './command-types.js';
import { specOf } from './commands.js';
import type { RedisOptions } from './options.js';
import { type MemberResult, Pipeline } from './pipeline.js';
import type { Argument, RedisValue } from './transformers.js';

/** Expiry of `set`. */
interface Expiry {
  readonly PX?: number;
  readonly EX?: number;
}

/** Bounds of a stream. */
interface StreamBound {
  readonly MAXLEN?: number;
  /** Default true. */
  readonly approximate?: boolean;
}

interface StreamRead {
  readonly BLOCK?: number;
  readonly COUNT?: number;
}

interface ScanOptions {
  readonly MATCH?: string;
  readonly COUNT?: number;
}

interface RangeOptions {
  readonly WITHSCORES?: boolean;
}

type Values = Readonly<Record<string, string | number>>;
type Range = (key: RedisKey, start: number, end: number, options?: RangeOptions) => Promise<string[]>;
type Form<Name extends keyof RedisCommands, Structured> = Structured & RedisCommands[Name];

/** A pipeline or transaction of a `BullmqClient`. */
export interface BullmqTransaction extends Omit<Pipeline, 'multi' | 'addBatch' | 'exec'>, ChainableCommands<BullmqTransaction> {
  multi(): BullmqTransaction;
  addBatch(commands?: readonly (readonly Argument[])[]): BullmqTransaction;
  /** Adds a script that was defined on the client. */
  runCommand(name: string, args: readonly Argument[]): BullmqTransaction;
  exec(callback?: Callback<MemberResult[] | null>): Promise<MemberResult[] | null>;
}

// oxlint-disable-next-line typescript/no-unsafe-declaration-merging -- the structured forms are installed on the prototype below
export interface BullmqClient {
  set: Form<'set', (key: RedisKey, value: RedisValue, options?: Expiry) => Promise<string | null>>;
  zrange: Form<'zrange', Range>;
  zrevrange: Form<'zrevrange', Range>;
  xadd: Form<'xadd', (key: RedisKey, id: string, fields: Values, options?: StreamBound) => Promise<string>>;
  xread: Form<'xread', (streams: readonly { readonly key: RedisKey; readonly id: string }[], options?: StreamRead) => Promise<unknown>>;
  xtrim: Form<'xtrim', (key: RedisKey, strategy: 'MAXLEN', threshold: number, options?: StreamBound) => Promise<number>>;
  scan: Form<'scan', (cursor: number | string, options: ScanOptions) => Promise<[string, string[]]>>;
  lpos: Form<'lpos', (key: RedisKey, value: RedisValue) => Promise<number | null>>;
  ltrim: Form<'ltrim', (key: RedisKey, start: number, end: number) => Promise<string>>;
}

/** A Redis client that BullMQ 6 uses without a wrapper. Also everything that `Redis` is. */
// oxlint-disable-next-line typescript/no-unsafe-declaration-merging -- see above
export class BullmqClient extends Redis {
  /** Runs a script by the name that it was defined with. Rejects for a name that is not known. */
  runCommand(name: string, args: readonly Argument[]): Promise<unknown> {
    const spec = this.scriptsSet[name];
    if (spec === undefined) return Promise.reject(new TypeError(`script ${name} is not defined`));
    return this[RUN]({ spec, args: [...args], buffers: false, callback: undefined }) as Promise<unknown>;
  }

  /** Names the connection. */
  clientSetName(name: string): Promise<unknown> {
    return this.client('SETNAME', name);
  }

  /** What the server knows about all of its connections. */
  clientList(): Promise<string> {
    return this.client('LIST') as Promise<string>;
  }

  /** What the server knows about this connection. */
  clientInfo(): Promise<string> {
    return this.client('INFO') as Promise<string>;
  }

  /** Another client with the same options and scripts. */
  override duplicate(override: RedisOptions = {}): BullmqClient {
    const other = new BullmqClient({ ...this.options, ...override });
    for (const [name, script] of Object.entries(this.scriptsSet))
      if (!(name in other.scriptsSet)) other.defineCommand(name, script.definition);
    return other;
  }

  declare pipeline: (commands?: readonly (readonly Argument[])[]) => BullmqTransaction;
  declare multi: Redis['multi'] & ((commands?: readonly (readonly Argument[])[]) => BullmqTransaction);

  protected override get pipelineBase(): typeof Pipeline {
    return Transaction;
  }
}

/** Scripts by name, structured scans, and DEL without keys as nothing at all. */
class Transaction extends Pipeline {
  runCommand(name: string, args: readonly Argument[]): this {
    const spec = this.redis.scriptsSet[name];
    if (spec === undefined) throw new TypeError(`script ${name} is not defined`);
    return this[RUN]({ spec, args: [...args], buffers: false, callback: undefined });
  }

  del(...keys: Argument[]): this {
    return keys.length === 0 ? this : this.#add('del', keys);
  }

  hscan(...args: Argument[]): this {
    return this.#add('hscan', scanned(args, 2));
  }

  sscan(...args: Argument[]): this {
    return this.#add('sscan', scanned(args, 2));
  }

  #add(name: string, args: Argument[]): this {
    return this[RUN]({ spec: specOf(name), args, buffers: false, callback: undefined });
  }
}

/** Whether an argument is an options object: not a value, a list or a callback. */
function isOptions(argument: unknown): argument is Record<string, Argument> {
  return typeof argument === 'object' && argument !== null && !Buffer.isBuffer(argument) && !Array.isArray(argument);
}

/** `[.., { NAME: value }]` as `[.., 'NAME', value]` for the names given. */
function spelled(args: Argument[], at: number, names: readonly string[]): Argument[] {
  const options = args[at];
  if (!isOptions(options)) return args;
  return [
    ...args.slice(0, at),
    ...names.flatMap((name) => (options[name] === undefined || options[name] === null ? [] : [name, options[name]])),
  ];
}

function scanned(args: Argument[], at: number): Argument[] {
  return spelled(args, at, ['MATCH', 'COUNT']);
}

function ranged(args: Argument[]): Argument[] {
  const options = args[3];
  if (!isOptions(options)) return args;
  return [...args.slice(0, 3), ...(options['WITHSCORES'] === true ? ['WITHSCORES'] : [])];
}

/** `MAXLEN ~ n`, as far as it is asked for. */
function bounded(maxlen: Argument, approximate: Argument): Argument[] {
  return maxlen === undefined || maxlen === null ? [] : ['MAXLEN', ...(approximate === false ? [] : ['~']), maxlen];
}

function added(args: Argument[]): Argument[] {
  const [key, id, fields, bound] = args;
  if (!isOptions(fields)) return args;
  const options = isOptions(bound) ? bound : {};
  return [key, ...bounded(options['MAXLEN'], options['approximate']), id, ...Object.entries(fields).flat()];
}

function read(args: Argument[]): Argument[] {
  const [streams, options] = args;
  if (!Array.isArray(streams) || !streams.every(isOptions)) return args;
  const named = streams as { key: Argument; id: Argument }[];
  return [...spelled([options], 0, ['BLOCK', 'COUNT']), 'STREAMS', ...named.map(({ key }) => key), ...named.map(({ id }) => id)];
}

function trimmed(args: Argument[]): Argument[] {
  const [key, , threshold, options] = args;
  return isOptions(options) ? [key, ...bounded(threshold, options['approximate'])] : args;
}

/** SET takes one expiry: that in milliseconds wins. */
function expiring(args: Argument[]): Argument[] {
  return spelled(args, 2, ['PX', 'EX']).slice(0, isOptions(args[2]) ? 4 : undefined);
}

/** How the structured form of a command becomes its arguments; other forms stay as they are. */
const FORMS: Readonly<Record<string, (args: Argument[]) => Argument[]>> = {
  set: expiring,
  zrange: ranged,
  zrevrange: ranged,
  xadd: added,
  xread: read,
  xtrim: trimmed,
  scan: (args) => scanned(args, 1),
};

/** The methods of `Redis`, with structured forms in front of them; DEL without keys deletes nothing. */
function installForms(target: object): void {
  const inherited = Redis.prototype as unknown as Record<string, (...args: Argument[]) => Promise<unknown>>;
  const methods: Record<string, (this: BullmqClient, ...args: Argument[]) => Promise<unknown>> = {};
  for (const [name, form] of Object.entries(FORMS)) {
    const method = inherited[name]!;
    methods[name] = function command(...args) {
      return method.apply(this, form(args));
    };
  }
  const remove = inherited['del']!;
  methods['del'] = function del(...keys) {
    return keys.length === 0 ? Promise.resolve(0) : remove.apply(this, keys);
  };
  for (const [name, value] of Object.entries(methods)) Object.defineProperty(target, name, { value, writable: true, configurable: true });
}

installForms(BullmqClient.prototype);
