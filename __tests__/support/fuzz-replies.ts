/**
 * @module __tests__/support/fuzz-replies
 *
 * Replies that no honest server gives, by a seeded generator: bytes, HTTP, JSON, ids and types, each broken in its own way.
 */
import { gzipSync } from 'node:zlib';
import type { Socket } from 'node:net';
import { http, type RawRequest } from './raw-server';

/** What the generator draws from. */
export interface Fuzzer {
  /** Breaks a good reply (`result` is what would be right) and writes it, or not. `foreign` are ids of other requests under way; `sound`: only what it says is wrong. */
  answer(request: RawRequest, result: unknown, socket: Socket, how: { readonly foreign: readonly number[]; readonly sound: boolean }): void;
  /** How often each kind was used. */
  readonly counts: Map<string, number>;
}

type Random = () => number;
type Kind = (draw: Draw, request: RawRequest, result: unknown, foreign: readonly number[]) => string | Buffer | undefined;

/** Draws of one generator. */
class Draw {
  constructor(readonly random: Random) {}

  below(most: number): number {
    return Math.floor(this.random() * most);
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  bytes(most: number): Buffer {
    return Buffer.from(Array.from({ length: this.below(most) }, () => this.below(256)));
  }
}

const ODD: readonly string[] = [
  'null',
  'true',
  '0',
  '-0',
  '1e999',
  '-1e999',
  '1e-400',
  '123456789012345678901234567890',
  '18446744073709551616',
  '0.1',
  '""',
  '"x"',
  '"\\ud800"',
  '"\\u0000"',
  '[]',
  '{}',
  '[null]',
  '{"value":null}',
  '{"context":{"slot":1},"value":null}',
  '{"context":{"slot":18446744073709551616},"value":{}}',
  '{"context":null,"value":[1]}',
  '{"context":{"slot":1},"value":[[]]}',
  '{"context":{"slot":1},"value":{"data":5,"owner":7}}',
  '{"context":{"slot":1},"value":{"data":["!!","base64"],"owner":"x","lamports":"1"}}',
  '{"context":{"slot":1},"value":{"blockhash":5}}',
  '{"__proto__":{"value":1}}',
  '{"toString":1,"value":{"constructor":null}}',
];

/** Codes that slow the whole pool down on purpose are another test's. */
const CODES = ['-32602', '-32603', '-32000', '-32002', '-32004', '-1', '0', '1e9', '99999999999', '-32601.5', '"x"', 'null', '[]', '{}'];

const envelope = (id: string, kind: string, value: string): string => `{"jsonrpc":"2.0","${kind}":${value},"id":${id}}`;

function damage(draw: Draw, bytes: Buffer): Buffer {
  let out = bytes;
  for (let times = 1 + draw.below(4); times > 0; times--) {
    const at = draw.below(out.length + 1);
    const [before, after] = [out.subarray(0, at), out.subarray(at)];
    const how = draw.below(5);
    if (how === 0) out = before;
    else if (how === 1) out = Buffer.concat([before, after.subarray(draw.below(20))]);
    else if (how === 2) out = Buffer.concat([before, after.subarray(0, draw.below(40)), after]);
    else if (how === 3) out = Buffer.concat([before, draw.bytes(6), after]);
    else if (at < out.length) {
      out = Buffer.from(out);
      out[at] = draw.below(256);
    }
  }
  return out;
}

const KINDS: Readonly<Record<string, Kind>> = {
  bytes: (draw) => draw.bytes(300),
  body: (draw) => http(draw.bytes(300)),
  damaged: (draw, { id }, result) => http(damage(draw, Buffer.from(envelope(String(id), 'result', JSON.stringify(result))))),
  damagedHttp: (draw, { id }, result) => damage(draw, http(envelope(String(id), 'result', JSON.stringify(result)))),
  id: (draw, { id }, result) =>
    http(envelope(draw.of([...ODD, `"${id}"`, `${id}.0`, `[${id}]`, `${id + 1}`]), 'result', JSON.stringify(result))),
  foreignId: (draw, { id }, _result, foreign) =>
    http(envelope(String(foreign.length === 0 ? id + 1 : draw.of(foreign)), 'result', '"stolen"')),
  foreignError: (draw, { id }, _result, foreign) =>
    http(envelope(String(foreign.length === 0 ? id + 1 : draw.of(foreign)), 'error', '{"code":-32602,"message":"stolen"}')),
  noId: (_draw, _request, result) => http(JSON.stringify({ jsonrpc: '2.0', result })),
  type: (draw, { id }) => http(envelope(String(id), 'result', draw.of(ODD))),
  error: (draw, { id }) =>
    http(envelope(String(id), 'error', `{"code":${draw.of(CODES)},"message":${draw.of(ODD)},"data":${draw.of(ODD)}}`)),
  errorType: (draw, { id }) => http(envelope(String(id), 'error', draw.of(ODD.slice(1)))),
  logs: (draw, { id }) =>
    http(envelope(String(id), 'error', `{"code":-32002,"message":"failed","data":{"err":${draw.of(ODD)},"logs":[${draw.of(ODD)}]}}`)),
  nested: (draw, { id }) => {
    const depth = draw.of([100, 600, 10_000, 200_000]);
    const deep = '['.repeat(depth) + (draw.below(2) === 0 ? ']'.repeat(depth) : '');
    return http(
      draw.of([
        envelope(String(id), 'result', deep),
        envelope(deep, 'result', '1'),
        envelope(String(id), 'error', `{"code":1,"message":"","data":${deep}}`),
        deep,
      ]),
    );
  },
  twice: (draw, { id }, result) => http(`{"id":${id},"result":${JSON.stringify(result)},"${draw.of(['id', 'result'])}":${draw.of(ODD)}}`),
  both: (draw, { id }, result) => http(`{"id":${id},"result":${JSON.stringify(result)},"error":${draw.of(ODD)}}`),
  array: (_draw, { id }, result) => http(`[${envelope(String(id), 'result', JSON.stringify(result))}]`),
  utf8: (draw, { id }) => http(Buffer.concat([Buffer.from(`{"id":${id},"result":"`), draw.bytes(40), Buffer.from('"}')])),
  status: (draw, { id }) =>
    http(envelope(String(id), 'error', '{"code":-32602,"message":""}'), {
      status: draw.of([100, 199, 204, 206, 400, 413, 418, 500, 502, 520, 599, 999]),
    }),
  length: (draw, { id }, result) =>
    http(envelope(String(id), 'result', JSON.stringify(result)), {
      headers: { 'content-length': draw.of(['0', '5', '-1', 'x', '99999999999999999999', '1, 2']) },
    }),
  chunks: (draw) =>
    `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${draw.of(['5\r\n{"', 'zz\r\n', '-1\r\n', 'ffffffffffffffffff\r\n', '0\r\n\r\n', '1\r\n{\r\n0\r\n\r\n'])}`,
  encoding: (draw, { id }, result) => {
    const zipped = gzipSync(envelope(String(id), 'result', JSON.stringify(result)));
    return http(draw.below(2) === 0 ? damage(draw, zipped) : draw.bytes(60), {
      headers: { 'content-encoding': draw.of(['gzip', 'deflate', 'br', 'gzip, gzip', '\u00ff']) },
    });
  },
  twoAnswers: (_draw, { id }, result) =>
    Buffer.concat([http(envelope(String(id), 'result', JSON.stringify(result))), http(envelope(String(id + 1), 'result', '"stolen"'))]),
  nothing: () => undefined,
};
const NAMES = Object.keys(KINDS);

/** Kinds that are replies all the same: an endpoint that gives them works. */
const SOUND = ['type', 'logs'];

/** A generator over `random`. */
export function fuzzer(random: Random): Fuzzer {
  const draw = new Draw(random);
  const counts = new Map<string, number>();
  const answer: Fuzzer['answer'] = (request, result, socket, { foreign, sound }) => {
    let name = draw.of(sound ? SOUND : NAMES);
    // An answer that never comes costs a whole attempt: now and then is enough.
    if (name === 'nothing' && draw.below(20) > 0) name = 'bytes';
    counts.set(name, (counts.get(name) ?? 0) + 1);
    const bytes = (KINDS[name] as Kind)(draw, request, result, foreign);
    if (bytes === undefined) return;
    if (sound) {
      socket.write(bytes);
      return;
    }
    // Some in two pieces, some with the end of the connection behind them.
    const at = draw.below(4) === 0 ? draw.below(bytes.length) : bytes.length;
    socket.write(bytes.slice(0, at));
    if (at < bytes.length) setImmediate(() => socket.write(bytes.slice(at)));
    else if (draw.below(3) === 0 || ['bytes', 'damagedHttp', 'length', 'chunks'].includes(name)) socket.end();
  };
  return { answer, counts };
}
