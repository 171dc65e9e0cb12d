/**
 * @module dev/peer-sockets
 *
 * The trap for peers' sockets. Load it with `node --require` or as a Jest setup file: when a JavaScript driver or a peer's HTTP client opens a connection in
 * this process, the attempt throws, one line says who it was, and the process ends with a failure. Mooring's own sockets are Rust's and never pass here.
 *
 * Who it was is read from the stack: the frame nearest to the attempt that belongs to a peer or to test support decides. A Jest file finds what was caught
 * since it began in `net.Socket.prototype.connect[Symbol.for('mooring.peer-sockets')].caught` (not on its global object, which Jest clears). Not seen: sockets of native addons, of other processes and of worker threads that
 * did not load this file.
 */
'use strict';
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const { syncBuiltinESMExports } = require('node:module');
const { sep } = require('node:path');

/** Packages that must not open a connection while mooring is under test. */
const PEERS =
  /[/\\]node_modules[/\\](mongodb|mongoose|ioredis|iovalkey|redis|@redis|@valkey|node-fetch|undici|ws|rpc-websockets|jayson|isomorphic-ws|agentkeepalive|@solana)[/\\]/;
const LITESVM = /[/\\]node_modules[/\\]litesvm[/\\]/;
const MARK = Symbol.for('mooring.peer-sockets');
/** Deep enough for a driver's internals; the default of ten frames may end before them. */
const STACK_DEPTH = 200;

/** The peer whose code asks for the connection, if any. */
function peerOnStack() {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = STACK_DEPTH;
  const { stack } = new Error('connection attempt');
  Error.stackTraceLimit = limit;
  for (const frame of stack.split('\n').slice(1)) {
    if (frame.includes(__filename)) continue;
    if (frame.includes(__dirname + sep) || LITESVM.test(frame)) return undefined;
    const peer = PEERS.exec(frame)?.[1];
    if (peer !== undefined) return peer;
  }
  return undefined;
}

function guarded(original, record) {
  return function guardedConnect(...args) {
    const peer = peerOnStack();
    if (peer === undefined) return Reflect.apply(original, this, args);
    const text = `peer socket trap: ${peer} opened a connection`;
    record.caught.push(peer);
    record.fail();
    process.stderr.write(`${text}\n`);
    throw new Error(text);
  };
}

/** Core modules are shared by all realms of a process (a Jest file is one): they are patched once. */
function patchCore(record) {
  const { connect } = net.Socket.prototype;
  net.Socket.prototype.connect = guarded(connect, record); // tls, http and every client package end here
  net.Socket.prototype.connect[MARK] = record;
  for (const module of [http, https]) {
    module.request = guarded(module.request, record); // earlier, while the caller is on the stack: agents connect later
    module.get = guarded(module.get, record);
  }
  syncBuiltinESMExports();
}

let record = net.Socket.prototype.connect[MARK];
if (record === undefined) {
  // A process that swallowed the error still fails.
  let failed = false;
  const fail = () => {
    failed = true;
    process.exitCode = 1;
  };
  process.on('exit', () => {
    if (failed) process.exitCode = 1;
  });
  record = { caught: [], fail };
  patchCore(record);
}
record.caught.length = 0;
if (typeof globalThis.fetch === 'function' && globalThis.fetch[MARK] === undefined) {
  globalThis.fetch = guarded(globalThis.fetch, record);
  globalThis.fetch[MARK] = true;
}
