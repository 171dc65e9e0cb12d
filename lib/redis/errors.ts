/**
 * @module redis/errors
 *
 * The error classes that Redis clients' users match on, and how a failure record or an error reply becomes one of them.
 *
 * Guarantees: texts are exactly those of the peer; the `MooringError` with its stable code is the non-enumerable `cause`, and `sent` (`'no'` or
 * `'maybe'`) tells whether the command may have reached the server, so that deep equality with the peer's errors holds.
 */
import { fromFailure, MooringError } from '../error/index.js';
import type { ErrorCode, FailureRecord } from '../native.js';
import type { RedisValue } from './transformers.js';

/** Whether a failed command may have been executed. */
export type Sent = 'no' | 'maybe';

/** The command that an error belongs to. */
export interface CommandInfo {
  readonly name: string;
  readonly args: readonly RedisValue[];
}

/** Commands whose arguments are credentials: never shown. */
const SECRET_COMMANDS = new Set(['auth', 'hello', 'migrate', 'acl']);
/** Commands that write settings, and what those are called that are credentials. */
const SETTING_COMMANDS = new Set(['config', 'sentinel']);
const SECRET_SETTING = /pass|auth/i;
const BRAND = Symbol.for('mooring.redis.error');

/** Root of the errors about Redis. `instanceof` holds across copies of the package. */
export class RedisError extends Error {
  /** The command that failed, where there is one; members of an EXEC reply have no such property. */
  declare command?: CommandInfo;

  constructor(message: string) {
    super(message);
    Object.defineProperty(this, BRAND, { value: new.target.brand });
  }

  /** What marks the class in `instanceof`. */
  static get brand(): string {
    return '/';
  }

  override get name(): string {
    return 'RedisError';
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    // A user's own subclass has no brand of its own: the prototype chain decides.
    if (!Object.hasOwn(this, 'brand')) return Function.prototype[Symbol.hasInstance].call(this, value);
    if (typeof value !== 'object' || value === null) return false;
    const brand: unknown = (value as Record<symbol, unknown>)[BRAND];
    return typeof brand === 'string' && brand.startsWith(this.brand);
  }
}

/** The server answered with an error; the message is its text, verbatim. */
export class ReplyError extends RedisError {
  static override get brand(): string {
    return '/reply/';
  }

  override get name(): string {
    return 'ReplyError';
  }
}

/** The server's answer could not be understood; the connection was dropped. */
export class ParserError extends RedisError {
  static override get brand(): string {
    return '/parser/';
  }

  override get name(): string {
    return 'ParserError';
  }
}

/** The command was given up before its answer came. */
export class AbortError extends RedisError {
  static override get brand(): string {
    return '/abort/';
  }

  override get name(): string {
    return 'AbortError';
  }
}

/** Reconnecting failed as often as `maxRetriesPerRequest` allows. */
export class MaxRetriesPerRequestError extends AbortError {
  static override get brand(): string {
    return '/abort/max/';
  }

  override get name(): string {
    return 'MaxRetriesPerRequestError';
  }
}

/** No node of a cluster could tell its slots. */
export class ClusterAllFailedError extends RedisError {
  static readonly defaultMessage = 'Failed to refresh slots cache.';
  /** What the last node that was asked answered. */
  readonly lastNodeError: Error | undefined;

  constructor(message: string, lastNodeError?: Error) {
    super(message);
    this.lastNodeError = lastNodeError;
    Object.defineProperty(this, 'cause', {
      configurable: true,
      value: new MooringError('MOORING_CONNECT_FAILED', message, { cause: lastNodeError }),
    });
  }

  static override get brand(): string {
    return '/cluster/';
  }

  override get name(): string {
    return 'ClusterAllFailedError';
  }
}

/** The text of every command that a closed connection settles. */
export const CONNECTION_CLOSED = 'Connection is closed.';

/** What a `RedisError` shows of a command: its arguments unless they are credentials. */
export function commandInfo(name: string, args: readonly RedisValue[]): CommandInfo {
  const key = name.toLowerCase();
  const secret = SECRET_COMMANDS.has(key);
  const settings = SETTING_COMMANDS.has(key);
  const isSecret = (index: number): boolean => secret || (settings && index > 0 && SECRET_SETTING.test(String(args[index - 1])));
  return {
    name,
    args: args.map((argument, index) => (isSecret(index) ? '?' : typeof argument === 'number' ? String(argument) : argument)),
  };
}

