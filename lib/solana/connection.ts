/**
 * @module solana/connection
 *
 * `PooledConnection`: a web3.js `Connection` whose whole traffic goes through the pool. Account reads are decoded in Rust, other hot methods skip the peer's
 * validation where the answer has the usual shape; all other methods are the peer's own over the pool's `fetch`. Listeners
 * are subscriptions of the pool (`web3-socket.ts`). Opens no socket of its own.
 */
import { isFailure, MooringError } from '../error/index.js';
import type { Operation, Outcome } from '../lane.js';
import * as answer from './answer.js';
import * as check from './check.js';
import { configuration, type Given, programConfiguration, wantsContext } from './configuration.js';
import * as decode from './decode.js';
import type { PoolFetch } from './fetch.js';
import * as op from './operation.js';
import type { Commitment } from './options.js';
import type { Connection, Web3 } from './peer.js';
import { type PeerCall, replay, reword } from './replay.js';
import { installSocket, type SocketHost } from './web3-socket.js';

/** What the connection needs of its pool. */
export interface ConnectionHost extends SocketHost {
  readonly fetch: PoolFetch;
  readonly commitment: Commitment;
  /** Whether each account gets memory of its own. */
  readonly copyAccountData: boolean;
  run(operation: Operation): Promise<Outcome>;
  confirmTransaction(strategy: unknown, commitment: Commitment): Promise<unknown>;
}

/** The methods of the peer that are built upon; loosely typed, because overloads differ between versions. */
interface PeerConnection {
  readonly commitment: string | undefined;
  getBalance(...args: unknown[]): Promise<unknown>;
  getBalanceAndContext(...args: unknown[]): Promise<unknown>;
  getAccountInfo(...args: unknown[]): Promise<unknown>;
  getAccountInfoAndContext(...args: unknown[]): Promise<unknown>;
  getMultipleAccountsInfo(...args: unknown[]): Promise<unknown>;
  getMultipleAccountsInfoAndContext(...args: unknown[]): Promise<unknown>;
  getProgramAccounts(...args: unknown[]): Promise<unknown>;
  getTokenAccountsByOwner(...args: unknown[]): Promise<unknown>;
  getLatestBlockhash(...args: unknown[]): Promise<unknown>;
  getLatestBlockhashAndContext(...args: unknown[]): Promise<unknown>;
  getSignatureStatuses(...args: unknown[]): Promise<unknown>;
  sendRawTransaction(...args: unknown[]): Promise<unknown>;
  sendEncodedTransaction(...args: unknown[]): Promise<unknown>;
  confirmTransactionUsingLegacyTimeoutStrategy(given: Confirming): Promise<unknown>;
  confirmTransactionUsingBlockHeightExceedanceStrategy(given: Confirming): Promise<unknown>;
  confirmTransactionUsingDurableNonceStrategy(given: Confirming): Promise<unknown>;
}
interface Confirming {
  readonly commitment?: string;
  readonly signature?: string;
  readonly strategy?: unknown;
}
/** Methods that are another one without its context. */
type Bare = 'getBalance' | 'getAccountInfo' | 'getLatestBlockhash';
type PeerClass = new (endpoint: string, config: object) => PeerConnection;
type PooledClass = new (host: ConnectionHost) => object;

interface Key {
  toBytes(): Uint8Array;
  toBase58(): string;
}

/** Never contacted: requests go to the pool's endpoints. */
const PLACEHOLDER = 'http://mooring.invalid';
const HOST = Symbol('mooring.host');

/** Makes the connection of a pool. Its class extends the given copy of the peer's. */
export function pooledConnection(web3: Web3, host: ConnectionHost): Connection {
  const PooledConnection = pooledClass(web3);
  return new PooledConnection(host) as Connection;
}

