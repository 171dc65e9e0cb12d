/**
 * @module dev/peer-sockets
 *
 * The trap for peers' sockets. Load it with `node --require` or as a Jest setup file: when a JavaScript driver or a peer's HTTP client opens a connection in
 * this process, the attempt throws, one line says who it was, and the process ends with a failure. Mooring's own sockets are Rust's and never pass here.
 */
'use strict';
const net = require('node:net');
const http = require('node:http');
const https = require('node:https');

/** Packages that must not open a connection while mooring is under test. */
const PEERS =
  /[/\\]node_modules[/\\](mongodb|mongoose|ioredis|iovalkey|redis|@redis[/\\]|@valkey[/\\]|node-fetch|undici|ws|rpc-websockets|jayson|isomorphic-ws|@solana[/\\](?!kit-test)|agentkeepalive)/;
const MARK = Symbol.for('mooring.peer-sockets');
/** Deep enough for a driver's internals; the default of ten frames may end before them. */
const STACK_DEPTH = 200;

/** The peer whose code is on the stack, if any. */
function peerOnStack() {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = STACK_DEPTH;
  const { stack } = new Error('connection attempt');
  Error.stackTraceLimit = limit;
  return PEERS.exec(stack)?.[1];
}

function check() {
  const peer = peerOnStack();
  if (peer === undefined) return;
  process.exitCode = 1;
  globalThis[MARK].caught.push(peer);
  process.stderr.write(`peer socket trap: ${peer} opened a connection\n`);
  throw new Error(`peer socket trap: ${peer} opened a connection`);
}

function guarded(original) {
  return function guardedConnect(...args) {
    check();
    return original.apply(this, args);
  };
}

function install() {
  globalThis[MARK] = { caught: [] };
  net.Socket.prototype.connect = guarded(net.Socket.prototype.connect);
  for (const module of [http, https]) {
    module.request = guarded(module.request);
    module.get = guarded(module.get);
  }
  if (typeof globalThis.fetch === 'function') globalThis.fetch = guarded(globalThis.fetch);
  // A process that swallowed the error still fails.
  process.on('exit', () => {
    if (globalThis[MARK].caught.length > 0) process.exitCode = 1;
  });
}

// Jest runs setup files once per test file, and its sandbox has globals of its own over the same core modules.
if (net.Socket.prototype.connect[MARK] === undefined) {
  install();
  net.Socket.prototype.connect[MARK] = true;
}
