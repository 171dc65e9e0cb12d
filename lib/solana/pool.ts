/**
 * @module solana/pool
 *
 * `ConnectionPool`: the drop-in pool over several RPC endpoints. Rust chooses endpoints, limits, retries, caches and shares; this file shapes arguments and
 * results, with the classes of the caller's own `@solana/web3.js`. An idle pool does not keep the process alive, a pending call does.
 */
import { checkObject, fromFailure, invalidArgument, isFailure, unwrap } from '../error/index.js';
import { KeyedLane, type Operation } from '../lane.js';
import { type FailureRecord, native, type SolanaPool, type UnconfirmedTransaction } from '../native.js';
import { readAccounts } from './account.js';
import * as answer from './answer.js';
import type { Answered } from './answer.js';
import * as check from './check.js';
import {
  confirmation,
  type Confirmation,
  type ConfirmationStrategy,
  type ConfirmOptions,
  nonceOptions,
  type Tracked,
  type TrackOptions,
  trackOptions,
} from './confirm.js';
import { pooledConnection } from './connection.js';
import { readError, sendError } from './errors.js';
import { PoolListeners, type PoolEvents } from './events.js';
import { poolFetch, type PoolFetch } from './fetch.js';
import * as op from './operation.js';
import { type Commitment, type ConnectionPoolOptions, type EndpointOptions, type PoolLogger, endpointText, resolve } from './options.js';
import { base58, type Connection, loadWeb3, type PublicKeyLike, tryWeb3, type Web3 } from './peer.js';
import { hand, say, threw } from './report.js';
import { executeWithRetry, type RetryOptions } from './retry.js';
import { type SharedLimitsClient, share } from './shared-limits.js';
import * as shape from './shape.js';
import type { PoolStats } from './stats.js';
import type { SubscriptionNotifications } from './notification.js';
import type { SubscribeOptions, Subscription, SubscriptionKind } from './subscription.js';
import { Subscriptions } from './subscriptions.js';
import {
  type SendableTransaction,
  type SendOptions,
  SeenSignatures,
  signedBytes,
  type Signer,
  type SigningContext,
} from './transaction.js';

type Key = PublicKeyLike | string;
type CallOptions = op.CallOptions;

/** Options of a send: the node's, the call's, and who signs a legacy transaction. */
export interface SendTransactionOptions extends SendOptions, CallOptions {
  readonly signers?: readonly Signer[];
}

/** What closing did. */
export interface CloseReport {
  /** Calls that finished by themselves. */
  readonly drained: number;
  /** Calls that were cut. */
  readonly aborted: number;
  /** Transactions that were being sent or followed then: `{ signature, bytes }`. The same bytes may be sent again, by `sendAndConfirm` of any pool. */
  readonly unconfirmed: readonly UnconfirmedTransaction[];
}

/**
 * A pool over several Solana RPC endpoints.
 *
 * @example
 * const pool = new ConnectionPool({ endpoints: ['https://a.example/KEY', 'https://b.example/KEY'] });
 * const lamports = await pool.getBalance(wallet.publicKey);
 */
export class ConnectionPool {
  readonly #lane: KeyedLane<SolanaPool>;
  readonly #logger: PoolLogger;
  readonly #givenWeb3: Web3 | undefined;
  readonly #commitment: Commitment;
  readonly #copyAccountData: boolean;
  readonly #signing: SigningContext;
  readonly #listeners: PoolListeners;
  readonly #subscriptions: Subscriptions;
  #connection: Connection | undefined;
  #closed = false;

  /** A `fetch` that answers JSON-RPC bodies through the pool; for `new Connection(url, { fetch })`. */
  readonly fetch: PoolFetch;

  /** The Redis client through which limits are shared. The pool holds it: sharing ends with the client. */
  readonly sharedLimits: SharedLimitsClient | undefined;

