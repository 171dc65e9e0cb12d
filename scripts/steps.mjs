/**
 * @module scripts/steps
 *
 * Steps of a long run: a progress line when each begins, a sign of life while it is silent, its time when it ends, one table at the end.
 * Children are ended with their run, also on Ctrl-C. Node's own modules only: it runs before anything is installed.
 */
import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository. */
export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
/** Silence after which a running step says that it lives. */
const HEARTBEAT_MS = 15_000;
/** What a child gets between being asked and being made to end. */
const GRACE_MS = 5_000;

const started = performance.now();
const running = new Set();
let stopping = false;

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

/** A progress line on stderr, with the time since the start. */
export function progress(line) {
  process.stderr.write(`[mooring ${seconds(performance.now() - started).padStart(8)}] ${line}\n`);
}

/** A failure that was already shown; only the exit code is left to say. */
export class StepFailed extends Error {}

function kill(child, signal) {
  try {
    // The child's group: cargo and npm have children of their own.
    process.kill(-child.pid, signal);
  } catch {
    child.kill(signal);
  }
}

function endAll(signal) {
  for (const child of running) kill(child, signal);
}

function interrupted(signal) {
  if (stopping) return;
  stopping = true;
  progress(`${signal}: ending ${running.size} running commands`);
  endAll('SIGTERM');
  setTimeout(() => endAll('SIGKILL'), GRACE_MS).unref();
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => interrupted(signal));
process.on('exit', () => endAll('SIGKILL'));

/** Passes on what a child says; ends the child when it says nothing for so long. */
function watchSilence(child, limitMs, command) {
  const giveUp = () => {
    progress(`${command} said nothing for ${seconds(limitMs)}: ended`);
    kill(child, 'SIGKILL');
  };
  let timer = setTimeout(giveUp, limitMs);
  for (const name of ['stdout', 'stderr']) {
    child[name].on('data', (chunk) => {
      clearTimeout(timer);
      timer = setTimeout(giveUp, limitMs);
      process[name].write(chunk);
    });
  }
  child.once('close', () => clearTimeout(timer));
}

/**
 * Runs a command to its end; its output is shown as it comes. Rejects with `StepFailed` when it does not end with 0.
 * `capture` returns its standard output instead of showing it. `silenceMs` ends a command that says nothing for so long; without it, it may be silent for ever.
 */
export function run(command, args, { cwd = ROOT, env = {}, capture = false, quiet = false, silenceMs } = {}) {
  if (stopping) return Promise.reject(new StepFailed('interrupted'));
  return new Promise((resolve, reject) => {
    const watched = silenceMs !== undefined;
    const stdio = ['ignore', capture || quiet || watched ? 'pipe' : 'inherit', quiet || watched ? 'pipe' : 'inherit'];
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio, detached: process.platform !== 'win32' });
    running.add(child);
    let output = '';
    let errors = '';
    if (watched) watchSilence(child, silenceMs, command);
    if (capture || quiet) child.stdout?.on('data', (chunk) => (output += chunk));
    if (quiet) child.stderr?.on('data', (chunk) => (errors += chunk));
    child.once('error', (error) => {
      running.delete(child);
      reject(new StepFailed(error.code === 'ENOENT' ? `${command} is not on PATH` : error.message));
    });
    child.once('close', (code, signal) => {
      running.delete(child);
      if (code === 0) return resolve(output);
      if (quiet) process.stderr.write(output + errors);
      reject(new StepFailed(`${[command, ...args].join(' ').slice(0, 200)} ended with ${signal ?? code}`));
    });
  });
}

/** npm's program: of the npm that started us, else of the one on PATH. */
function npmProgram() {
  const given = process.env.npm_execpath;
  if (given?.endsWith('.js')) return given;
  const folder = (process.env.PATH ?? '').split(delimiter).find((path) => existsSync(join(path, 'npm')));
  if (folder === undefined) throw new StepFailed('npm is not on PATH: install it with Node');
  return realpathSync(join(folder, 'npm'));
}

/** Runs npm with this Node, whatever PATH the command gets. */
export function npm(args, options) {
  return run(process.execPath, [npmProgram(), ...args], options);
}

/** A tool of `node_modules/.bin`, without npx. */
export function tool(name, args, options) {
  return run(join(ROOT, 'node_modules', '.bin', name), args, options);
}

/** The steps of one run and how each ended. */
export class Steps {
  #rows = [];

  /** Runs a step. `work` may return a short note for the table. A failure ends the step, not the run: `required` ends both. */
  async run(name, work, { required = false } = {}) {
    progress(`${name} ...`);
    const begin = performance.now();
    const beat = setInterval(() => progress(`${name}: still running after ${seconds(performance.now() - begin)}`), HEARTBEAT_MS);
    try {
      const note = (await work()) ?? '';
      this.#end(name, 'ok', begin, note);
    } catch (error) {
      const shown = error instanceof StepFailed ? error.message : (error.stack ?? String(error));
      this.#end(name, 'FAILED', begin, shown.split('\n')[0]);
      if (!(error instanceof StepFailed)) process.stderr.write(`${shown}\n`);
      if (required || stopping) throw new StepFailed(name);
    } finally {
      clearInterval(beat);
    }
  }

  /** Whether every step ended well. */
  get ok() {
    return this.#rows.length > 0 && this.#rows.every((row) => row.state === 'ok');
  }

  #end(name, state, begin, note) {
    const elapsed = performance.now() - begin;
    this.#rows.push({ name, state, elapsed, note: String(note) });
    progress(`${name}: ${state} in ${seconds(elapsed)}${note === '' ? '' : ` (${note})`}`);
  }

  /** The table of all steps. */
  print() {
    const width = Math.max(...this.#rows.map((row) => row.name.length), 4);
    const lines = this.#rows.map((row) =>
      `  ${row.name.padEnd(width)}  ${row.state.padEnd(6)}  ${seconds(row.elapsed).padStart(9)}  ${row.note}`.trimEnd(),
    );
    const total = `  ${'total'.padEnd(width)}  ${this.ok ? 'ok    ' : 'FAILED'}  ${seconds(performance.now() - started).padStart(9)}`;
    process.stderr.write(`\n${lines.join('\n')}\n${total}\n`);
  }
}

/** Runs `main`, prints the table and sets the exit code: 0 only when every step ended well, 130 when interrupted. */
export async function runSteps(main) {
  const steps = new Steps();
  try {
    await main(steps);
  } catch (error) {
    if (!(error instanceof StepFailed)) process.stderr.write(`${error.stack ?? error}\n`);
    process.exitCode = 1;
  }
  steps.print();
  if (!steps.ok) process.exitCode = stopping ? 130 : 1;
}
