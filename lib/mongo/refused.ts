/**
 * @module mongo/refused
 *
 * Options that the Node driver's types offer and that cannot be honoured here: refused by name before any I/O, never ignored. An option that is in none of the
 * driver's types is not looked at, as in the Node driver.
 */
import { checkGiven } from './given.js';
import { BSON_OPTION_NAMES, type Document } from './host.js';
import { Opcode } from './operation.js';

/** Names that are refused, and what to do instead. */
type Refused = Readonly<Record<string, string>>;

/** What no operation takes. */
const EVERYWHERE: Refused = {
  dbName: 'an operation runs on the database of its collection: use client.db(name)',
  authdb: 'an operation runs on the database of its collection: use client.db(name)',
  willRetryWrite: 'whether a write is sent again is decided by retryWrites of the client',
};
const NO_COLLATION = 'it compares no strings';
const NO_PLAN = { explain: '' };
/** Of commands that are no queries: the server has no plan for them and compares no strings. */
const COMMAND: Refused = { ...EVERYWHERE, ...NO_PLAN, collation: NO_COLLATION };
const ENCRYPTED = { encryptedFields: 'client-side encryption is not supported' };
const NOT_TAILABLE = 'the cursor of this operation is not tailable';

const SOCKET = 'sockets are opened in Rust, by the names of the connection string';
const TLS = 'use tlsCAFile, tlsCertificateKeyFile and tlsCertificateKeyFilePassword';
const PROXY = 'connections through a proxy are not supported';
const LOG = 'use the events of the client';
const SRV = 'hosts of an SRV record must be of its domain';
/** Options of a client whose place is Node's `net`, `tls` or `dns`, and others that Rust has no counterpart for. */
const CLIENT: Refused = {
  ...Object.fromEntries(
    ['autoSelectFamily', 'autoSelectFamilyAttemptTimeout', 'family', 'hints', 'keepAliveInitialDelay', 'localAddress', 'localPort', 'lookup', 'runtimeAdapters']
      .map((name) => [name, SOCKET]),
  ),
  ...Object.fromEntries(
    ['ALPNProtocols', 'allowPartialTrustChain', 'ca', 'cert', 'checkServerIdentity', 'ciphers', 'crl', 'ecdhCurve', 'key', 'minDHSize', 'passphrase', 'pfx',
      'secureContext', 'secureProtocol', 'servername', 'session', 'tlsAllowInvalidHostnames', 'tlsCRLFile'].map((name) => [name, TLS]),
  ),
  ...Object.fromEntries(['proxyHost', 'proxyPort', 'proxyUsername', 'proxyPassword'].map((name) => [name, PROXY])),
  ...Object.fromEntries(['mongodbLogComponentSeverities', 'mongodbLogMaxDocumentLength', 'mongodbLogPath'].map((name) => [name, LOG])),
  srvAllowedHostsSuffix: SRV,
  srvHostValidator: SRV,
  minHeartbeatFrequencyMS: 'it is 500',
  autoEncryption: 'client-side encryption is not supported',
}; // prettier-ignore

/** Refused by operations that are commands of `Db`, `Admin` and the index methods. */
export const REFUSED = {
  everywhere: EVERYWHERE,
  command: COMMAND,
  collection: { ...COMMAND, ...ENCRYPTED },
  /** `create` takes a collation. */
  create: { ...EVERYWHERE, ...NO_PLAN, ...ENCRYPTED },
  index: { ...EVERYWHERE, ...NO_PLAN },
  list: { ...COMMAND, tailable: NOT_TAILABLE, awaitData: NOT_TAILABLE, noCursorTimeout: NOT_TAILABLE },
  cursorCommand: {},
  /** A transaction takes its concerns, its preference and `maxCommitTimeMS`. */
  transaction: {
    ...COMMAND,
    comment: 'give it to the operations',
    maxTimeMS: 'use maxCommitTimeMS',
    session: 'it is the session',
    ...Object.fromEntries(BSON_OPTION_NAMES.map((name) => [name, 'give it to the operations'])),
  },
  client: CLIENT,
  db: { authSource: 'credentials belong to the client', retryWrites: 'it belongs to the client' },
} satisfies Record<string, Refused>; // prettier-ignore

const INSERT: Refused = { ...EVERYWHERE, ...NO_PLAN, collation: NO_COLLATION };
const BY_OPCODE: ReadonlyMap<number, Refused> = new Map<number, Refused>([
  [Opcode.findOne, { ...EVERYWHERE, tailable: 'a tailable cursor has no limit', awaitData: 'a tailable cursor has no limit' }],
  [Opcode.count, { ...EVERYWHERE, out: 'a count writes nothing' }],
  [Opcode.estimatedCount, { ...EVERYWHERE, ...NO_PLAN }],
  [Opcode.insert, INSERT],
  [Opcode.bulkWrite, { ...EVERYWHERE, ...NO_PLAN, collation: 'give it to the operations of the bulk write' }],
  [Opcode.clientBulkWrite, { ...EVERYWHERE, ...NO_PLAN, collation: 'give it to the models of the bulk write' }],
]);

/** Throws the error of `refuse` for an option that is given and cannot be honoured. */
export function refuseKnown(kind: number | Refused, options: object | undefined, refuse: (name: string, message: string) => Error): void {
  if (options === undefined) return;
  checkGiven(options);
  const table = typeof kind === 'number' ? (BY_OPCODE.get(kind) ?? EVERYWHERE) : kind;
  for (const name in options) {
    const reason = Object.hasOwn(table, name) ? table[name] : undefined;
    if (reason === undefined) continue;
    const value = (options as Document)[name];
    if (value === undefined || value === null || value === false) continue;
    throw refuse(
      name,
      reason === '' ? `Option "${name}" is not supported on this command` : `option ${name} cannot be honoured: ${reason}`,
    );
  }
}
