/**
 * @module dev/mongod
 *
 * A real replica set of mongod processes on free ports with fail points enabled; its data lives in a temporary folder that is removed at the stop.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findMongod } from './binaries.mjs';
import { mongoCommand } from './mongo-wire.mjs';
import { freePort, killProcess, startProcess, stopProcess, until } from './process.mjs';

const SET_NAME = 'rs0';

function startNode(binary, folder, port) {
  mkdirSync(folder, { recursive: true });
  const args = ['--replSet', SET_NAME, '--port', String(port), '--bind_ip', '127.0.0.1', '--dbpath', folder, '--quiet'];
  const parameters = ['enableTestCommands=1', 'ttlMonitorEnabled=false', 'diagnosticDataCollectionEnabled=false'];
  return startProcess(binary, [...args, '--wiredTigerCacheSizeGB', '0.25', ...parameters.flatMap((text) => ['--setParameter', text])]);
}

/** Starts a replica set and waits for its primary. */
export async function startMongod({ nodes = 1 } = {}) {
  const binary = await findMongod();
  const folder = mkdtempSync(join(tmpdir(), 'mooring-mongod-'));
  const ports = [];
  for (let i = 0; i < nodes; i++) ports.push(await freePort());
  const folderOf = (i) => join(folder, `node-${i}`);
  const running = ports.map((port, i) => startNode(binary, folderOf(i), port));
  const onNode = (i, command, options) => mongoCommand(ports[i], command, options);

  async function primary() {
    for (const [i] of ports.entries()) {
      const hello = await onNode(i, { hello: 1 }, { timeoutMs: 2000 }).catch(() => undefined);
      if (hello?.isWritablePrimary) return i;
    }
    throw new Error('no primary');
  }
  const command = async (body, options) => onNode(await until('primary', undefined, primary), body, options);

  async function initiate() {
    await Promise.all(running.map((node, i) => until('mongod', node, () => onNode(i, { ping: 1 }))));
    const members = ports.map((port, i) => ({ _id: i, host: `127.0.0.1:${port}`, priority: i === 0 ? 2 : 1 }));
    const settings = { electionTimeoutMillis: 1000, heartbeatIntervalMillis: 250, catchUpTimeoutMillis: 500 };
    await onNode(0, { replSetInitiate: { _id: SET_NAME, members, settings } });
    await until('primary', running[0], primary);
  }

  async function stop() {
    await Promise.all(running.map((node) => stopProcess(node)));
    rmSync(folder, { recursive: true, force: true });
  }

  try {
    await initiate();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    uri: `mongodb://${ports.map((port) => `127.0.0.1:${port}`).join(',')}/?replicaSet=${SET_NAME}`,
    ports,
    pids: () => running.map((node) => node.pid),
    command,
    primary,
    /** Ends a node with a signal (default SIGKILL) and waits until it is gone. */
    kill: (i = 0, signal = 'SIGKILL') => killProcess(running[i], signal),
    /** Starts a killed node again on its port and data. */
    async restart(i = 0) {
      running[i] = startNode(binary, folderOf(i), ports[i]);
      await until('mongod', running[i], () => onNode(i, { ping: 1 }));
      await until('primary', running[i], primary);
    },
    suspend: (i = 0) => running[i].child.kill('SIGSTOP'),
    resume: (i = 0) => running[i].child.kill('SIGCONT'),
    stepDown: () => command({ replSetStepDown: 5, secondaryCatchUpPeriodSecs: 2, force: true }).catch(() => {}),
    /** Arms the fail point `failCommand`: `failCommand({ times: 1 }, { failCommands: ['insert'], errorCode: 11600 })`. */
    failCommand: (mode, data) => command({ configureFailPoint: 'failCommand', mode, data }),
    clearFailCommand: () => command({ configureFailPoint: 'failCommand', mode: 'off' }),
    serverStatus: () => command({ serverStatus: 1 }),
    stop,
  };
}
