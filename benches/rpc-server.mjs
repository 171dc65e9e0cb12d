/**
 * @module benches/rpc-server
 *
 * A JSON-RPC server that answers from memory, in a process of its own: `node rpc-server.mjs [latency in ms]` prints its URL. It does as little as it can over a
 * bare socket, because what is measured is the client. Knows `getBalance`, `getMultipleAccounts` (an account of 1 KiB for each key), and what pools probe.
 */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';

const OWNER = 'TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA';
const END_OF_HEAD = '\r\n\r\n';
const latency = Number(process.argv[2] ?? 0);

const account = () =>
  `{"data":["${randomBytes(1024).toString('base64')}","base64"],"executable":false,"lamports":2039280,"owner":"${OWNER}","rentEpoch":18446744073709551615,"space":1024}`;
const around = (value) => `{"context":{"apiVersion":"4.2.2","slot":300000000},"value":${value}}`;
const accounts = around(`[${Array.from({ length: 100 }, account).join(',')}]`);
const balance = around('1234567890');
const RESULTS = { getBalance: () => balance, getMultipleAccounts: () => accounts, getSlot: () => '300000000', getHealth: () => '"ok"' };

function answer(body) {
  const method = /"method":"(\w+)"/.exec(body)?.[1];
  const id = /"id":("[^"]*"|\d+)/.exec(body)?.[1] ?? 'null';
  const result = RESULTS[method]?.();
  const said = result === undefined ? '"error":{"code":-32601,"message":"Method not found"}' : `"result":${result}`;
  const text = `{"jsonrpc":"2.0",${said},"id":${id}}`;
  return `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`;
}

const server = createServer({ noDelay: true }, (socket) => {
  let text = '';
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    text += chunk.latin1Slice();
    for (;;) {
      const head = text.indexOf(END_OF_HEAD);
      if (head < 0) return;
      const length = Number(/content-length: *(\d+)/i.exec(text)?.[1] ?? 0);
      const end = head + END_OF_HEAD.length + length;
      if (text.length < end) return;
      const reply = answer(text.slice(head + END_OF_HEAD.length, end));
      text = text.slice(end);
      if (latency > 0) setTimeout(() => socket.write(reply, 'latin1'), latency);
      else socket.write(reply, 'latin1');
    }
  });
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`http://127.0.0.1:${server.address().port}\n`));
process.stdin.resume().on('end', () => process.exit(0));
