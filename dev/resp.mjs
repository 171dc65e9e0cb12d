/**
 * @module dev/resp
 *
 * A minimal Redis client for steering test servers: one command per connection. No peer's client: the traps for peers stay silent.
 */
import { connect as connectTcp } from 'node:net';

/** Runs one command and returns its reply: strings, numbers, null or arrays of them; rejects on an error reply. */
export function redisCommand({ port, password, timeoutMs = 5000 }, ...args) {
  const commands = password === undefined ? [args] : [['AUTH', password], args];
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host: '127.0.0.1', port });
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`redis on port ${port} did not answer within ${timeoutMs} ms`)));
    let received = Buffer.alloc(0);
    socket.on('connect', () => socket.write(commands.map(encode).join('')));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`redis on port ${port} closed the connection`)));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      const replies = [];
      for (let at = 0, parsed; (parsed = parse(received, at)) !== undefined; at = parsed.next) replies.push(parsed.value);
      if (replies.length < commands.length) return;
      socket.removeAllListeners('close');
      socket.destroy();
      const failed = replies.find((reply) => reply instanceof Error);
      if (failed === undefined) resolve(replies.at(-1));
      else reject(failed);
    });
  });
}

const encode = (args) => `*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(String(arg))}\r\n${arg}\r\n`).join('')}`;

function parse(buffer, at) {
  const end = buffer.indexOf('\r\n', at);
  if (end < 0) return undefined;
  const head = buffer.toString('utf8', at + 1, end);
  const next = end + 2;
  switch (String.fromCharCode(buffer[at])) {
    case '+':
      return { value: head, next };
    case '-':
      return { value: new Error(head), next };
    case ':':
      return { value: Number(head), next };
    case '$':
      return bulk(buffer, Number(head), next);
    case '*':
      return array(buffer, Number(head), next);
    default:
      throw new Error(`unexpected reply ${buffer.toString('latin1', at, at + 20)}`);
  }
}

function bulk(buffer, length, next) {
  if (length < 0) return { value: null, next };
  if (buffer.length < next + length + 2) return undefined;
  return { value: buffer.toString('utf8', next, next + length), next: next + length + 2 };
}

function array(buffer, length, start) {
  if (length < 0) return { value: null, next: start };
  const value = [];
  let next = start;
  for (let i = 0; i < length; i++) {
    const parsed = parse(buffer, next);
    if (parsed === undefined) return undefined;
    value.push(parsed.value);
    next = parsed.next;
  }
  return { value, next };
}