function pooledClass({ Connection: Plain, PublicKey }: Web3): PooledClass {
  const Base = Plain as unknown as PeerClass;
  const call = (connection: object, method: keyof PeerConnection, args: unknown[]): PeerCall => ({
    connection,
    peer: Base.prototype as object,
    method,
    args,
  });
  const isKey = (value: unknown): value is Key => value instanceof PublicKey;
  const key = (bytes: Uint8Array): unknown => new PublicKey(bytes);
  const view: decode.Making<unknown> = { key, copy: false };
  const copy: decode.Making<unknown> = { key, copy: true };

  class PooledConnection extends Base {
    // A symbol and no private field: the peer's methods also run on objects derived from this one.
    readonly [HOST]!: ConnectionHost;

    constructor(host: ConnectionHost) {
      // Without httpAgent false it builds a keep-alive agent for nothing; its own 429 loop would stack on the pool's.
      super(PLACEHOLDER, { commitment: host.commitment, httpAgent: false, disableRetryOnRateLimit: true, fetch: host.fetch });
      define(this, HOST, host);
      define(this, 'onSlotUpdate', () => refuse('onSlotUpdate'));
      installSocket(this, host);
    }

    override async getBalanceAndContext(account: unknown, given?: unknown): Promise<unknown> {
      if (!isKey(account)) return await super.getBalanceAndContext(account, given);
      const outcome = await run(this, 'getBalance', [account], configuration(this.commitment, undefined, given as Given));
      return usual(outcome, answer.balance) ?? (await replay(call(this, 'getBalanceAndContext', [account, given]), outcome));
    }

    override async getBalance(account: unknown, given?: unknown): Promise<unknown> {
      return await bare(this, 'getBalance', [account, given]);
    }

    override async getAccountInfoAndContext(account: unknown, given?: unknown): Promise<unknown> {
      if (!isKey(account)) return await super.getAccountInfoAndContext(account, given);
      const outcome = await run(this, 'getAccountInfo', [account], configuration(this.commitment, 'base64', given as Given));
      if (!Buffer.isBuffer(outcome)) return await replay(call(this, 'getAccountInfoAndContext', [account, given]), outcome);
      const { context, value } = decode.accounts(outcome, making(this));
      return { context, value: value[0] ?? null };
    }

    override async getAccountInfo(account: unknown, given?: unknown): Promise<unknown> {
      return await bare(this, 'getAccountInfo', [account, given]);
    }

    override async getMultipleAccountsInfoAndContext(accounts: unknown, given?: unknown): Promise<unknown> {
      const plain = !Array.isArray(accounts) || accounts.length > op.MAX_KEYS || !accounts.every(isKey);
      if (plain) return await super.getMultipleAccountsInfoAndContext(accounts, given);
      const outcome = await run(this, 'getMultipleAccounts', accounts, configuration(this.commitment, 'base64', given as Given));
      if (Buffer.isBuffer(outcome)) return decode.accounts(outcome, making(this));
      return await replay(call(this, 'getMultipleAccountsInfoAndContext', [accounts, given]), outcome);
    }

    override async getMultipleAccountsInfo(accounts: unknown, given?: unknown): Promise<unknown> {
      return valueOf(await this.getMultipleAccountsInfoAndContext(accounts, given));
    }

    override async getProgramAccounts(program: unknown, given?: unknown): Promise<unknown> {
      if (!isKey(program)) return await super.getProgramAccounts(program, given);
      const rest = programConfiguration(this.commitment, given as Given);
      const context = wantsContext(given as Given);
      const outcome = await run(this, context ? 'getProgramAccountsWithContext' : 'getProgramAccounts', [program], rest);
      if (!Buffer.isBuffer(outcome)) return await replay(call(this, 'getProgramAccounts', [program, given]), outcome);
      return context ? decode.keyedAccountsWithContext(outcome, making(this)) : decode.keyedAccounts(outcome, making(this));
    }

    override async getTokenAccountsByOwner(owner: unknown, filter: unknown, given?: unknown): Promise<unknown> {
      const wanted = filterText(filter, isKey);
      if (!isKey(owner) || wanted === undefined) return await super.getTokenAccountsByOwner(owner, filter, given);
      const rest = `${wanted},${configuration(this.commitment, 'base64', given as Given)}`;
      const outcome = await run(this, 'getTokenAccountsByOwner', [owner], rest);
      if (Buffer.isBuffer(outcome)) return decode.keyedAccountsWithContext(outcome, making(this));
      return await replay(call(this, 'getTokenAccountsByOwner', [owner, filter, given]), outcome);
    }

    override async getLatestBlockhashAndContext(given?: unknown): Promise<unknown> {
      const rest = configuration(this.commitment, undefined, given as Given);
      const outcome = await this[HOST].run(op.callText('getLatestBlockhash', `[${rest}]`));
      return usual(outcome, answer.blockhash) ?? (await replay(call(this, 'getLatestBlockhashAndContext', [given]), outcome));
    }

    override async getLatestBlockhash(given?: unknown): Promise<unknown> {
      return await bare(this, 'getLatestBlockhash', [given]);
    }

    override async getSignatureStatuses(signatures: unknown, config?: unknown): Promise<unknown> {
      const params = config ? [signatures, config] : [signatures];
      const outcome = await this[HOST].run(op.callText('getSignatureStatuses', JSON.stringify(params)));
      return usual(outcome, answer.statuses) ?? (await replay(call(this, 'getSignatureStatuses', [signatures, config]), outcome));
    }

    override async sendRawTransaction(transaction: unknown, options?: unknown): Promise<unknown> {
      const how = check.sendFields(options ?? {});
      if (how['skipPreflight'] === true) how['preflightCommitment'] = 'processed';
      else how['preflightCommitment'] ||= this.commitment;
      const outcome = await this[HOST].run(op.send(check.bytes(transaction), how, {}));
      return isFailure(outcome) ? await replay(call(this, 'sendEncodedTransaction', ['', options]), outcome) : outcome;
    }

    // What `confirmTransaction` of the peer comes down to, after its own checks.
    override async confirmTransactionUsingLegacyTimeoutStrategy({ commitment, signature }: Confirming): Promise<unknown> {
      return await this[HOST].confirmTransaction(signature, level(commitment));
    }

    override async confirmTransactionUsingBlockHeightExceedanceStrategy({ commitment, strategy }: Confirming): Promise<unknown> {
      return await this[HOST].confirmTransaction(strategy, level(commitment));
    }

    override async confirmTransactionUsingDurableNonceStrategy({ commitment, strategy }: Confirming): Promise<unknown> {
      return await this[HOST].confirmTransaction(strategy, level(commitment));
    }
  }

  /** The value alone. The peer words errors of the method with the context for the one without. */
  async function bare(connection: PeerConnection, method: Bare, args: unknown[]): Promise<unknown> {
    const inner = `${method}AndContext` as const;
    try {
      return valueOf(await connection[inner](...args));
    } catch (error) {
      return await reword(call(connection, method, args), inner, error);
    }
  }

  function making(connection: PooledConnection): decode.Making<unknown> {
    return connection[HOST].copyAccountData ? copy : view;
  }

  async function run(connection: PooledConnection, method: op.AccountMethod, keys: readonly Key[], rest: string): Promise<Outcome> {
    const bytes = keys.map((one) => one.toBytes());
    return await connection[HOST].run(op.accounts({ method, keys: bytes, rest }, {}, false));
  }
  return PooledConnection;
}

