/**
 * @module dev/mongod
 *
 * A real replica set of mongod processes on free ports with fail points enabled; its data lives in a temporary folder that is removed at the stop. Not offered:
 * authentication, sharding.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { findMongod } from './binaries.mjs';
import { makeCertificates } from './certificates.mjs';
import { mongoCommand } from './mongo-wire.mjs';
import { freePort, killProcess, removeFolder, startProcess, temporaryFolder, until } from './process.mjs';

const SET_NAME = 'rs0';

const PARAMETERS = { enableTestCommands: 1, ttlMonitorEnabled: false, diagnosticDataCollectionEnabled: false };

function startNode(binary, { folder, port, extra }) {
  mkdirSync(folder, { recursive: true });
  const args = ['--replSet', SET_NAME, '--port', String(port), '--bind_ip', '127.0.0.1', '--dbpath', folder, '--quiet', '--nounixsocket'];
  return startProcess(binary, [...args, '--wiredTigerCacheSizeGB', '0.25', '--oplogSize', '64', ...extra]);
}

/** TLS beside plain connections; clients need no certificate. */
async function tlsArguments(folder) {
  await makeCertificates(folder);
  const files = ['--tlsCertificateKeyFile', join(folder, 'server.pem'), '--tlsCAFile', join(folder, 'ca.crt')];
  return ['--tlsMode', 'preferTLS', ...files, '--tlsAllowConnectionsWithoutCertificates'];
}

/**
 * Starts a replica set of 1 or 3 `nodes` and waits for its primary. `port` is that of the first node, the others follow (default: free ones). With `tls` it
 * accepts TLS as well, and `tlsUri`, `ca`, `pem` (client certificate and key) are set. `setParameter` adds server parameters. `fronts` are the ports by which the
 * nodes know each other and clients know them: those of proxies that stand before `port` and its followers.
 */
export async function startMongod({ nodes = 1, port, fronts, tls = false, setParameter = {} } = {}) {
  const binary = await findMongod();
  const folder = temporaryFolder('mongod');
  const parameters = Object.entries({ ...PARAMETERS, ...setParameter }).flatMap(([name, value]) => ['--setParameter', `${name}=${value}`]);
  const extra = [...parameters, ...(tls ? await tlsArguments(folder) : [])];
  const first = port ?? (await freePort(nodes));
  const ports = Array.from({ length: nodes }, (_, i) => first + i);
  const known = fronts ?? ports;
  const start = (i) => startNode(binary, { folder: join(folder, `node-${i}`), port: ports[i], extra });
  const running = ports.map((_, i) => start(i));
  const onNode = (i, command, options) => mongoCommand(ports[i], command, options);

  async function primary() {
    for (const [i] of ports.entries()) {
      const hello = await onNode(i, { hello: 1 }, { timeoutMs: 2000 }).catch(() => undefined);
      if (hello?.isWritablePrimary) return i;
    }
    throw new Error('no primary');
  }
  const command = async (body, options) => onNode(await until('primary', undefined, primary), body, options);

  async function settled(i) {
    const hello = await onNode(i, { hello: 1 });
    if (!hello.isWritablePrimary && !hello.secondary) throw new Error(`node ${i} still copies data`);
  }

  async function initiate() {
    await Promise.all(running.map((node, i) => until('mongod', node, () => onNode(i, { ping: 1 }))));
    const members = known.map((each, i) => ({ _id: i, host: `127.0.0.1:${each}` }));
    const settings = { electionTimeoutMillis: 1000, heartbeatIntervalMillis: 250, catchUpTimeoutMillis: 500 };
    await onNode(0, { replSetInitiate: { _id: SET_NAME, members, settings } });
    await until('primary', running[0], primary);
    // A set whose primary is killed before the others have copied its data never elects another.
    await Promise.all(running.map((node, i) => until('member', node, () => settled(i))));
  }

  async function stop() {
    // The data is thrown away: no time for a checkpoint.
    await Promise.all(running.map((node) => killProcess(node)));
    removeFolder(folder);
  }

  try {
    await initiate();
  } catch (error) {
    await stop();
    throw error;
  }
  const uri = `mongodb://${known.map((each) => `127.0.0.1:${each}`).join(',')}/?replicaSet=${SET_NAME}`;
  const ca = join(folder, 'ca.crt');
  return {
    uri,
    ...(tls ? { tlsUri: `${uri}&tls=true&tlsCAFile=${encodeURIComponent(ca)}`, ca, pem: join(folder, 'client.pem') } : {}),
    folder,
    ports,
    pids: () => running.map((node) => node.pid),
    command,
    primary,
    /** Ends a node with a signal (default SIGKILL) and waits until it is gone. */
    kill: (i = 0, signal = 'SIGKILL') => killProcess(running[i], signal),
    /** Starts a node again on its port and data; one that still runs is killed first. */
    async restart(i = 0) {
      await killProcess(running[i]);
      running[i] = start(i);
      await until('mongod', running[i], () => onNode(i, { ping: 1 }));
      await until('primary', running[i], primary);
    },
    /** Freezes a node: its sockets stay open and say nothing. */
    suspend: (i = 0) => running[i].child.kill('SIGSTOP'),
    resume: (i = 0) => running[i].child.kill('SIGCONT'),
    /** The primary steps down; resolves when there is a primary again (a lone node: itself after a second). */
    async stepDown() {
      const alone = nodes === 1;
      await command({ replSetStepDown: alone ? 1 : 5, secondaryCatchUpPeriodSecs: alone ? 0 : 2, force: true });
      await until('primary', undefined, primary);
    },
    /** Arms the fail point `failCommand`: `failCommand({ times: 1 }, { failCommands: ['insert'], errorCode: 11600 })`. */
    failCommand: (mode, data) => command({ configureFailPoint: 'failCommand', mode, data }),
    clearFailCommand: () => command({ configureFailPoint: 'failCommand', mode: 'off' }),
    serverStatus: () => command({ serverStatus: 1 }),
    stop,
  };
}
