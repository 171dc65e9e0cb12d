/**
 * @module dev/tcp-proxy
 *
 * A TCP proxy with faults: delay, cut (reset), cut after so many bytes, black hole, half-close, refuse. Switches act on living and on new connections; bytes are
 * never reordered, whatever the delay. Bytes swallowed by the black hole are gone for good.
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
    /** Holds back every chunk of both directions for so long. */
    setDelay(milliseconds) {
      proxy.delayMs = milliseconds;
    },
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

  #accept(client) {
    this.accepted += 1;
    const upstream = connect({ ...this.target, allowHalfOpen: true, noDelay: true });
    client.setNoDelay(true);
    const pair = { client, upstream };
    this.pairs.add(pair);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ]) {
      this.#forward(from, to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        if (this.blackhole && !to.destroyed) return; // the other side must not notice
        to.destroy();
        this.pairs.delete(pair);
      });
    }
  }

  #forward(from, to) {
    const queue = [];
    const deliver = () => {
      const chunk = queue.shift();
      if (to.destroyed || to.writableEnded) return;
      if (chunk === undefined) to.end();
      else if (!this.#write(to, chunk)) hold(from, to);
    };
    const pass = (chunk) => {
      queue.push(chunk);
      // Behind a delayed chunk everything waits, also when the delay was taken back meanwhile.
      if (this.delayMs > 0 || queue.length > 1) setTimeout(deliver, this.delayMs);
      else deliver();
    };
    from.on('data', (chunk) => {
      if (!this.blackhole) pass(chunk);
    });
    from.on('end', () => {
      if (!this.blackhole) pass(undefined);
    });
  }

  #write(to, chunk) {
    const part = chunk.subarray(0, Math.min(chunk.length, this.bytesLeft));
    this.bytes += part.length;
    this.bytesLeft -= part.length;
    if (this.bytesLeft > 0) return to.write(part);
    this.bytesLeft = 0;
    to.write(part, () => this.cut());
    return true;
  }
}

/** Back-pressure: reads no more until the other side has taken what it was given. */
function hold(from, to) {
  from.pause();
  to.once('drain', () => from.resume());
}
