/**
 * @module dev/redis
 *
 * A real redis-server on free ports, plain and, when asked, TLS with certificates made for the run. Nothing is persisted unless asked for.
 */
import { join } from 'node:path';
import { findRedisServer } from './binaries.mjs';
import { makeCertificates } from './certificates.mjs';
import { freePort, killProcess, removeFolder, startProcess, stopProcess, temporaryFolder, until } from './process.mjs';
import { redisCommand } from './resp.mjs';

/** Starts a server and waits until it answers. `extra` are arguments of redis-server's own. */
export async function startRedis({ tls = false, password, appendonly = false, extra = [] } = {}) {
  const binary = await findRedisServer();
  const folder = temporaryFolder('redis');
  const port = await freePort();
  const tlsPort = tls ? await freePort() : undefined;
  const args = ['--port', port, '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', appendonly ? 'yes' : 'no'];
  args.push('--enable-debug-command', 'yes', '--daemonize', 'no', '--maxmemory-policy', 'noeviction');
  args.push(...extra);
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
    await killProcess(running);
    removeFolder(folder);
    throw error;
  }
  return {
    url: `redis://${auth}127.0.0.1:${port}`,
    folder,
    port,
    ...(tls
      ? {
          tlsUrl: `rediss://${auth}localhost:${tlsPort}`,
          tlsPort,
          ca: join(folder, 'ca.crt'),
          cert: join(folder, 'client.crt'),
          key: join(folder, 'client.key'),
        }
      : {}),
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
      removeFolder(folder);
    },
  };
}
