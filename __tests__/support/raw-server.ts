/**
 * @module __tests__/support/raw-server
 *
 * An endpoint made of bytes: reads HTTP requests and lets the test write whatever it likes. For replies that no honest server gives.
 */
import type { Socket } from 'node:net';
import { ByteServer } from './byte-server';

/** One request as it came. */
export interface RawRequest {
  readonly head: string;
  readonly body: string;
  /** Of the JSON-RPC body. */
  readonly id: number;
  readonly method: string;
  readonly params: readonly unknown[];
}

/** Writes an answer; nothing is written for it. */
export type Answer = (request: RawRequest, socket: Socket) => void;

/** A running endpoint. */
export class RawServer {
  readonly #server: ByteServer;
  readonly requests: RawRequest[] = [];

  private constructor(answer: Answer) {
    this.#server = new ByteServer((seen, socket) => {
      let rest = seen;
      for (let next = take(rest); next !== undefined; next = take(rest)) {
        rest = next.rest;
        this.requests.push(next.request);
        answer(next.request, socket);
      }
      return rest;
    });
  }

  /** Listens on a free port. */
  static async start(answer: Answer): Promise<RawServer> {
    const made = new RawServer(answer);
    await made.#server.listen();
    return made;
  }

  get connections(): number {
    return this.#server.connections;
  }

  get host(): string {
    return this.#server.host;
  }

  get url(): string {
    return `http://${this.host}`;
  }

  /** Sockets that are open now. */
  get open(): number {
    return this.#server.open;
  }

  /** Cuts all sockets and stops listening. */
  async stop(): Promise<void> {
    await this.#server.stop();
  }
}

function take(seen: Buffer): { request: RawRequest; rest: Buffer } | undefined {
  const end = seen.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = seen.toString('latin1', 0, end);
  const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
  if (seen.length < end + 4 + length) return undefined;
  const body = seen.toString('utf8', end + 4, end + 4 + length);
  const { id = 0, method = '', params = [] } = parse(body);
  return { request: { head, body, id, method, params }, rest: seen.subarray(end + 4 + length) };
}

function parse(body: string): { id?: number; method?: string; params?: unknown[] } {
  try {
    return JSON.parse(body) as object;
  } catch {
    return {};
  }
}

/** A whole HTTP/1.1 answer. */
export function http(
  body: string | Buffer,
  { status = 200, headers = {} }: { status?: number; headers?: Record<string, string> } = {},
): Buffer {
  const bytes = Buffer.from(body as string);
  const lines = Object.entries({ 'content-type': 'application/json', 'content-length': String(bytes.length), ...headers });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status} X\r\n${head}\r\n`, 'latin1'), bytes]);
}

/** The reply to a request with this `result`. */
export const reply = (request: RawRequest, result: unknown): string => JSON.stringify({ jsonrpc: '2.0', result, id: request.id });
