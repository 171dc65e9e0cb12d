/**
 * @module __tests__/support/mongo-server
 *
 * A server of MongoDB's wire protocol that is a test's own: the primary of a replica set with one member, of whatever version, that keeps every command and answers
 * what the test says. For commands that no server at hand knows, and for faults at one exact command.
 */
import type { Socket } from 'node:net';
import { BSON } from 'mongodb';
import { ByteServer } from './byte-server';

const OP_REPLY = 1;
const OP_QUERY = 2004;
const OP_MSG = 2013;
const HEADER_BYTES = 16;

type Document = Record<string, unknown>;

/** A command as it came. */
export interface Received {
  readonly name: string;
  readonly command: Document;
  /** Of the connection that it came by, from 1. */
  readonly connection: number;
}

/** The answer to a command; `'lose'` ends its connection instead, `undefined` answers `ok: 1`. */
export type Answer = (received: Received) => Document | 'lose' | undefined | Promise<Document | 'lose' | undefined>;

/** A running server. */
export class MongoServer {
  /** Fields of `hello` beside the usual ones. */
  hello: Document = {};
  /** What came beside `hello`, in order. */
  readonly received: Received[] = [];
  readonly #server: ByteServer;
  readonly #answer: Answer;

  private constructor(answer: Answer) {
    this.#answer = answer;
    this.#server = new ByteServer((seen, socket, connection) => {
      let rest = seen;
      while (rest.length >= 4 && rest.length >= rest.readInt32LE(0)) {
        const message = rest.subarray(0, rest.readInt32LE(0));
        rest = rest.subarray(message.length);
        void this.#take(message, connection, socket);
      }
      return rest;
    });
  }

  /** Listens on a free port. */
  static async start(answer: Answer = () => undefined): Promise<MongoServer> {
    const made = new MongoServer(answer);
    await made.#server.listen();
    return made;
  }

  get host(): string {
    return this.#server.host;
  }

  get uri(): string {
    return `mongodb://${this.host}/?replicaSet=made`;
  }

  /** The commands of a name. */
  sent(name: string): Document[] {
    return this.received.filter((each) => each.name === name).map(({ command }) => command);
  }

  async close(): Promise<void> {
    await this.#server.stop();
  }

  async #take(message: Buffer, connection: number, socket: Socket): Promise<void> {
    const command = decode(message);
    const [name = ''] = Object.keys(command);
    const known = /^(hello|ismaster)$/i.test(name);
    if (!known) this.received.push({ name, command, connection });
    const answer = known ? this.#hello(connection) : await this.#answer({ name, command, connection });
    if (answer === 'lose') socket.destroy();
    else if (!socket.destroyed) socket.write(encode({ ok: 1, ...answer }, message));
  }

  #hello(connectionId: number): Document {
    return {
      helloOk: true,
      isWritablePrimary: true,
      ismaster: true,
      setName: 'made',
      setVersion: 1,
      hosts: [this.host],
      primary: this.host,
      me: this.host,
      electionId: new BSON.ObjectId('7fffffff0000000000000001'),
      maxBsonObjectSize: 16_777_216,
      maxMessageSizeBytes: 48_000_000,
      maxWriteBatchSize: 100_000,
      localTime: new Date(),
      logicalSessionTimeoutMinutes: 30,
      connectionId,
      minWireVersion: 0,
      maxWireVersion: 25,
      readOnly: false,
      ...this.hello,
    };
  }
}

/** The command of a message, with its document sequences as lists. */
function decode(message: Buffer): Document {
  if (message.readInt32LE(12) === OP_QUERY) {
    const name = message.indexOf(0, HEADER_BYTES + 4);
    return deserialize(message.subarray(name + 9));
  }
  let command: Document = {};
  const sequences: Document = {};
  const end = message.length - (message.readUInt32LE(HEADER_BYTES) & 1 ? 4 : 0);
  for (let at = HEADER_BYTES + 4; at < end;) {
    const kind = message[at];
    const size = message.readInt32LE(at + 1);
    const section = message.subarray(at + 1, at + 1 + size);
    at += 1 + size;
    if (kind === 0) {
      command = deserialize(section);
      continue;
    }
    const name = section.indexOf(0, 4);
    const list: Document[] = [];
    for (let inner = name + 1; inner < size; inner += section.readInt32LE(inner))
      list.push(deserialize(section.subarray(inner, inner + section.readInt32LE(inner))));
    sequences[section.toString('utf8', 4, name)] = list;
  }
  return { ...command, ...sequences };
}

function encode(reply: Document, request: Buffer): Buffer {
  const body = BSON.serialize(reply, { ignoreUndefined: true });
  const old = request.readInt32LE(12) === OP_QUERY;
  const header = Buffer.alloc(HEADER_BYTES + (old ? 20 : 5));
  header.writeInt32LE(header.length + body.length, 0);
  header.writeInt32LE(1, 4);
  header.writeInt32LE(request.readInt32LE(4), 8);
  header.writeInt32LE(old ? OP_REPLY : OP_MSG, 12);
  if (old) header.writeInt32LE(1, HEADER_BYTES + 16);
  return Buffer.concat([header, body]);
}

function deserialize(bytes: Uint8Array): Document {
  return BSON.deserialize(bytes, { useBigInt64: false });
}
