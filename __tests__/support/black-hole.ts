/**
 * @module __tests__/support/black-hole
 *
 * A TCP proxy that swallows bytes on demand: its connections stay open, and what was sent meanwhile is gone for good.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A running proxy. */
export interface BlackHole {
  readonly port: number;
  /** Swallows the bytes of both directions from now on, or no longer. */
  swallow(on: boolean): void;
  stop(): Promise<void>;
}

/** Starts a proxy in front of a server of this machine. */
export async function blackHole(target: { host: string; port: number }): Promise<BlackHole> {
  const sockets = new Set<Socket>();
  let swallowing = false;
  const forward = (from: Socket, to: Socket): void => {
    sockets.add(from);
    from.on('data', (chunk) => swallowing || to.write(chunk));
    from.on('error', () => from.destroy());
    from.on('close', () => {
      sockets.delete(from);
      to.destroy();
    });
  };
  const server = createServer((client) => {
    const upstream = connect(target.port, target.host);
    forward(client, upstream);
    forward(upstream, client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    swallow: (on) => (swallowing = on),
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
