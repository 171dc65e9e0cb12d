/**
 * @module mongo/topology
 *
 * What a client sees of its servers: the description that `client.topology` shows, and the driver events (server, topology, heartbeat, command) from
 * Rust's bounded feed. The feed is opened with the first listener and closed with the client.
 */
import type { MongoHandle } from '../native.js';
import type { Document, Host } from './host.js';

/** Names of the events of connection pools, which come several times an operation. */
export const POOL_EVENTS = new Set([
  'connectionPoolCreated', 'connectionPoolReady', 'connectionPoolCleared', 'connectionPoolClosed', 'connectionCreated', 'connectionReady', 'connectionClosed',
  'connectionCheckOutStarted', 'connectionCheckOutFailed', 'connectionCheckedOut', 'connectionCheckedIn',
]); // prettier-ignore
/** Names of the events that come from Rust. */
export const DRIVER_EVENTS = new Set([
  ...POOL_EVENTS,
  'topologyOpening', 'topologyClosed', 'topologyDescriptionChanged', 'serverOpening', 'serverClosed', 'serverDescriptionChanged', 'serverHeartbeatStarted',
  'serverHeartbeatSucceeded', 'serverHeartbeatFailed', 'commandStarted', 'commandSucceeded', 'commandFailed',
]); // prettier-ignore

/** One server as Rust describes it. */
export interface ServerDescription {
  readonly address: string;
  readonly type: string;
  readonly setName?: string | null;
  readonly minWireVersion?: number | null;
  readonly maxWireVersion?: number | null;
}

/** The state of a client as Rust describes it. */
export interface Description {
  readonly state: string;
  readonly type: string;
  readonly setName?: string | null;
  readonly hosts: readonly string[];
  readonly dbName: string;
  /** Without credentials. */
  readonly uri: string;
  readonly heartbeatFrequencyMS: number;
  readonly serverSelectionTimeoutMS: number;
  readonly servers: readonly ServerDescription[];
}

/** The description with the shape of the Node driver's. */
export interface TopologyDescription {
  readonly type: string;
  readonly setName: string | null;
  readonly servers: Map<string, object>;
  readonly heartbeatFrequencyMS: number;
}

/** The description of `handle`'s client now. */
export function describe(handle: MongoHandle): Description {
  return JSON.parse(handle.describe()) as Description;
}

/** In the Node driver's shape. */
export function topologyDescription(description: Description): TopologyDescription {
  const servers = new Map(description.servers.map((server) => [server.address, serverDescription(server)]));
  const { type, setName, heartbeatFrequencyMS } = description;
  return { type, setName: setName ?? null, servers, heartbeatFrequencyMS };
}

function serverDescription(server: ServerDescription): object {
  const { host, port } = hostAndPort(server.address);
  return { ...server, host, port, error: null };
}

/** The parts of an address. */
export function hostAndPort(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return colon < 0 ? { host: address, port: 27_017 } : { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
}

/** `client.topology`: what Mongoose and others look at. Descriptions are fetched when they are read. */
export class Topology {
  readonly #read: () => Description;
  #heartbeatFrequencyMS: number | undefined;

  constructor(read: () => Description) {
    this.#read = read;
  }

  get description(): TopologyDescription {
    return topologyDescription(this.#read());
  }
  /** The shape that Mongoose's `readyState` reads before each operation: cheap, no JSON. */
  get s(): { description: { readonly type: string; readonly heartbeatFrequencyMS: number } } {
    const read = this.#read;
    this.#heartbeatFrequencyMS ??= read().heartbeatFrequencyMS;
    const heartbeatFrequencyMS = this.#heartbeatFrequencyMS;
    return {
      description: {
        heartbeatFrequencyMS,
        get type(): string {
          return read().type;
        },
      },
    };
  }
  isConnected(): boolean {
    return this.#read().servers.some(({ type }) => type !== 'Unknown');
  }
}

/** Passes the feed's events to `emit`, each with the shape of the Node driver's. */
export class DriverEvents {
  readonly #handle: MongoHandle;
  readonly #emit: (event: string, data: object) => void;

  readonly #host: Host;

  constructor(host: Host, handle: MongoHandle, emit: (event: string, data: object) => void) {
    this.#host = host;
    this.#handle = handle;
    this.#emit = emit;
    handle.openFeed(() => this.drain());
  }

  /** From now on also the events of connection pools. */
  watchPools(): void {
    this.#handle.watchPools(true);
  }

  close(): void {
    this.#handle.watchPools(false);
    this.#handle.closeFeed();
  }

  /** Emits what waits. */
  drain(): void {
    for (const record of this.#handle.drainFeed().events) {
      const { event, data } = JSON.parse(record) as { event: string; data?: string | object };
      if (!DRIVER_EVENTS.has(event)) continue;
      const fields = typeof data === 'string' ? (JSON.parse(data) as Document) : ((data ?? {}) as Document);
      this.#emit(event, this.#classed(event, shaped(this.#decoded(fields))));
    }
  }

  /** With the class of the host's driver, for those who look at it. */
  #classed(event: string, data: object): object {
    const made = this.#host.value(`${event.charAt(0).toUpperCase()}${event.slice(1)}Event`) as { prototype: object } | undefined;
    Object.defineProperty(data, 'name', { value: event, enumerable: true, configurable: true, writable: true });
    return made === undefined ? data : (Object.setPrototypeOf(data, made.prototype) as object);
  }

  /** Commands and replies come as BSON in base64: JSON would lose types. */
  #decoded(data: Document): Document {
    const { commandBson, replyBson, ...others } = data;
    if (typeof others['serverConnectionId'] === 'number') others['serverConnectionId'] = BigInt(others['serverConnectionId']);
    if (typeof commandBson === 'string') others['command'] = this.#host.bson.deserialize(Buffer.from(commandBson, 'base64'));
    if (typeof replyBson === 'string') others['reply'] = this.#host.bson.deserialize(Buffer.from(replyBson, 'base64'));
    return others;
  }
}

/** Topology descriptions carry their servers in a `Map`. */
function shaped(data: object): object {
  const { previousDescription, newDescription } = data as { previousDescription?: object; newDescription?: object };
  if (newDescription === undefined) return data;
  return { ...data, previousDescription: withServerMap(previousDescription), newDescription: withServerMap(newDescription) };
}

function withServerMap(description: object | undefined): object | undefined {
  if (description === undefined || !('servers' in description) || !Array.isArray(description.servers)) return description;
  const servers = description.servers as ServerDescription[];
  return { ...description, servers: new Map(servers.map((server) => [server.address, serverDescription(server)])) };
}
