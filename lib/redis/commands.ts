/**
 * @module redis/commands
 *
 * The table of commands: names, flags for the ledger in Rust, cached RESP prefixes, transformers. Built from `@ioredis/commands`; constant afterwards.
 */
import { exists, hasFlag, list } from '@ioredis/commands';
import { blockingKind, blockingMs } from './blocking.js';
import {
  type Argument,
  fields,
  flattened,
  keyIndexes,
  type KeyPrefix,
  normalise,
  prefixed,
  type RedisValue,
  spread,
} from './transformers.js';

/** Turns a decoded reply into what the caller gets. */
export type ReplyTransformer = (reply: unknown) => unknown;
/** Turns flattened arguments into those that are encoded. */
export type ArgumentTransformer = (args: Argument[]) => readonly Argument[];

/** Flags of a descriptor; the meaning is that of `src/redis/ledger.rs`. */
export const Flag = {
  readOnly: 1,
  idempotent: 2,
  blocking: 4,
  buffer: 8,
  script: 16,
  subscribe: 32,
  multi: 64,
  exec: 128,
  select: 256,
  quit: 512,
  monitor: 1024,
  client: 2048,
  mayBlock: 4096,
  loading: 8192,
  watch: 16_384,
  unwatch: 32_768,
  /** Rust does not know it: never sent. */
  reset: 65_536,
} as const;

/** The six commands that change subscriptions. */
const SUBSCRIBE = new Set(['subscribe', 'psubscribe', 'ssubscribe', 'unsubscribe', 'punsubscribe', 'sunsubscribe']);
const IN_SUBSCRIBER_MODE = new Set([...SUBSCRIBE, 'ping', 'quit']);
const IN_MONITOR_MODE = new Set(['monitor', 'auth']);
/** Writes whose second execution leaves the same state and gives the same answer. SET is judged by its arguments. */
const IDEMPOTENT = new Set(['mset', 'hmset', 'setex', 'psetex', 'ping', 'echo', 'info', 'time', 'command', 'select', 'auth', 'client']);
const SET_EXPIRY = new Set(['EX', 'PX', 'EXAT', 'PXAT']);
const FLAG_OF: Readonly<Record<string, number>> = {
  multi: Flag.multi,
  exec: Flag.exec,
  discard: Flag.exec,
  select: Flag.select,
  quit: Flag.quit,
  monitor: Flag.monitor,
  client: Flag.client,
  watch: Flag.watch,
  unwatch: Flag.unwatch,
  reset: Flag.reset,
};
/** Their keys follow a subcommand, and the peer puts no prefix before those: users name them in full. */
const NOT_PREFIXED = new Set(['xgroup', 'xinfo', 'object', 'memory']);
const SPREAD: Readonly<Record<string, 0 | 1>> = { mset: 0, msetnx: 0, hset: 1, hmset: 1 };

function flagsOf(name: string): number {
  let flags = FLAG_OF[name] ?? 0;
  if (exists(name) && hasFlag(name, 'readonly')) flags |= Flag.readOnly;
  if (IDEMPOTENT.has(name)) flags |= Flag.idempotent;
  if (SUBSCRIBE.has(name)) flags |= Flag.subscribe;
  if (exists(name) && hasFlag(name, 'loading')) flags |= Flag.loading;
  if (blockingKind(name) === 'always') flags |= Flag.blocking;
  if (blockingKind(name) === 'option') flags |= Flag.mayBlock;
  return flags;
}

/** Arguments that one call after the other begins with. */
export interface Repeated {
  readonly args: readonly string[];
  /** As they are sent. */
  readonly bytes: Uint8Array;
}

/** What is known about one command before it has arguments. */
export class CommandSpec {
  /** As it is sent. */
  readonly name: string;
  /** In the table: lower case. */
  readonly key: string;
  /** Flags that do not depend on arguments. */
  readonly flags: number;
  readonly inSubscriberMode: boolean;
  readonly inMonitorMode: boolean;
  /** Turns the decoded reply into what the caller gets. */
  reply: ReplyTransformer | undefined;
  /** Set by users: turns the flattened arguments into others, in place of what the command does by itself. */
  argument: ArgumentTransformer | undefined;
  /** Id of the script given to `registerScript`; 0 for none. */
  readonly script: number = 0;
  readonly #blocking: 'always' | 'option' | 'never';
  readonly #spread: 0 | 1 | undefined;
  readonly #prefixes: Uint8Array[] = [];

