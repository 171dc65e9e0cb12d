/**
 * @module dev/solana-rpc
 *
 * A Solana RPC service for tests: several front ends (HTTP on port p, websocket on p + 1) over one real SVM, with faults that are switched at run time. As a
 * program it prints one line of JSON with its endpoints; `startSolanaRpc` runs that program as a child, so that a busy test does not slow it.
 */
import { createServer, request } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL, fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { makeCertificates } from './certificates.mjs';
import { freePort, startProcess, stopProcess, temporaryFolder } from './process.mjs';

const START_TIMEOUT_MS = 30_000;
const CONTROL_TIMEOUT_MS = 30_000;

/**
 * Starts the service. `slotMs` 0 stops the clock: only `advance` moves the chain. `skipRate` (0..1) is the share of slots without a block. With `tls` the front
 * ends speak https and wss; `certificates` names the files of the run's authority, server and client.
 */
export async function startSolanaRpc({ fronts = 2, slotMs = 400, skipRate = 0, tls = false } = {}) {
  const args = [fileURLToPath(import.meta.url), '--fronts', fronts, '--slot-ms', slotMs, '--skip-rate', skipRate].map(String);
  if (tls) args.push('--tls');
  const running = startProcess(process.execPath, args);
  running.child.ref();
  const { endpoints, control, certificates } = await firstLine(running);
  running.child.unref();
  return { endpoints, certificates, ...controlSolanaRpc(control), pid: () => running.pid, stop: () => stopProcess(running) };
}

/** The switches of a running service; `url` is any of its front ends. For test processes that did not start it. */
export function controlSolanaRpc(url) {
  const call = (action, args) => post(new URL('/__ctl', url), { action, ...args });
  return {
    /** Lamports out of nowhere; returns the signature. */
    airdrop: (key, lamports) => call('airdrop', { key: String(key), lamports: String(lamports) }),
    /** Moves the chain on; returns `{ slot, height }`. */
    advance: (slots = 1) => call('advance', { slots }),
    slot: () => call('slot'),
    /** Arms a fault on one front end (index) or on `'all'`; kinds and options are listed in README.md. */
    fault: (front, spec) => call('fault', { front, spec }),
    /** Removes all faults, or those of one kind, everywhere or on one front end. */
    clearFaults: ({ front = 'all', kind } = {}) => call('clearFaults', { front, kind }),
    /** Counters of each front end; with `times` also every arrival as `[ms, method]`, and `lateMs`: how late one may be. */
    hits: ({ times = false } = {}) => call('hits', { times }),
    resetHits: () => call('resetHits'),
    /** `[{ signature, slot, err, received }]` in the order of execution. */
    landed: () => call('landed'),
    /** `[{ signature, received, simulated, unretried, fronts }]` (unretried: sent with `maxRetries: 0`) of everything that was sent, landed or not. */
    sends: () => call('sends'),
    /** Writes an account past the runtime: `{ key, lamports, owner, data (base64), executable }`. */
    setAccount: (account) => call('setAccount', account),
    /** Writes an SPL mint: `{ key, decimals, supply }`. */
    setMint: (mint) => call('setMint', mint),
    /** Writes an SPL token account: `{ key, mint, owner, amount }`. */
    setTokenAccount: (account) => call('setTokenAccount', account),
  };
}

function post(url, body) {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body);
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const req = request(url, { method: 'POST', agent: false, timeout: CONTROL_TIMEOUT_MS, headers }, (res) => {
      const chunks = [];
      res.on('data', (chunk) => chunks.push(chunk));
      res.on('error', reject);
      res.on('end', () => {
        const reply = JSON.parse(Buffer.concat(chunks).toString());
        if (reply.error === undefined) resolve(reply.result);
        else reject(new Error(reply.error));
      });
    });
    req.on('timeout', () => req.destroy(new Error(`the Solana RPC server did not answer ${body.action} within ${CONTROL_TIMEOUT_MS} ms`)));
    req.on('error', reject);
    req.end(text);
  });
}

