/**
 * @module __tests__/support/scripted-rpc
 *
 * An HTTP server that answers every JSON-RPC request with handcrafted text: for replies that no honest node gives.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What is answered: the text after the id, such as `"result":5`, or a whole HTTP reply. */
export type Script = string | { readonly status: number; readonly body: string };

/** A running server. */
export class ScriptedRpc {
  readonly url: string;
  readonly #server: Server;
  /** What every request gets from now on. */
  script: Script = '"result":null';
  /** Methods asked for so far. */
  readonly methods: string[] = [];
  /** Parameters of the last request, as text. */
  lastParams = '';

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => this.#answer(request, response));
  }

  static async start(): Promise<ScriptedRpc> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new ScriptedRpc(server);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { id, method, params } = JSON.parse(Buffer.concat(chunks).toString()) as { id: unknown; method: string; params?: unknown };
      // The pool asks on its own account where the chain is; that is not what is scripted.
      const probe = method === 'getSlot' || method === 'getHealth';
      if (!probe) this.methods.push(method);
      if (!probe) this.lastParams = JSON.stringify(params);
      const { status, body } = typeof this.script === 'string' ? { status: 200, body: undefined } : this.script;
      const scripted = probe ? '"result":1' : String(this.script);
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(body ?? `{"jsonrpc":"2.0",${scripted},"id":${JSON.stringify(id)}}`);
    });
  }
}
