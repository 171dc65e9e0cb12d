/**
 * @module dev/process
 *
 * Child processes and temporary folders of the stack: none outlives this process. A guard, one detached `sh`, reads a pipe that only this process holds; however
 * this process ends (exit, signal, SIGKILL), the kernel closes the pipe, and the guard kills every child and removes every folder it was told about.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Reads `+pid n`, `-pid n`, `+dir path`, `-dir path`, one a line. Names hold no spaces: `temporaryFolder` sees to it. */
const GUARD = `
trap '' INT TERM HUP
pids=' ' dirs=' '
while read -r what name; do
  case "$what" in
    +pid) pids="$pids$name " ;;
    -pid) pids="\${pids%% $name *} \${pids#* $name }" ;;
    +dir) dirs="$dirs$name " ;;
    -dir) dirs="\${dirs%% $name *} \${dirs#* $name }" ;;
  esac
done
for pid in $pids; do kill -9 "$pid" 2>/dev/null; done
for try in 1 2 3; do
  for dir in $dirs; do rm -rf "$dir"; done
  sleep 1 # a killed server may still have been writing
done
`;
let guard;

function tellGuard(line) {
  if (guard === undefined) {
    guard = spawn('sh', ['-c', GUARD], { stdio: ['pipe', 'ignore', 'ignore'], detached: true, cwd: '/' });
    guard.unref();
    guard.stdin.unref();
    guard.on('error', (error) => process.stderr.write(`[stack] no guard over child processes: ${error.message}\n`));
    guard.stdin.on('error', () => {});
  }
  guard.stdin.write(`${line}\n`);
}

/** A fresh folder, removed by `removeFolder` or when this process ends. */
export function temporaryFolder(name) {
  const folder = mkdtempSync(join(tmpdir(), `mooring-${name}-`));
  if (/\s/.test(folder)) throw new Error(`the folder ${folder} has a space in its name: set TMPDIR to one without`);
  tellGuard(`+dir ${folder}`);
  return folder;
}

/** Removes a folder made by `temporaryFolder`. */
export function removeFolder(folder) {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  tellGuard(`-dir ${folder}`);
}

/** Starts a program that dies with this process. The last 20 lines of its output are kept for error messages. */
export function startProcess(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  const { pid } = child;
  if (pid !== undefined) tellGuard(`+pid ${pid}`);
  const tail = [];
  const keep = (chunk) => {
    tail.push(...chunk.toString().split('\n').filter(Boolean));
    tail.splice(0, Math.max(0, tail.length - 20));
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  const exited = new Promise((resolve) => {
    child.once('error', (error) => {
      tail.push(String(error));
      resolve(null);
    });
    child.once('exit', (code) => {
      tellGuard(`-pid ${pid}`);
      resolve(code);
    });
  });
  // An idle stack must not hold its owner: the owner's own work does.
  child.unref();
  child.stdout?.unref?.();
  child.stderr?.unref?.();
  return { child, pid, exited, output: () => tail.join('\n') };
}

const hasEnded = ({ child }) => child.pid === undefined || child.exitCode !== null || child.signalCode !== null;

/** Ends a started process with a signal, also a stopped one, and waits until it is gone. */
export async function killProcess(started, signal = 'SIGKILL') {
  if (hasEnded(started)) return;
  started.child.ref();
  started.child.kill('SIGCONT');
  started.child.kill(signal);
  await started.exited;
}

/** Ends a started process: asks, then insists after `graceMs`. */
export async function stopProcess(started, graceMs = 3000) {
  const timer = new AbortController();
  const insist = delay(graceMs, undefined, { signal: timer.signal }).then(
    () => started.child.kill('SIGKILL'),
    () => {},
  );
  await killProcess(started, 'SIGTERM');
  timer.abort();
  await insist;
}

/** Below the range the kernel gives to outgoing connections: a restarted server finds its port free. */
const FIRST_PORT = 15_000;
const PORTS = 17_000;
/** Ports that this process has given out: their servers may not listen yet. */
const given = new Set();

/** A free TCP port; with `count` above 1 the first of so many adjacent free ones. */
export async function freePort(count = 1) {
  for (let attempt = 0; attempt < 200; attempt++) {
    const first = FIRST_PORT + Math.floor(Math.random() * (PORTS - count));
    const ports = Array.from({ length: count }, (_, next) => first + next);
    if (ports.some((port) => given.has(port))) continue;
    for (const port of ports) given.add(port);
    let free = true;
    for (const port of ports) free &&= await canListen(port);
    if (free) return first;
  }
  throw new Error(`no ${count} adjacent free ports found`);
}

function canListen(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** Repeats `attempt` until it succeeds, the process ends, or `limitMs` pass. */
export async function until(what, started, attempt, limitMs = 30_000) {
  const deadline = Date.now() + limitMs;
  let last;
  while (Date.now() < deadline) {
    if (started !== undefined && hasEnded(started)) break;
    try {
      return await attempt();
    } catch (error) {
      last = error;
    }
    await delay(50);
  }
  throw new Error(`${what} did not come up: ${last?.message ?? 'it ended'}\n${started?.output() ?? ''}`);
}
