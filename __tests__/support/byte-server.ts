/**
 * @module __tests__/support/byte-server
 *
 * A server of bytes for servers that are a test's own: its sockets, what came over each of them and has not been taken yet, its address and its end.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** Looks at what a socket has sent and takes what it can; returns what it leaves. Connections are numbered from 1. */
export type Take = (seen: Buffer, socket: Socket, connection: number) => Buffer;

/** A server on a free port of this host. */
export class ByteServer {
  /** Sockets accepted so far. */
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(take: Take) {
    this.#server = createServer((socket) => {
      const connection = ++this.connections;
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => {});
      let seen: Buffer = Buffer.alloc(0);
      socket.on('data', (chunk: Buffer) => (seen = take(Buffer.concat([seen, chunk]), socket, connection)));
    });
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Sockets that are open now. */
  get open(): number {
    return this.#sockets.size;
  }

  /** Cuts all sockets and stops listening. */
  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
