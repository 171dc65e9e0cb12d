/**
 * @module __tests__/support/proxy
 *
 * Small proxies for tests: HTTP CONNECT and SOCKS 5, with or without a password. They note where they were asked to connect to.
 */
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A running proxy. */
export interface TestProxy {
  readonly host: string;
  /** `host:port` of every tunnel that was asked for. */
  readonly targets: string[];
  stop(): Promise<void>;
}

/** What a proxy asks for. */
export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** A proxy that answers CONNECT, and 407 to wrong credentials. */
export async function connectProxy(wanted?: Credentials): Promise<TestProxy> {
  const targets: string[] = [];
  const server = createHttpServer((_req, res) => res.writeHead(405).end());
  server.on('connect', (req, client: Socket) => {
    const basic = wanted && `Basic ${Buffer.from(`${wanted.user}:${wanted.password}`).toString('base64')}`;
    if (basic !== undefined && req.headers['proxy-authorization'] !== basic) {
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\r\n');
      return;
    }
    targets.push(String(req.url));
    const [host, port] = String(req.url).split(':') as [string, string];
    pipe(client, connect(Number(port), host), () => client.write('HTTP/1.1 200 OK\r\n\r\n'));
  });
  return await started(server, targets);
}

/** A SOCKS 5 proxy; with credentials it takes no others. */
export async function socksProxy(wanted?: Credentials): Promise<TestProxy> {
  const targets: string[] = [];
  const server = createServer((client) => {
    void serve(client, wanted, targets).catch(() => client.destroy());
  });
  return await started(server, targets);
}

async function serve(client: Socket, wanted: Credentials | undefined, targets: string[]): Promise<void> {
  const read = reader(client);
  const [, methods] = await read(2);
  await read(methods as number);
  client.write(Buffer.from([5, wanted === undefined ? 0 : 2]));
  if (wanted !== undefined) {
    const [, userLength] = await read(2);
    const user = (await read(userLength as number)).toString();
    const password = (await read((await read(1))[0] as number)).toString();
    const fits = user === wanted.user && password === wanted.password;
    client.write(Buffer.from([1, fits ? 0 : 1]));
    if (!fits) return;
  }
  const [, , , kind] = await read(4);
  const host = kind === 1 ? [...(await read(4))].join('.') : (await read((await read(1))[0] as number)).toString();
  const port = (await read(2)).readUInt16BE();
  targets.push(`${host}:${port}`);
  pipe(client, connect(port, host), () => client.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0])));
}

/** Reads so many bytes; what follows stays in the socket. */
function reader(socket: Socket): (length: number) => Promise<Buffer> {
  return async (length) => {
    for (;;) {
      const bytes = length === 0 ? Buffer.alloc(0) : (socket.read(length) as Buffer | null);
      if (bytes !== null) return bytes;
      await new Promise((resolve) => socket.once('readable', resolve));
    }
  };
}

function pipe(client: Socket, upstream: Socket, ready: () => void): void {
  upstream.once('connect', () => {
    ready();
    client.pipe(upstream).pipe(client);
  });
  for (const [one, other] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
}

async function started(server: Server | HttpServer, targets: string[]): Promise<TestProxy> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    // Nobody listens to a refused client that hangs up.
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { host: `127.0.0.1:${(server.address() as { port: number }).port}`, targets, stop };
}
