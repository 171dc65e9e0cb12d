/**
 * @module dev/mongo-wire
 *
 * A minimal client of MongoDB's wire protocol (OP_MSG) for steering test servers: one command per connection. No driver: the traps for peers stay silent.
 */
import { connect } from 'node:net';
import { deserialize, serialize } from 'bson';

const OP_MSG = 2013;
const HEADER_BYTES = 16;

/** Runs one command on `127.0.0.1:port` and returns the reply; rejects when the reply is not ok. */
export function mongoCommand(port, command, { db = 'admin', timeoutMs = 10_000 } = {}) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`mongod on port ${port} did not answer within ${timeoutMs} ms`)));
    let received = Buffer.alloc(0);
    socket.on('connect', () => socket.write(message({ ...command, $db: db })));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`mongod on port ${port} closed the connection`)));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < HEADER_BYTES || received.length < received.readInt32LE(0)) return;
      const reply = deserialize(received.subarray(HEADER_BYTES + 5));
      socket.removeAllListeners('close');
      socket.destroy();
      if (reply.ok === 1) resolve(reply);
      else reject(Object.assign(new Error(`${Object.keys(command)[0]}: ${reply.errmsg}`), { code: reply.code }));
    });
  });
}

function message(document) {
  const body = serialize(document);
  const header = Buffer.alloc(HEADER_BYTES + 5);
  header.writeInt32LE(header.length + body.length, 0);
  header.writeInt32LE(1, 4);
  header.writeInt32LE(OP_MSG, 12);
  return Buffer.concat([header, body]);
}