  /** Opens no socket: that happens with the first call. @throws MooringError `MOORING_INVALID_CONFIG` naming the option. */
  constructor(options: ConnectionPoolOptions = {}) {
    const { json, commitment, logger, web3, copyAccountData, shared } = resolve(options);
    this.#logger = logger;
    this.#givenWeb3 = web3;
    this.#commitment = commitment;
    this.#copyAccountData = copyAccountData;
    this.sharedLimits = shared?.redis;
    this.#listeners = new PoolListeners((name, error) => threw(logger, name, error));
    const drainEvents = (): void => {
      hand(this.#lane.handle.drainFeed(), logger, this.#listeners);
    };
    const arrived = (): void => this.#subscriptions.arrived();
    const open = (wake: () => void): SolanaPool => share(unwrap(native.SolanaPool.open(json, wake, drainEvents, arrived)), shared);
    this.#lane = new KeyedLane<SolanaPool>(open, () => {
      this.#closed = true;
      this.#subscriptions.poolClosed();
    });
    this.#subscriptions = new Subscriptions({
      lane: this.#lane,
      fail: (failure) => readError(failure, () => tryWeb3(this.#givenWeb3)),
      gap: (gap) => this.#listeners.tell('gap', gap),
      report: (error) => threw(logger, 'subscription', error),
    });
    this.fetch = poolFetch((body, signal) => this.#lane.run(op.fetchText(body, false, { signal })));
    this.#signing = {
      seen: new SeenSignatures(),
      stamped: new WeakMap(),
      latestBlockhash: (fresh, call) => this.#blockhash('confirmed', call, !fresh),
    };
  }

  /** Makes any JSON-RPC call and returns its `result`. Not cached; identical reads in flight share one request. */
  async request<T = unknown>(method: string, params: readonly unknown[] = [], options: CallOptions = {}): Promise<T> {
    if (typeof method !== 'string') throw invalidArgument('method', 'method must be a JSON-RPC method name');
    if (!Array.isArray(params)) throw invalidArgument('params', 'params must be an array');
    return (await this.#json(op.call(method, params, check.callOptions(options), false))) as T;
  }

  /** Answers a whole JSON-RPC request text (or an array of them) with the response text; for client libraries. `markIntegers` is for `mooring/kit`. */
  async respond(body: string, options: CallOptions & { readonly markIntegers?: boolean } = {}): Promise<string> {
    if (typeof body !== 'string') throw invalidArgument('body', 'body must be a JSON-RPC request text');
    const outcome = await this.#lane.run(op.fetchText(body, options.markIntegers === true, check.callOptions(options, ['markIntegers'])));
    if (isFailure(outcome)) throw fromFailure(outcome);
    return String(outcome);
  }

  /** Lamports of an account; 0 when it does not exist. */
  async getBalance(publicKey: Key, options: CallOptions = {}): Promise<number> {
    return (await this.#read<number>('getBalance', [base58(publicKey, 'publicKey')], options, answer.balance)).value;
  }

  /** Lamports of many accounts in order, a hundred per request. */
  async getBatchBalances(publicKeys: readonly Key[], options: CallOptions = {}): Promise<number[]> {
    const keys = check.keys(publicKeys, 'publicKeys');
    if (keys.length === 0) return [];
    return (await this.#json(op.balances(keys, check.callOptions(options)))) as number[];
  }

  /** A recent blockhash, at most `blockhashTTL` old. */
  async getLatestBlockhash(commitment: Commitment = 'confirmed', options: CallOptions = {}): Promise<shape.BlockhashInfo> {
    return await this.#blockhash(commitment, options, true);
  }

  /** An account, or null when it does not exist. */
  async getAccountInfo<K extends Key>(
    publicKey: K,
    commitment: Commitment = 'confirmed',
    options: CallOptions = {},
  ): Promise<shape.AccountInfo<K> | null> {
    return (await this.#accounts('getAccountInfo', [publicKey], commitment, options))[0] ?? null;
  }

  /** Accounts in order, null for those that do not exist; at most a hundred. */
  async getMultipleAccounts<K extends Key>(
    publicKeys: readonly K[],
    commitment: Commitment = 'confirmed',
    options: CallOptions = {},
  ): Promise<(shape.AccountInfo<K> | null)[]> {
    if (!Array.isArray(publicKeys)) throw invalidArgument('publicKeys', 'publicKeys must be an array of public keys');
    return await this.#accounts('getMultipleAccounts', publicKeys, commitment, options);
  }

  /** The amount in a token account. */
  async getTokenAccountBalance(
    publicKey: Key,
    commitment: Commitment = 'confirmed',
    options: CallOptions = {},
  ): Promise<shape.WithContext<shape.TokenAmount>> {
    const params = [base58(publicKey, 'publicKey'), { commitment: check.commitment(commitment) }];
    return await this.#read<shape.TokenAmount>('getTokenAccountBalance', params, options, answer.tokenAmount);
  }

  /** Token accounts of an owner, by mint or by token program, parsed by the node. */
  async getParsedTokenAccountsByOwner<K extends Key>(
    owner: K,
    filter: { readonly mint: Key } | { readonly programId: Key },
    commitment: Commitment = 'confirmed',
    options: CallOptions = {},
  ): Promise<shape.WithContext<shape.ParsedTokenAccount<K>[]>> {
    const params = [
      base58(owner, 'owner'),
      check.tokenFilter(filter),
      { encoding: 'jsonParsed', commitment: check.commitment(commitment) },
    ];
    const { context, value } = await this.#read('getTokenAccountsByOwner', params, options, answer.list);
    return { context, value: answer.expected('getTokenAccountsByOwner', () => shape.tokenAccounts(value, owner)) };
  }

  /** Statuses in order, null for those not found; found ones are kept per signature. */
  async getSignatureStatuses(
    signatures: readonly string[],
    config: { readonly searchTransactionHistory?: boolean } = {},
    options: CallOptions = {},
  ): Promise<shape.WithContext<(shape.SignatureStatus | null)[]>> {
    if (!Array.isArray(signatures)) throw invalidArgument('signatures', 'signatures must be an array of signatures');
    const checked = signatures.map((one) => check.signature(one, 'signatures'));
    const operation = op.statuses(checked, check.searchesHistory(config), check.callOptions(options));
    const outcome = await this.#run(operation);
    return answer.expected('getSignatureStatuses', () => answer.statuses(outcome)) as shape.WithContext<(shape.SignatureStatus | null)[]>;
  }

  /**
   * Sends a transaction and returns its signature: a signed one as it is, a legacy one signed here, once, by `signers`. Other endpoints get the same bytes.
   * @throws the peer's `SendTransactionError` when the simulation fails.
   */
  async sendTransaction(
    transaction: SendableTransaction,
    options: SendTransactionOptions | readonly Signer[] = {},
    more: SendTransactionOptions = {},
  ): Promise<string> {
    if (!check.isSigners(options)) checkObject(options);
    const all: SendTransactionOptions = check.isSigners(options) ? { ...more, signers: options } : options;
    return await this.sendRawTransaction(
      await signedBytes(transaction, all.signers ?? [], this.#signing, check.callOptions(all, check.TRANSACTION_NAMES)),
      all,
    );
  }

  /** Sends the bytes of a signed transaction and returns its signature. */
  async sendRawTransaction(transaction: Uint8Array | readonly number[], options: SendTransactionOptions = {}): Promise<string> {
    const operation = op.send(check.bytes(transaction), check.sendFields(options), check.callOptions(options, check.TRANSACTION_NAMES));
    const outcome = await this.#lane.run(operation);
    if (isFailure(outcome)) throw this.#sendError(outcome, options);
    return String(outcome);
  }

  /**
   * Sends the bytes of a signed transaction, with one simulation, and returns its signature once a node has taken them. The pool goes on sending the same bytes to
   * the `fanout` best endpoints until it is confirmed, can no longer land, or two minutes are over; how it ended is told by the event `transaction`.
   */
  async sendRaw(transaction: Uint8Array | readonly number[], options: SendTransactionOptions & TrackOptions = {}): Promise<string> {
    const how = { ...trackOptions(options), send: check.sendFields(options) };
    const outcome = await this.#lane.run(op.sendRaw(check.bytes(transaction), how, check.callOptions(options, check.TRANSACTION_NAMES)));
    if (isFailure(outcome)) throw this.#sendError(outcome, options);
    return String(outcome);
  }

  /**
   * Sends signed bytes and follows them: repeats the same bytes until they land, expire or the deadline passes.
   * Resolves with `landed`, `failed` (on chain, with `err`), `expired` (can no longer land) or `unknown` (the deadline came first).
   */
  async sendAndConfirm(
    transaction: SendableTransaction | Uint8Array,
    options: SendTransactionOptions & TrackOptions = {},
  ): Promise<Tracked> {
    if (transaction instanceof Uint8Array) {
      const how = { ...trackOptions(options), send: check.sendFields(options) };
      return await this.#track(transaction, how, options);
    }
    checkObject(options);
    const bytes = await signedBytes(transaction, options.signers ?? [], this.#signing, check.callOptions(options, check.TRANSACTION_NAMES));
    // A transaction that was signed here knows how long its blockhash lives.
    const { lastValidBlockHeight } = transaction as { lastValidBlockHeight?: number };
    const limit = typeof lastValidBlockHeight === 'number' && options.signers !== undefined ? { lastValidBlockHeight } : {};
    const how = { ...trackOptions({ ...limit, ...options }), send: check.sendFields(options) };
    return await this.#track(bytes, how, options);
  }

  /** Follows a signature that was sent before; outcomes as for {@link sendAndConfirm}. */
  async confirm(of: string, options: ConfirmOptions & CallOptions = {}): Promise<Tracked> {
    const how = { ...trackOptions(options), ...nonceOptions(options), signature: check.signature(of, 'signature') };
    return await this.#track(new Uint8Array(), how, options);
  }

  /**
   * As web3.js: resolves when the transaction has reached `commitment`, with its error if it has one.
   * @throws the peer's `TransactionExpiredBlockheightExceededError` or `TransactionExpiredNonceInvalidError` when it can no longer land, its
   * `TransactionExpiredTimeoutError` for a bare signature after 30 s (60 s for `finalized`), the signal's reason; `MOORING_TIMEOUT` when two minutes were over first.
   */
  async confirmTransaction(strategy: string | ConfirmationStrategy, commitment: Commitment = 'confirmed'): Promise<Confirmation> {
    return await confirmation(
      strategy,
      commitment,
      (of, options) => this.confirm(of, options),
      () => tryWeb3(this.#givenWeb3),
    );
  }

  /**
   * Runs `work` until it succeeds, at most `maxRetries` times, with jittered pauses; throws the last error itself. Invalid requests, failed simulations and
   * the like are not repeated. `work` gets the pooled connection if it takes an argument. Sign outside of it.
   */
  async executeWithRetry<T>(work: (connection: Connection) => Promise<T> | T, maxRetries = 3, options: RetryOptions = {}): Promise<T> {
    if (typeof work !== 'function') throw invalidArgument('work', 'work must be a function');
    this.#mustBeOpen();
    const run = (): Promise<T> | T => (work.length === 0 ? (work as () => Promise<T> | T)() : work(this.getConnection()));
    return await executeWithRetry(run, maxRetries, options, this.#logger);
  }

  /** A web3.js `Connection` over this pool. Needs `@solana/web3.js` 1.x; its listeners are subscriptions of the pool. The same one each time. */
  getConnection(): Connection {
    const web3 = loadWeb3(this.#givenWeb3);
    this.#connection ??= pooledConnection(web3, {
      fetch: this.fetch,
      commitment: this.#commitment,
      copyAccountData: this.#copyAccountData,
      run: (operation) => this.#lane.run(operation),
      confirmTransaction: (strategy, commitment) => this.confirmTransaction(strategy as string, commitment),
      subscribe: (kind, params, options) => this.subscribe(kind, params, options),
      refused: (method, error) => say(this.#logger, 'error', `Connection pool: ${method} was refused: ${String(error)}`, {}),
    });
    return this.#connection;
  }

  /**
   * Subscribes: `'account'` is `accountSubscribe`, `params` are the node's; the pool's commitment is filled in. The subscription moves between endpoints, and
   * tells in `onGap` and by the event `gap` which slots were not watched meanwhile. Take its notifications by `for await` or by `listen`.
   *
   * It keeps the process alive while a `for await` waits for the next notification; a listener does after `ref()`.
   *
   * @example
   * const subscription = pool.subscribe('account', [key, { encoding: 'base64' }]);
   * for await (const { context, value } of subscription) console.log(context.slot, value.lamports);
   */
  subscribe<K extends SubscriptionKind>(
    kind: K,
    params?: readonly unknown[],
    options?: SubscribeOptions & { readonly integers?: 'number' },
  ): Subscription<SubscriptionNotifications[K]>;
  /** As the other one, for notifications with `bigint`s, or of a type that you know better. */
  subscribe<T = unknown>(kind: SubscriptionKind, params?: readonly unknown[], options?: SubscribeOptions): Subscription<T>;
  subscribe<T>(kind: SubscriptionKind, params: readonly unknown[] = [], options: SubscribeOptions = {}): Subscription<T> {
    this.#mustBeOpen();
    return this.#subscriptions.open<T>(kind, params, options);
  }

  /**
   * Listens to an event. `transaction`: every transaction that this pool's methods send, with its bytes, and how following it ended; `gap`: slots that nobody
   * watched for a subscription. Does not keep the process alive.
   */
  on<N extends keyof PoolEvents>(name: N, listener: (event: PoolEvents[N]) => unknown): this {
    if (typeof listener !== 'function') throw invalidArgument('listener', 'listener must be a function');
    this.#listeners.of(name).add(listener);
    this.#lane.handle.reportTransactions(this.#listeners.of('transaction').size > 0);
    return this;
  }

  /** Ends listening. */
  off<N extends keyof PoolEvents>(name: N, listener: (event: PoolEvents[N]) => unknown): this {
    this.#listeners.of(name).delete(listener);
    this.#lane.handle.reportTransactions(this.#listeners.of('transaction').size > 0);
    return this;
  }

  /** What the pool is doing. */
  getPoolStats(): PoolStats {
    return JSON.parse(this.#lane.handle.stats()) as PoolStats;
  }

  /** Adds an endpoint and returns its name. */
  addEndpoint(endpoint: string | EndpointOptions): string {
    this.#mustBeOpen();
    return unwrap(this.#lane.handle.addEndpoint(endpointText(endpoint)));
  }

  /**
   * Takes an endpoint out, by its name or URL; `false` when there is none. Attempts under way there end as they end; what was known about it (breaker, limits)
   * is forgotten unless another pool of the process uses it.
   */
  removeEndpoint(urlOrName: string): boolean {
    this.#mustBeOpen();
    if (typeof urlOrName !== 'string') throw invalidArgument('urlOrName', 'urlOrName must be the name or the url of an endpoint');
    return this.#lane.handle.removeEndpoint(urlOrName);
  }

  /** How full the fullest queue is, 0 to 1. Producers slow down by it: at 1 calls are refused with `MOORING_POOL_EXHAUSTED`. */
  get pressure(): number {
    return this.#lane.handle.pressure();
  }

  /** Forgets every kept reply. */
  clearCache(): void {
    this.#lane.handle.clearCache();
  }

  /** Refuses new calls and lets those in flight finish for `timeoutMs`, then closes. */
  async drain(timeoutMs: number): Promise<CloseReport> {
    const limit = check.milliseconds('timeoutMs', timeoutMs, 0);
    // From here on, not from the news of the close on: that may come after this promise has resolved.
    this.#closed = true;
    this.#lane.flush();
    this.#lane.keepAlive.acquire();
    try {
      return await this.#lane.handle.close(limit);
    } finally {
      this.#lane.keepAlive.release();
    }
  }

  /** Closes at once: calls in flight are rejected with `MOORING_CLOSED`. Idempotent. */
  async close(): Promise<void> {
    await this.drain(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #blockhash(commitment: Commitment, options: CallOptions, cached: boolean): Promise<shape.BlockhashInfo> {
    const operation = op.call('getLatestBlockhash', [{ commitment: check.commitment(commitment) }], check.callOptions(options), cached);
    const outcome = await this.#run(operation);
    return (answer.expected('getLatestBlockhash', () => answer.blockhash(outcome)) as shape.WithContext<shape.BlockhashInfo>).value;
  }

  async #read<T>(
    method: string,
    params: readonly unknown[],
    options: CallOptions,
    look: (outcome: Answered) => unknown,
  ): Promise<shape.WithContext<T>> {
    const outcome = await this.#run(op.call(method, params, check.callOptions(options), true));
    return answer.expected(method, () => look(outcome)) as shape.WithContext<T>;
  }

  async #json(operation: Operation): Promise<unknown> {
    const outcome = await this.#run(operation);
    return JSON.parse(String(outcome)) as unknown;
  }

  async #accounts<K extends Key>(
    method: 'getAccountInfo' | 'getMultipleAccounts',
    keys: readonly K[],
    commitment: Commitment,
    options: CallOptions,
  ): Promise<(shape.AccountInfo<K> | null)[]> {
    check.commitment(commitment);
    const read = { method, keys, commitment, options: check.callOptions(options), copy: this.#copyAccountData };
    return await readAccounts(read, (operation) => this.#run(operation));
  }

  async #run(operation: Operation): Promise<Answered> {
    const outcome = await this.#lane.run(operation);
    if (isFailure(outcome)) throw readError(outcome, () => tryWeb3(this.#givenWeb3));
    return outcome;
  }

  async #track(bytes: Uint8Array, how: object, options: CallOptions): Promise<Tracked> {
    const outcome = await this.#lane.run(op.track(bytes, how, check.callOptions(options, check.TRANSACTION_NAMES)));
    if (isFailure(outcome)) throw this.#sendError(outcome, options as SendOptions);
    return JSON.parse(String(outcome)) as Tracked;
  }

  #sendError(failure: FailureRecord, { skipPreflight }: SendOptions): Error {
    return sendError(failure, skipPreflight === true, () => tryWeb3(this.#givenWeb3));
  }

  #mustBeOpen(): void {
    if (this.#closed) throw check.closed();
  }
}

export { ConnectionPool as SolanaConnectionPool };
