/**
 * @module dev/tcp-proxy
 *
 * A TCP proxy with faults: delay, cut (reset), cut after so many bytes, black hole, half-close, refuse. Switches act on living and on new connections.
 */
import { connect, createServer } from 'node:net';

/** Starts a proxy on a free port in front of `target` (`{host, port}`). */
export async function startProxy({ target }) {
  const state = { delayMs: 0, blackhole: false, refuse: false, cutAfter: Infinity, accepted: 0, bytes: 0 };
  const pairs = new Set();

  function forward(from, to) {
    from.on('data', (chunk) => {
      state.bytes += chunk.length;
      if (state.blackhole) return;
      const write = () => {
        if (state.bytes > state.cutAfter) cut();
        else if (!to.destroyed) to.write(chunk);
      };
      if (state.delayMs > 0) setTimeout(write, state.delayMs);
      else write();
    });
    from.on('end', () => !state.blackhole && to.end());
    from.on('error', () => to.destroy());
    from.on('close', () => !state.blackhole && to.destroy());
  }

  /** Resets every connection, both sides. */
  function cut() {
    state.cutAfter = Infinity;
    for (const pair of pairs) for (const socket of pair) socket.resetAndDestroy();
    pairs.clear();
  }

  const server = createServer({ allowHalfOpen: true }, (client) => {
    state.accepted += 1;
    if (state.refuse) {
      client.on('error', () => {});
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({ ...target, allowHalfOpen: true });
    const pair = [client, upstream];
    pairs.add(pair);
    client.setNoDelay(true);
    upstream.setNoDelay(true);
    forward(client, upstream);
    forward(upstream, client);
    client.on('close', () => pairs.delete(pair));
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });

  return {
    port: server.address().port,
    connections: () => pairs.size,
    setDelay(milliseconds) {
      state.delayMs = milliseconds;
    },
    cut,
    /** Resets everything once `count` more bytes have passed. */
    cutAfterBytes(count) {
      state.cutAfter = state.bytes + count;
    },
    /** Swallows all bytes of both directions, keeps the connections open. */
    blackhole(on) {
      state.blackhole = on;
    },
    /** Ends the direction to the clients and keeps reading from them. */
    halfClose() {
      for (const [client] of pairs) client.end();
    },
    /** Resets new connections at once. */
    refuse(on) {
      state.refuse = on;
    },
    stats: () => ({ accepted: state.accepted, bytes: state.bytes }),
    async stop() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
