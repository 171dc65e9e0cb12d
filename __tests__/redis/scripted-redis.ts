/** @module __tests__/redis/scripted-redis: a server that answers each command with what a test says, for what real servers do rarely or never. */
import type { Socket } from 'node:net';
import { ByteServer } from '../support/byte-server';

/** RESP for a command, its name in lower case; `undefined` for the usual answer, an empty text for none. */
export type Answer = (args: string[], socket: Socket) => string | undefined;

/** A server of that kind. */
export class ScriptedRedis extends ByteServer {
  /** Every command so far. */
  readonly received: string[][];

  private constructor(answer: Answer) {
    const received: string[][] = [];
    super((seen, socket) => {
      let rest = seen;
      for (let next = command(rest); next !== undefined; next = command(rest)) {
        rest = rest.subarray(next.bytes);
        received.push(next.args);
        socket.write(answer(next.args, socket) ?? usual(next.args));
      }
      return rest;
    });
    this.received = received;
  }

  static async start(answer: Answer): Promise<ScriptedRedis> {
    const server = new ScriptedRedis(answer);
    await server.listen();
    return server;
  }

  get port(): number {
    return Number(this.host.split(':')[1]);
  }
}

function usual([name]: string[]): string {
  return name === 'info' ? '$9\r\nloading:0\r\n' : '+OK\r\n';
}

/** The first whole command of `seen`. */
function command(seen: Buffer): { args: string[]; bytes: number } | undefined {
  const args: string[] = [];
  let at = seen.indexOf('\r\n') + 2;
  if (at < 2) return undefined;
  for (let left = Number(seen.subarray(1, at - 2).toString()); left > 0; left--) {
    const start = seen.indexOf('\r\n', at) + 2;
    const end = start + Number(seen.subarray(at + 1, start - 2).toString());
    if (start < 2 || seen.length < end + 2) return undefined;
    args.push(seen.subarray(start, end).toString());
    at = end + 2;
  }
  args[0] = (args[0] ?? '').toLowerCase();
  return { args, bytes: at };
}