  constructor(name: string, extraFlags = 0) {
    this.name = name;
    this.key = name.toLowerCase();
    this.flags = flagsOf(this.key) | extraFlags;
    this.inSubscriberMode = IN_SUBSCRIBER_MODE.has(this.key);
    this.inMonitorMode = IN_MONITOR_MODE.has(this.key);
    this.#blocking = blockingKind(this.key);
    // As with the peer, transformers follow the lower-case name only: `call('HGETALL')` answers a list.
    this.reply = name === 'hgetall' ? fields : undefined;
    this.#spread = SPREAD[name];
  }

  /** The arguments as they are encoded. */
  prepare(args: Argument[]): RedisValue[] {
    const flat = flattened(args);
    if (this.argument !== undefined) return normalise([...this.argument(flat)]);
    return normalise(this.#spread === undefined ? flat : spread(this.#spread, flat));
  }

  /** What a call with these prepared arguments does to its reply. */
  // oxlint-disable-next-line typescript/no-unused-vars -- what a script adds looks at them
  replyOf(_args: readonly RedisValue[]): ReplyTransformer | undefined {
    return this.reply;
  }

  /** Keys among prepared arguments. */
  keys(args: readonly RedisValue[]): RedisValue[] {
    if (!exists(this.key)) return [];
    return keyIndexes(this.key, args).flatMap((index) => args[index] ?? []);
  }

  /** `args` with `prefix` before every key, as the peer counts them. */
  prefixKeys(args: RedisValue[], prefix: KeyPrefix): RedisValue[] {
    return exists(this.key) && !NOT_PREFIXED.has(this.key) ? prefixed(this.key, args, prefix) : args;
  }

  /** The arguments as they reach the server, for error reports. */
  shown(args: readonly RedisValue[]): readonly RedisValue[] {
    return args;
  }

  /** Flags with those that only the arguments show. */
  flagsWith(args: readonly RedisValue[], blocking: number): number {
    if (this.#blocking === 'option' && blocking >= 0) return this.flags | Flag.blocking;
    if (this.key === 'set' && plainSet(args)) return this.flags | Flag.idempotent;
    return this.flags;
  }

  /** The command's own timeout in milliseconds; -1 when it does not block. */
  blockingMs(args: readonly RedisValue[]): number {
    return this.#blocking === 'never' ? -1 : blockingMs(this.key, args);
  }

  /** The first arguments of a call, encoded, where they are those of the call before. */
  // oxlint-disable-next-line typescript/no-unused-vars -- a script looks at them
  repeated(_args: readonly RedisValue[]): Repeated | undefined {
    return undefined;
  }

  /** `*n\r\n$len\r\nNAME\r\n` for `count` arguments. */
  prefix(count: number): Uint8Array {
    return (this.#prefixes[count] ??= Buffer.from(this.header(count)));
  }

  /** The text of the prefix. */
  protected header(count: number): string {
    return `*${count + 1}\r\n$${Buffer.byteLength(this.name)}\r\n${this.name}\r\n`;
  }
}

/** SET whose repetition changes nothing: no NX, XX, GET, KEEPTTL. */
function plainSet(args: readonly RedisValue[]): boolean {
  return args.length === 2 || (args.length === 4 && SET_EXPIRY.has(String(args[2]).toUpperCase()));
}

const UNANSWERED = 'CLIENT REPLY OFF and SKIP are not possible: the client waits for a reply to every command';
const UNTOLD = "RESET is not possible: user, database, name and subscriptions of the connection are the client's, which would not know";

/** Why a command must not be sent: one after which replies no longer belong to their commands, or the connection is not what the client takes it for. */
export function forbidden(spec: CommandSpec, args: readonly RedisValue[]): string | undefined {
  if ((spec.flags & (Flag.client | Flag.reset)) === 0) return undefined;
  if ((spec.flags & Flag.reset) !== 0) return UNTOLD;
  const [what, how] = args.slice(0, 2).map((argument) => String(argument).toLowerCase());
  return what === 'reply' && how !== 'on' ? UNANSWERED : undefined;
}

/** Built-in commands that get a method, as the peer lists them. */
export const COMMAND_NAMES: readonly string[] = [...list.filter((name) => name !== 'monitor'), 'sentinel'];

const SPECS = new Map([...COMMAND_NAMES, 'monitor'].map((name) => [name, new CommandSpec(name)]));

/** What is known about the command `name`, in any case. */
export function specOf(name: string): CommandSpec {
  return SPECS.get(name) ?? new CommandSpec(name);
}

/** The table's own entry for `name`, made when the command is not known: transformers set on it hold for every client. */
export function sharedSpec(name: string): CommandSpec {
  const spec = specOf(name);
  SPECS.set(name, spec);
  return spec;
}
