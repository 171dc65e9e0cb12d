/**
 * @module dev/suites/with-clusters
 *
 * Runs a program while Redis Clusters of three masters listen on fixed ports, for suites that expect them there.
 *
 *   node dev/suites/with-clusters.mjs 7001 7101:password -- program arguments..
 *
 * Each cluster takes three adjacent ports from the one that is named, and those 10000 above for its bus.
 */
import { findRedisServer } from '../binaries.mjs';
import { removeFolder, startProcess, stopProcess, temporaryFolder, until } from '../process.mjs';
import { redisCommand } from '../resp.mjs';
import { run } from './checkout.mjs';

const MASTERS = 3;
const SHARE = Math.ceil(16_384 / MASTERS);

const separator = process.argv.indexOf('--');
const [program, ...args] = process.argv.slice(separator + 1);
const clusters = [];
try {
  for (const text of process.argv.slice(2, separator)) {
    const [port, password] = text.split(':');
    clusters.push(await startCluster(Number(port), password));
  }
  process.exitCode = await run(program, args, { anyCode: true });
} finally {
  await Promise.all(clusters.map((stop) => stop()));
}

async function startCluster(firstPort, password) {
  const nodes = [];
  const binary = await findRedisServer();
  for (let index = 0; index < MASTERS; index++) nodes.push(startNode(binary, firstPort + index, password));
  for (const [index, { command, process: started }] of nodes.entries()) {
    await until('redis-server', started, () => command('PING'));
    await command('CLUSTER', 'ADDSLOTSRANGE', index * SHARE, Math.min((index + 1) * SHARE, 16_384) - 1);
    await command('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
    if (index > 0) await command('CLUSTER', 'MEET', '127.0.0.1', firstPort);
  }
  for (const { command } of nodes) await until('the cluster', undefined, () => serves(command));
  return () => Promise.all(nodes.map((node) => node.stop()));
}

function startNode(binary, port, password) {
  const folder = temporaryFolder('cluster');
  const options = ['--port', port, '--dir', folder, '--save', '', '--cluster-enabled', 'yes', '--loglevel', 'warning'];
  if (password !== undefined) options.push('--requirepass', password, '--masterauth', password);
  const started = startProcess(binary, options.map(String));
  return {
    process: started,
    command: (...parts) => redisCommand({ port, password }, ...parts),
    async stop() {
      await stopProcess(started);
      removeFolder(folder);
    },
  };
}

async function serves(command) {
  const ranges = await command('CLUSTER', 'SLOTS');
  if (ranges.length !== MASTERS || !(await command('CLUSTER', 'INFO')).includes('cluster_state:ok'))
    throw new Error('not all slots are served');
}
