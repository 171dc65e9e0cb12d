/**
 * @module dev/solana-rpc/http
 *
 * The HTTP side of one front end: keep-alive, the faults of the transport, and `POST /__ctl`, which no fault touches.
 */
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { resetSocket } from '../reset.mjs';
import { toJson } from './encoding.mjs';
import { methodsOf } from './front.mjs';

const MAX_BODY_BYTES = 50 * 1024;
/** Said outright, so that Node does not announce when it will close an idle connection: a node does not either. */
const JSON_TYPE = { connection: 'keep-alive', 'content-type': 'application/json; charset=utf-8' };
/** As agave does. */
const KEEP_ALIVE_MS = 20_000;
const HTML = '<html><head><title>error</title></head><body><center><h1>error</h1></center></body></html>';

/** A server for one front end; `control` answers a parsed `/__ctl` body. With `tls` (`{ ca, cert, key }`) it speaks https and asks for a client's certificate. */
export function createFrontServer(front, control, tls) {
  const answer = (req, res) => {
    handle({ front, control, req, res }).catch((error) => {
      if (!res.destroyed) process.stderr.write(`[solana-rpc] ${error.stack}\n`);
      req.socket.destroy();
    });
  };
  const server =
    tls === undefined ? createServer(answer) : createTlsServer({ ...tls, requestCert: true, rejectUnauthorized: false }, answer);
  server.on('secureConnection', (socket) => {
    if (socket.authorized) front.counters.clientCertificates = (front.counters.clientCertificates ?? 0) + 1;
    front.counters.serverName = socket.servername;
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.headersTimeout = 60_000;
  front.sockets = new Set();
  server.on('connection', (socket) => {
    const cap = front.faults.has('socketCap');
    if (front.faults.has('refuse') !== undefined || (cap !== undefined && front.sockets.size >= cap.max)) {
      front.noteFault(cap === undefined ? 'refuse' : 'socketCap');
      resetSocket(socket);
      return;
    }
    front.counters.connections = (front.counters.connections ?? 0) + 1;
    front.sockets.add(socket);
    socket.on('close', () => front.sockets.delete(socket));
    socket.on('error', () => {});
  });
  return server;
}

async function handle({ front, control, req, res }) {
  const { pathname } = new URL(req.url, 'http://localhost');
  if (req.method === 'GET' && pathname === '/health')
    return end(res, 200, front.slotsBehind() > 0 ? 'behind' : 'ok', { 'content-type': 'text/plain' });
  if (pathname === '/__ctl') return answerControl({ control, req, res });
  if (req.method !== 'POST')
    return end(res, 405, 'Used HTTP Method is not allowed. POST or OPTIONS is required\n', { 'content-type': 'text/plain' });
  const early = front.faults.take('reset', [], (fault) => fault.when !== 'after' && fault.methods === undefined);
  if (early !== undefined) return reset(front, req);
  const text = await readBody(req);
  if (text === undefined) return end(res, 413, 'Too big request\n', { 'content-type': 'text/plain' });
  front.inFlight += 1;
  front.counters.maxInFlight = Math.max(front.counters.maxInFlight, front.inFlight);
  res.once('close', () => {
    front.inFlight -= 1;
  });
  return answerRpc({ front, req, res, text });
}

async function answerRpc({ front, req, res, text }) {
  const body = parse(text);
  const methods = body === undefined ? ['invalid'] : methodsOf(body);
  front.noteArrival(methods);
  if (failBefore({ front, req, res, body, methods })) return;
  const wait = front.faults.take('delay', methods);
  if (wait !== undefined) {
    front.noteFault('delay');
    await delay(wait.ms);
  }
  const reply = body === undefined ? { error: { code: -32700, message: 'Parse error' }, id: null, jsonrpc: '2.0' } : front.answer(body);
  const afterwards = (fault) => fault.when === 'after';
  if (front.faults.take('reset', methods, afterwards) !== undefined) return reset(front, req);
  if (front.faults.take('hang', methods, afterwards) !== undefined) return front.noteFault('hang');
  await send({ front, req, res, reply, methods });
}

/** Faults that answer instead of the node; true when one did. Nothing was executed then. */
function failBefore({ front, req, res, body, methods }) {
  if (front.faults.take('reset', methods, (fault) => fault.when !== 'after') !== undefined) {
    reset(front, req);
    return true;
  }
  if (front.faults.take('hang', methods, (fault) => fault.when !== 'after') !== undefined) {
    front.noteFault('hang');
    return true;
  }
  const limited = front.faults.refusedByRate(methods);
  const status = limited === undefined ? front.faults.take('status', methods) : { status: 429, body: 'json', ...limited };
  if (status !== undefined) {
    front.noteFault(limited === undefined ? 'status' : 'rateLimit');
    endWithStatus(res, status);
    return true;
  }
  const envelope = front.faults.take('envelope', methods);
  if (envelope === undefined) return false;
  front.noteFault('envelope');
  const { code, message = `error ${code}`, data } = envelope;
  const refusal = (request) => ({
    error: { code, message, ...(data === undefined ? {} : { data }) },
    id: request?.id ?? null,
    jsonrpc: '2.0',
  });
  end(res, 200, JSON.stringify(Array.isArray(body) ? body.map(refusal) : refusal(body)), JSON_TYPE);
  return true;
}

/** `retryAfter`: seconds, or `'date'` for an HTTP date two seconds from now. `body`: `'json'`, `'html'`, `'empty'` or the text itself. */
function endWithStatus(res, { status, retryAfter, body = 'json' }) {
  const texts = {
    json: JSON.stringify({ error: { code: status, message: `error ${status}` }, id: null, jsonrpc: '2.0' }),
    html: HTML,
    empty: '',
  };
  const headers = body === 'html' ? { 'content-type': 'text/html' } : { ...JSON_TYPE };
  if (retryAfter !== undefined)
    headers['retry-after'] = retryAfter === 'date' ? new Date(Date.now() + 2000).toUTCString() : String(retryAfter);
  end(res, status, texts[body] ?? body, headers);
}

async function send({ front, req, res, reply, methods }) {
  const { faults } = front;
  if (faults.take('wrongId', methods) !== undefined) {
    front.noteFault('wrongId');
    for (const one of [reply].flat()) one.id = typeof one.id === 'number' ? one.id + 1_000_000 : `not-${one.id}`;
  }
  let bytes = Buffer.from(toJson(reply));
  const headers = { ...JSON_TYPE };
  const zip = faults.take('gzip', methods, (fault) => fault.force || /\bgzip\b/.test(req.headers['accept-encoding'] ?? ''));
  if (zip !== undefined) {
    front.noteFault('gzip');
    headers['content-encoding'] = 'gzip';
    bytes = gzipSync(bytes);
  }
  const cut = faults.take('truncate', methods);
  if (cut !== undefined) {
    front.noteFault('truncate');
    return truncate({ req, res, bytes, headers, clean: cut.clean });
  }
  const drip = faults.take('drip', methods);
  if (drip === undefined) return end(res, 200, bytes, headers);
  front.noteFault('drip');
  return dripOut({ res, bytes, headers, drip });
}

/** Half of the body: `clean` is a complete HTTP reply with half of the JSON, else the connection breaks in the middle. */
function truncate({ req, res, bytes, headers, clean }) {
  const half = bytes.subarray(0, bytes.length >> 1);
  if (clean) return end(res, 200, half, headers);
  res.writeHead(200, { ...headers, 'content-length': bytes.length });
  res.write(half, () => setTimeout(() => req.socket.destroy(), 5));
  return undefined;
}

async function dripOut({ res, bytes, headers, drip: { ms = 20, bytes: step = 1 } }) {
  res.writeHead(200, { ...headers, 'content-length': bytes.length });
  for (let at = 0; at < bytes.length && !res.destroyed; at += step) {
    res.write(bytes.subarray(at, at + step));
    await delay(ms);
  }
  res.end();
}

function reset(front, req) {
  front.noteFault('reset');
  resetSocket(req.socket);
}

function end(res, status, body, headers) {
  res.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
  res.end(body);
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function readBody(req, limit = MAX_BODY_BYTES) {
  const chunks = [];
  let length = 0;
  for await (const chunk of req) {
    length += chunk.length;
    if (length <= limit) chunks.push(chunk);
  }
  return length > limit ? undefined : Buffer.concat(chunks).toString();
}

async function answerControl({ control, req, res }) {
  try {
    const result = await control(parse(await readBody(req, 64 << 20)) ?? {});
    end(res, 200, toJson({ result: result ?? null }), JSON_TYPE);
  } catch (error) {
    end(res, 400, JSON.stringify({ error: error.message }), JSON_TYPE);
  }
}
