/**
 * @module redis/cluster/refresh
 *
 * Asks one node for the cluster's shape, on a short-lived connection of its own: the node's own connection may be blocked by a command that waits.
 * Rust keeps the deadline, connecting included.
 */
import type { Redis } from '../client.js';
import { CONNECTION_CLOSED } from '../errors.js';
import { type NodeAddress, type NodeOptions, nodeKey, partName } from './options.js';
import type { SlotRange } from './slots.js';

/** What one node told. */
export interface Shape {
  readonly ranges: SlotRange[];
  /** Every node that serves a slot, in the order it was named. */
  readonly nodes: NodeOptions[];
}

/** How a node is to be asked. */
export interface Question {
  readonly timeoutMs: number;
  readonly connectionName: string | null | undefined;
  /** The address where an announced one is reached. */
  readonly reached: (announced: NodeAddress) => NodeAddress;
}

/** CLUSTER SLOTS of one node. Rejects with its error, or when it does not answer in time. */
export async function askShape(node: Redis, { timeoutMs, connectionName, reached }: Question): Promise<Shape> {
  const asker = node.duplicate({
    enableOfflineQueue: true,
    enableReadyCheck: false,
    retryStrategy: null,
    lazyConnect: true,
    autoResubscribe: false,
    commandTimeout: timeoutMs,
    keyPrefix: '',
    connectionName: partName('refresher', connectionName),
  });
  let lost: Error | undefined;
  asker.on('error', (error: Error) => void (lost = error));
  try {
    return shapeOf(await asker.cluster('SLOTS'), node.options.host, reached);
  } catch (error) {
    // That the connection is closed says nothing: what closed it does, such as a certificate that is not trusted.
    throw lost !== undefined && (error as Error).message === CONNECTION_CLOSED ? lost : error;
  } finally {
    asker.disconnect();
  }
}

/** `asked` stands for nodes that do not know their own address. */
function shapeOf(reply: unknown, asked: string, reached: Question['reached']): Shape {
  const ranges: SlotRange[] = [];
  const nodes: NodeOptions[] = [];
  for (const line of Array.isArray(reply) ? (reply as unknown[]) : []) {
    if (!Array.isArray(line)) continue;
    const [start, end, ...serving] = line as [number, number, ...unknown[]];
    const keys: string[] = [];
    for (const [index, entry] of serving.entries()) {
      const [announced, port] = entry as [string | null, number];
      if (announced === '?') continue;
      const host = announced || asked;
      const { host: at, port: on } = reached({ host, port: port });
      nodes.push({ host: at, port: on, readOnly: index > 0 });
      keys.push(nodeKey({ host: at, port: on }));
    }
    if (keys.length > 0) ranges.push({ start: start, end, keys });
  }
  return { ranges, nodes };
}

/** Whether CLUSTER INFO says that the cluster does not serve. */
export function saysFail(info: unknown): boolean {
  return typeof info === 'string' && /^cluster_state:fail\r?$/m.test(info);
}
