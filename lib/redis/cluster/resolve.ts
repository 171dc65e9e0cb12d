/**
 * @module redis/cluster/resolve
 *
 * Hosts of startup nodes to addresses, by the functions that the options name. Happens at every connect: records change.
 */
import type { SrvRecord } from 'node:dns';
import { isIP } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { localError } from '../errors.js';
import type { NodeAddress, NodeOptions, ResolvedClusterOptions } from './options.js';

/** Without a `connectTimeout` of the nodes. */
const LIMIT_MS = 10_000;

/** `nodes` with addresses in the place of names. Rejects when one cannot be resolved, or not in time. */
export async function resolveHosts(nodes: NodeOptions[], options: ResolvedClusterOptions): Promise<NodeOptions[]> {
  const names = [...new Set(nodes.map(({ host }) => host))].filter((host) => isIP(host) === 0);
  if (names.length === 0) return nodes;
  const limitMs = options.redisOptions?.connectTimeout ?? LIMIT_MS;
  const resolve = options.useSRVRecords === true ? bySrv : byName;
  const found = await inTime(
    Promise.all(names.map(async (name): Promise<[string, Partial<NodeAddress>]> => [name, await resolve(name, options)])),
    limitMs,
  );
  const addresses = new Map(found);
  return nodes.map((node) => ({ ...node, ...addresses.get(node.host) }));
}

async function inTime<T>(work: Promise<T>, limitMs: number): Promise<T> {
  const timer = new AbortController();
  const late = delay(limitMs, undefined, { ref: false, signal: timer.signal }).then(() => {
    throw localError('Hosts of the startup nodes were not resolved in time', 'MOORING_TIMEOUT');
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    timer.abort();
    late.catch(() => {});
  }
}

/** The user's function may throw as well as call back. */
function byName(hostname: string, { dnsLookup }: ResolvedClusterOptions): Promise<{ host: string }> {
  return new Promise((resolve, reject) => {
    dnsLookup(hostname, (error, host) => (error ? reject(error) : resolve({ host })));
  });
}

/** The first record that resolves: by priority, and by chance within one, weighted. */
async function bySrv(hostname: string, options: ResolvedClusterOptions): Promise<NodeAddress> {
  const records = await new Promise<SrvRecord[]>((resolve, reject) => {
    options.resolveSrv(hostname, (error, found) => (error ? reject(error) : resolve(found ?? [])));
  });
  let last: unknown = new Error(`no SRV records for ${hostname}`);
  for (const { name, port } of ordered(records)) {
    try {
      // oxlint-disable-next-line eslint/no-await-in-loop -- the next one is asked only when this one fails
      return { ...(await byName(name, options)), port };
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

function ordered(records: readonly SrvRecord[]): SrvRecord[] {
  const rest = [...records];
  const result: SrvRecord[] = [];
  while (rest.length > 0) {
    const best = Math.min(...rest.map(({ priority }) => priority));
    const group = rest.filter(({ priority }) => priority === best);
    // A weight of 0 may be drawn too.
    let draw = Math.random() * group.reduce((sum, { weight }) => sum + weight + 1, 0);
    const chosen = group.find(({ weight }) => (draw -= weight + 1) < 0) ?? group[0];
    if (chosen === undefined) break;
    result.push(chosen);
    rest.splice(rest.indexOf(chosen), 1);
  }
  return result;
}