async function firstLine(running) {
  const { stdout } = running.child;
  stdout.ref?.();
  let text = '';
  const line = new Promise((resolve) => {
    stdout.on('data', (chunk) => {
      text += chunk;
      if (text.includes('\n')) resolve(JSON.parse(text.slice(0, text.indexOf('\n'))));
    });
  });
  const timer = AbortSignal.timeout(START_TIMEOUT_MS);
  const late = once(timer, 'abort').then(() => `no line within ${START_TIMEOUT_MS} ms`);
  const ended = running.exited.then(() => 'it ended');
  const first = await Promise.race([line, ended, late]);
  if (typeof first !== 'string') {
    stdout.unref?.();
    return first;
  }
  await stopProcess(running);
  throw new Error(`the Solana RPC server did not start (${first}): ${running.output()}`);
}

async function serve({ fronts, slotMs, skipRate, tls: withTls }) {
  const { Ledger } = await import('./solana-rpc/ledger.mjs');
  const { Front } = await import('./solana-rpc/front.mjs');
  const { createFrontServer } = await import('./solana-rpc/http.mjs');
  const { Subscriptions } = await import('./solana-rpc/subscriptions.mjs');
  const { createControl } = await import('./solana-rpc/control.mjs');
  const certificates = withTls ? await certificateFiles() : undefined;
  const tls = certificates && {
    ca: readFileSync(certificates.ca),
    cert: readFileSync(certificates.serverCert),
    key: readFileSync(certificates.serverKey),
  };
  const ledger = new Ledger({ slotMs, skipRate });
  const nodes = [];
  const control = createControl({ ledger, nodes });
  for (let i = 0; i < fronts; i++) {
    const front = new Front(ledger, i);
    const server = createFrontServer(front, (body) => control({ front: i, ...body }), tls);
    const refuse = (_req, res) => res.writeHead(405).end();
    const sockets = tls === undefined ? createServer(refuse) : createTlsServer(tls, refuse);
    const port = await listenOnPair(server, sockets);
    nodes.push({ front, server, subscriptions: new Subscriptions(front, sockets), port });
  }
  // Front end 0 may be told to refuse connections: control has a door of its own.
  const door = createFrontServer(new Front(ledger, -1), control);
  door.listen(0, '127.0.0.1');
  await once(door, 'listening');
  ledger.start();
  const s = withTls ? 's' : '';
  const endpoints = nodes.map(({ port }) => ({ url: `http${s}://127.0.0.1:${port}`, wsUrl: `ws${s}://127.0.0.1:${port + 1}` }));
  process.stdout.write(`${JSON.stringify({ endpoints, control: `http://127.0.0.1:${door.address().port}`, certificates })}\n`);
}

/** Certificates of the run; the folder goes with this process. */
async function certificateFiles() {
  const folder = temporaryFolder('solana-rpc');
  await makeCertificates(folder);
  const file = (name) => join(folder, name);
  return {
    ca: file('ca.crt'),
    serverCert: file('server.crt'),
    serverKey: file('server.key'),
    clientCert: file('client.crt'),
    clientKey: file('client.key'),
  };
}

/** web3.js derives the websocket's port: HTTP + 1. */
async function listenOnPair(server, sockets) {
  for (let attempt = 0; ; attempt++) {
    const port = await freePort(2);
    try {
      await listen(server, port);
      await listen(sockets, port + 1);
      return port;
    } catch (error) {
      if (error.code !== 'EADDRINUSE' || attempt >= 20) throw error;
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    }
  }
}

function listen(server, port) {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const options = {
    fronts: { type: 'string', default: '2' },
    'slot-ms': { type: 'string', default: '400' },
    'skip-rate': { type: 'string', default: '0' },
    tls: { type: 'boolean', default: false },
  };
  const { values } = parseArgs({ options });
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(0));
  await serve({ fronts: Number(values.fronts), slotMs: Number(values['slot-ms']), skipRate: Number(values['skip-rate']), tls: values.tls });
}