/** A commitment by the name of today. */
function level(name: string | undefined): Commitment {
  if (name === 'processed' || name === 'recent') return 'processed';
  return name === 'confirmed' || name === 'single' || name === 'singleGossip' ? 'confirmed' : 'finalized';
}

function usual(outcome: Outcome, read: (outcome: answer.Answered) => unknown): unknown {
  return isFailure(outcome) ? undefined : read(outcome);
}

function valueOf(answered: unknown): unknown {
  return (answered as { value: unknown }).value;
}

/** The filter parameter as JSON text; `undefined` when it is none that the peer's keys make. */
function filterText(filter: unknown, isKey: (value: unknown) => value is Key): string | undefined {
  if (typeof filter !== 'object' || filter === null) return undefined;
  const name = 'mint' in filter ? 'mint' : 'programId';
  const account = (filter as Record<string, unknown>)[name];
  return isKey(account) ? `{"${name}":"${account.toBase58()}"}` : undefined;
}

function define(target: object, name: string | symbol, value: unknown): void {
  Object.defineProperty(target, name, { value, configurable: true, writable: true });
}

function refuse(name: string): never {
  throw new MooringError('MOORING_INVALID_ARGUMENT', `${name} is not available on a pooled connection: the pool does not subscribe to it`, {
    details: { argument: name, maybeExecuted: false },
  });
}
