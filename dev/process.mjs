/**
 * @module dev/process
 *
 * Child processes of the stack: none survives its parent. On Linux the kernel kills it when the parent dies (`setpriv --pdeathsig`), and every way of leaving
 * that Node can see kills it too.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const children = new Set();
let hooked = false;
let pdeathsig;

function killAll() {
  for (const child of children) child.kill('SIGKILL');
}

function hook() {
  if (hooked) return;
  hooked = true;
  process.on('exit', killAll);
}

/** Whether the kernel can be asked to kill children with their parent. */
function canBind() {
  pdeathsig ??= process.platform === 'linux' && spawnSync('setpriv', ['--pdeathsig', 'KILL', 'true']).status === 0;
  return pdeathsig;
}

/** Starts a program that dies with this process. The last 20 lines of its output are kept for error messages. */
export function startProcess(command, args, options = {}) {
  hook();
  const bound = canBind() ? ['setpriv', '--pdeathsig', 'KILL', command] : [command];
  const child = spawn(bound[0], [...bound.slice(1), ...args], { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  const tail = [];
  const keep = (chunk) => {
    tail.push(...chunk.toString().split('\n').filter(Boolean));
    tail.splice(0, Math.max(0, tail.length - 20));
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  children.add(child);
  const exited = new Promise((resolve) => {
    child.once('error', (error) => {
      children.delete(child);
      tail.push(String(error));
      resolve(null);
    });
    child.once('exit', (code) => {
      children.delete(child);
      resolve(code);
    });
  });
  // An idle stack must not hold its owner: the owner's own work does.
  child.unref();
  child.stdout?.unref?.();
  child.stderr?.unref?.();
  return { child, pid: child.pid, exited, output: () => tail.join('\n') };
}

/** Ends a started process with a signal, also a stopped one, and waits until it is gone. */
export async function killProcess(started, signal = 'SIGKILL') {
  if (started.child.exitCode !== null || started.child.signalCode !== null) return;
  started.child.ref();
  started.child.kill('SIGCONT');
  started.child.kill(signal);
  await started.exited;
}

/** Ends a started process: asks, then insists after `graceMs`. */
export async function stopProcess(started, graceMs = 3000) {
  const timer = new AbortController();
  const insist = delay(graceMs, undefined, { signal: timer.signal }).then(() => started.child.kill('SIGKILL'), () => {});
  await killProcess(started, 'SIGTERM');
  timer.abort();
  await insist;
}

/** A free TCP port; with `count` above 1 the first of so many adjacent free ones. */
export async function freePort(count = 1) {
  for (let attempt = 0; attempt < 100; attempt++) {
    const first = await listenOnce(0);
    let free = first > 0;
    for (let next = 1; free && next < count; next++) free = (await listenOnce(first + next)) > 0;
    if (free) return first;
  }
  throw new Error(`no ${count} adjacent free ports found`);
}

function listenOnce(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(-1));
    server.listen(port, '127.0.0.1', () => {
      const { port: got } = server.address();
      server.close(() => resolve(got));
    });
  });
}

/** Repeats `attempt` until it succeeds, the process ends, or `limitMs` pass. */
export async function until(what, started, attempt, limitMs = 30_000) {
  const deadline = Date.now() + limitMs;
  let last;
  while (Date.now() < deadline) {
    if (started !== undefined && (started.child.exitCode !== null || started.child.pid === undefined)) break;
    try {
      return await attempt();
    } catch (error) {
      last = error;
    }
    await delay(50);
  }
  throw new Error(`${what} did not come up: ${last?.message ?? 'it ended'}\n${started?.output() ?? ''}`);
}
