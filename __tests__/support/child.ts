/**
 * @module __tests__/support/child
 *
 * Runs a piece of JavaScript in a process of its own, with the facade as `mooring` and the peers' sockets trapped: for what only a whole process shows,
 * such as when it exits.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(__dirname, '..', '..');

/** How a child ended. */
export interface ChildResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Milliseconds from the last output on stdout to the exit. */
  readonly sinceLastOutputMs: number;
}

/** Runs `code` as a CommonJS async function body; `mooring` is the facade. Killed after `timeoutMs` (default 20 s), which shows as a signal. */
export function runChild(code: string, options: { timeoutMs?: number; env?: NodeJS.ProcessEnv } = {}): Promise<ChildResult> {
  const source = `const mooring = require(${JSON.stringify(join(ROOT, 'dist', 'index.js'))}); (async () => { ${code}\n})();`;
  const trap = ['--require', join(ROOT, 'dev', 'peer-sockets.cjs')];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...trap, '-e', source], { cwd: ROOT, env: { ...process.env, ...options.env }, stdio: 'pipe' });
    let stdout = '';
    let stderr = '';
    let lastOutput = performance.now();
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      lastOutput = performance.now();
    });
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 20_000);
    child.on('error', reject);
    child.on('close', (exitCode, signal) => {
      clearTimeout(timer);
      resolve({ code: exitCode, signal, stdout, stderr, sinceLastOutputMs: performance.now() - lastOutput });
    });
  });
}