/** The error of a reply to a command, with that command. A server that does not know one repeats the arguments it got, cut off somewhere. */
export function commandError(error: Error, name: string, args: readonly RedisValue[]): Error {
  const command = commandInfo(name, args);
  const key = name.toLowerCase();
  const [text] = error.message.split(', with args beginning with', 1);
  if (text === error.message || !(SECRET_COMMANDS.has(key) || SETTING_COMMANDS.has(key))) return Object.assign(error, { command });
  return replyError(text ?? '', command);
}

/** The error of an error reply. Its `cause` is made when somebody looks. */
export function replyError(message: string, command?: CommandInfo): ReplyError {
  const error = new ReplyError(message);
  if (command !== undefined) error.command = command;
  Object.defineProperty(error, 'cause', {
    configurable: true,
    get: () => new MooringError('MOORING_SERVER_ERROR', message, { details: { maybeExecuted: true } }),
  });
  return error;
}

/** The error that TypeScript itself settles a command with, by default before it was sent. */
export function localError(message: string, code: ErrorCode, command?: CommandInfo, sent: Sent = 'no'): Error {
  return dressed(new Error(message), new MooringError(code, message, { details: { maybeExecuted: sent === 'maybe' } }), sent, command);
}

/** The error that a failure record of the wire describes. */
export function wireError(failure: FailureRecord, sent?: Sent, command?: CommandInfo): Error {
  const details = { ...failure.details };
  const kind = details['kind'];
  const cause = fromFailure(sent === undefined ? failure : { ...failure, maybeExecuted: sent === 'maybe' });
  return dressed(shaped(kind, failure), cause, sent, kind === 'aborted' || kind === 'reply' ? command : undefined);
}

/** Whether no sentinel could say where the server is. */
export function isUnresolved(error: Error): boolean {
  return error.cause instanceof MooringError && (error.cause.details as Record<string, unknown>)['kind'] === 'unresolved';
}

function shaped(kind: unknown, failure: FailureRecord): Error {
  const { message, details } = failure;
  switch (kind) {
    case 'maxRetries':
      return new MaxRetriesPerRequestError(message);
    case 'aborted':
      return new AbortError(message);
    case 'parser':
      return new ParserError(message);
    case 'reply': {
      const error = new ReplyError(message);
      if (typeof details['command'] === 'string') error.command = { name: details['command'], args: [] };
      return error;
    }
    case 'connect':
      return socketError(message, details);
    default:
      return new Error(message);
  }
}

/** Node's own fields of socket errors: `code`, `errno`, `syscall`, `address`, `port`, `hostname`. */
function socketError(message: string, details: FailureRecord['details']): Error {
  const error = new Error(message) as Error & Record<string, unknown>;
  for (const field of ['errno', 'code', 'syscall', 'address', 'port', 'hostname']) {
    if (details[field] !== undefined) error[field] = details[field];
  }
  // The peer misspells it for connect timeouts.
  if (message === 'connect ETIMEDOUT') error['errorno'] = 'ETIMEDOUT';
  return error;
}

function dressed<E extends Error>(error: E, cause: MooringError, sent: Sent | undefined, command: CommandInfo | undefined): E {
  Object.defineProperty(error, 'cause', { value: cause, configurable: true, writable: true });
  if (sent !== undefined) Object.defineProperty(error, 'sent', { value: sent, configurable: true });
  if (command !== undefined) Object.assign(error, { command });
  return error;
}

/** Frames of a command call that are ours: the method, `RUN` and what it calls. */
const OWN_FRAMES = 3;

/** Gives `error` the stack of the call instead of the one of the drain. */
export function withStack(error: Error, call: Error): Error {
  const frames = (call.stack ?? '').split('\n').slice(1 + OWN_FRAMES);
  error.stack = `${error.name}: ${error.message}\n${frames.join('\n')}`;
  return error;
}
