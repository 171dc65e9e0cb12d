/**
 * @module scripts/generate-redis-commands
 *
 * Writes lib/redis/command-types.ts: the typed command methods of clients and pipelines. Names come from @ioredis/commands; the commands below
 * have precise signatures, all others take anything that can be encoded and answer `unknown`.
 */
import { createRequire } from 'node:module';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const { list } = createRequire(import.meta.url)('@ioredis/commands');
const V = 'RedisValue';
const OVERRIDDEN = new Set(['monitor', 'multi', 'exec']);
const names = [...list.filter((name) => !OVERRIDDEN.has(name)), 'sentinel'];

/** [parameters, result]; `S` is text in the plain form and a Buffer in the other. */
const precise = {
  append: ['key: K, value: V', 'number'],
  auth: ['...args: [password: string] | [username: string, password: string]', "'OK'"],
  bitcount: ['key: K, ...args: V[]', 'number'],
  blpop: ['...args: [...keys: K[], timeout: number | string]', '[S, S] | null'],
  brpop: ['...args: [...keys: K[], timeout: number | string]', '[S, S] | null'],
  brpoplpush: ['source: K, destination: K, timeout: number | string', 'S | null'],
  bzpopmax: ['...args: [...keys: K[], timeout: number | string]', '[S, S, S] | null'],
  bzpopmin: ['...args: [...keys: K[], timeout: number | string]', '[S, S, S] | null'],
  dbsize: ['', 'number'],
  decr: ['key: K', 'number'],
  decrby: ['key: K, decrement: number | string', 'number'],
  del: ['...keys: (K | K[])[]', 'number'],
  echo: ['message: V', 'S'],
  exists: ['...keys: (K | K[])[]', 'number'],
  expire: ['key: K, seconds: number | string, ...args: string[]', 'number'],
  expireat: ['key: K, timestamp: number | string, ...args: string[]', 'number'],
  flushall: ['...args: string[]', "'OK'"],
  flushdb: ['...args: string[]', "'OK'"],
  get: ['key: K', 'S | null'],
  getdel: ['key: K', 'S | null'],
  getrange: ['key: K, start: number | string, end: number | string', 'S'],
  getset: ['key: K, value: V', 'S | null'],
  hdel: ['key: K, ...fields: (V | V[])[]', 'number'],
  hexists: ['key: K, field: V', 'number'],
  hget: ['key: K, field: V', 'S | null'],
  hgetall: ['key: K', 'Record<string, S>'],
  hincrby: ['key: K, field: V, increment: number | string', 'number'],
  hincrbyfloat: ['key: K, field: V, increment: number | string', 'S'],
  hkeys: ['key: K', 'S[]'],
  hlen: ['key: K', 'number'],
  hmget: ['key: K, ...fields: (V | V[])[]', '(S | null)[]'],
  hmset: ['key: K, ...args: (V | V[] | object)[]', "'OK'"],
  hset: ['key: K, ...args: (V | V[] | object)[]', 'number'],
  hsetnx: ['key: K, field: V, value: V', 'number'],
  hvals: ['key: K', 'S[]'],
  incr: ['key: K', 'number'],
  incrby: ['key: K, increment: number | string', 'number'],
  incrbyfloat: ['key: K, increment: number | string', 'S'],
  info: ['...sections: string[]', 'string'],
  keys: ['pattern: V', 'S[]'],
  lindex: ['key: K, index: number | string', 'S | null'],
  linsert: ["key: K, where: 'BEFORE' | 'AFTER', pivot: V, element: V", 'number'],
  llen: ['key: K', 'number'],
  lmove: ["source: K, destination: K, from: 'LEFT' | 'RIGHT', to: 'LEFT' | 'RIGHT'", 'S | null'],
  lpush: ['key: K, ...elements: (V | V[])[]', 'number'],
  lpushx: ['key: K, ...elements: (V | V[])[]', 'number'],
  lrange: ['key: K, start: number | string, stop: number | string', 'S[]'],
  lrem: ['key: K, count: number | string, element: V', 'number'],
  lset: ['key: K, index: number | string, element: V', "'OK'"],
  ltrim: ['key: K, start: number | string, stop: number | string', "'OK'"],
  mget: ['...keys: (K | K[])[]', '(S | null)[]'],
  mset: ['...args: (V | V[] | object)[]', "'OK'"],
  msetnx: ['...args: (V | V[] | object)[]', 'number'],
  persist: ['key: K', 'number'],
  pexpire: ['key: K, milliseconds: number | string, ...args: string[]', 'number'],
  pexpireat: ['key: K, timestamp: number | string, ...args: string[]', 'number'],
  ping: ['message?: V', 'S'],
  psetex: ['key: K, milliseconds: number | string, value: V', "'OK'"],
  psubscribe: ['...patterns: (V | V[])[]', 'number'],
  pttl: ['key: K', 'number'],
  publish: ['channel: V, message: V', 'number'],
  punsubscribe: ['...patterns: (V | V[])[]', 'number'],
  quit: ['', "'OK'"],
  rename: ['key: K, newKey: K', "'OK'"],
  rpop: ['key: K', 'S | null'],
  rpoplpush: ['source: K, destination: K', 'S | null'],
  rpush: ['key: K, ...elements: (V | V[])[]', 'number'],
  sadd: ['key: K, ...members: (V | V[])[]', 'number'],
  scan: ['cursor: number | string, ...args: V[]', '[S, S[]]'],
  scard: ['key: K', 'number'],
  select: ['db: number | string', "'OK'"],
  set: ['key: K, value: V, ...args: V[]', "'OK' | null"],
  setex: ['key: K, seconds: number | string, value: V', "'OK'"],
  setnx: ['key: K, value: V', 'number'],
  sismember: ['key: K, member: V', 'number'],
  smembers: ['key: K', 'S[]'],
  spublish: ['channel: V, message: V', 'number'],
  srem: ['key: K, ...members: (V | V[])[]', 'number'],
  ssubscribe: ['...channels: (V | V[])[]', 'number'],
  strlen: ['key: K', 'number'],
  subscribe: ['...channels: (V | V[])[]', 'number'],
  sunsubscribe: ['...channels: (V | V[])[]', 'number'],
  ttl: ['key: K', 'number'],
  type: ['key: K', 'string'],
  unlink: ['...keys: (K | K[])[]', 'number'],
  unsubscribe: ['...channels: (V | V[])[]', 'number'],
  unwatch: ['', "'OK'"],
  watch: ['...keys: (K | K[])[]', "'OK'"],
  xack: ['key: K, group: V, ...ids: V[]', 'number'],
  xadd: ['key: K, ...args: V[]', 'S | null'],
  xlen: ['key: K', 'number'],
  xrange: ['key: K, start: V, end: V, ...args: V[]', '[S, S[]][]'],
  zadd: ['key: K, ...args: (V | V[])[]', 'number'],
  zcard: ['key: K', 'number'],
  zcount: ['key: K, min: V, max: V', 'number'],
  zincrby: ['key: K, increment: number | string, member: V', 'S'],
  zrange: ['key: K, start: V, stop: V, ...args: V[]', 'S[]'],
  zrangebyscore: ['key: K, min: V, max: V, ...args: V[]', 'S[]'],
  zrank: ['key: K, member: V', 'number | null'],
  zrem: ['key: K, ...members: (V | V[])[]', 'number'],
  zremrangebyscore: ['key: K, min: V, max: V', 'number'],
  zrevrange: ['key: K, start: V, stop: V, ...args: V[]', 'S[]'],
  zscore: ['key: K, member: V', 'S | null'],
};

