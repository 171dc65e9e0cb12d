/**
 * @module dev/redis
 *
 * A real redis-server on free ports, plain and, when asked, TLS with certificates made for the run. Nothing is persisted unless asked for.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findOpenssl, findRedisServer } from './binaries.mjs';
import { freePort, killProcess, startProcess, stopProcess, until } from './process.mjs';
import { redisCommand } from './resp.mjs';

async function makeCertificates(folder) {
  const openssl = await findOpenssl();
  const run = (...args) => execFileSync(openssl, args, { cwd: folder, stdio: 'pipe' });
  const key = ['-newkey', 'rsa:2048', '-nodes', '-days', '2'];
  run('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=mooring test authority');
  writeFileSync(join(folder, 'names.cnf'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  for (const name of ['server', 'client']) {
    run('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    const sign = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'names.cnf'];
    run('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.crt`, ...sign);
  }
}

/** Starts a server and waits until it answers. */
export async function startRedis({ tls = false, password, appendonly = false } = {}) {
  const binary = await findRedisServer();
  const folder = mkdtempSync(join(tmpdir(), 'mooring-redis-'));
  const port = await freePort();
  const tlsPort = tls ? await freePort() : undefined;
  const args = ['--port', port, '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', appendonly ? 'yes' : 'no'];
  args.push('--enable-debug-command', 'yes', '--daemonize', 'no', '--maxmemory-policy', 'noeviction');
  if (password !== undefined) args.push('--requirepass', password);
  if (tls) {
    await makeCertificates(folder);
    const file = (name) => join(folder, name);
    args.push('--tls-port', tlsPort, '--tls-cert-file', file('server.crt'), '--tls-key-file', file('server.key'));
    args.push('--tls-ca-cert-file', file('ca.crt'), '--tls-auth-clients', 'optional');
  }
  const start = () => startProcess(binary, args.map(String));
  const command = (...parts) => redisCommand({ port, password }, ...parts);
  let running = start();
  const ready = () => until('redis-server', running, () => command('PING'));
  const auth = password === undefined ? '' : `:${encodeURIComponent(password)}@`;
  try {
    await ready();
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    url: `redis://${auth}127.0.0.1:${port}`,
    port,
    ...(tls ? { tlsUrl: `rediss://${auth}localhost:${tlsPort}`, tlsPort, ca: join(folder, 'ca.crt'), cert: join(folder, 'client.crt'), key: join(folder, 'client.key') } : {}),
    pid: () => running.pid,
    command,
    /** Cuts every client connection but the one that asks. */
    killClients: () => command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
    kill: (signal = 'SIGKILL') => killProcess(running, signal),
    async restart() {
      await stopProcess(running);
      running = start();
      await ready();
    },
    suspend: () => running.child.kill('SIGSTOP'),
    resume: () => running.child.kill('SIGCONT'),
    async stop() {
      await stopProcess(running);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
