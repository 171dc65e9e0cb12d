/**
 * @module redis/transformers
 *
 * What happens to arguments before they are encoded (flattening, objects and Maps of HSET and MSET, key prefix) and to replies before they
 * are handed out (HGETALL). Pure functions.
 */
import { getKeyIndexes } from '@ioredis/commands';

/** What Redis stores: text, bytes or a number. */
export type RedisValue = string | Buffer | number;

/** What a command takes; `null` and `undefined` are sent as empty strings, arrays are flattened once. */
export type Argument = RedisValue | boolean | bigint | null | undefined | object;

/** What a key may be prefixed with. */
export type KeyPrefix = string | Buffer;

/** A reply as the wire decodes it. */
export type Reply = string | Buffer | number | boolean | null | Error | Reply[] | Map<Reply, Reply> | Set<Reply>;

/** Whether any argument is an array. */
function nested(args: readonly Argument[]): boolean {
  for (const argument of args) if (Array.isArray(argument)) return true;
  return false;
}

/** One argument as it is encoded. */
export function encodable(argument: Argument): string | Buffer | number {
  if (typeof argument === 'string' || typeof argument === 'number') return argument;
  if (argument === null || argument === undefined) return '';
  if (Buffer.isBuffer(argument)) return argument;
  if (ArrayBuffer.isView(argument) && argument instanceof Uint8Array) {
    return Buffer.from(argument.buffer, argument.byteOffset, argument.byteLength);
  }
  // oxlint-disable-next-line typescript/no-base-to-string -- the peer's rule: anything else is sent as its text
  return String(argument);
}

/** Without the first level of arrays; `args` itself when there are none. Done once: an array that is a value, also one in an object, is sent as its text. */
export function flattened(args: Argument[]): Argument[] {
  return nested(args) ? args.flat<Argument[]>() : args;
}

/** Makes every argument encodable, in place. */
export function normalise(args: Argument[]): RedisValue[] {
  for (let index = 0; index < args.length; index++) {
    const argument = args[index];
    if (typeof argument === 'string' || typeof argument === 'number') continue;
    if (!Buffer.isBuffer(argument)) args[index] = encodable(argument);
  }
  return args as RedisValue[];
}

function entries(source: object): Argument[] {
  const list: Argument[] = [];
  if (source instanceof Map) for (const [key, value] of source as Map<Argument, Argument>) list.push(key, value);
  else for (const [key, value] of Object.entries(source) as [string, Argument][]) list.push(key, value);
  return list;
}

function plain(value: Argument): value is object {
  return typeof value === 'object' && value !== null && !Buffer.isBuffer(value);
}

/** MSET and MSETNX also take one object or Map; HSET and HMSET take it after the key. `flat` are flattened arguments. */
export function spread(position: 0 | 1, flat: Argument[]): Argument[] {
  const last = flat[position];
  if (flat.length !== position + 1 || !plain(last)) return flat;
  return position === 0 ? entries(last) : [flat[0], ...entries(last)];
}

/** About what the arguments take in memory. */
export function byteLength(args: readonly RedisValue[]): number {
  let bytes = 32;
  for (const argument of args) bytes += typeof argument === 'number' ? 8 : argument.length;
  return bytes;
}

/** One key with its prefix. */
export function withPrefix(key: RedisValue, prefix: KeyPrefix): RedisValue {
  if (typeof prefix === 'string' && !Buffer.isBuffer(key)) return prefix + key.toString();
  return Buffer.concat([Buffer.from(prefix as string), Buffer.isBuffer(key) ? key : Buffer.from(key.toString())]);
}

/** Where the keys are among the arguments of a command. */
export function keyIndexes(name: string, args: readonly RedisValue[]): number[] {
  return getKeyIndexes(name, counted(args) as string[], { nameCaseInsensitive: true });
}

/** The table counts to the number of keys that a call states, wherever that leads: no further than there are arguments. */
function counted(args: readonly RedisValue[]): readonly RedisValue[] {
  const most = args.length;
  // It is the first or the second argument.
  if (!(Number(args[0]) > most || Number(args[1]) > most)) return args;
  return args.map((argument, index) => (index < 2 && Number(argument) > most ? most : argument));
}

/** `args` with the prefix on every key of the command. */
export function prefixed(name: string, args: RedisValue[], prefix: KeyPrefix): RedisValue[] {
  const result = [...args];
  for (const found of keyIndexes(name, result)) {
    const key = result[found];
    if (key !== undefined) result[found] = withPrefix(key, prefix);
  }
  return result;
}

/** HGETALL's flat list as an object. Names such as `__proto__` become own properties. */
export function fields(reply: unknown): unknown {
  if (reply instanceof Map) return fields([...(reply as Map<unknown, unknown>)].flat(1));
  if (!Array.isArray(reply)) return reply;
  const result: Record<string, unknown> = {};
  for (let index = 0; index < reply.length; index += 2) {
    const field = String(reply[index]);
    const value: unknown = reply[index + 1];
    if (field in result) Object.defineProperty(result, field, { value, configurable: true, enumerable: true, writable: true });
    else result[field] = value;
  }
  return result;
}

/** Every Buffer of a reply as text. */
export function asText(reply: unknown): unknown {
  if (Buffer.isBuffer(reply)) return reply.toString();
  if (Array.isArray(reply)) return reply.map(asText);
  if (reply instanceof Map) return new Map([...(reply as Map<unknown, unknown>)].map(([key, value]) => [asText(key), asText(value)]));
  if (reply instanceof Set) return new Set([...(reply as Set<unknown>)].map(asText));
  return reply;
}

/** EXEC's list as `[error, result]` pairs; `null` when a watched key changed. */
export function pairs(reply: unknown): [Error | null, unknown][] | null {
  if (!Array.isArray(reply)) return null;
  return reply.map((item: unknown) => (item instanceof Error ? ([item] as unknown as [Error, unknown]) : [null, item]));
}