const spelled = (text, form) => text.replace(/\b[KV]\b/g, (letter) => (letter === 'K' ? 'RedisKey' : V)).replace(/\bS\b/g, form);

/** A callback may follow the arguments; rest parameters take it as their last element. */
function signatures(name, [parameters, result]) {
  const plain = [
    [name, 'string'],
    [`${name}Buffer`, 'Buffer'],
  ].map(
    ([method, form]) =>
      `  ${method}(${spelled(parameters, form)}): Promise<${spelled(result, form).replaceAll("'OK'", form === 'Buffer' ? 'Buffer' : "'OK'")}>;`,
  );
  const generic = [name, `${name}Buffer`].map((method) => `  ${method}(...args: [...Argument[], Callback]): Promise<unknown>;`);
  return plain.flatMap((line, index) => [line, generic[index]]);
}

function wrapped(items) {
  const lines = [];
  let line = ' ';
  for (const item of items) {
    if (line.length + item.length > 136) {
      lines.push(line);
      line = ' ';
    }
    line += ` ${item}`;
  }
  return [...lines, line].join('\n');
}

const text = `/**
 * @module redis/command-types
 *
 * Generated by scripts/generate-redis-commands.mjs; do not edit. The typed command methods of clients and pipelines.
 */
import type { Callback } from './callback.js';
import type { Argument, RedisValue } from './transformers.js';

/** What names a value. */
export type RedisKey = string | Buffer | number;

/** Commands with a method; each also has a \`Buffer\` form. */
// prettier-ignore
export type CommandName =
${wrapped(names.map((name) => `| '${name}'`))};

type MethodName = CommandName | \`\${CommandName}Buffer\`;
type Generic = Record<MethodName, (...args: (Argument | Callback)[]) => Promise<unknown>>;

/** The most used commands, with precise signatures. */
interface Precise {
${Object.entries(precise)
  .map(([name, signature]) => signatures(name, signature).join('\n'))
  .join('\n')}
}

/** The command methods of a client. Arguments are flattened once; \`null\` and \`undefined\` are sent as empty strings; a callback may come last. */
export interface RedisCommands extends Omit<Generic, keyof Precise>, Precise {
  call(...args: (Argument | Callback)[]): Promise<unknown>;
  callBuffer(...args: (Argument | Callback)[]): Promise<unknown>;
  /** The old name of \`call\`. */
  send_command(...args: (Argument | Callback)[]): Promise<unknown>;
}

/** The command methods of a pipeline: each answers the pipeline. */
export type ChainableCommands<Self> = Record<MethodName | 'call' | 'callBuffer', (...args: (Argument | Callback)[]) => Self>;
`;

writeFileSync(fileURLToPath(new URL('../lib/redis/command-types.ts', import.meta.url)), text);
