/**
 * @module dev/tcp-proxy
 *
 * A TCP proxy with faults: delay, stall, slices, cut (reset), cut after so many bytes, black hole, half-open connections, half-close, refuse. Switches act on living
 * and on new connections unless they say otherwise; bytes are never reordered, whatever the delay. Bytes swallowed by the black hole are gone for good.
 */
import { connect, createServer } from 'node:net';
import { resetSocket } from './reset.mjs';

/** Starts a proxy on a free port in front of `target` (`{host, port}`). */
export async function startProxy({ target }) {
  const proxy = new FaultyProxy(target);
  const port = await proxy.listen(0);
  return {
    port,
    connections: () => proxy.pairs.size,
    /** Where new connections lead from now on (`{host, port}`). */
    retarget(next) {
      proxy.target = next;
    },
    /** Holds back every chunk of both directions for so long. */
    setDelay(milliseconds) {
      proxy.delayMs = milliseconds;
    },
    /** Hands on at most so many bytes at a time; 0 ends it. */
    setSlice(bytes) {
      proxy.slice = bytes;
    },
    /** Hands on nothing; what came meanwhile follows when it ends, as after packets were lost and sent again. */
    stall: (on) => proxy.stall(on),
    /** Resets every connection, both sides. */
    cut: () => proxy.cut(),
    /** Resets everything once `count` more bytes have passed, in the middle of a chunk if need be. */
    cutAfterBytes(count) {
      proxy.bytesLeft = count;
    },
    /** Swallows all bytes and closes of both directions, keeps the connections open. */
    blackhole(on) {
      proxy.blackhole = on;
    },
    /** Living connections pass nothing any more, for good: the server's side is reset, the clients' side stays open and silent. Returns what resets that, too. */
    halfOpen: () => proxy.halfOpen(),
    /** Ends the direction to the clients and keeps reading from them. */
    halfClose() {
      for (const { client } of proxy.pairs) client.end();
    },
    /** Stops listening: new connections are refused, living ones stay. */
    refuse: (on) => (on ? proxy.close() : proxy.listen(port)),
    stats: () => ({ accepted: proxy.accepted, bytes: proxy.bytes }),
    async stop() {
      proxy.cut();
      await proxy.close();
    },
  };
}

class FaultyProxy {
  delayMs = 0;
  slice = 0;
  stalled = false;
  blackhole = false;
  bytesLeft = Infinity;
  accepted = 0;
  bytes = 0;
  pairs = new Set();

  constructor(target) {
    this.target = target;
  }

  listen(port) {
    if (this.server?.listening) return Promise.resolve(port);
    this.server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, '127.0.0.1', () => resolve(this.server.address().port));
    });
  }

  /** The listening socket closes at once; living connections are not waited for. */
  close() {
    this.server.close();
    return Promise.resolve();
  }

  cut() {
    this.bytesLeft = Infinity;
    for (const { client, upstream } of this.pairs) {
      resetSocket(client);
      resetSocket(upstream);
    }
    this.pairs.clear();
  }

  stall(on) {
    this.stalled = on;
    for (const { directions } of this.pairs) for (const direction of directions) direction.run();
  }

  halfOpen() {
    const severed = [...this.pairs].map((pair) => {
      pair.severed = true;
      resetSocket(pair.upstream);
      return pair.client;
    });
    return () => {
      for (const client of severed) resetSocket(client);
    };
  }

  #accept(client) {
    this.accepted += 1;
    const upstream = connect({ ...this.target, allowHalfOpen: true, noDelay: true });
    client.setNoDelay(true);
    const pair = { client, upstream, severed: false, directions: [] };
    this.pairs.add(pair);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ]) {
      const swallows = () => this.blackhole || pair.severed;
      pair.directions.push(new Direction(this, from, to, swallows));
      from.on('error', () => swallows() || to.destroy());
      from.on('close', () => {
        if (from === client) this.pairs.delete(pair);
        if (swallows() && !to.destroyed) return; // the other side must not notice
        to.destroy();
        this.pairs.delete(pair);
      });
    }
  }

  /** Writes to `to`, cutting everything where it is due. False: it wants to be waited for. */
  write(to, chunk) {
    const part = chunk.subarray(0, Math.min(chunk.length, this.bytesLeft));
    this.bytes += part.length;
    this.bytesLeft -= part.length;
    if (this.bytesLeft > 0) return to.write(part);
    this.bytesLeft = 0;
    to.write(part, () => this.cut());
    return true;
  }
}

/** One direction of one connection: chunks wait in order until they are due. */
class Direction {
  #proxy;
  #from;
  #to;
  #queue = [];
  #waiting = false;

  constructor(proxy, from, to, swallows) {
    this.#proxy = proxy;
    this.#from = from;
    this.#to = to;
    from.on('data', (chunk) => {
      if (!swallows()) this.#pass(chunk);
    });
    from.on('end', () => {
      if (!swallows()) this.#pass(undefined);
    });
  }

  #pass(chunk) {
    this.#queue.push({ due: performance.now() + this.#proxy.delayMs, chunk });
    this.run();
  }

  /** Hands on what is due. Behind a chunk that waits everything waits, also when the delay was taken back meanwhile. */
  run() {
    while (this.#queue.length > 0 && !this.#waiting && !this.#proxy.stalled) {
      const left = this.#queue[0].due - performance.now();
      if (left > 0) return this.#later((go) => setTimeout(() => go(), Math.ceil(left)));
      this.#deliver(this.#next());
      if (this.#proxy.slice > 0 && this.#queue.length > 0) return this.#later(setImmediate);
    }
  }

  #later(schedule) {
    this.#waiting = true;
    schedule(() => {
      this.#waiting = false;
      this.run();
    });
  }

  /** The first chunk, or the first slice of it. */
  #next() {
    const { slice } = this.#proxy;
    const [first] = this.#queue;
    if (slice === 0 || first.chunk === undefined || first.chunk.length <= slice) return this.#queue.shift().chunk;
    const piece = first.chunk.subarray(0, slice);
    first.chunk = first.chunk.subarray(slice);
    return piece;
  }

  #deliver(chunk) {
    if (this.#to.destroyed || this.#to.writableEnded) return;
    if (chunk === undefined) this.#to.end();
    else if (!this.#proxy.write(this.#to, chunk)) this.#hold();
  }

  /** Back-pressure: reads no more until the other side has taken what it was given. */
  #hold() {
    this.#from.pause();
    this.#to.once('drain', () => this.#from.resume());
  }
}
