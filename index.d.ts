import { Connection as Connection_3 } from '@solana/web3.js';
import { EventEmitter } from 'node:events';
import { inspect } from 'node:util';
import { Readable } from 'node:stream';
import { SrvRecord } from 'node:dns';

/** The command was given up before its answer came. */
export declare class AbortError extends RedisError {
    static get brand(): string;
    get name(): string;
}

/** What find, aggregation and command cursors share. */
export declare abstract class AbstractCursor<T = Document_2> extends EventEmitter {
    #private;
    protected readonly source: CursorSource;
    /** Options as the caller gave them; builders change them until the first document is asked for. */
    protected readonly options: Document_2;
    /** @internal */
    constructor(source: CursorSource, options?: CursorOptions);
    /** The operation that opens the cursor. */
    protected abstract first(): Call;
    /** The server's plan for this. */
    explain(_verbosity?: Explain): Promise<Document_2>;
    get closed(): boolean;
    get killed(): boolean;
    get namespace(): {
        db: string;
        collection: string | undefined;
    };
    get session(): ClientSession | undefined;
    /** Documents that are here already. */
    bufferedCount(): number;
    /** Takes documents that are here already. */
    readBufferedDocuments(number?: number): T[];
    /** The next document, or null at the end. */
    next(): Promise<T | null>;
    /** The next document, or null when the next batch is empty. */
    tryNext(): Promise<T | null>;
    hasNext(): Promise<boolean>;
    toArray(): Promise<T[]>;
    forEach(iterator: (document: T) => boolean | void): Promise<void>;
    [Symbol.asyncIterator](): AsyncGenerator<T, void, void>;
    /** The documents as an object stream, each as `transform` makes it. Destroying the stream closes the cursor. */
    stream(options?: {
        transform?: (document: T) => unknown;
    }): Readable;
    close(_options?: object): Promise<void>;
    [Symbol.asyncDispose](): Promise<void>;
    /** Back to the start: the next read runs the operation again. */
    rewind(): void;
    addCursorFlag(flag: string, value: boolean): this;
    batchSize(value: number): this;
    maxTimeMS(value: number): this;
    withReadPreference(value: ConcernOptions['readPreference']): this;
    withReadConcern(value: ConcernOptions['readConcern']): this;
    /** Maps each document; the cursor itself is returned. */
    map<U>(transform: (document: T) => U): AbstractCursor<U>;
    /** @internal Sets an option before the cursor is used. */
    protected set(name: string, value: unknown): this;
    protected refuse(argument: string, message: string): Error;
    /** Refuses options that this kind of cursor cannot honour. */
    protected refuseKnown(kind: Parameters<typeof refuseKnown>[0], options: object): void;
    /** Read concern and preference of the nearest level. */
    protected readConcerns(): Document_2;
}

/** One account of a base64 reply. */
declare function account<K extends PublicKeyLike | string>(wire: unknown, like: K): AccountInfo<K> | null;

/** Methods that take keys as bytes; the codes are those of `src/solana/decode/request.rs`. */
declare const ACCOUNT_METHODS: {
    readonly getBalance: 0;
    readonly getAccountInfo: 1;
    readonly getMultipleAccounts: 2;
    readonly getProgramAccounts: 3;
    readonly getProgramAccountsWithContext: 4;
    readonly getTokenAccountsByOwner: 5;
};

/** An account, as `AccountInfo` of web3.js. */
export declare interface AccountInfo<K, D = Buffer> {
    data: D;
    executable: boolean;
    lamports: number;
    owner: K;
    rentEpoch?: number;
    space?: number;
}

/** The name of such a method. */
declare type AccountMethod = keyof typeof ACCOUNT_METHODS;

/** Which accounts are read, and how. */
declare interface AccountRead {
    readonly method: AccountMethod;
    /** 32 bytes each. */
    readonly keys: readonly Uint8Array[];
    /** JSON text of further parameters, empty for none. */
    readonly rest: string;
}

/** Reads accounts. Settles as a block of `solana/decode`, or as the text of the `result` when it holds no accounts or is of an unusual shape. */
declare function accounts({ method, keys, rest }: AccountRead, options: CallOptions, cached: boolean): Operation;

/** Commands on the database `admin`. */
export declare class Admin {
    #private;
    /** @internal */
    constructor(admin: Db, db: Db);
    command(command: object, options?: OperationOptions): Promise<Document_2>;
    listDatabases(options?: OperationOptions & {
        filter?: object;
        nameOnly?: boolean;
        authorizedDatabases?: boolean;
    }): Promise<Document_2>;
    ping(options?: OperationOptions): Promise<Document_2>;
    buildInfo(options?: OperationOptions): Promise<Document_2>;
    serverInfo(options?: OperationOptions): Promise<Document_2>;
    serverStatus(options?: OperationOptions): Promise<Document_2>;
    replSetGetStatus(options?: OperationOptions): Promise<Document_2>;
    /** Drops a user of the database `admin`. */
    removeUser(username: string, options?: OperationOptions): Promise<boolean>;
    /**
     * Checks a collection of the database that this came from.
     *
     * @throws MongoUnexpectedServerResponseError when the server finds it damaged.
     */
    validateCollection(name: string, options?: OperationOptions & {
        background?: boolean;
    }): Promise<Document_2>;
}

/** Options of `aggregate`. */
export declare interface AggregateOptions extends CursorOptions {
    allowDiskUse?: boolean;
    bypassDocumentValidation?: boolean;
    collation?: object;
    hint?: string | object;
    let?: object;
    cursor?: {
        batchSize?: number;
    };
    /** The collection that the result goes to: a last stage `$out`. */
    out?: string;
}

/** A cursor over the documents of an aggregation. */
export declare class AggregationCursor<T = Document_2> extends AbstractCursor<T> {
    #private;
    readonly pipeline: object[];
    /** @internal */
    constructor(source: CursorSource, pipeline: readonly object[], options?: AggregateOptions);
    addStage(stage: object): this;
    match(value: object): this;
    group(value: object): this;
    project(value: object): this;
    sort(value: Sort): this;
    limit(value: number): this;
    skip(value: number): this;
    lookup(value: object): this;
    unwind(value: object | string): this;
    out(value: object | string): this;
    redact(value: object): this;
    geoNear(value: object): this;
    /** A cursor for the same pipeline, from its start, without the session. */
    clone(): AggregationCursor<T>;
    explain(verbosity?: Explain): Promise<Document_2>;
    protected first(): Call;
}

/** One operation of a bulk write: an object with one of `insertOne`, `updateOne`, `updateMany`, `replaceOne`, `deleteOne`, `deleteMany`. */
export declare type AnyBulkWriteOperation = object;

/** One write of {@link MongoClient.bulkWrite}. */
export declare type AnyClientBulkWriteModel = ClientInsertOneModel | ClientUpdateOneModel | ClientUpdateManyModel | ClientReplaceOneModel | ClientDeleteOneModel | ClientDeleteManyModel;

/** What index operations and bulk writes use of a collection, whatever its documents. */
declare type AnyCollection = Pick<Collection, 'collectionName' | 'db' | 'operations' | 'aggregate' | 'bsonFor' | 'bulkWrite' | 'command' | 'cursorSource' | 'refuse' | 'refuseOperators' | 'requireOperators' | 'withId'>;

/** What a command takes; `null` and `undefined` are sent as empty strings, arrays are flattened once. */
export declare type Argument = RedisValue | boolean | bigint | null | undefined | object;

/** Turns flattened arguments into those that are encoded. */
declare type ArgumentTransformer = (args: Argument[]) => readonly Argument[];

/** How one attempt of a transaction begins. */
declare interface AttemptOptions {
    readonly transaction: TransactionOptions;
    /** 1 for the first. */
    readonly attempt: number;
    /** Milliseconds for the attempt; absent: none. */
    readonly timeoutMs?: number | undefined;
}

/** How an attempt is made on one connection. */
declare interface AttemptOptions_2 {
    /** ASKING goes before every command, or before the whole transaction. */
    readonly asking: boolean;
    /** Milliseconds for each command; 0 for no limit. */
    readonly deadlineMs: number;
}

/** Balances of many keys; settles as a JSON array. */
declare function balances(keys: readonly string[], options: CallOptions): Operation;

/** Runs a pipeline: the method of a client with several connections, which looks for the one to use. */
declare const BATCH: unique symbol;

/** A pipeline that may be sent more than once. */
declare interface Batch {
    readonly members: readonly Member[];
    /** Sends everything to one connection; resolves with the outcome of each member. */
    attempt(node: Redis, options: AttemptOptions_2): Promise<MemberResult[]>;
}

/** A blockhash and the last block height at which it is valid. */
export declare interface BlockhashInfo {
    readonly blockhash: string;
    readonly lastValidBlockHeight: number;
}

/** What is used of the `BSON` namespace of the driver. */
declare interface Bson {
    serialize(document: object, options?: object): Uint8Array;
    serializeWithBufferAndIndex(document: object, buffer: Uint8Array, options?: object): number;
    deserialize(bytes: Uint8Array, options?: object): Document_2;
    calculateObjectSize(document: object, options?: object): number;
    ObjectId: new () => object;
    Binary: new (bytes: Uint8Array, subType: number) => object;
}

/** Flags of the host's BSON library; the nearest level wins: operation, collection, database, client. */
export declare interface BsonOptions {
    serializeFunctions?: boolean;
    ignoreUndefined?: boolean;
    checkKeys?: boolean;
    promoteLongs?: boolean;
    promoteValues?: boolean;
    promoteBuffers?: boolean;
    useBigInt64?: boolean;
    bsonRegExp?: boolean;
    fieldsAsRaw?: Document_2;
    enableUtf8Validation?: boolean;
    /** Hand out the bytes of each document. */
    raw?: boolean;
}

/** Facts about a bulk write that the server's reply lacks. */
declare interface BulkContext {
    readonly ordered: boolean;
    readonly insertedIds: readonly {
        index: number;
        _id: unknown;
    }[];
    /** What was asked for at an index, as the server's command says it. */
    operation(index: number): object;
}

/**
 * @module mongo/bulk-result
 *
 * What a bulk write did, with the members of the Node driver's `BulkWriteResult` and `WriteError` (which the driver does not export at run time).
 */
/** Counts as Rust reports them. */
declare interface BulkCounts {
    insertedCount?: number;
    matchedCount?: number;
    modifiedCount?: number;
    deletedCount?: number;
    upsertedCount?: number;
    upsertedIds?: Record<string, unknown>;
}

/** Errors of a bulk write. */
declare interface BulkFaults {
    readonly writeErrors: readonly WriteError[];
    readonly writeConcernErrors: readonly object[];
}

/** A bulk write that is put together step by step. */
export declare class BulkOperation {
    #private;
    readonly isOrdered: boolean;
    /** @internal */
    constructor(collection: AnyCollection, options: BulkWriteOptions, ordered: boolean);
    get length(): number;
    insert(document: object): this;
    find(filter: object): FindOperators;
    raw(operation: AnyBulkWriteOperation): this;
    execute(options?: BulkWriteOptions): Promise<BulkWriteResult>;
}

/** Options of a bulk write. */
export declare interface BulkWriteOptions extends InsertOptions {
    let?: object;
}

/** What a bulk write did. */
export declare class BulkWriteResult {
    #private;
    readonly insertedCount: number;
    readonly matchedCount: number;
    readonly modifiedCount: number;
    readonly deletedCount: number;
    readonly upsertedCount: number;
    readonly upsertedIds: Record<number, unknown>;
    readonly insertedIds: Record<number, unknown>;
    readonly result: object;
    /** @internal */
    constructor(counts: BulkCounts, bulk: BulkContext, faults?: BulkFaults);
    get ok(): number;
    isOk(): boolean;
    getRawResponse(): object;
    getUpsertedIdAt(index: number): unknown;
    hasWriteErrors(): boolean;
    getWriteErrorCount(): number;
    getWriteErrorAt(index: number): WriteError | undefined;
    getWriteErrors(): readonly WriteError[];
    getWriteConcernError(): object | undefined;
}

/** How long replies are kept, in milliseconds; 0 switches a kind off. */
export declare interface CacheConfig {
    /** Balances, token balances, parsed token accounts. Default 1000. */
    readonly balanceTTL?: number;
    /** Default 2000. */
    readonly blockhashTTL?: number;
    /** Default 1000. */
    readonly accountInfoTTL?: number;
    /** Default 500. A status not found is never kept. */
    readonly signatureStatusTTL?: number;
}

/** One operation. */
declare interface Call extends Omit<FailureContext, 'topology'> {
    readonly opcode: number;
    readonly body?: object;
    readonly flags?: number;
    readonly session?: ClientSession | null | undefined;
    readonly timeoutMS?: number | undefined;
    readonly signal?: AbortSignal | undefined;
    readonly bson?: BsonOptions;
}

/** One JSON-RPC call; settles as the text of its `result`. */
declare function call(method: string, params: readonly unknown[], options: CallOptions, cached: boolean): Operation;

/** One call of a command method. */
declare interface Call_2 {
    readonly spec: CommandSpec;
    readonly args: Argument[];
    /** Bulk strings as Buffers. */
    readonly buffers: boolean;
    readonly callback: Callback | undefined;
}

/** `(error, result)`. */
export declare type Callback<T = unknown> = (error: Error | null, result?: T) => void;

/** What one call may say besides its arguments. */
export declare interface CallOptions {
    /** Gives the call up. */
    readonly signal?: AbortSignal | undefined;
    /** Milliseconds for the whole call: queue, limiter and all attempts. Default: the pool's `deadlineMs`. */
    readonly deadlineMs?: number | undefined;
    /**
     * How urgent it is among calls that wait for the pool's limit. Default: `'send'` for sends, `'confirm'` for signature statuses, else `'read'`.
     * The most urgent go first; one start in ten is for the least urgent of those that wait.
     */
    readonly priority?: Priority | undefined;
}

declare type CallOptions_2 = op.CallOptions;

/** As {@link call}, with the parameters as text, uncached and with the pool's deadline. */
declare function callText(method: string, params: string): Operation;

/** One link of a cause chain. */
declare interface CauseRecord {
    /** What it was. */
    name: string
    /** Its message, redacted. */
    message: string
}

/** A pipeline as its users see it: command methods that return the pipeline itself. */
export declare interface ChainableCommander extends Omit<Pipeline, 'multi' | 'addBatch'>, ChainableCommands<ChainableCommander> {
    multi(): ChainableCommander;
    addBatch(commands?: readonly (readonly Argument[])[]): ChainableCommander;
}

/** The command methods of a pipeline: each answers the pipeline. */
declare type ChainableCommands<Self> = Record<MethodName | 'call' | 'callBuffer', (...args: (Argument | Callback)[]) => Self>;

/** A stream of changes. */
export declare class ChangeStream<T = Document_2> extends EventEmitter {
    #private;
    static readonly RESPONSE: "response";
    static readonly MORE: "more";
    static readonly INIT: "init";
    static readonly CLOSE: "close";
    static readonly CHANGE: "change";
    static readonly END: "end";
    static readonly ERROR: "error";
    static readonly RESUME_TOKEN_CHANGED: "resumeTokenChanged";
    readonly pipeline: readonly object[];
    readonly options: ChangeStreamOptions;
    /** @internal */
    constructor(source: ChangeStreamSource, pipeline: readonly object[], options: ChangeStreamOptions);
    /** Behind which event the stream stands. */
    get resumeToken(): unknown;
    get closed(): boolean;
    /** Events that are here already. */
    bufferedCount(): number;
    /** Waits for an event; false when the stream has ended. */
    hasNext(): Promise<boolean>;
    /** The next event. */
    next(): Promise<T>;
    /** The next event, or null when there is none now. */
    tryNext(): Promise<T | null>;
    [Symbol.asyncIterator](): AsyncGenerator<T, void, void>;
    /** The events as an object stream; destroying it closes this. */
    stream(): Readable;
    /** Ends the stream; whoever waits for an event is rejected. */
    close(): Promise<void>;
    [Symbol.asyncDispose](): Promise<void>;
}

/** Options of `watch`. */
export declare interface ChangeStreamOptions extends CursorOptions {
    fullDocument?: 'default' | 'updateLookup' | 'whenAvailable' | 'required' | (string & {});
    fullDocumentBeforeChange?: 'off' | 'whenAvailable' | 'required' | (string & {});
    /** A resume token: the `_id` of an event, or `resumeToken`. */
    resumeAfter?: unknown;
    startAfter?: unknown;
    /** A `Timestamp`. */
    startAtOperationTime?: unknown;
    showExpandedEvents?: boolean;
    collation?: object;
}

/** Where a stream looks: a collection, a database without `coll`, the deployment without `db`. */
declare type ChangeStreamSource = Omit<CursorSource, 'db'> & {
    readonly db?: string;
};

/** Facts about a bulk write that Rust's reply lacks. */
declare interface ClientBulkContext {
    readonly ordered: boolean;
    readonly verbose: boolean;
    /** What a model does and, of an insert, the id of its document. */
    model(index: number): {
        name: string;
        insertedId?: unknown;
    } | undefined;
}

/** One write that failed, in `writeErrors` of a `MongoClientBulkWriteError`. */
export declare interface ClientBulkWriteError {
    code: number;
    message: string;
}

/** Options of {@link MongoClient.bulkWrite}. */
export declare interface ClientBulkWriteOptions extends Omit<InsertOptions, 'forceServerObjectId'> {
    let?: object;
    /** Results of the single writes as well. Default: counts only. */
    verboseResults?: boolean;
}

/** What a bulk write did. The maps, by the place of the model, are there with `verboseResults` only. */
export declare interface ClientBulkWriteResult {
    readonly acknowledged: boolean;
    readonly insertedCount: number;
    readonly upsertedCount: number;
    readonly matchedCount: number;
    readonly modifiedCount: number;
    readonly deletedCount: number;
    readonly insertResults?: ReadonlyMap<number, ClientInsertOneResult>;
    readonly updateResults?: ReadonlyMap<number, ClientUpdateResult>;
    readonly deleteResults?: ReadonlyMap<number, ClientDeleteResult>;
}

/** Deletes all documents that match. */
export declare interface ClientDeleteManyModel extends Omit<ClientDeleteOneModel, 'name'> {
    name: 'deleteMany';
}

/** Deletes the first document that matches. */
export declare interface ClientDeleteOneModel extends ClientWriteModel {
    name: 'deleteOne';
    filter: object;
    collation?: object;
    hint?: string | object;
}

/** What a delete did. */
export declare interface ClientDeleteResult {
    deletedCount: number;
}

/** Inserts a document. */
export declare interface ClientInsertOneModel extends ClientWriteModel {
    name: 'insertOne';
    document: object;
}

/** What an insert did. */
export declare interface ClientInsertOneResult {
    insertedId: unknown;
}

/** Replaces the first document that matches. */
export declare interface ClientReplaceOneModel extends Omit<ClientUpdateOneModel, 'name' | 'update' | 'arrayFilters'> {
    name: 'replaceOne';
    replacement: object;
}

/** A session of a client. Made by `startSession`, `withSession` and `withTransaction`. */
export declare class ClientSession extends EventEmitter {
    #private;
    readonly explicit = true;
    readonly snapshotEnabled: boolean;
    readonly supports: {
        causalConsistency: boolean;
    };
    /** As given to `startSession`. Typed `never` for the reason given at {@link serverSession}. */
    readonly defaultTransactionOptions: never;
    /** @internal */
    readonly defaultTimeoutMS: number | undefined;
    hasEnded: boolean;
    transaction: Transaction;
    /** @internal Operations that have not settled; the lane counts them. */
    unsettled: number;
    /** Which attempt of `withTransaction` runs, from 1; 0 outside. */
    attempt: number;
    /** When the attempt's deadline is, in milliseconds since the epoch; `undefined` without one. */
    deadline: number | undefined;
    /** @internal */
    constructor(client: MongoClient, operations: Operations, handle: number, options?: ClientSessionOptions);
    /** Its client. No property of its own: it is large and would print with the session. */
    get client(): MongoClient;
    /** Aborted when the attempt is over before its callback: by its deadline, by the caller's signal or by the client's close. Its reason is the error. */
    get signal(): AbortSignal;
    /** @internal Whether its attempt was cut: {@link signal} is aborted, if anybody has asked for it. */
    get isCut(): boolean;
    /** The server session's id, once its first operation has run; of a session that has ended as long as it is among the client's last 256. */
    get id(): {
        readonly id: never;
    } | undefined;
    /** The newest cluster time that the session knows; `undefined` before its first operation. Typed `never` for the reason given at {@link serverSession}. */
    get clusterTime(): never;
    /** The time of the session's last operation; as {@link clusterTime}. */
    get operationTime(): never;
    /** What a session with `snapshot` reads; `undefined` before its first read. As {@link clusterTime}. */
    get snapshotTime(): never;
    get loadBalanced(): boolean;
    get isPinned(): boolean;
    /**
     * Its `id`, and `lastUse` in milliseconds: all that is known here of the server session, which lives in Rust. Typed `never`, so that this session is accepted
     * where the Node driver's is asked for.
     */
    get serverSession(): never;
    /** Not available. Typed `never` for the reason given at {@link serverSession}. */
    get clientOptions(): never;
    inTransaction(): boolean;
    /** Begins a transaction. No I/O: the server learns of it with the first operation. */
    startTransaction(options?: TransactionOptions): void;
    commitTransaction(): Promise<void>;
    abortTransaction(): Promise<void>;
    /**
     * Runs `fn` in a transaction with the specification's limits: retried without a count, 120 s in all. `forgottenSession` is that of the package's
     * `withTransaction`: what becomes of an operation on data in `fn` that names no session; default `warn`, once per call site.
     */
    withTransaction<T = unknown>(fn: (session: this) => Promise<T>, options?: TransactionOptions & {
        timeoutMS?: number;
        forgottenSession?: ForgottenSession;
    }): Promise<T>;
    /**
     * Runs `fn` once, after a definite commit of the transaction that is open now, outside of it. Its errors reject nothing and retry nothing.
     * Inside `withTransaction` it belongs to the attempt: an attempt that is rolled back forgets it.
     */
    afterCommit(fn: Hook): void;
    /** Runs `fn` once, after a definite rollback of the transaction (or attempt) that is open now. */
    afterRollback(fn: Hook): void;
    /** Ends the session; aborts its transaction if one is open. Harmless when called again, and inside `withTransaction`, which ends it itself. */
    endSession(options?: {
        timeoutMS?: number;
    } | null): Promise<void>;
    [Symbol.asyncDispose](): Promise<void>;
    advanceOperationTime(operationTime: unknown): void;
    advanceClusterTime(clusterTime: unknown): void;
    equals(session: unknown): boolean;
    incrementTransactionNumber(): never;
    /** Sessions are not data: a document that holds one is a mistake. */
    toBSON(): never;
    /** As in `EventEmitter`; typed for the reason given at {@link serverSession}. */
    listeners(event: string | symbol): never[];
    /** As in `EventEmitter`; typed for the reason given at {@link serverSession}. */
    eventNames(): never[];
    /** As in `EventEmitter`; typed for the reason given at {@link serverSession}. */
    rawListeners(event: string | symbol): never[];
    /** @internal The handle for an operation of `operations`' client; refuses a foreign, ended or late session. */
    handleFor(operations: Operations, opcode: number): number;
    /** @internal How the transaction that was open last has ended; `undefined` while it has not. */
    get outcome(): 'committed' | 'rolled-back' | undefined;
    /** @internal The transaction loop's commit has succeeded. */
    committed(): void;
    /** @internal Begins a transaction or one attempt of it. */
    begin(attempt: AttemptOptions): void;
    /** @internal A `withTransaction` loop owns the session from here on until {@link disown}. */
    own(): void;
    /** @internal The loop is over; its end carries out an `endSession` that came meanwhile. */
    disown(): Promise<void> | undefined;
    /** @internal The attempt is over before its callback: signals it and refuses what the callback still asks for. */
    cut(reason: MooringError, state: string): void;
    /** @internal Remembers the first error of an operation in this attempt. */
    noteError(error: Error): void;
    /** @internal Whether `error` is the first one that an operation of this attempt failed with. */
    isFirstError(error: unknown): boolean;
    /** @internal The parts that the transaction loop works with. */
    get internals(): {
        operations: Operations;
        handle: number;
    };
    /** @internal Runs the hooks of the attempt, once. */
    settleHooks(outcome: 'committed' | 'rolled-back', onHookError?: (error: unknown) => void): Promise<void> | undefined;
}

/** Options of {@link MongoClient.startSession}. */
export declare interface ClientSessionOptions {
    causalConsistency?: boolean;
    snapshot?: boolean;
    /** A `Timestamp`: what a session with `snapshot` reads; default: that of its first read. */
    snapshotTime?: unknown;
    defaultTransactionOptions?: TransactionOptions;
    /** `timeoutMS` of operations in the session that give none. */
    defaultTimeoutMS?: number;
}

/** Counters of a client. */
export declare interface ClientStats {
    sessions: {
        started: number;
        ended: number;
        open: number;
    };
    transactions: {
        started: number;
        committed: number;
        aborted: number;
        unknown: number;
        timedOut: number;
    };
    lateOperations: number;
    inFlight: number;
    cursors: number;
    changeStreams: number;
    lanes: {
        idle: number;
        busy: number;
    };
    connections: {
        open: number;
        inUse: number;
    };
}

/** Updates all documents that match. */
export declare interface ClientUpdateManyModel extends Omit<ClientUpdateOneModel, 'name' | 'sort'> {
    name: 'updateMany';
}

/** Updates the first document that matches. */
export declare interface ClientUpdateOneModel extends ClientWriteModel {
    name: 'updateOne';
    filter: object;
    update: object | readonly object[];
    arrayFilters?: readonly object[];
    collation?: object;
    hint?: string | object;
    upsert?: boolean;
    sort?: Sort;
}

/** What an update or a replacement did. */
export declare interface ClientUpdateResult {
    matchedCount: number;
    modifiedCount: number;
    /** Only if there was an upsert; it may be `null`. */
    upsertedId?: unknown;
    didUpsert: boolean;
}

/** What all models have. */
export declare interface ClientWriteModel {
    /** `database.collection`. */
    namespace: string;
}

/** A worker, queue or queue-events object of BullMQ or Bull, or anything with an idempotent `close`. */
export declare interface Closeable {
    /** Finishes what runs and closes. */
    close(): Promise<unknown>;
}

/**
 * Closes the default client and every duplicate of it: work in flight may finish until the deadline. Never rejects for a server that is gone; repeating
 * it is harmless, and so is calling it before anything was connected.
 *
 * @throws MooringError `MOORING_INVALID_ARGUMENT` for a bad option.
 */
export declare function closeRedis(options?: CloseRedisOptions): Promise<void>;

/** Options of `closeRedis`. */
export declare interface CloseRedisOptions {
    /** Milliseconds for commands in flight. Default 5000. */
    readonly deadlineMs?: number;
}

/** What closing did. */
export declare interface CloseReport {
    /** Calls that finished by themselves. */
    readonly drained: number;
    /** Calls that were cut. */
    readonly aborted: number;
    /** Transactions that were being sent or followed then: `{ signature, bytes }`. The same bytes may be sent again, by `sendAndConfirm` of any pool. */
    readonly unconfirmed: readonly UnconfirmedTransaction[];
}

export declare interface Cluster extends Omit<RedisCommands, 'quit'> {
}

/** A client of a Redis Cluster. */
export declare class Cluster extends CommandClient {
    #private;
    /** Where the cluster stands. Queue libraries assign it. */
    status: ClusterStatus;
    /** Options after defaults; live. */
    readonly options: ResolvedClusterOptions;
    readonly isCluster: boolean;
    /** Nodes to ask at every connect. */
    startupNodes: readonly ClusterNode[];
    /** The nodes' clients. @internal */
    readonly connectionPool: NodePool;
    /** The connection of ordinary subscriptions. @internal */
    readonly subscriber: ClusterSubscriber;
    /** Those of sharded ones. @internal */
    readonly sharded: ShardedSubscribers;
    /**
     * @throws Error for a bad `scaleReads`, as the peer; MooringError `MOORING_INVALID_CONFIG` for other options of a wrong type.
     */
    constructor(startupNodes: readonly ClusterNode[], options?: ClusterOptions);
    /** The nodes of each slot, the master first. */
    get slots(): NodeKey[][];
    /** Slots with equal nodes have equal numbers. @internal */
    get _groupsBySlot(): (number | undefined)[];
    /** With `enableAutoPipelining`: commands that wait for the end of the turn. */
    get autoPipelineQueueSize(): number;
    /** Commands that wait for the cluster. */
    get offlineQueue(): {
        readonly length: number;
    };
    /** Connects; resolves on ready, rejects when no startup node can be used. */
    connect(): Promise<void>;
    /** Disconnects from every node; unsettled commands reject. With `reconnect` the cluster connects again, by its retry strategy. */
    disconnect(reconnect?: boolean): void;
    /** Lets every node answer what it was sent, then ends. */
    quit(callback?: Callback<'OK'>): Promise<'OK'>;
    /** As `close` of a `Redis`. */
    close(deadlineMs?: number): Promise<void>;
    /** Another client, with the same startup nodes and options unless told otherwise. */
    duplicate(startupNodes?: readonly ClusterNode[], options?: ClusterOptions): Cluster;
    /** Clients of the nodes with a role: for commands about one node, such as SCAN or FLUSHDB. */
    nodes(role?: NodeRole): Redis[];
    /** Keeps the process alive while the cluster is open. */
    ref(): this;
    /** The default: an idle cluster does not keep the process alive. */
    unref(): this;
    /** Asks the nodes, in random order, which slots they serve. @internal */
    refreshSlotsCache(callback?: (error?: Error | null) => void): void;
    /** A transaction: a pipeline between MULTI and EXEC. `{ pipeline: false }` is refused: see `docs/redis.md`. */
    multi: {
        (options: {
            pipeline: false;
        }): Promise<never>;
        (commands?: readonly (readonly Argument[])[] | {
            pipeline: true;
        }): ChainableCommander;
    };
    /** Sends a command object to the node of its keys. Tracing code patches this; then every single command comes by here. */
    sendCommand(command: Command): Promise<unknown>;
    /** Waiting for `ready` while connecting keeps the process alive. */
    once(event: string | symbol, listener: (...args: never[]) => void): this;
    /** @internal */
    get [PATCHED](): boolean;
    /** @internal */
    [MAKE_SCRIPT](name: string, definition: ScriptDefinition): Script;
    /** Runs one call of a command method. */
    [RUN](call: Call_2): unknown;
    /** Runs a pipeline's members at the node of their keys. @internal */
    [BATCH](batch: Batch): Promise<MemberResult[]>;
    /** @internal */
    [START](outgoing: Outgoing): void;
    /** Without credentials. */
    toJSON(): object;
    [inspect.custom](): string;
}

/** No node of a cluster could tell its slots. */
export declare class ClusterAllFailedError extends RedisError {
    static readonly defaultMessage = "Failed to refresh slots cache.";
    /** What the last node that was asked answered. */
    readonly lastNodeError: Error | undefined;
    constructor(message: string, lastNodeError?: Error);
    static get brand(): string;
    get name(): string;
}

/** A node to ask for the cluster's shape: a URL, a port or an address, with options of its own when they differ from `redisOptions`. */
export declare type ClusterNode = string | number | (Omit<RedisOptions, 'port'> & {
    port?: number | string | undefined;
});

/** Options of `Cluster`. Times are milliseconds. */
export declare interface ClusterOptions {
    /** Milliseconds to wait before attempt `times` when no node was reached; anything but a number stops. Default `min(100 + times * 2, 2000)`. */
    clusterRetryStrategy?: ((times: number, reason?: Error) => number | void | null) | null | undefined;
    /** Lets single nodes reconnect. Default none: a lost node leaves the pool until a refresh or MOVED names it again. */
    clusterNodeRetryStrategy?: ((times: number) => number | void | null) | null | undefined;
    /** Commands called before the cluster is ready wait. Default true. */
    enableOfflineQueue?: boolean | undefined;
    /** Ready only when `CLUSTER INFO` says so. Default true. */
    enableReadyCheck?: boolean | undefined;
    /** Where reads go. Default 'master'. */
    scaleReads?: NodeRole | ScaleReads | undefined;
    /** Redirections and retries of one command at most. Default 16. */
    maxRedirections?: number | undefined;
    /** Wait before a command whose node was lost is tried elsewhere; 0 rejects it. Default 100. */
    retryDelayOnFailover?: number | undefined;
    /** Wait after CLUSTERDOWN; 0 rejects. Default 100. */
    retryDelayOnClusterDown?: number | undefined;
    /** Wait after TRYAGAIN. Default 100. */
    retryDelayOnTryAgain?: number | undefined;
    /** Wait after MOVED. Default 0. */
    retryDelayOnMoved?: number | undefined;
    /** How long one node may take to tell the slots. Default 1000. */
    slotsRefreshTimeout?: number | undefined;
    /** Asks for the slots again and again. Default off: MOVED and lost nodes cause refreshes. */
    slotsRefreshInterval?: number | undefined;
    /** A connection per master for sharded channels from the start. Without it they are made by the first `ssubscribe`. */
    shardedSubscribers?: boolean | undefined;
    /** Options of every node's connection. */
    redisOptions?: RedisOptions | undefined;
    lazyConnect?: boolean | undefined;
    /** Startup hosts are names of SRV records. */
    useSRVRecords?: boolean | undefined;
    resolveSrv?: ((hostname: string, callback: (error: Error | null | undefined, records?: SrvRecord[]) => void) => void) | undefined;
    /** Resolves startup hosts. Default `dns.lookup`. */
    dnsLookup?: ((hostname: string, callback: (error: Error | null | undefined, address: string, family?: number) => void) => void) | undefined;
    /** Addresses that nodes announce to addresses where they are reached. */
    natMap?: Record<NodeKey, NodeAddress> | ((key: NodeKey) => NodeAddress | null | undefined) | undefined;
    enableAutoPipelining?: boolean | undefined;
    autoPipeliningIgnoredCommands?: string[] | undefined;
    keyPrefix?: KeyPrefix | undefined;
    scripts?: Record<string, ScriptDefinition> | undefined;
    showFriendlyErrorStack?: boolean | undefined;
}

/** Where a cluster client stands. */
export declare type ClusterStatus = 'end' | 'close' | 'wait' | 'connecting' | 'connect' | 'ready' | 'reconnecting' | 'disconnecting';

/** One connection for the subscriptions of all nodes. */
declare class ClusterSubscriber {
    #private;
    constructor(pool: NodePool, emitter: EventEmitter);
    /** The client in use. */
    getInstance(): Redis | undefined;
    /** Chooses a node; connects when there is something to subscribe to. */
    start(): void;
    /** Drops the connection. Subscriptions are kept for the next start. */
    stop(): void;
    /** An answered command of the subscribe family. */
    follow(command: string, channels: readonly RedisValue[]): void;
}

/** A collection of a database. */
export declare class Collection<T extends object = Document_2> {
    #private;
    readonly db: Db;
    readonly collectionName: string;
    readonly bsonOptions: BsonOptions;
    /** Used by find when the operation gives none. */
    hint: string | object | undefined;
    /** @internal */
    constructor(db: Db, name: string, options?: CollectionOptions);
    get client(): Db['client'];
    get dbName(): string;
    get namespace(): string;
    get readConcern(): ConcernOptions['readConcern'];
    get writeConcern(): ConcernOptions['writeConcern'];
    get readPreference(): ConcernOptions['readPreference'];
    get timeoutMS(): number | undefined;
    insertOne(document: T, options?: InsertOptions): Promise<{
        acknowledged: boolean;
        insertedId: unknown;
    }>;
    insertMany(documents: readonly T[], options?: InsertOptions): Promise<{
        acknowledged: boolean;
        insertedCount: number;
        insertedIds: Record<number, unknown>;
    }>;
    bulkWrite(operations: readonly AnyBulkWriteOperation[], options?: BulkWriteOptions): Promise<BulkWriteResult>;
    updateOne(filter: object, update: object | readonly object[], options?: WriteOptions): Promise<UpdateResult>;
    updateMany(filter: object, update: object | readonly object[], options?: WriteOptions): Promise<UpdateResult>;
    replaceOne(filter: object, replacement: object, options?: WriteOptions): Promise<UpdateResult>;
    deleteOne(filter?: object, options?: WriteOptions): Promise<DeleteResult>;
    deleteMany(filter?: object, options?: WriteOptions): Promise<DeleteResult>;
    findOneAndUpdate(filter: object, update: object | readonly object[], options?: FindOneAndOptions): Promise<WithId<T> | null>;
    findOneAndReplace(filter: object, replacement: object, options?: FindOneAndOptions): Promise<WithId<T> | null>;
    findOneAndDelete(filter: object, options?: FindOneAndOptions): Promise<WithId<T> | null>;
    find(filter?: object, options?: FindOptions): FindCursor<WithId<T>>;
    findOne(filter?: object, options?: FindOptions): Promise<WithId<T> | null>;
    aggregate<U = Document_2>(pipeline?: readonly object[], options?: AggregateOptions): AggregationCursor<U>;
    countDocuments(filter?: object, options?: CountOptions): Promise<number>;
    /** The old `count` command, which may be wrong after an unclean shutdown and cannot run in a transaction: `countDocuments` is better. */
    count(filter?: object, options?: CountOptions): Promise<number>;
    estimatedDocumentCount(options?: OperationOptions): Promise<number>;
    distinct(key: string, filter?: object, options?: CountOptions): Promise<unknown[]>;
    initializeOrderedBulkOp(options?: BulkWriteOptions): OrderedBulkOperation;
    initializeUnorderedBulkOp(options?: BulkWriteOptions): UnorderedBulkOperation;
    createIndex(specification: IndexSpecification, options?: indexes.CreateIndexesOptions): Promise<string>;
    createIndexes(descriptions: readonly indexes.IndexDescription[], options?: indexes.CreateIndexesOptions): Promise<string[]>;
    dropIndex(name: string | object, options?: OperationOptions): Promise<Document_2>;
    dropIndexes(options?: OperationOptions): Promise<boolean>;
    listIndexes(options?: CursorOptions): RunCommandCursor;
    indexes(options?: CursorOptions & {
        full?: boolean;
    }): Promise<Document_2[] | Document_2>;
    indexInformation(options?: CursorOptions & {
        full?: boolean;
    }): Promise<Document_2[] | Document_2>;
    indexExists(names: string | readonly string[], options?: CursorOptions): Promise<boolean>;
    listSearchIndexes(name?: string | CursorOptions, options?: CursorOptions): AggregationCursor;
    createSearchIndex(description: object): Promise<string>;
    createSearchIndexes(descriptions: readonly object[]): Promise<string[]>;
    dropSearchIndex(name: string): Promise<void>;
    updateSearchIndex(name: string, definition: object): Promise<void>;
    rename(name: string, options?: OperationOptions & {
        dropTarget?: boolean;
    }): Promise<Collection>;
    drop(options?: OperationOptions): Promise<boolean>;
    options(options?: CursorOptions): Promise<Document_2>;
    isCapped(options?: CursorOptions): Promise<boolean>;
    /** The changes of the collection's documents, from now on or from where the options say. */
    watch<U = Document_2>(pipeline?: readonly object[], options?: ChangeStreamOptions): ChangeStream<U>;
    /** @internal */
    get operations(): Operations;
    /** @internal Where a cursor of this collection reads. */
    cursorSource(options?: object): CursorSource;
    /** @internal Runs a command on the collection's database, with the write concern of the nearest level. */
    command(command: object, options?: OperationOptions): Promise<Document_2>;
    /** @internal The BSON flags of an operation. */
    bsonFor(options?: object): BsonOptions;
    /** @internal */
    refuse(argument: string, message: string): Error;
    /** @internal The document's `_id`, made when it has none. */
    withId(document: object, options: InsertOptions): unknown;
    /** @internal */
    requireOperators(update: unknown): void;
    /** @internal */
    refuseOperators(replacement: unknown): void;
    /** @internal A write: the write concern of the nearest level is added. */
    write(request: Request_2): Promise<Value>;
}

/** Options of a collection; what it does not say its database does. */
export declare interface CollectionOptions extends ConcernOptions, BsonOptions {
    timeoutMS?: number;
}

/** One command and its promise. */
declare class Command {
    /** The name as it is sent. */
    name: string;
    /** Arguments as they reach the server: flattened, numbers as text, those of a script with its sha and number of keys before them. */
    args: RedisValue[];
    /** Settles with the outcome. */
    readonly promise: Promise<unknown>;
    readonly replyEncoding: BufferEncoding | null | undefined;
    readonly callback: Callback | undefined;
    readonly errorStack: Error | undefined;
    readonly isReadOnly: boolean;
    /** Settles the promise with a reply, after decoding and transforming it. */
    resolve: (reply: unknown) => void;
    reject: (error: Error) => void;
    isResolved: boolean;
    readonly spec: CommandSpec;
    /** Where a pipeline puts it. */
    place: Place | undefined;
    constructor(name: string | CommandSpec, args?: Argument[], options?: CommandOptions, callback?: Callback);
    /** Replaces how the arguments of the command `name` (lower case) are made, for every client. */
    static setArgumentTransformer(name: string, transformer: ArgumentTransformer): void;
    /** Replaces how the replies of the command `name` (lower case) are shaped, for every client. */
    static setReplyTransformer(name: string, transformer: ReplyTransformer): void;
    /** The transformers as the peer keeps them: writing to it, or deleting from it, is `setArgumentTransformer` and `setReplyTransformer`. */
    static get _transformer(): {
        readonly argument: Record<string, ArgumentTransformer>;
        readonly reply: Record<string, ReplyTransformer>;
    };
    /** Whether the command is of a group that the peer names, such as `VALID_IN_SUBSCRIBER_MODE`. */
    static checkFlag(flag: string, name: string): boolean;
    /** The arguments of the call: without what a script puts before them. */
    get values(): RedisValue[];
    /** Keys among the arguments. */
    getKeys(): RedisValue[];
    /** The reply as the caller gets it. */
    transformReply(reply: unknown): unknown;
    /** Name and arguments, without credentials. */
    toJSON(): object;
}

/** A client that runs commands. */
declare abstract class CommandClient extends EventEmitter {
    #private;
    abstract status: string;
    abstract readonly options: Pick<RedisOptions, 'keyPrefix' | 'showFriendlyErrorStack'>;
    readonly scriptsSet: Record<string, Script>;
    readonly addedBuiltinSet: Set<string>;
    /** Ends the connections at once. */
    abstract disconnect(reconnect?: boolean): void;
    /** Sends a command object. Tracing code patches this; then every single command comes by here. */
    abstract sendCommand(command: Command): Promise<unknown>;
    abstract get [PATCHED](): boolean;
    abstract [MAKE_SCRIPT](name: string, definition: ScriptDefinition): Script;
    abstract [START](entry: Entry): void;
    /** Where the application made clients of these names, as far as it is known. @internal */
    [PLACES](_isNamed: (name: string) => boolean): string[];
    /** The old name of `disconnect`. */
    end(): void;
    /** Makes a Lua script a method of this client and its pipelines. */
    defineCommand(name: string, definition: ScriptDefinition): void;
    /** Adds a method for a command that the table does not know. */
    addBuiltinCommand(name: string): void;
    getBuiltinCommands(): string[];
    createBuiltinCommand(name: string): {
        string: CommandMethod;
        buffer: CommandMethod;
    };
    /** What pipelines and transactions are made of. */
    protected get pipelineBase(): typeof Pipeline;
    /** Commands that go out together; `exec()` answers `[error, result]` pairs. On a cluster their keys must live in slots of the same nodes. */
    pipeline(commands?: readonly (readonly Argument[])[]): ChainableCommander;
    /** A transaction: a pipeline between MULTI and EXEC, or command by command with `{ pipeline: false }`. */
    multi(options: {
        pipeline: false;
    }): Promise<'OK'>;
    multi(commands?: readonly (readonly Argument[])[] | {
        pipeline: true;
    }): ChainableCommander;
    sscanStream(key: RedisValue, options?: ScanStreamOptions): ScanStream;
    sscanBufferStream(key: RedisValue, options?: ScanStreamOptions): ScanStream;
    hscanStream(key: RedisValue, options?: ScanStreamOptions): ScanStream;
    hscanBufferStream(key: RedisValue, options?: ScanStreamOptions): ScanStream;
    zscanStream(key: RedisValue, options?: ScanStreamOptions): ScanStream;
    zscanBufferStream(key: RedisValue, options?: ScanStreamOptions): ScanStream;
    /** Emits `error` when somebody listens, prints it otherwise; connection errors are silent while closing by hand and after `end`. */
    silentEmit(event: string, argument?: unknown): boolean;
    /** Runs one call of a command method. */
    [RUN]({ spec, args, buffers, callback }: Call_2): unknown;
}

/** What can run commands: a client, which answers promises, or a pipeline, which answers itself. */
declare interface Commander {
    /** Commands added by `addBuiltinCommand`. */
    readonly addedBuiltinSet: Set<string>;
    [RUN](call: Call_2): unknown;
}

/** The command that an error belongs to. */
declare interface CommandInfo {
    readonly name: string;
    readonly args: readonly RedisValue[];
}

/** A command's method. */
declare type CommandMethod = (this: Commander, ...args: Argument[]) => unknown;

/** Commands with a method; each also has a `Buffer` form. */
declare type CommandName = 'acl' | 'append' | 'arcount' | 'ardel' | 'ardelrange' | 'arget' | 'argetrange' | 'argrep' | 'arinfo' | 'arinsert' | 'arlastitems' | 'arlen' | 'armget' | 'armset' | 'arnext' | 'arop' | 'arring' | 'arscan' | 'arseek' | 'arset' | 'asking' | 'auth' | 'backup' | 'bgrewriteaof' | 'bgsave' | 'bitcount' | 'bitfield' | 'bitfield_ro' | 'bitop' | 'bitpos' | 'bless' | 'blmove' | 'blmovem' | 'blmpop' | 'blpop' | 'brpop' | 'brpoplpush' | 'bzmpop' | 'bzpopmax' | 'bzpopmin' | 'client' | 'cluster' | 'command' | 'config' | 'copy' | 'dbsize' | 'debug' | 'decr' | 'decrby' | 'del' | 'delex' | 'digest' | 'discard' | 'dump' | 'echo' | 'eval' | 'eval_ro' | 'evalsha' | 'evalsha_ro' | 'exists' | 'expire' | 'expireat' | 'expiretime' | 'failover' | 'fcall' | 'fcall_ro' | 'flushall' | 'flushdb' | 'function' | 'geoadd' | 'geodist' | 'geohash' | 'geopos' | 'georadius' | 'georadius_ro' | 'georadiusbymember' | 'georadiusbymember_ro' | 'geosearch' | 'geosearchstore' | 'get' | 'getbit' | 'getdel' | 'getex' | 'getrange' | 'getset' | 'hdel' | 'hello' | 'hexists' | 'hexpire' | 'hexpireat' | 'hexpiretime' | 'hget' | 'hgetall' | 'hgetdel' | 'hgetex' | 'himport' | 'hincrby' | 'hincrbyfloat' | 'hkeys' | 'hlen' | 'hmget' | 'hmset' | 'hotkeys' | 'hpersist' | 'hpexpire' | 'hpexpireat' | 'hpexpiretime' | 'hpttl' | 'hrandfield' | 'hscan' | 'hset' | 'hsetex' | 'hsetnx' | 'hstrlen' | 'httl' | 'hvals' | 'incr' | 'incrby' | 'incrbyfloat' | 'increx' | 'info' | 'keys' | 'lastsave' | 'latency' | 'lcs' | 'lindex' | 'linsert' | 'llen' | 'lmove' | 'lmovem' | 'lmpop' | 'lolwut' | 'lpop' | 'lpos' | 'lpush' | 'lpushx' | 'lrange' | 'lrem' | 'lset' | 'ltrim' | 'memory' | 'mget' | 'migrate' | 'module' | 'move' | 'mset' | 'msetex' | 'msetnx' | 'object' | 'persist' | 'pexpire' | 'pexpireat' | 'pexpiretime' | 'pfadd' | 'pfcount' | 'pfdebug' | 'pfmerge' | 'pfselftest' | 'ping' | 'psetex' | 'psubscribe' | 'psync' | 'pttl' | 'publish' | 'pubsub' | 'punsubscribe' | 'quit' | 'randomkey' | 'readonly' | 'readwrite' | 'rename' | 'renamenx' | 'replconf' | 'replicaof' | 'reset' | 'restore' | 'restore-asking' | 'role' | 'rpop' | 'rpoplpush' | 'rpush' | 'rpushx' | 'sadd' | 'save' | 'scan' | 'scard' | 'script' | 'sdiff' | 'sdiffcard' | 'sdiffstore' | 'select' | 'set' | 'setbit' | 'setex' | 'setnx' | 'setrange' | 'shutdown' | 'sinter' | 'sintercard' | 'sinterstore' | 'sismember' | 'slaveof' | 'slowlog' | 'smembers' | 'smismember' | 'smove' | 'sort' | 'sort_ro' | 'spop' | 'spublish' | 'srandmember' | 'srem' | 'sscan' | 'ssubscribe' | 'strlen' | 'subscribe' | 'substr' | 'sunion' | 'sunioncard' | 'sunionstore' | 'sunsubscribe' | 'swapdb' | 'sync' | 'time' | 'touch' | 'trimslots' | 'ttl' | 'type' | 'unlink' | 'unsubscribe' | 'unwatch' | 'vadd' | 'vcard' | 'vdim' | 'vemb' | 'vgetattr' | 'vinfo' | 'vismember' | 'vlinks' | 'vrandmember' | 'vrange' | 'vrem' | 'vsetattr' | 'vsim' | 'wait' | 'waitaof' | 'watch' | 'xack' | 'xackdel' | 'xadd' | 'xautoclaim' | 'xcfgset' | 'xclaim' | 'xdel' | 'xdelex' | 'xgroup' | 'xidmprecord' | 'xinfo' | 'xlen' | 'xnack' | 'xpending' | 'xrange' | 'xread' | 'xreadgroup' | 'xrevrange' | 'xsetid' | 'xtrim' | 'zadd' | 'zcard' | 'zcount' | 'zdiff' | 'zdiffstore' | 'zincrby' | 'zinter' | 'zintercard' | 'zinterstore' | 'zlexcount' | 'zmpop' | 'zmscore' | 'zpopmax' | 'zpopmin' | 'zrandmember' | 'zrange' | 'zrangebylex' | 'zrangebyscore' | 'zrangestore' | 'zrank' | 'zrem' | 'zremrangebylex' | 'zremrangebyrank' | 'zremrangebyscore' | 'zrevrange' | 'zrevrangebylex' | 'zrevrangebyscore' | 'zrevrank' | 'zscan' | 'zscore' | 'zunion' | 'zunionstore' | 'sentinel';

/** Options of a command. */
declare interface CommandOptions {
    /** 'utf8' for text; `null` for Buffers. Default Buffers, as with the peer. */
    replyEncoding?: BufferEncoding | null | undefined;
    keyPrefix?: KeyPrefix | undefined;
    /** The call's stack. */
    errorStack?: Error | undefined;
    readOnly?: boolean | undefined;
    /** The arguments are those of a call that was prepared: transformers have seen them. @internal */
    prepared?: boolean | undefined;
}

/** What is known about one command before it has arguments. */
declare class CommandSpec {
    #private;
    /** As it is sent. */
    readonly name: string;
    /** In the table: lower case. */
    readonly key: string;
    /** Flags that do not depend on arguments. */
    readonly flags: number;
    readonly inSubscriberMode: boolean;
    readonly inMonitorMode: boolean;
    /** Turns the decoded reply into what the caller gets. */
    reply: ReplyTransformer | undefined;
    /** Set by users: turns the flattened arguments into others, in place of what the command does by itself. */
    argument: ArgumentTransformer | undefined;
    /** Id of the script given to `registerScript`; 0 for none. */
    readonly script: number;
    constructor(name: string, extraFlags?: number);
    /** The arguments as they are encoded. */
    prepare(args: Argument[]): RedisValue[];
    /** What a call with these prepared arguments does to its reply. */
    replyOf(_args: readonly RedisValue[]): ReplyTransformer | undefined;
    /** Keys among prepared arguments. */
    keys(args: readonly RedisValue[]): RedisValue[];
    /** `args` with `prefix` before every key, as the peer counts them. */
    prefixKeys(args: RedisValue[], prefix: KeyPrefix): RedisValue[];
    /** The arguments as they reach the server, for error reports. */
    shown(args: readonly RedisValue[]): readonly RedisValue[];
    /** Flags with those that only the arguments show. */
    flagsWith(args: readonly RedisValue[], blocking: number): number;
    /** The command's own timeout in milliseconds; -1 when it does not block. */
    blockingMs(args: readonly RedisValue[]): number;
    /** The first arguments of a call, encoded, where they are those of the call before. */
    repeated(_args: readonly RedisValue[]): Repeated | undefined;
    /** `*n\r\n$len\r\nNAME\r\n` for `count` arguments. */
    prefix(count: number): Uint8Array;
    /** The text of the prefix. */
    protected header(count: number): string;
}

/** How sure a read must be. */
export declare type Commitment = 'processed' | 'confirmed' | 'finalized';

/** Concerns of a client, database, collection or operation. */
export declare interface ConcernOptions {
    readConcern?: ReadConcernLike;
    writeConcern?: WriteConcernLike;
    readPreference?: ReadPreferenceLike;
}

/** What `confirmTransaction` resolves with. */
export declare interface Confirmation {
    readonly context: {
        readonly slot: number;
    };
    readonly value: {
        readonly err: unknown;
    };
}

/** A strategy of web3.js: by block height, or by durable nonce. */
export declare interface ConfirmationStrategy {
    readonly signature: string;
    readonly lastValidBlockHeight?: number;
    readonly nonceAccountPubkey?: PublicKeyLike;
    readonly nonceValue?: string;
    readonly abortSignal?: AbortSignal;
    readonly [other: string]: unknown;
}

/** How a bare signature is followed. */
export declare interface ConfirmOptions extends TrackOptions {
    /** For a transaction with a durable nonce: its account, and the value that it was signed with. It can no longer land once the account holds another one. */
    readonly nonce?: {
        readonly account: PublicKeyLike | string;
        readonly value: string;
    };
}

/**
 * Connects. A second call while connected returns the same client, whatever its options say; concurrent calls share one attempt.
 *
 * @throws MooringError `MOORING_INVALID_CONFIG` without a URI, before any I/O; the last attempt's error otherwise.
 */
export declare function connectDB(options?: ConnectOptions): Promise<MongoClient>;

/** The JavaScript half of one `RedisWire`. */
declare class Connection {
    #private;
    readonly keepAlive: KeepAlive;
    /**
     * Opens a wire; no I/O.
     *
     * @throws MooringError `MOORING_INVALID_CONFIG` for options the wire cannot take.
     */
    constructor(options: string, stringNumbers: boolean, listener: ConnectionListener);
    /** Commands that have not settled. */
    get unsettled(): number;
    /** The native client; none once it is gone. */
    get wire(): RedisWire | undefined;
    /** Whether the wire is gone; open another one then. */
    get released(): boolean;
    /** Commands encoded since the last hand-over. */
    get batched(): number;
    /** Takes one command; its outcome goes to the entry. */
    send(entry: Entry, placement: Placement): void;
    /** Hands over what this tick has encoded. */
    flush(): void;
    /** The same, and the wire has taken it in when this returns. */
    flushNow(): void;
    /** Synchronous transitions; each returns the status that holds from now on. Events follow on the next tick. */
    connect(): RedisStatus;
    disconnect(reconnect: boolean): RedisStatus;
    /** Waits for work in flight, then ends. Bounded by `deadlineMs`; never rejects. */
    close(deadlineMs: number): Promise<void>;
    registerScript(script: Script): void;
    setConnectionName(name: string): void;
    stats(): ReturnType<RedisWire['stats']>;
    /** Drops the wire; what is left settles as closed. */
    release(): void;
}

/** @ts-ignore optional peer */
declare type Connection_2 = Connection_3;

/** What the wire tells the client besides settlements. */
declare interface ConnectionListener {
    /** `current` is false for a change that a later, synchronous one has overtaken: emit it, do not take it over. */
    onStatus(status: RedisStatus, extra: number, current: boolean): void;
    onError(error: Error): void;
    onMessage(message: Reply[]): void;
    onMonitorLine(line: string): void;
    onSubscriptions(count: number): void;
    onSelected(db: number): void;
    onGaveUp(retries: number): void;
    /** A blocking command should have been answered so many milliseconds ago; its connection is being replaced. */
    onDeaf(lateMs: number): void;
    onWarning(text: string): void;
    /** What the answer makes of the status; `answer` is to be called once the events before it were emitted. */
    onRetry(status: RedisStatus, answer?: () => void): void;
    /** The delay before the next attempt in milliseconds, or a negative number to stop. */
    retryDelay(attempt: number): number;
    /** 0 reject, 1 reconnect and reject, 2 reconnect and send again. */
    reconnectVerdict(error: Error): 0 | 1 | 2;
    /** A function among the options must answer; the answer as JSON. */
    onQuestion(kind: string, argument: string): string | undefined;
    /** One sentinel was of no use. */
    onSentinelError(error: Error): void;
    /** Something to tell that has no argument. */
    onSentinelEvent(event: 'sentinelReconnecting' | 'failoverSubscribed'): void;
    /** More sentinels are known. */
    onSentinels(sentinels: readonly WireAddress[]): void;
    /** A batch was worked off. */
    onDrained(): void;
}

/**
 * A pool over several Solana RPC endpoints.
 *
 * @example
 * const pool = new ConnectionPool({ endpoints: ['https://a.example/KEY', 'https://b.example/KEY'] });
 * const lamports = await pool.getBalance(wallet.publicKey);
 */
declare class ConnectionPool {
    #private;
    /** A `fetch` that answers JSON-RPC bodies through the pool; for `new Connection(url, { fetch })`. */
    readonly fetch: PoolFetch;
    /** The Redis client through which limits are shared. The pool holds it: sharing ends with the client. */
    readonly sharedLimits: SharedLimitsClient | undefined;
    /** Opens no socket: that happens with the first call. @throws MooringError `MOORING_INVALID_CONFIG` naming the option. */
    constructor(options?: ConnectionPoolOptions);
    /** Makes any JSON-RPC call and returns its `result`. Not cached; identical reads in flight share one request. */
    request<T = unknown>(method: string, params?: readonly unknown[], options?: CallOptions_2): Promise<T>;
    /** Answers a whole JSON-RPC request text (or an array of them) with the response text; for client libraries. `markIntegers` is for `mooring/kit`. */
    respond(body: string, options?: CallOptions_2 & {
        readonly markIntegers?: boolean;
    }): Promise<string>;
    /** Lamports of an account; 0 when it does not exist. */
    getBalance(publicKey: Key, options?: CallOptions_2): Promise<number>;
    /** Lamports of many accounts in order, a hundred per request. */
    getBatchBalances(publicKeys: readonly Key[], options?: CallOptions_2): Promise<number[]>;
    /** A recent blockhash, at most `blockhashTTL` old. */
    getLatestBlockhash(commitment?: Commitment, options?: CallOptions_2): Promise<shape.BlockhashInfo>;
    /** An account, or null when it does not exist. */
    getAccountInfo<K extends Key>(publicKey: K, commitment?: Commitment, options?: CallOptions_2): Promise<shape.AccountInfo<K> | null>;
    /** Accounts in order, null for those that do not exist; at most a hundred. */
    getMultipleAccounts<K extends Key>(publicKeys: readonly K[], commitment?: Commitment, options?: CallOptions_2): Promise<(shape.AccountInfo<K> | null)[]>;
    /** The amount in a token account. */
    getTokenAccountBalance(publicKey: Key, commitment?: Commitment, options?: CallOptions_2): Promise<shape.WithContext<shape.TokenAmount>>;
    /** Token accounts of an owner, by mint or by token program, parsed by the node. */
    getParsedTokenAccountsByOwner<K extends Key>(owner: K, filter: {
        readonly mint: Key;
    } | {
        readonly programId: Key;
    }, commitment?: Commitment, options?: CallOptions_2): Promise<shape.WithContext<shape.ParsedTokenAccount<K>[]>>;
    /** Statuses in order, null for those not found; found ones are kept per signature. */
    getSignatureStatuses(signatures: readonly string[], config?: {
        readonly searchTransactionHistory?: boolean;
    }, options?: CallOptions_2): Promise<shape.WithContext<(shape.SignatureStatus | null)[]>>;
    /**
     * Sends a transaction and returns its signature: a signed one as it is, a legacy one signed here, once, by `signers`. Other endpoints get the same bytes.
     * @throws the peer's `SendTransactionError` when the simulation fails.
     */
    sendTransaction(transaction: SendableTransaction, options?: SendTransactionOptions | readonly Signer[], more?: SendTransactionOptions): Promise<string>;
    /** Sends the bytes of a signed transaction and returns its signature. */
    sendRawTransaction(transaction: Uint8Array | readonly number[], options?: SendTransactionOptions): Promise<string>;
    /**
     * Sends the bytes of a signed transaction, with one simulation, and returns its signature once a node has taken them. The pool goes on sending the same bytes to
     * the `fanout` best endpoints until it is confirmed, can no longer land, or two minutes are over; how it ended is told by the event `transaction`.
     */
    sendRaw(transaction: Uint8Array | readonly number[], options?: SendTransactionOptions & TrackOptions): Promise<string>;
    /**
     * Sends signed bytes and follows them: repeats the same bytes until they land, expire or the deadline passes.
     * Resolves with `landed`, `failed` (on chain, with `err`), `expired` (can no longer land) or `unknown` (the deadline came first).
     */
    sendAndConfirm(transaction: SendableTransaction | Uint8Array, options?: SendTransactionOptions & TrackOptions): Promise<Tracked>;
    /** Follows a signature that was sent before; outcomes as for {@link sendAndConfirm}. */
    confirm(of: string, options?: ConfirmOptions & CallOptions_2): Promise<Tracked>;
    /**
     * As web3.js: resolves when the transaction has reached `commitment`, with its error if it has one.
     * @throws the peer's `TransactionExpiredBlockheightExceededError` or `TransactionExpiredNonceInvalidError` when it can no longer land, its
     * `TransactionExpiredTimeoutError` for a bare signature after 30 s (60 s for `finalized`), the signal's reason; `MOORING_TIMEOUT` when two minutes were over first.
     */
    confirmTransaction(strategy: string | ConfirmationStrategy, commitment?: Commitment): Promise<Confirmation>;
    /**
     * Runs `work` until it succeeds, at most `maxRetries` times, with jittered pauses; throws the last error itself. Invalid requests, failed simulations and
     * the like are not repeated. `work` gets the pooled connection if it takes an argument. Sign outside of it.
     */
    executeWithRetry<T>(work: (connection: Connection_2) => Promise<T> | T, maxRetries?: number, options?: RetryOptions): Promise<T>;
    /** A web3.js `Connection` over this pool. Needs `@solana/web3.js` 1.x; its listeners are subscriptions of the pool. The same one each time. */
    getConnection(): Connection_2;
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
    subscribe<K extends SubscriptionKind>(kind: K, params?: readonly unknown[], options?: SubscribeOptions & {
        readonly integers?: 'number';
    }): Subscription<SubscriptionNotifications[K]>;
    /** As the other one, for notifications with `bigint`s, or of a type that you know better. */
    subscribe<T = unknown>(kind: SubscriptionKind, params?: readonly unknown[], options?: SubscribeOptions): Subscription<T>;
    /**
     * Listens to an event. `transaction`: every transaction that this pool's methods send, with its bytes, and how following it ended; `gap`: slots that nobody
     * watched for a subscription. Does not keep the process alive.
     */
    on<N extends keyof PoolEvents>(name: N, listener: (event: PoolEvents[N]) => unknown): this;
    /** Ends listening. */
    off<N extends keyof PoolEvents>(name: N, listener: (event: PoolEvents[N]) => unknown): this;
    /** What the pool is doing. */
    getPoolStats(): PoolStats;
    /** Adds an endpoint and returns its name. */
    addEndpoint(endpoint: string | EndpointOptions): string;
    /**
     * Takes an endpoint out, by its name or URL; `false` when there is none. Attempts under way there end as they end; what was known about it (breaker, limits)
     * is forgotten unless another pool of the process uses it.
     */
    removeEndpoint(urlOrName: string): boolean;
    /** How full the fullest queue is, 0 to 1. Producers slow down by it: at 1 calls are refused with `MOORING_POOL_EXHAUSTED`. */
    get pressure(): number;
    /** Forgets every kept reply. */
    clearCache(): void;
    /** Refuses new calls and lets those in flight finish for `timeoutMs`, then closes. */
    drain(timeoutMs: number): Promise<CloseReport>;
    /** Closes at once: calls in flight are rejected with `MOORING_CLOSED`. Idempotent. */
    close(): Promise<void>;
    [Symbol.asyncDispose](): Promise<void>;
}
export { ConnectionPool }
export { ConnectionPool as SolanaConnectionPool }

/** Options of a {@link ConnectionPool}. Unknown names are refused. `tls` and `proxy` hold for every endpoint without its own. */
export declare interface ConnectionPoolOptions extends WireOptions {
    /** URLs or objects. Default: `SOLANA_RPC_ENDPOINTS`, else the configuration file, else none. */
    readonly endpoints?: readonly (string | EndpointOptions)[];
    /** Reads that may start per second, whole pool. Default 100. */
    readonly maxRequestsPerSecond?: number;
    /** Sends that may start per second, counted apart. Default 10. */
    readonly maxTransactionsPerSecond?: number;
    /** Lifetimes of kept replies; a partial object keeps the other defaults. */
    readonly cacheConfig?: CacheConfig;
    /** For reads without one of their own, and for preflight. Default `'processed'`. */
    readonly commitment?: Commitment;
    /** Milliseconds for a whole call. Default 30 000. */
    readonly deadlineMs?: number;
    /** Attempts of a read. Default: 3, or as many as there are endpoints if these are more. */
    readonly readAttempts?: number;
    /** Attempts of a send, the same bytes each. Default 2. */
    readonly sendAttempts?: number;
    /** Slots a node may be behind the best one. Default 20. */
    readonly maxSlotLag?: number;
    /** Default 64 MiB. */
    readonly cacheMaxBytes?: number;
    /** Calls that may wait per class. Default 10 000. */
    readonly queueMax?: number;
    /** Default 64. */
    readonly maxSocketsPerEndpoint?: number;
    /** Milliseconds between slot probes of an endpoint without a fresh slot. Default 2000. */
    readonly probeIntervalMs?: number;
    /** Heavy reads (`getProgramAccounts`, `getTokenAccountsBy*`, `getBlock`, ...) in flight. Default 25. */
    readonly maxHeavyInFlight?: number;
    /** Second attempts of slow reads on another endpoint: on, off, or with other settings. Default `true`. */
    readonly hedge?: boolean | HedgeOptions;
    /** Whether reads see what this pool has sent and confirmed: they are not answered from before its slot. Default `false`. */
    readonly readYourWrites?: boolean;
    /** Default `console`; lines below warn are given only to a logger of your own. */
    readonly logger?: PoolLogger;
    /**
     * Shares `maxRequestsPerSecond` and `maxTransactionsPerSecond` with other processes through Redis: a client of this package, or it with settings. Default:
     * each process has limits of its own.
     */
    readonly sharedLimits?: SharedLimitsClient | SharedLimitsOptions;
    /** A copy of `@solana/web3.js` 1.x; default: the installed one, loaded when first needed. */
    readonly web3?: Web3Module;
    /**
     * Whether `data` of decoded accounts gets memory of its own. Default false: it is a view of the whole reply, which lives as long as any view of it does, and
     * `data.buffer` is larger than `data`.
     */
    readonly copyAccountData?: boolean;
}

/** Options of {@link connectDB}: those of the client, Mongoose's connection options, and these. */
export declare interface ConnectOptions extends MongoClientOptions {
    /** Default: the environment variable `MONGODB_URI`. */
    uri?: string;
    /** The Mongoose to connect; `false`: none. Default: the installed one, if there is one. */
    mongoose?: MongooseLike | false;
    /** Attempts to connect. Default 5. */
    tries?: number;
    /** Milliseconds between attempts. Default 2 000. */
    retryDelayMs?: number;
}

/**
 * Connects the default client; resolves on ready. Concurrent callers share one attempt, connected ones return at once.
 *
 * @throws MooringError `MOORING_CONNECT_FAILED` or `MOORING_AUTH_FAILED` when the client gave up; `MOORING_INVALID_CONFIG` without `REDIS_URI`.
 */
export declare function connectRedis(): Promise<void>;

/** The inside of a client; for this feature's modules. */
declare const CORE: unique symbol;

/** The inside of one client. */
declare class Core implements ConnectionListener {
    #private;
    readonly subscriptions: Subscriptions;
    /** Why the last attempt failed. */
    lastError: Error | undefined;
    /** Failed attempts since the last success, as the retry strategy was told. */
    retryAttempts: number;
    /** Whether the last wire was closed for good, by `close()` or a shutdown, and not by `disconnect()`, `quit()` or a loss. */
    wasShut: boolean;
    /** Retries after which the wire gave up. */
    gaveUpAfter: number | undefined;
    /** `sendCommand` is the client's own method, to notice when tracing code replaces it. */
    constructor(client: Redis, { profile, family }: Kin, sendCommand: Redis['sendCommand']);
    /** Whether `sendCommand` was replaced: then every command must come by there. */
    get isPatched(): boolean;
    /** Clients of this one's kin that have a wire, itself included. */
    get family(): ReadonlySet<Redis>;
    /** Whether a wire exists. */
    get isOpen(): boolean;
    /** The wire itself; none after `end`. */
    get wire(): Connection['wire'];
    /** Facts about the wire; none after `end`. */
    stats(): ReturnType<Connection['stats']> | undefined;
    /** Opens the connection; resolves on ready. */
    connect(): Promise<void>;
    /** Ends at once, or drops the connection and lets it reconnect. */
    disconnect(reconnect: boolean): void;
    /** Lets work in flight finish, then ends; cuts it at the deadline. */
    close(deadlineMs: number): Promise<void>;
    /** Holds the loop until the connection is ready or has ended, when it is on its way there. */
    awaitReady(): void;
    /** Holds the loop as long as the client is open, or not. */
    hold(on: boolean): void;
    addScript(script: Script): void;
    /** The id of a script with this text. */
    scriptId(lua: string): number;
    /** A number for a new pipeline. */
    nextGroup(): number;
    /** Hands a command over, or settles it when the client's state forbids it. */
    send(outgoing: Entry, place?: Place): void;
    /** Commands of this tick that the peer would put into an automatic pipeline. */
    get autoPipelined(): number;
    onStatus(status: RedisStatus, extra: number, current: boolean): void;
    onError(error: Error): void;
    onQuestion(kind: string, argument: string): string | undefined;
    onSentinelError(error: Error): void;
    onSentinelEvent(event: 'sentinelReconnecting' | 'failoverSubscribed'): void;
    onSentinels(sentinels: readonly SentinelAddress[]): void;
    onMessage(message: Reply[]): void;
    onMonitorLine(line: string): void;
    onSubscriptions(count: number): void;
    onSelected(db: number): void;
    onGaveUp(retries: number): void;
    onDeaf(lateMs: number): void;
    onWarning(text: string): void;
    retryDelay(attempt: number): number;
    /** `close` is emitted before the next attempt begins, so that a listener may still disconnect; the status changes at once. */
    onRetry(status: RedisStatus, answer?: () => void): void;
    reconnectVerdict(error: Error): 0 | 1 | 2;
    onDrained(): void;
}

/** Options of counts. */
export declare interface CountOptions extends OperationOptions {
    skip?: number;
    limit?: number;
    hint?: string | object;
    collation?: object;
    allowDiskUse?: boolean;
    bypassDocumentValidation?: boolean;
    let?: object;
}

/** Creates indexes; returns their names. */
declare function create(collection: AnyCollection, descriptions: readonly IndexDescription[], options: CreateIndexesOptions): Promise<string[]>;

/** Options of `createIndex` and `createIndexes`. */
export declare interface CreateIndexesOptions extends OperationOptions {
    commitQuorum?: number | string;
    name?: string;
    unique?: boolean;
    sparse?: boolean;
    expireAfterSeconds?: number;
    partialFilterExpression?: object;
    [option: string]: unknown;
}

/**
 * Makes a client with safe defaults; nothing is connected before the first command or `connect()`.
 *
 * @param urlOrOptions a URL, options, or nothing for `REDIS_URI` (then `REDIS_URL`).
 * @throws MooringError `MOORING_INVALID_ARGUMENT` or `MOORING_INVALID_CONFIG`, with the name of what is wrong, before any I/O.
 */
export declare function createRedisClient(urlOrOptions?: string | ManagedRedisOptions): Redis;

/** Creates search indexes; returns their names. */
declare function createSearch(collection: AnyCollection, indexes: readonly object[]): Promise<string[]>;

/** Options that all cursors know. */
export declare interface CursorOptions extends ConcernOptions, BsonOptions {
    session?: ClientSession | null;
    signal?: AbortSignal;
    batchSize?: number;
    maxTimeMS?: number;
    maxAwaitTimeMS?: number;
    timeoutMS?: number;
    /** What `timeoutMS` limits: each request of the cursor (default), or all of them together. */
    timeoutMode?: 'iteration' | 'cursorLifetime';
    comment?: unknown;
    /** The server's plan instead of the documents. */
    explain?: Explain;
}

/** What every cursor is made of. */
declare interface CursorSource extends ConcernOptions {
    readonly operations: Operations;
    readonly db: string;
    readonly coll?: string;
    readonly bson: BsonOptions;
    /** For each of its requests, unless the operation says otherwise. */
    readonly timeoutMS?: number | undefined;
}

/** A database of a client. */
export declare class Db {
    #private;
    readonly client: MongoClient;
    readonly databaseName: string;
    readonly options: DbOptions;
    readonly bsonOptions: BsonOptions;
    /** @internal */
    readonly concerns: ConcernOptions;
    /** @internal */
    constructor(client: MongoClient, name: string, options?: DbOptions);
    get namespace(): string;
    get readConcern(): ConcernOptions['readConcern'];
    get writeConcern(): ConcernOptions['writeConcern'];
    get readPreference(): ConcernOptions['readPreference'];
    get timeoutMS(): number | undefined;
    collection<T extends object = Document_2>(name: string, options?: CollectionOptions): Collection<T>;
    /** Runs a command as it is: nothing is inherited but the BSON flags. */
    command(command: object, options?: OperationOptions): Promise<Document_2>;
    /** A cursor over the reply of a command that answers with one. */
    runCursorCommand(command: object, options?: CursorOptions): RunCommandCursor;
    aggregate<T = Document_2>(pipeline?: readonly object[], options?: AggregateOptions): AggregationCursor<T>;
    admin(): Admin;
    createCollection<T extends object = Document_2>(name: string, options?: OperationOptions & Document_2): Promise<Collection<T>>;
    dropCollection(name: string, options?: OperationOptions): Promise<boolean>;
    dropDatabase(options?: OperationOptions): Promise<boolean>;
    listCollections(filter?: object, options?: CursorOptions & {
        nameOnly?: boolean;
        authorizedCollections?: boolean;
    }): RunCommandCursor;
    collections(options?: CursorOptions): Promise<Collection[]>;
    renameCollection(from: string, to: string, options?: OperationOptions & {
        dropTarget?: boolean;
    }): Promise<Collection>;
    createIndex(name: string, specification: IndexSpecification, options?: CreateIndexesOptions): Promise<string>;
    indexInformation(name: string, options?: CursorOptions & {
        full?: boolean;
    }): Promise<Document_2[] | Document_2>;
    stats(options?: OperationOptions & {
        scale?: number;
    }): Promise<Document_2>;
    /** Drops a user of this database. */
    removeUser(username: string, options?: OperationOptions): Promise<boolean>;
    profilingLevel(options?: OperationOptions): Promise<ProfilingLevel>;
    setProfilingLevel(level: ProfilingLevel, options?: OperationOptions): Promise<ProfilingLevel>;
    /** The changes of the database's documents, from now on or from where the options say. */
    watch<T = Document_2>(pipeline?: readonly object[], options?: ChangeStreamOptions): ChangeStream<T>;
    /** @internal */
    get operations(): Operations;
    /** @internal Runs a command that writes, with the write concern of the nearest level; `inherited` is that of the collection. */
    write(command: object, options?: OperationOptions, inherited?: ConcernOptions): Promise<Document_2>;
    /** @internal Runs a command that reads, with the options that every command takes; `retried` ones are sent once more as the specification allows. */
    run(command: object, options: OperationOptions, retried?: boolean): Promise<Document_2>;
    /** @internal */
    get forceServerObjectId(): boolean | undefined;
    /** @internal */
    createId(): unknown;
}

/** Options of a database. */
export declare interface DbOptions extends ConcernOptions, BsonOptions {
    /** Makes the `_id` of documents that have none. */
    pkFactory?: {
        createPk(): unknown;
    };
    /** Leaves `_id` to the server. */
    forceServerObjectId?: boolean;
    timeoutMS?: number;
}

declare type Defaulted = ('scaleReads' | 'maxRedirections' | 'slotsRefreshTimeout' | 'resolveSrv' | 'dnsLookup') | ('retryDelayOnFailover' | 'retryDelayOnClusterDown' | 'retryDelayOnTryAgain');

/** Attempts that are made after a delay. */
declare class DelayQueue {
    #private;
    constructor(keepAlive: KeepAlive);
    /** Runs `item` after `delayMs` with the others of its reason; `first` is done before. */
    push(reason: Reason, delayMs: number, item: () => void, first?: (done: () => void) => void): void;
    /** Runs everything now: the cluster has ended, and each finds that out. */
    runAll(): void;
}

/** What a delete did. */
export declare interface DeleteResult {
    acknowledged: boolean;
    deletedCount: number;
}

/** The state of a client as Rust describes it. */
declare interface Description {
    readonly state: string;
    readonly type: string;
    readonly setName?: string | null;
    readonly hosts: readonly string[];
    readonly dbName: string;
    /** Without credentials. */
    readonly uri: string;
    readonly heartbeatFrequencyMS: number;
    readonly serverSelectionTimeoutMS: number;
    readonly servers: readonly ServerDescription[];
}

/** Closes what `connectDB` opened. Safe before, during and after connecting, and when called twice. */
export declare function disconnectDB(): Promise<void>;

/** A document as it comes back. */
declare type Document_2 = Record<string, unknown>;
export { Document_2 as Document }

/** Drops one index. */
declare function drop(collection: AnyCollection, index: string | object, options: OperationOptions): Promise<Document_2>;

/** Drops all indexes but that of `_id`; false when there is no such collection. */
declare function dropAll(collection: AnyCollection, options: OperationOptions): Promise<boolean>;

/** Starts per second on one endpoint, per class of methods; one that is not given is not limited there. */
export declare interface EndpointLimits {
    /** Reads, the heavy ones included. */
    readonly read?: number;
    /** `sendTransaction` and `requestAirdrop`. */
    readonly send?: number;
    /** `getProgramAccounts`, `getTokenAccountsBy*`, `getBlock(s)`, `getSignaturesForAddress`, `getTransaction`; they count as reads, too. */
    readonly heavy?: number;
    /** Subscribe and unsubscribe requests of its websockets, and ten times as many at once after a rest. Default 10. */
    readonly subscribe?: number;
}

/** One endpoint. `tls` and `proxy` win over the pool's. */
export declare interface EndpointOptions extends WireOptions {
    /** `http` or `https`. Never shown anywhere: only the name is. */
    readonly url: string;
    /** Its websocket, `ws` or `wss`. Default: the next port, or the same place when `url` names none, as web3.js has it. */
    readonly wsUrl?: string;
    /** For logs and statistics. Default: host and port. */
    readonly name?: string;
    /** Headers of every request. */
    readonly headers?: Readonly<Record<string, string>>;
    /** Share of the traffic. Default 1. */
    readonly weight?: number;
    /** Lower tiers are used first; higher ones only when no lower one can serve. Default 0. */
    readonly tier?: number;
    /** Starts per second on this endpoint alone. Default: none. */
    readonly limits?: EndpointLimits;
}

/**
 * @module solana/stats
 *
 * The shape of `getPoolStats()`; the numbers are Rust's.
 */
/** Starts per second in force on one endpoint, configured or learnt from 429s; null: unlimited. */
export declare interface EndpointRates {
    readonly read: number | null;
    readonly send: number | null;
    readonly heavy: number | null;
    /** Milliseconds until it wants reads again, after a 429 with `Retry-After`; 0: now. */
    readonly readPausedMs: number;
    /** The same for sends. */
    readonly sendPausedMs: number;
}

/** One endpoint of a pool. What is known about the node (breaker, latency, slot, limits) is shared by all pools of the process that use it. */
export declare interface EndpointStats {
    readonly name: string;
    /** Whether normal traffic goes there. */
    readonly healthy: boolean;
    /** Whether it is taken out (`open`) after failures or silence. */
    readonly breaker: 'closed' | 'open';
    /** Smoothed; null before the first answer. */
    readonly latencyMs: number | null;
    /** Attempts running, those of other pools included. */
    readonly inFlight: number;
    /** Attempts of this pool, probes included. */
    readonly requests: number;
    readonly failures: number;
    /** Attempts answered with 429. */
    readonly limited: number;
    /** Attempts that were hedges. */
    readonly hedges: number;
    /** The last processed slot it reported. */
    readonly slot: number | null;
    /** How far behind the best one it was then. */
    readonly slotLag: number | null;
    /** Whether it reports the same slot for ten seconds while others move on. */
    readonly frozen: boolean;
    readonly limits: EndpointRates;
}

/** The connected client: as it is, or after connecting with the options of the last `connectDB`. */
export declare function ensureDBConnection(options?: ConnectOptions): Promise<MongoClient>;

/** One command waiting for its outcome. */
declare interface Entry {
    readonly spec: CommandSpec;
    readonly args: readonly RedisValue[];
    /** Bulk strings as Buffers. */
    readonly buffers: boolean;
    readonly resolve: (value: unknown) => void;
    readonly reject: (error: Error) => void;
    /** Turns the decoded reply into what the caller gets. */
    readonly transform: ((reply: unknown) => unknown) | undefined;
    /** The call's stack, with `showFriendlyErrorStack`. */
    readonly stack: Error | undefined;
}

/** What kind of failure an error is. */
export declare type ErrorCode = 'MOORING_INVALID_ARGUMENT' | 'MOORING_INVALID_CONFIG' | 'MOORING_UNSUPPORTED_PLATFORM' | 'MOORING_CONNECT_FAILED' | 'MOORING_AUTH_FAILED' | 'MOORING_DISCONNECTED' | 'MOORING_TIMEOUT' | 'MOORING_POOL_EXHAUSTED' | 'MOORING_CLOSED' | 'MOORING_ABORTED' | 'MOORING_SERVER_ERROR' | 'MOORING_CONFLICT' | 'MOORING_UNKNOWN_COMMIT' | 'MOORING_RATE_LIMITED' | 'MOORING_NO_HEALTHY_ENDPOINT' | 'MOORING_PROTOCOL' | 'MOORING_INTERNAL'

/** Named facts of an error: numbers, texts and flags such as `argument`, `endpoint`, `retryAfterMs`. */
export declare type ErrorDetails = Readonly<Record<string, string | number | boolean | undefined>>;

/** The option: a verbosity, or `true` for all plans. */
export declare type Explain = Verbosity | boolean | {
    verbosity: Verbosity;
    maxTimeMS?: number;
};

/** A failure record of the addon; for rooms that shape their own classes from it. */
declare type Failure = FailureRecord;

/** What only the caller of an operation knows about its failure. */
declare interface FailureContext {
    /** The operation writes many documents: its write errors make a `MongoBulkWriteError`. */
    readonly bulk?: BulkContext | undefined;
    /** The operation is a bulk write of the client. */
    readonly clientBulk?: ClientBulkContext | undefined;
    /** The topology's description at the time, for `MongoServerSelectionError.reason`. */
    readonly topology?: () => object;
}

/** A failure as it crosses to TypeScript, which makes the error object. Recognised by `failed: true`. */
declare interface FailureRecord {
    /** Always true: tells a failure from a value. */
    failed: boolean
    /** The stable code. */
    code: ErrorCode
    /** The message, redacted. */
    message: string
    /** Labels of the server or the driver. */
    labels: Array<string>
    /** Where in the operation's life it failed. */
    phase?: string
    /** The server's numeric error code. */
    serverCode?: number
    /** Attempts made. */
    attempts?: number
    /** Milliseconds from the call to the failure. */
    elapsedMs?: number
    /** Whether the operation may have been executed. */
    maybeExecuted?: boolean
    /** Further named facts. */
    details: Record<string, string | number | boolean>
    /** The server's reply as received. */
    reply?: Buffer
    /** The cause chain, outermost first. */
    causes: Array<CauseRecord>
}

/** What one drain of a feed hands over. */
declare interface FeedBatch {
    /** Records as JSON, oldest first: `{event, level, message, ...fields}`. */
    events: Array<string>
    /** How many were dropped since the last drain. */
    dropped: number
}

/** A whole request text; settles as the whole response text. */
declare function fetchText(body: string, markIntegers: boolean, options: CallOptions): Operation;

/** A cursor over the documents of a query. */
export declare class FindCursor<T = Document_2> extends AbstractCursor<T> {
    #private;
    /** @internal */
    constructor(source: CursorSource, filter: object, options?: FindOptions);
    filter(filter: object): this;
    sort(sort: Sort, direction?: SortDirection): this;
    project<U = T>(projection: object): FindCursor<U>;
    limit(value: number): this;
    skip(value: number): this;
    hint(value: string | object): this;
    min(value: object): this;
    max(value: object): this;
    collation(value: object): this;
    comment(value: unknown): this;
    maxAwaitTimeMS(value: number): this;
    returnKey(value: boolean): this;
    showRecordId(value: boolean): this;
    allowDiskUse(value?: boolean): this;
    /** A cursor for the same query, from its start, without the session. */
    clone(): FindCursor<T>;
    explain(verbosity?: Explain): Promise<Document_2>;
    /** Documents that the query matches. */
    count(): Promise<number>;
    protected first(): Call;
}

/** Options of the findOneAnd operations. */
export declare interface FindOneAndOptions extends WriteOptions {
    projection?: object;
    returnDocument?: 'before' | 'after';
    /** The server's whole reply instead of the document. */
    includeResultMetadata?: boolean;
}

/** Modifiers and operations for the documents that `find` named. */
export declare class FindOperators {
    #private;
    /** @internal */
    constructor(bulk: BulkOperation, filter: object);
    upsert(): this;
    collation(value: object): this;
    arrayFilters(value: readonly object[]): this;
    hint(value: string | object): this;
    update(value: object): BulkOperation;
    updateOne(value: object): BulkOperation;
    replaceOne(replacement: object): BulkOperation;
    deleteOne(): BulkOperation;
    delete(): BulkOperation;
}

/** Options of `find` and `findOne`. */
export declare interface FindOptions extends CursorOptions {
    sort?: Sort;
    projection?: object;
    skip?: number;
    limit?: number;
    hint?: string | object;
    collation?: object;
    min?: object;
    max?: object;
    returnKey?: boolean;
    showRecordId?: boolean;
    noCursorTimeout?: boolean;
    /** The old name: `false` is `noCursorTimeout: true`. */
    timeout?: boolean;
    /** Without effect on servers of today. */
    oplogReplay?: boolean;
    tailable?: boolean;
    awaitData?: boolean;
    allowDiskUse?: boolean;
    allowPartialResults?: boolean;
    singleBatch?: boolean;
    let?: object;
}

/** What becomes of an operation that lacks the session. */
export declare type ForgottenSession = 'off' | 'warn' | 'throw';

/** Slots that nobody watched for a subscription, because it moved from one node to another. */
export declare interface Gap {
    /** The last slot that was watched. */
    readonly fromSlot: number;
    /** The first slot that is watched again. */
    readonly toSlot: number;
    /** Whether something may be missing for good. False for accounts and signatures once a read has caught up. */
    readonly lost: boolean;
}

declare type Generic = Record<MethodName, (...args: (Argument | Callback)[]) => Promise<unknown>>;

/** How the default client is. Does not make one. */
export declare function getRedisStatus(): RedisStatusReport;

/** Sessions and transactions of `client`; default: the client of `connectDB`, else the only open one. */
export declare function getSessionStats(client?: MongoClient): SessionStats;

/**
 * Closes everything this environment has open, in order, within a deadline.
 *
 * @returns what was done; a second call during a shutdown gets the report of the first, whose workers, queues and deadline hold. `exit` of either exits.
 * @throws MooringError `MOORING_INVALID_ARGUMENT` for a bad option, before anything is closed.
 */
export declare function gracefulShutdown(options?: ShutdownOptions): Promise<ShutdownReport>;

/** When a read gets a second attempt elsewhere while the first one runs: after the time in which 95 % of its method's answers came. Heavy reads never do. */
export declare interface HedgeOptions {
    /** Share of the calls that may get one, 0 to 0.5; each also takes a token of the retry budget. Default 0.05. */
    readonly maxExtra?: number;
    /** Milliseconds, at least. Default 20. */
    readonly minDelayMs?: number;
    /** Milliseconds, at most. Default 1000. */
    readonly maxDelayMs?: number;
}

/** A function to run after the transaction. */
export declare type Hook = () => unknown;

/** The host's driver copy. */
declare class Host {
    #private;
    readonly bson: Bson;
    constructor(module: HostModule);
    /** A value that the driver exports, for example `BulkWriteResult`. */
    value(name: string): unknown;
    /** Makes an error of the first of `names` that this driver version has; `name` reads as the first of them. */
    error(names: readonly [string, ...string[]], ...args: unknown[]): Error;
    /** Whether `error` is an instance of the driver's class `name`. */
    is(error: unknown, name: string): boolean;
}

/** The module `mongodb`, as far as it is used. */
declare type HostModule = Record<string, unknown> & {
    BSON: Bson;
};

/** One index to create. */
export declare interface IndexDescription {
    key: IndexSpecification;
    name?: string;
    [option: string]: unknown;
}

declare namespace indexes {
    export {
        refuseBeside,
        create,
        drop,
        dropAll,
        list,
        information,
        createSearch,
        listSearch,
        IndexDescription,
        CreateIndexesOptions
    }
}

/** The keys of an index. */
export declare type IndexSpecification = string | Readonly<Record<string, unknown>> | ReadonlyMap<string, unknown> | readonly unknown[];

/** The indexes: in full, or their keys by name. */
declare function information(collection: AnyCollection, options: CursorOptions & {
    full: boolean;
}): Promise<Document_2[] | Document_2>;

/** Options of inserts. */
export declare interface InsertOptions extends OperationOptions {
    ordered?: boolean;
    bypassDocumentValidation?: boolean;
    forceServerObjectId?: boolean;
}

/** Whether it is an account of a base64 reply, or null for none. */
declare function isAccount(wire: unknown): boolean;

/** Whether the client of `connectDB` is open and sees a server. */
export declare function isDBConnected(): boolean;

/** Whether `value` is a `MooringError` (of any copy of the package), and of `code` when one is given. */
export declare function isMooringError(value: unknown, code?: ErrorCode): value is MooringError;

/** Whether an error is worth another attempt. Codes decide first, then the five texts; an error that says nothing is worth one. */
export declare function isRetryable(error: unknown): boolean;

/** Holds the event loop while work is in flight. Made on first use; `dispose` ends it. */
declare class KeepAlive {
    #private;
    /** One more unit of work. */
    acquire(): void;
    /** One unit less. */
    release(): void;
    /** Ends it; what is still counted no longer holds the loop. */
    dispose(): void;
}

declare type Key = PublicKeyLike | string;

/** The keyed lane of one client. */
declare class KeyedLane<Handle extends LaneHandle> {
    #private;
    /** The native client. */
    readonly handle: Handle;
    readonly keepAlive: KeepAlive;
    /**
     * Opens the native client with the function that wakes this lane. `open` may throw: then there is no lane.
     * `onClosed` runs once, when the client has closed, whoever asked for it.
     */
    constructor(open: (wake: () => void) => Handle, onClosed?: () => void);
    /** Runs an operation. The promise never rejects: an outcome may be a failure record. */
    run(operation: Operation): Promise<Outcome>;
    /** Runs an operation of which nobody wants to hear how it ends. */
    post(operation: Operation): void;
    /** Runs an operation that may stay open for long: `onEnd` hears how it ends, unless {@link forget} is called with the number that this returns. */
    watch(operation: Operation, onEnd: (outcome: Outcome) => void): number;
    /** Wants to hear no more of an operation that {@link watch} runs. */
    forget(id: number): void;
    /** Hands over what this tick has written so far. Call before a synchronous export whose order against operations matters. */
    flush(): void;
}

/** What a key may be prefixed with. */
declare type KeyPrefix = string | Buffer;

/** What a client shares with its duplicates. */
declare interface Kin {
    readonly profile: Profile | undefined;
    /** Those that have a wire, in the order they were opened. */
    readonly family: Set<Redis>;
}

declare type Kind = (typeof KINDS)[number];

/** Kinds of subscription, by the command that makes them. */
declare const KINDS: readonly ["subscribe", "psubscribe", "ssubscribe"];

/** What a native client offers to the lane. */
declare interface LaneHandle {
    /** Takes the frames in `buffer[0, length)`; they are copied before it returns. */
    submit(buffer: Uint8Array, length: number): FailureRecord | null | undefined;
    /** Fills `meta` with settled operations and `space`, from an offset on, with small replies; returns what crosses by itself. Layout: `src/bridge/settle.rs`. */
    drain(meta: Uint32Array, space: Uint8Array, from: number): Loose[] | null | undefined;
    /** Asks one operation to end. */
    cancel(id: number): void;
    /** Drops the thread-safe function; nothing reaches JavaScript afterwards. */
    release(): void;
}

/** The indexes as the server describes them. */
declare function list(collection: AnyCollection, options: CursorOptions): RunCommandCursor;

/** The search indexes. */
declare function listSearch(collection: AnyCollection, name: string | CursorOptions | undefined, options: CursorOptions): AggregationCursor;

/** A value that crosses by itself. */
declare type Loose = FailureRecord | Buffer | string;

/** Makes a script that the client's connections know. */
declare const MAKE_SCRIPT: unique symbol;

/** Options of a managed client: those of `Redis` with other defaults, and these. Unknown ones are refused. */
export declare interface ManagedRedisOptions extends RedisOptions {
    /** Instead of host, port, username, password and db. Default `REDIS_URI`, then `REDIS_URL`. */
    url?: string | undefined;
    /** Failed attempts after which the client gives up. Default 5 until it was ready once, then unlimited; a number given here always holds. */
    maxConnectRetries?: number | undefined;
    /** Default `console`. */
    logger?: RedisLogger | undefined;
}

/** Keys of one account read: their length is a `u16`. */
declare const MAX_KEYS = 2000;

/** Reconnecting failed as often as `maxRetriesPerRequest` allows. */
export declare class MaxRetriesPerRequestError extends AbortError {
    static get brand(): string;
    get name(): string;
}

/** One collected command. */
declare interface Member {
    readonly spec: CommandSpec;
    readonly args: RedisValue[];
    readonly buffers: boolean;
    /** Tells the callback of the call, in the async context of the call. */
    readonly tell: ((result: MemberResult) => void) | undefined;
}

/** `[error]` or `[null, result]` of one member. */
declare type MemberResult = [Error | null, unknown];

declare type MethodName = CommandName | `${CommandName}Buffer`;

/** A client of one deployment. */
export declare class MongoClient extends EventEmitter {
    #private;
    readonly bsonOptions: BsonOptions;
    /** @internal */
    readonly concerns: ConcernOptions;
    /** @internal */
    readonly pkFactory: {
        createPk(): unknown;
    } | undefined;
    /** @internal */
    readonly forceServerObjectId: boolean | undefined;
    /** Written by Mongoose. */
    _closeCalled: boolean;
    /** Written by Mongoose. */
    _destroyCalled: boolean;
    /** @internal How a library on this client wants its transactions run; set by Mongoose's driver. */
    transactionWrapper: TransactionWrapper | undefined;
    /** @throws MongoParseError (a `MooringError` too) for an unusable URI or option, before any I/O. */
    constructor(uri: string, options?: MongoClientOptions);
    static connect(uri: string, options?: MongoClientOptions): Promise<MongoClient>;
    /** Finds a server and pings it. Concurrent calls share one attempt; operations also work without it. */
    connect(): Promise<this>;
    /** Closes pools, cursors and sessions. `force` (or `{ force: true }`) cuts what is in flight at once. */
    close(force?: boolean | {
        force?: boolean;
        deadlineMs?: number;
    }): Promise<void>;
    [Symbol.asyncDispose](): Promise<void>;
    db(name?: string, options?: DbOptions): Db;
    /** A session; the caller ends it. No I/O. */
    startSession(options?: ClientSessionOptions): ClientSession;
    /**
     * Writes on any collections of the deployment, by the command `bulkWrite` of server 8.0. Shaped as the Node driver's.
     *
     * It has been tested on a wire-level fake, after MongoDB's specification, and not yet on a real 8.0 server.
     *
     * @throws MongoCompatibilityError when the server is older than 8.0, MongoClientBulkWriteError when the server refused something; its `partialResult` says what
     * was done. Before any I/O: MongoClientBulkWriteExecutionError without a model, MongoAPIError or MongoInvalidArgumentError for a wrong one.
     */
    bulkWrite(models: readonly AnyClientBulkWriteModel[], options?: ClientBulkWriteOptions): Promise<ClientBulkWriteResult>;
    /** Runs `fn` with a session and ends it on every path. */
    withSession<T>(fn: (session: ClientSession) => Promise<T>): Promise<T>;
    withSession<T>(options: ClientSessionOptions, fn: (session: ClientSession) => Promise<T>): Promise<T>;
    /**
     * Asks the server what became of a commit that rejected with `MOORING_UNKNOWN_COMMIT`; `token` is its `details.commitToken`. Safe to call again.
     * Only in the process, and with the client, that the commit was sent by.
     *
     * @throws MooringError `MOORING_UNKNOWN_COMMIT` while it is still unknown, `MOORING_INVALID_ARGUMENT` for a token that is not known.
     */
    commitOutcome(token: string): Promise<'committed' | 'rolled-back'>;
    /** Holds the process while the client is open, also when it is idle. */
    ref(): this;
    /** Takes {@link ref} back: an idle client does not hold the process. */
    unref(): this;
    /** Whether a server is known and the client is not closed. */
    isConnected(): boolean;
    /** @internal Whether the client takes operations; false from the beginning of a shutdown on. */
    get isOpen(): boolean;
    /** Counters kept by Rust. */
    stats(): ClientStats;
    /** What the client knows of its servers; `undefined` before the first connect and after close. */
    get topology(): Topology | undefined;
    /** What Mongoose and GridFS read. Without credentials. */
    get s(): {
        readonly url: string;
        readonly options: Readonly<Record<string, unknown>>;
    };
    get options(): Readonly<Record<string, unknown>>;
    get readConcern(): ConcernOptions['readConcern'];
    get writeConcern(): ConcernOptions['writeConcern'];
    get readPreference(): ConcernOptions['readPreference'];
    get timeoutMS(): number | undefined;
    /** The changes of the deployment's documents, from now on or from where the options say. */
    watch<T = Document_2>(pipeline?: readonly object[], options?: ChangeStreamOptions): ChangeStream<T>;
    /** @internal */
    get operations(): Operations;
    /** @internal */
    get host(): Host;
}

/** Options of a client: the Node driver's names, and `driver`. Rust refuses a name that it does not know. */
export declare interface MongoClientOptions extends ConcernOptions, BsonOptions {
    /** The module `mongodb`, or `mongoose.mongo`, whose BSON types and error classes are used. Default: the installed one. */
    driver?: HostModule | object;
    appName?: string;
    /** Default 100; `connectDB`: 10. */
    maxPoolSize?: number;
    minPoolSize?: number;
    maxIdleTimeMS?: number;
    maxConnecting?: number;
    /** Default 30 000; `connectDB`: 5 000. */
    serverSelectionTimeoutMS?: number;
    connectTimeoutMS?: number;
    socketTimeoutMS?: number;
    waitQueueTimeoutMS?: number;
    timeoutMS?: number;
    heartbeatFrequencyMS?: number;
    localThresholdMS?: number;
    replicaSet?: string;
    directConnection?: boolean;
    retryReads?: boolean;
    retryWrites?: boolean;
    tls?: boolean;
    tlsCAFile?: string;
    tlsCertificateKeyFile?: string;
    auth?: {
        username?: string;
        password?: string;
    };
    authSource?: string;
    authMechanism?: string;
    dbName?: string;
    monitorCommands?: boolean;
    driverInfo?: {
        name?: string;
        version?: string;
        platform?: string;
    };
    /** Operations in flight at once; more are refused with `MOORING_POOL_EXHAUSTED`. Default 10 000. */
    maxInFlight?: number;
    /** Milliseconds after which a session that has not ended is reported by a process warning with the place where it was started. Default: never. */
    leakThresholdMs?: number;
    /** The client's name in reports. */
    name?: string;
    pkFactory?: {
        createPk(): unknown;
    };
    forceServerObjectId?: boolean;
    defaultTransactionOptions?: TransactionOptions;
    [option: string]: unknown;
}

/** A MongoDB client, owned by Rust. */
declare class MongoHandle {
    /** Validates and registers; no I/O. `options` is a BSON document with Node's names; `wake` is called when there is something to drain. */
    static open(uri: string, options: Uint8Array, wake: () => void): MongoHandle | FailureRecord
    /** Takes the frames in `buffer[0, length)`; they are copied before it returns, and started soon after. An id of 0: nobody wants to hear how it ends. */
    submit(buffer: Uint8Array, length: number): FailureRecord | null
    /**
     * Fills `meta` with settled operations and `space`, from an offset on, with small replies; the values that cross by themselves, if there are any. The layout
     * is in `src/bridge/settle.rs`.
     */
    drain(meta: Uint32Array, space: Uint8Array, from: number): Array<string | Buffer | FailureRecord> | null
    /** Asks one operation to end. */
    cancel(id: number): void
    /** Opens a session under `handle`; no I/O. Every one must be ended by the operation `endSession`. */
    openSession(handle: number, options: Uint8Array): FailureRecord | null
    /** Begins a transaction on a session; no I/O. `behind`: the session has operations that were submitted and have not settled. */
    beginTransaction(handle: number, options: Uint8Array, behind: boolean): FailureRecord | null
    /** The 16 bytes of a session's id; null before its first operation. */
    sessionId(handle: number): Buffer | null
    /** BSON `{operationTime?, clusterTime?}`; null before the session's first operation and while one runs. */
    sessionTimes(handle: number): Buffer | null
    /** The client and its servers as JSON, without secrets. */
    describe(): string
    /** Counters as JSON. */
    stats(): string
    /** Starts the feed of events; an open one is closed. */
    openFeed(wake: () => void): void
    /** Whether the feed carries events of the connection pools, which come several times an operation. */
    watchPools(on: boolean): void
    /** Events that wait; empty without a feed. */
    drainFeed(): FeedBatch
    /** Ends the feed. */
    closeFeed(): void
    /** Drops the thread-safe functions; nothing reaches JavaScript afterwards. */
    release(): void
}

/** What is used of the module `mongoose`. */
export declare interface MongooseLike {
    setDriver(driver: never): unknown;
    connect(uri: string, options?: never): Promise<unknown>;
    disconnect(): Promise<void>;
    readonly mongo: object;
    readonly connection: object;
}

/**
 * Any failure that mooring reports itself. Switch on `code`; `instanceof MooringError` holds across copies of the package.
 *
 * @example
 * try { await withTransaction(work); } catch (error) { if (isMooringError(error, 'MOORING_TIMEOUT')) retryLater(); else throw error; }
 */
export declare class MooringError extends Error {
    /** The stable code. */
    readonly code: ErrorCode;
    /** Labels of the server or the driver. */
    readonly labels: readonly string[];
    /** Named facts: `argument`, `option`, `phase`, `attempts`, `elapsedMs`, `maybeExecuted`, `serverCode`, `endpoint`, ... */
    readonly details: ErrorDetails;
    constructor(code: ErrorCode, message: string, options?: MooringErrorOptions);
    get name(): string;
    static [Symbol.hasInstance](value: unknown): boolean;
}

/** What a `MooringError` is made of besides code and message. */
declare interface MooringErrorOptions {
    /** Labels of the server or the driver, such as `TransientTransactionError`. */
    readonly labels?: readonly string[];
    /** Named facts. */
    readonly details?: ErrorDetails;
    /** What caused it. */
    readonly cause?: unknown;
}

/** Addresses by `host:port`, or a function of it; those that are not in it stay as they are. */
export declare type NatMap = Readonly<Record<string, {
    readonly host: string;
    readonly port: number;
}>> | ((address: string) => {
    readonly host: string;
    readonly port: number;
} | null | undefined);

/** Where a node is reached. */
declare interface NodeAddress {
    readonly host: string;
    readonly port: number;
}

/** `host:port`. */
declare type NodeKey = string;

/** A node with the options that it alone has. */
declare type NodeOptions = RedisOptions & {
    host: string;
    port: number;
};

/** Clients by `host:port`. */
declare class NodePool extends EventEmitter {
    #private;
    /** `prepare` sees every new client before it is used. */
    constructor(redisOptions?: RedisOptions, retryStrategy?: ClusterOptions['clusterNodeRetryStrategy'], prepare?: (node: Redis) => void);
    /** Clients that have not ended, those on their way out included. */
    get alive(): number;
    /** Keys of one role. */
    keys(role?: NodeRole): NodeKey[];
    getNodes(role?: NodeRole): Redis[];
    getInstanceByKey(key: NodeKey): Redis | undefined;
    /** One of a role by chance. */
    getSampleInstance(role: NodeRole): Redis | undefined;
    /** The client of a node; a new one connects with its first command. */
    findOrCreate(node: NodeOptions, readOnly?: boolean): Redis;
    /** Exactly these nodes from now on; the others are disconnected. */
    reset(nodes: NodeOptions[]): void;
}

/** Which nodes. */
export declare type NodeRole = 'all' | 'master' | 'slave';

/** An account in a notification. */
export declare interface NotifiedAccount {
    /** As the `encoding` in `params` has it; with `base64` it is `[text, 'base64']`. */
    readonly data: unknown;
    readonly executable: boolean;
    readonly lamports: number;
    readonly owner: string;
    readonly rentEpoch?: number;
    readonly space?: number;
}

/** Commands called before the cluster is ready, in order. */
declare class OfflineQueue {
    #private;
    /** At most so many commands (0 for no limit) with so many bytes. */
    constructor(keepAlive: KeepAlive, most: number, mostBytes: number);
    get length(): number;
    /** Takes one, or rejects it when the queue is full. */
    push(item: Waiting): void;
    /** Runs everything; what is queued meanwhile waits for the next time. */
    runAll(): void;
    rejectAll(error: () => Error): void;
}

declare namespace op {
    export {
        call,
        callText,
        accounts,
        fetchText,
        balances,
        statuses,
        send,
        sendRaw,
        track,
        subscribe,
        unsubscribe,
        CallOptions,
        Priority,
        PRIORITIES,
        AccountMethod,
        MAX_KEYS,
        AccountRead
    }
}

/** Something open in this environment. */
export declare interface OpenThing {
    /** `mongo`, `redis` or `solana`. */
    kind: string
    /** Its name, without secrets. */
    name: string
    /** `idle`, `opening`, `ready`, `draining` or `closed`. */
    state: string
    /** Operations in flight. */
    inFlight: number
}

/** Clients and pools that are open in this environment, oldest first. */
export declare function openThings(): OpenThing[];

/** One operation to submit. */
declare interface Operation {
    readonly opcode: number;
    readonly flags?: number;
    /** A session, cursor or other handle; 0 for none. */
    readonly handle?: number;
    /** Milliseconds the operation may take; 0 for no deadline of its own. */
    readonly deadlineMs?: number;
    readonly signal?: AbortSignal | undefined;
    /** Counts what it has in flight here. */
    readonly owner?: Owner | undefined;
    /**
     * Writes the body into `buffer` from `offset` and returns the offset after it, or `undefined` when it does not fit: it is called again with a larger buffer.
     */
    readonly write?: ((buffer: Buffer, offset: number) => number | undefined) | undefined;
}

/** Options that every operation knows. */
export declare interface OperationOptions extends ConcernOptions, BsonOptions {
    session?: ClientSession | null;
    signal?: AbortSignal;
    maxTimeMS?: number;
    timeoutMS?: number;
    comment?: unknown;
    /** The server's plan instead of the result. */
    explain?: Explain;
}

/** The operations of one opened client. */
declare class Operations {
    #private;
    readonly host: Host;
    readonly lane: KeyedLane<MongoHandle>;
    /** Operations that were refused here, because they came after their transaction's end. */
    late: number;
    constructor(client: MongoClient, lane: KeyedLane<MongoHandle>, topology: () => object);
    /** Runs an operation; rejects with the host's error. */
    run(given: Call): Promise<Value>;
    /** The session that an operation runs with: its own, or the one around it when none is given (`null`: none at all). */
    sessionOf(call: Call): ClientSession | null | undefined;
    /** Runs an operation without turning a failure into an error. */
    outcome(call: Call): Promise<Outcome>;
    /** The host's error for a failure of `call`. */
    error(failure: Failure, { bulk, clientBulk }?: Omit<FailureContext, 'topology'>): Error;
    /** Refuses an argument. */
    refuse(argument: string, message: string): Error;
    /** A small document as BSON. */
    encode(document: object): Uint8Array;
    /** The options of a session as BSON; most sessions have the same. */
    encodeSession(options: {
        causalConsistency: boolean;
        snapshot: boolean;
        snapshotTime?: unknown;
    }): Uint8Array;
    /** The document that `bytes` hold. */
    decode(bytes: Uint8Array, options?: BsonOptions): Document_2;
}

/** Stops at the first error. */
export declare class OrderedBulkOperation extends BulkOperation {
    /** @internal */
    constructor(collection: AnyCollection, options: BulkWriteOptions);
}

/** How an operation ended. */
declare type Outcome = FailureRecord | Buffer | string | number | undefined;

/** What a member of a cluster's command is about. */
declare interface Outgoing extends Entry {
    /** The caller says that it only reads. Default false. */
    readonly readOnly?: boolean;
}

/** Whose operations are counted. */
declare interface Owner {
    /** Operations that have not settled. */
    unsettled: number;
}

/** A token account with its data parsed by the node. */
export declare interface ParsedTokenAccount<K> {
    readonly pubkey: K;
    readonly account: AccountInfo<K, {
        readonly program: string;
        readonly parsed: unknown;
        readonly space: number;
    }>;
}

/** The server's answer could not be understood; the connection was dropped. */
export declare class ParserError extends RedisError {
    static get brand(): string;
    get name(): string;
}

/** Whether `sendCommand` was replaced: then every command must come by there. */
declare const PATCHED: unique symbol;

/** PEM text, or several. */
declare type Pem = string | Buffer | readonly (string | Buffer)[];

/** Collects commands until `exec()`. */
declare class Pipeline implements Commander {
    #private;
    readonly isPipeline = true;
    readonly redis: PipelineHost;
    readonly options: PipelineHost['options'];
    readonly addedBuiltinSet: Set<string>;
    /** `transaction` starts with MULTI and ends with EXEC. */
    constructor(redis: PipelineHost, transaction?: boolean);
    /** Commands collected. */
    get length(): number;
    /** Collects one command. */
    [RUN]({ spec, args, buffers, callback }: Call_2): this;
    /** Collects `[name, ...args]` lists. */
    addBatch(commands?: readonly (readonly Argument[])[]): this;
    /** Begins a transaction inside the pipeline. */
    multi(): this;
    /** Ends a transaction inside a pipeline, or sends everything. */
    exec(callback?: Callback<MemberResult[] | null>): Promise<MemberResult[] | null>;
    /** The old form of `exec` with Buffers. */
    execBuffer(callback?: Callback<MemberResult[] | null>): Promise<MemberResult[] | null>;
}

declare interface PipelineCluster {
    readonly options: Pick<Redis['options'], 'keyPrefix'>;
    [BATCH](batch: Batch): Promise<MemberResult[]>;
}

/** What pipelines are made for: a client, or a cluster. */
declare type PipelineHost = Redis | (Pick<Redis, 'addedBuiltinSet' | 'scriptsSet'> & PipelineCluster);

/** Where a pipeline or MULTI puts a command. */
declare interface Place {
    readonly group: number;
    readonly index: number;
    /** Milliseconds that the command may still take, in the place of the client's `commandTimeout`; 0 for no limit. */
    readonly deadlineMs?: number | undefined;
}

/** What a descriptor says besides lengths and flags. */
declare interface Placement {
    /** Pipeline or MULTI the command belongs to; 0 for none. */
    readonly group: number;
    /** Position in the group. */
    readonly index: number;
    /** Milliseconds the command may take; 0 for no limit. */
    readonly deadlineMs: number;
}

/** Where the application made the clients with a name, among a client and its duplicates. */
declare const PLACES: unique symbol;

/** Events by name. */
export declare interface PoolEvents {
    readonly transaction: TransactionEvent;
    /** Slots that nobody watched for a subscription; told at its place among the notifications. */
    readonly gap: SubscriptionGap;
}

/** Posts a JSON-RPC body through the pool; the URL is not looked at. */
export declare type PoolFetch = (url: unknown, init?: {
    readonly body?: unknown;
    readonly signal?: unknown;
}) => Promise<PoolResponse>;

/** Where lines go; `console`, pino and winston fit. */
export declare interface PoolLogger {
    info?(message: string, ...details: unknown[]): unknown;
    warn(message: string, ...details: unknown[]): unknown;
    error(message: string, ...details: unknown[]): unknown;
}

/** The part of a response that `Connection` reads. */
export declare interface PoolResponse {
    readonly ok: true;
    readonly status: 200;
    readonly statusText: 'OK';
    text(): Promise<string>;
    json(): Promise<unknown>;
}

/** What a pool is doing. */
export declare interface PoolStats {
    /** Endpoints. */
    readonly connections: number;
    /** Reads that wait for the limiter. */
    readonly requestQueueLength: number;
    /** Sends that wait for the limiter. */
    readonly transactionQueueLength: number;
    /** Read attempts begun in the last second. */
    readonly requestCount: number;
    /** Send attempts begun in the last second. */
    readonly transactionCount: number;
    readonly cacheSize: number;
    /** Hits per lookup since the start. */
    readonly cacheHitRate: number;
    readonly inFlight: number;
    /** Retries the budget still allows. */
    readonly retryBudget: number;
    /** Subscriptions that have not ended. */
    readonly subscriptions: number;
    /** Websockets open or being opened. */
    readonly websockets: number;
    /** Notifications dropped because nobody fetched them. */
    readonly feedDropped: number;
    /** How full the fullest queue is, 0 to 1. */
    readonly pressure: number;
    /** Heavy reads that wait for one to end. */
    readonly heavyQueueLength: number;
    /** Second attempts of slow reads, and how many of them answered first. */
    readonly hedges: {
        readonly begun: number;
        readonly won: number;
    };
    readonly rateLimits: {
        readonly maxRequestsPerSecond: number;
        readonly maxTransactionsPerSecond: number;
        readonly shared: SharedLimitStats | null;
    };
    readonly endpoints: readonly EndpointStats[];
}

/** The most used commands, with precise signatures. */
declare interface Precise {
    append(key: RedisKey, value: RedisValue): Promise<number>;
    append(...args: [...Argument[], Callback]): Promise<unknown>;
    appendBuffer(key: RedisKey, value: RedisValue): Promise<number>;
    appendBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    auth(...args: [password: string] | [username: string, password: string]): Promise<'OK'>;
    auth(...args: [...Argument[], Callback]): Promise<unknown>;
    authBuffer(...args: [password: string] | [username: string, password: string]): Promise<Buffer>;
    authBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    bitcount(key: RedisKey, ...args: RedisValue[]): Promise<number>;
    bitcount(...args: [...Argument[], Callback]): Promise<unknown>;
    bitcountBuffer(key: RedisKey, ...args: RedisValue[]): Promise<number>;
    bitcountBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    blpop(...args: [...keys: RedisKey[], timeout: number | string]): Promise<[string, string] | null>;
    blpop(...args: [...Argument[], Callback]): Promise<unknown>;
    blpopBuffer(...args: [...keys: RedisKey[], timeout: number | string]): Promise<[Buffer, Buffer] | null>;
    blpopBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    brpop(...args: [...keys: RedisKey[], timeout: number | string]): Promise<[string, string] | null>;
    brpop(...args: [...Argument[], Callback]): Promise<unknown>;
    brpopBuffer(...args: [...keys: RedisKey[], timeout: number | string]): Promise<[Buffer, Buffer] | null>;
    brpopBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    brpoplpush(source: RedisKey, destination: RedisKey, timeout: number | string): Promise<string | null>;
    brpoplpush(...args: [...Argument[], Callback]): Promise<unknown>;
    brpoplpushBuffer(source: RedisKey, destination: RedisKey, timeout: number | string): Promise<Buffer | null>;
    brpoplpushBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    bzpopmax(...args: [...keys: RedisKey[], timeout: number | string]): Promise<[string, string, string] | null>;
    bzpopmax(...args: [...Argument[], Callback]): Promise<unknown>;
    bzpopmaxBuffer(...args: [...keys: RedisKey[], timeout: number | string]): Promise<[Buffer, Buffer, Buffer] | null>;
    bzpopmaxBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    bzpopmin(...args: [...keys: RedisKey[], timeout: number | string]): Promise<[string, string, string] | null>;
    bzpopmin(...args: [...Argument[], Callback]): Promise<unknown>;
    bzpopminBuffer(...args: [...keys: RedisKey[], timeout: number | string]): Promise<[Buffer, Buffer, Buffer] | null>;
    bzpopminBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    dbsize(): Promise<number>;
    dbsize(...args: [...Argument[], Callback]): Promise<unknown>;
    dbsizeBuffer(): Promise<number>;
    dbsizeBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    decr(key: RedisKey): Promise<number>;
    decr(...args: [...Argument[], Callback]): Promise<unknown>;
    decrBuffer(key: RedisKey): Promise<number>;
    decrBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    decrby(key: RedisKey, decrement: number | string): Promise<number>;
    decrby(...args: [...Argument[], Callback]): Promise<unknown>;
    decrbyBuffer(key: RedisKey, decrement: number | string): Promise<number>;
    decrbyBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    del(...keys: (RedisKey | RedisKey[])[]): Promise<number>;
    del(...args: [...Argument[], Callback]): Promise<unknown>;
    delBuffer(...keys: (RedisKey | RedisKey[])[]): Promise<number>;
    delBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    echo(message: RedisValue): Promise<string>;
    echo(...args: [...Argument[], Callback]): Promise<unknown>;
    echoBuffer(message: RedisValue): Promise<Buffer>;
    echoBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    exists(...keys: (RedisKey | RedisKey[])[]): Promise<number>;
    exists(...args: [...Argument[], Callback]): Promise<unknown>;
    existsBuffer(...keys: (RedisKey | RedisKey[])[]): Promise<number>;
    existsBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    expire(key: RedisKey, seconds: number | string, ...args: string[]): Promise<number>;
    expire(...args: [...Argument[], Callback]): Promise<unknown>;
    expireBuffer(key: RedisKey, seconds: number | string, ...args: string[]): Promise<number>;
    expireBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    expireat(key: RedisKey, timestamp: number | string, ...args: string[]): Promise<number>;
    expireat(...args: [...Argument[], Callback]): Promise<unknown>;
    expireatBuffer(key: RedisKey, timestamp: number | string, ...args: string[]): Promise<number>;
    expireatBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    flushall(...args: string[]): Promise<'OK'>;
    flushall(...args: [...Argument[], Callback]): Promise<unknown>;
    flushallBuffer(...args: string[]): Promise<Buffer>;
    flushallBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    flushdb(...args: string[]): Promise<'OK'>;
    flushdb(...args: [...Argument[], Callback]): Promise<unknown>;
    flushdbBuffer(...args: string[]): Promise<Buffer>;
    flushdbBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    get(key: RedisKey): Promise<string | null>;
    get(...args: [...Argument[], Callback]): Promise<unknown>;
    getBuffer(key: RedisKey): Promise<Buffer | null>;
    getBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    getdel(key: RedisKey): Promise<string | null>;
    getdel(...args: [...Argument[], Callback]): Promise<unknown>;
    getdelBuffer(key: RedisKey): Promise<Buffer | null>;
    getdelBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    getrange(key: RedisKey, start: number | string, end: number | string): Promise<string>;
    getrange(...args: [...Argument[], Callback]): Promise<unknown>;
    getrangeBuffer(key: RedisKey, start: number | string, end: number | string): Promise<Buffer>;
    getrangeBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    getset(key: RedisKey, value: RedisValue): Promise<string | null>;
    getset(...args: [...Argument[], Callback]): Promise<unknown>;
    getsetBuffer(key: RedisKey, value: RedisValue): Promise<Buffer | null>;
    getsetBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    hdel(key: RedisKey, ...fields: (RedisValue | RedisValue[])[]): Promise<number>;
    hdel(...args: [...Argument[], Callback]): Promise<unknown>;
    hdelBuffer(key: RedisKey, ...fields: (RedisValue | RedisValue[])[]): Promise<number>;
    hdelBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    hexists(key: RedisKey, field: RedisValue): Promise<number>;
    hexists(...args: [...Argument[], Callback]): Promise<unknown>;
    hexistsBuffer(key: RedisKey, field: RedisValue): Promise<number>;
    hexistsBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    hget(key: RedisKey, field: RedisValue): Promise<string | null>;
    hget(...args: [...Argument[], Callback]): Promise<unknown>;
    hgetBuffer(key: RedisKey, field: RedisValue): Promise<Buffer | null>;
    hgetBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    hgetall(key: RedisKey): Promise<Record<string, string>>;
    hgetall(...args: [...Argument[], Callback]): Promise<unknown>;
    hgetallBuffer(key: RedisKey): Promise<Record<string, Buffer>>;
    hgetallBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    hincrby(key: RedisKey, field: RedisValue, increment: number | string): Promise<number>;
    hincrby(...args: [...Argument[], Callback]): Promise<unknown>;
    hincrbyBuffer(key: RedisKey, field: RedisValue, increment: number | string): Promise<number>;
    hincrbyBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    hincrbyfloat(key: RedisKey, field: RedisValue, increment: number | string): Promise<string>;
    hincrbyfloat(...args: [...Argument[], Callback]): Promise<unknown>;
    hincrbyfloatBuffer(key: RedisKey, field: RedisValue, increment: number | string): Promise<Buffer>;
    hincrbyfloatBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    hkeys(key: RedisKey): Promise<string[]>;
    hkeys(...args: [...Argument[], Callback]): Promise<unknown>;
    hkeysBuffer(key: RedisKey): Promise<Buffer[]>;
    hkeysBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    hlen(key: RedisKey): Promise<number>;
    hlen(...args: [...Argument[], Callback]): Promise<unknown>;
    hlenBuffer(key: RedisKey): Promise<number>;
    hlenBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    hmget(key: RedisKey, ...fields: (RedisValue | RedisValue[])[]): Promise<(string | null)[]>;
    hmget(...args: [...Argument[], Callback]): Promise<unknown>;
    hmgetBuffer(key: RedisKey, ...fields: (RedisValue | RedisValue[])[]): Promise<(Buffer | null)[]>;
    hmgetBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    hmset(key: RedisKey, ...args: (RedisValue | RedisValue[] | object)[]): Promise<'OK'>;
    hmset(...args: [...Argument[], Callback]): Promise<unknown>;
    hmsetBuffer(key: RedisKey, ...args: (RedisValue | RedisValue[] | object)[]): Promise<Buffer>;
    hmsetBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    hset(key: RedisKey, ...args: (RedisValue | RedisValue[] | object)[]): Promise<number>;
    hset(...args: [...Argument[], Callback]): Promise<unknown>;
    hsetBuffer(key: RedisKey, ...args: (RedisValue | RedisValue[] | object)[]): Promise<number>;
    hsetBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    hsetnx(key: RedisKey, field: RedisValue, value: RedisValue): Promise<number>;
    hsetnx(...args: [...Argument[], Callback]): Promise<unknown>;
    hsetnxBuffer(key: RedisKey, field: RedisValue, value: RedisValue): Promise<number>;
    hsetnxBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    hvals(key: RedisKey): Promise<string[]>;
    hvals(...args: [...Argument[], Callback]): Promise<unknown>;
    hvalsBuffer(key: RedisKey): Promise<Buffer[]>;
    hvalsBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    incr(key: RedisKey): Promise<number>;
    incr(...args: [...Argument[], Callback]): Promise<unknown>;
    incrBuffer(key: RedisKey): Promise<number>;
    incrBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    incrby(key: RedisKey, increment: number | string): Promise<number>;
    incrby(...args: [...Argument[], Callback]): Promise<unknown>;
    incrbyBuffer(key: RedisKey, increment: number | string): Promise<number>;
    incrbyBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    incrbyfloat(key: RedisKey, increment: number | string): Promise<string>;
    incrbyfloat(...args: [...Argument[], Callback]): Promise<unknown>;
    incrbyfloatBuffer(key: RedisKey, increment: number | string): Promise<Buffer>;
    incrbyfloatBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    info(...sections: string[]): Promise<string>;
    info(...args: [...Argument[], Callback]): Promise<unknown>;
    infoBuffer(...sections: string[]): Promise<string>;
    infoBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    keys(pattern: RedisValue): Promise<string[]>;
    keys(...args: [...Argument[], Callback]): Promise<unknown>;
    keysBuffer(pattern: RedisValue): Promise<Buffer[]>;
    keysBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    lindex(key: RedisKey, index: number | string): Promise<string | null>;
    lindex(...args: [...Argument[], Callback]): Promise<unknown>;
    lindexBuffer(key: RedisKey, index: number | string): Promise<Buffer | null>;
    lindexBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    linsert(key: RedisKey, where: 'BEFORE' | 'AFTER', pivot: RedisValue, element: RedisValue): Promise<number>;
    linsert(...args: [...Argument[], Callback]): Promise<unknown>;
    linsertBuffer(key: RedisKey, where: 'BEFORE' | 'AFTER', pivot: RedisValue, element: RedisValue): Promise<number>;
    linsertBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    llen(key: RedisKey): Promise<number>;
    llen(...args: [...Argument[], Callback]): Promise<unknown>;
    llenBuffer(key: RedisKey): Promise<number>;
    llenBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    lmove(source: RedisKey, destination: RedisKey, from: 'LEFT' | 'RIGHT', to: 'LEFT' | 'RIGHT'): Promise<string | null>;
    lmove(...args: [...Argument[], Callback]): Promise<unknown>;
    lmoveBuffer(source: RedisKey, destination: RedisKey, from: 'LEFT' | 'RIGHT', to: 'LEFT' | 'RIGHT'): Promise<Buffer | null>;
    lmoveBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    lpush(key: RedisKey, ...elements: (RedisValue | RedisValue[])[]): Promise<number>;
    lpush(...args: [...Argument[], Callback]): Promise<unknown>;
    lpushBuffer(key: RedisKey, ...elements: (RedisValue | RedisValue[])[]): Promise<number>;
    lpushBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    lpushx(key: RedisKey, ...elements: (RedisValue | RedisValue[])[]): Promise<number>;
    lpushx(...args: [...Argument[], Callback]): Promise<unknown>;
    lpushxBuffer(key: RedisKey, ...elements: (RedisValue | RedisValue[])[]): Promise<number>;
    lpushxBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    lrange(key: RedisKey, start: number | string, stop: number | string): Promise<string[]>;
    lrange(...args: [...Argument[], Callback]): Promise<unknown>;
    lrangeBuffer(key: RedisKey, start: number | string, stop: number | string): Promise<Buffer[]>;
    lrangeBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    lrem(key: RedisKey, count: number | string, element: RedisValue): Promise<number>;
    lrem(...args: [...Argument[], Callback]): Promise<unknown>;
    lremBuffer(key: RedisKey, count: number | string, element: RedisValue): Promise<number>;
    lremBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    lset(key: RedisKey, index: number | string, element: RedisValue): Promise<'OK'>;
    lset(...args: [...Argument[], Callback]): Promise<unknown>;
    lsetBuffer(key: RedisKey, index: number | string, element: RedisValue): Promise<Buffer>;
    lsetBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    ltrim(key: RedisKey, start: number | string, stop: number | string): Promise<'OK'>;
    ltrim(...args: [...Argument[], Callback]): Promise<unknown>;
    ltrimBuffer(key: RedisKey, start: number | string, stop: number | string): Promise<Buffer>;
    ltrimBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    mget(...keys: (RedisKey | RedisKey[])[]): Promise<(string | null)[]>;
    mget(...args: [...Argument[], Callback]): Promise<unknown>;
    mgetBuffer(...keys: (RedisKey | RedisKey[])[]): Promise<(Buffer | null)[]>;
    mgetBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    mset(...args: (RedisValue | RedisValue[] | object)[]): Promise<'OK'>;
    mset(...args: [...Argument[], Callback]): Promise<unknown>;
    msetBuffer(...args: (RedisValue | RedisValue[] | object)[]): Promise<Buffer>;
    msetBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    msetnx(...args: (RedisValue | RedisValue[] | object)[]): Promise<number>;
    msetnx(...args: [...Argument[], Callback]): Promise<unknown>;
    msetnxBuffer(...args: (RedisValue | RedisValue[] | object)[]): Promise<number>;
    msetnxBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    persist(key: RedisKey): Promise<number>;
    persist(...args: [...Argument[], Callback]): Promise<unknown>;
    persistBuffer(key: RedisKey): Promise<number>;
    persistBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    pexpire(key: RedisKey, milliseconds: number | string, ...args: string[]): Promise<number>;
    pexpire(...args: [...Argument[], Callback]): Promise<unknown>;
    pexpireBuffer(key: RedisKey, milliseconds: number | string, ...args: string[]): Promise<number>;
    pexpireBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    pexpireat(key: RedisKey, timestamp: number | string, ...args: string[]): Promise<number>;
    pexpireat(...args: [...Argument[], Callback]): Promise<unknown>;
    pexpireatBuffer(key: RedisKey, timestamp: number | string, ...args: string[]): Promise<number>;
    pexpireatBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    ping(message?: RedisValue): Promise<string>;
    ping(...args: [...Argument[], Callback]): Promise<unknown>;
    pingBuffer(message?: RedisValue): Promise<Buffer>;
    pingBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    psetex(key: RedisKey, milliseconds: number | string, value: RedisValue): Promise<'OK'>;
    psetex(...args: [...Argument[], Callback]): Promise<unknown>;
    psetexBuffer(key: RedisKey, milliseconds: number | string, value: RedisValue): Promise<Buffer>;
    psetexBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    psubscribe(...patterns: (RedisValue | RedisValue[])[]): Promise<number>;
    psubscribe(...args: [...Argument[], Callback]): Promise<unknown>;
    psubscribeBuffer(...patterns: (RedisValue | RedisValue[])[]): Promise<number>;
    psubscribeBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    pttl(key: RedisKey): Promise<number>;
    pttl(...args: [...Argument[], Callback]): Promise<unknown>;
    pttlBuffer(key: RedisKey): Promise<number>;
    pttlBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    publish(channel: RedisValue, message: RedisValue): Promise<number>;
    publish(...args: [...Argument[], Callback]): Promise<unknown>;
    publishBuffer(channel: RedisValue, message: RedisValue): Promise<number>;
    publishBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    punsubscribe(...patterns: (RedisValue | RedisValue[])[]): Promise<number>;
    punsubscribe(...args: [...Argument[], Callback]): Promise<unknown>;
    punsubscribeBuffer(...patterns: (RedisValue | RedisValue[])[]): Promise<number>;
    punsubscribeBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    quit(): Promise<'OK'>;
    quit(...args: [...Argument[], Callback]): Promise<unknown>;
    quitBuffer(): Promise<Buffer>;
    quitBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    rename(key: RedisKey, newKey: RedisKey): Promise<'OK'>;
    rename(...args: [...Argument[], Callback]): Promise<unknown>;
    renameBuffer(key: RedisKey, newKey: RedisKey): Promise<Buffer>;
    renameBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    rpop(key: RedisKey): Promise<string | null>;
    rpop(...args: [...Argument[], Callback]): Promise<unknown>;
    rpopBuffer(key: RedisKey): Promise<Buffer | null>;
    rpopBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    rpoplpush(source: RedisKey, destination: RedisKey): Promise<string | null>;
    rpoplpush(...args: [...Argument[], Callback]): Promise<unknown>;
    rpoplpushBuffer(source: RedisKey, destination: RedisKey): Promise<Buffer | null>;
    rpoplpushBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    rpush(key: RedisKey, ...elements: (RedisValue | RedisValue[])[]): Promise<number>;
    rpush(...args: [...Argument[], Callback]): Promise<unknown>;
    rpushBuffer(key: RedisKey, ...elements: (RedisValue | RedisValue[])[]): Promise<number>;
    rpushBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    sadd(key: RedisKey, ...members: (RedisValue | RedisValue[])[]): Promise<number>;
    sadd(...args: [...Argument[], Callback]): Promise<unknown>;
    saddBuffer(key: RedisKey, ...members: (RedisValue | RedisValue[])[]): Promise<number>;
    saddBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    scan(cursor: number | string, ...args: RedisValue[]): Promise<[string, string[]]>;
    scan(...args: [...Argument[], Callback]): Promise<unknown>;
    scanBuffer(cursor: number | string, ...args: RedisValue[]): Promise<[Buffer, Buffer[]]>;
    scanBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    scard(key: RedisKey): Promise<number>;
    scard(...args: [...Argument[], Callback]): Promise<unknown>;
    scardBuffer(key: RedisKey): Promise<number>;
    scardBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    select(db: number | string): Promise<'OK'>;
    select(...args: [...Argument[], Callback]): Promise<unknown>;
    selectBuffer(db: number | string): Promise<Buffer>;
    selectBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    set(key: RedisKey, value: RedisValue, ...args: RedisValue[]): Promise<'OK' | null>;
    set(...args: [...Argument[], Callback]): Promise<unknown>;
    setBuffer(key: RedisKey, value: RedisValue, ...args: RedisValue[]): Promise<Buffer | null>;
    setBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    setex(key: RedisKey, seconds: number | string, value: RedisValue): Promise<'OK'>;
    setex(...args: [...Argument[], Callback]): Promise<unknown>;
    setexBuffer(key: RedisKey, seconds: number | string, value: RedisValue): Promise<Buffer>;
    setexBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    setnx(key: RedisKey, value: RedisValue): Promise<number>;
    setnx(...args: [...Argument[], Callback]): Promise<unknown>;
    setnxBuffer(key: RedisKey, value: RedisValue): Promise<number>;
    setnxBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    sismember(key: RedisKey, member: RedisValue): Promise<number>;
    sismember(...args: [...Argument[], Callback]): Promise<unknown>;
    sismemberBuffer(key: RedisKey, member: RedisValue): Promise<number>;
    sismemberBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    smembers(key: RedisKey): Promise<string[]>;
    smembers(...args: [...Argument[], Callback]): Promise<unknown>;
    smembersBuffer(key: RedisKey): Promise<Buffer[]>;
    smembersBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    spublish(channel: RedisValue, message: RedisValue): Promise<number>;
    spublish(...args: [...Argument[], Callback]): Promise<unknown>;
    spublishBuffer(channel: RedisValue, message: RedisValue): Promise<number>;
    spublishBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    srem(key: RedisKey, ...members: (RedisValue | RedisValue[])[]): Promise<number>;
    srem(...args: [...Argument[], Callback]): Promise<unknown>;
    sremBuffer(key: RedisKey, ...members: (RedisValue | RedisValue[])[]): Promise<number>;
    sremBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    ssubscribe(...channels: (RedisValue | RedisValue[])[]): Promise<number>;
    ssubscribe(...args: [...Argument[], Callback]): Promise<unknown>;
    ssubscribeBuffer(...channels: (RedisValue | RedisValue[])[]): Promise<number>;
    ssubscribeBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    strlen(key: RedisKey): Promise<number>;
    strlen(...args: [...Argument[], Callback]): Promise<unknown>;
    strlenBuffer(key: RedisKey): Promise<number>;
    strlenBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    subscribe(...channels: (RedisValue | RedisValue[])[]): Promise<number>;
    subscribe(...args: [...Argument[], Callback]): Promise<unknown>;
    subscribeBuffer(...channels: (RedisValue | RedisValue[])[]): Promise<number>;
    subscribeBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    sunsubscribe(...channels: (RedisValue | RedisValue[])[]): Promise<number>;
    sunsubscribe(...args: [...Argument[], Callback]): Promise<unknown>;
    sunsubscribeBuffer(...channels: (RedisValue | RedisValue[])[]): Promise<number>;
    sunsubscribeBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    ttl(key: RedisKey): Promise<number>;
    ttl(...args: [...Argument[], Callback]): Promise<unknown>;
    ttlBuffer(key: RedisKey): Promise<number>;
    ttlBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    type(key: RedisKey): Promise<string>;
    type(...args: [...Argument[], Callback]): Promise<unknown>;
    typeBuffer(key: RedisKey): Promise<string>;
    typeBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    unlink(...keys: (RedisKey | RedisKey[])[]): Promise<number>;
    unlink(...args: [...Argument[], Callback]): Promise<unknown>;
    unlinkBuffer(...keys: (RedisKey | RedisKey[])[]): Promise<number>;
    unlinkBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    unsubscribe(...channels: (RedisValue | RedisValue[])[]): Promise<number>;
    unsubscribe(...args: [...Argument[], Callback]): Promise<unknown>;
    unsubscribeBuffer(...channels: (RedisValue | RedisValue[])[]): Promise<number>;
    unsubscribeBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    unwatch(): Promise<'OK'>;
    unwatch(...args: [...Argument[], Callback]): Promise<unknown>;
    unwatchBuffer(): Promise<Buffer>;
    unwatchBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    watch(...keys: (RedisKey | RedisKey[])[]): Promise<'OK'>;
    watch(...args: [...Argument[], Callback]): Promise<unknown>;
    watchBuffer(...keys: (RedisKey | RedisKey[])[]): Promise<Buffer>;
    watchBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    xack(key: RedisKey, group: RedisValue, ...ids: RedisValue[]): Promise<number>;
    xack(...args: [...Argument[], Callback]): Promise<unknown>;
    xackBuffer(key: RedisKey, group: RedisValue, ...ids: RedisValue[]): Promise<number>;
    xackBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    xadd(key: RedisKey, ...args: RedisValue[]): Promise<string | null>;
    xadd(...args: [...Argument[], Callback]): Promise<unknown>;
    xaddBuffer(key: RedisKey, ...args: RedisValue[]): Promise<Buffer | null>;
    xaddBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    xlen(key: RedisKey): Promise<number>;
    xlen(...args: [...Argument[], Callback]): Promise<unknown>;
    xlenBuffer(key: RedisKey): Promise<number>;
    xlenBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    xrange(key: RedisKey, start: RedisValue, end: RedisValue, ...args: RedisValue[]): Promise<[string, string[]][]>;
    xrange(...args: [...Argument[], Callback]): Promise<unknown>;
    xrangeBuffer(key: RedisKey, start: RedisValue, end: RedisValue, ...args: RedisValue[]): Promise<[Buffer, Buffer[]][]>;
    xrangeBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    zadd(key: RedisKey, ...args: (RedisValue | RedisValue[])[]): Promise<number>;
    zadd(...args: [...Argument[], Callback]): Promise<unknown>;
    zaddBuffer(key: RedisKey, ...args: (RedisValue | RedisValue[])[]): Promise<number>;
    zaddBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    zcard(key: RedisKey): Promise<number>;
    zcard(...args: [...Argument[], Callback]): Promise<unknown>;
    zcardBuffer(key: RedisKey): Promise<number>;
    zcardBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    zcount(key: RedisKey, min: RedisValue, max: RedisValue): Promise<number>;
    zcount(...args: [...Argument[], Callback]): Promise<unknown>;
    zcountBuffer(key: RedisKey, min: RedisValue, max: RedisValue): Promise<number>;
    zcountBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    zincrby(key: RedisKey, increment: number | string, member: RedisValue): Promise<string>;
    zincrby(...args: [...Argument[], Callback]): Promise<unknown>;
    zincrbyBuffer(key: RedisKey, increment: number | string, member: RedisValue): Promise<Buffer>;
    zincrbyBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    zrange(key: RedisKey, start: RedisValue, stop: RedisValue, ...args: RedisValue[]): Promise<string[]>;
    zrange(...args: [...Argument[], Callback]): Promise<unknown>;
    zrangeBuffer(key: RedisKey, start: RedisValue, stop: RedisValue, ...args: RedisValue[]): Promise<Buffer[]>;
    zrangeBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    zrangebyscore(key: RedisKey, min: RedisValue, max: RedisValue, ...args: RedisValue[]): Promise<string[]>;
    zrangebyscore(...args: [...Argument[], Callback]): Promise<unknown>;
    zrangebyscoreBuffer(key: RedisKey, min: RedisValue, max: RedisValue, ...args: RedisValue[]): Promise<Buffer[]>;
    zrangebyscoreBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    zrank(key: RedisKey, member: RedisValue): Promise<number | null>;
    zrank(...args: [...Argument[], Callback]): Promise<unknown>;
    zrankBuffer(key: RedisKey, member: RedisValue): Promise<number | null>;
    zrankBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    zrem(key: RedisKey, ...members: (RedisValue | RedisValue[])[]): Promise<number>;
    zrem(...args: [...Argument[], Callback]): Promise<unknown>;
    zremBuffer(key: RedisKey, ...members: (RedisValue | RedisValue[])[]): Promise<number>;
    zremBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    zremrangebyscore(key: RedisKey, min: RedisValue, max: RedisValue): Promise<number>;
    zremrangebyscore(...args: [...Argument[], Callback]): Promise<unknown>;
    zremrangebyscoreBuffer(key: RedisKey, min: RedisValue, max: RedisValue): Promise<number>;
    zremrangebyscoreBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    zrevrange(key: RedisKey, start: RedisValue, stop: RedisValue, ...args: RedisValue[]): Promise<string[]>;
    zrevrange(...args: [...Argument[], Callback]): Promise<unknown>;
    zrevrangeBuffer(key: RedisKey, start: RedisValue, stop: RedisValue, ...args: RedisValue[]): Promise<Buffer[]>;
    zrevrangeBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
    zscore(key: RedisKey, member: RedisValue): Promise<string | null>;
    zscore(...args: [...Argument[], Callback]): Promise<unknown>;
    zscoreBuffer(key: RedisKey, member: RedisValue): Promise<Buffer | null>;
    zscoreBuffer(...args: [...Argument[], Callback]): Promise<unknown>;
}

/** A replica that is preferred; the lowest `prio` first, default 1. */
export declare interface PreferredReplica {
    readonly ip: string;
    readonly port: string | number;
    readonly prio?: number | undefined;
}

/** Picks one of the replicas that are up; anything else than a replica leaves the choice to chance. */
export declare type PreferredSlaves = ((replicas: SentinelReplica[]) => {
    readonly ip: string;
    readonly port: string | number;
} | null | undefined | false) | readonly PreferredReplica[] | PreferredReplica;

/** What a preset adds to the options. */
declare interface Preset {
    /** Wire options that win over those derived from the client's. */
    readonly wire: Readonly<Record<string, unknown>>;
    /** What follows a round in which no sentinel answered, when the user's options do not say it. Default 'native'. */
    readonly sentinelRound?: 'native' | 'attempt';
    /** The name that CLIENT LIST shows of this library; none for our own. */
    readonly library?: string;
}

/** In order; a frame holds the position, counted from 1. */
declare const PRIORITIES: readonly Priority[];

/** How urgent a call is: `'send'`, `'confirm'`, `'read'`, `'bulk'`, the most urgent first. */
export declare type Priority = 'send' | 'confirm' | 'read' | 'bulk';

/** What a preset adds to a client: options of the wire and what to do when it gives up. */
declare interface Profile extends Preset {
    /** The wire gave up connecting after so many retries. */
    onGaveUp?(retries: number): void;
    /** The next attempt comes after so many milliseconds. */
    onReconnecting?(delayMs: number): void;
    /** A blocking command of `client` should have been answered so many milliseconds ago. */
    onDeaf?(client: Redis, lateMs: number): void;
}

/** How much a database records of its operations. */
export declare type ProfilingLevel = 'off' | 'slow_only' | 'all';

/** Proxies by the scheme of the endpoint. */
export declare interface ProxyRules {
    readonly http?: string;
    readonly https?: string;
    /** For schemes not named. */
    readonly all?: string;
    /** Hosts that are reached without: names (with all names below them), addresses, networks such as `10.0.0.0/8`, or `*`; comma separated. */
    readonly no?: string;
}

/** The class of a peer's public key, taken from the argument. */
export declare interface PublicKeyLike {
    toBase58(): string;
    toBytes?(): Uint8Array;
}

/** Levels of a read concern. */
export declare type ReadConcernLevel = 'local' | 'majority' | 'linearizable' | 'available' | 'snapshot';

/** A read concern: its level, or `{ level }`. */
export declare type ReadConcernLike = ReadConcernLevel | {
    level: string;
};

/** A read preference: its mode, or an object with `mode`. */
export declare type ReadPreferenceLike = ReadPreferenceMode | {
    mode: string;
    tags?: unknown;
    maxStalenessSeconds?: number | undefined;
};

/** Modes of a read preference. */
export declare type ReadPreferenceMode = 'primary' | 'primaryPreferred' | 'secondary' | 'secondaryPreferred' | 'nearest';

/** Why something waits before its next attempt. Those with one reason wait together. */
declare type Reason = 'moved' | 'tryagain' | 'clusterdown' | 'failover';

export declare interface Redis extends RedisCommands {
}

/** A Redis client. */
export declare class Redis extends CommandClient {
    #private;
    /** Where the connection stands. Queue libraries assign it. */
    status: RedisStatus;
    /** Options after defaults. */
    readonly options: ResolvedOptions;
    /** The database in use, and whether the connection is in subscriber mode. */
    condition: {
        select: number;
        subscriber: false | Subscriptions;
    };
    /** The socket, as far as others look at it. */
    readonly stream: SocketView;
    readonly isCluster: boolean;
    readonly [CORE]: Core;
    constructor(port: number, host: string, options?: RedisOptions);
    constructor(portOrUrl: number | string, options?: RedisOptions);
    constructor(options?: RedisOptions | null);
    /** The same as `new Redis(..)`. */
    static createClient(...args: [RedisOptions?]): Redis;
    /** The wire, for features that use the same server. @internal */
    get [WIRE](): Core['wire'];
    /** `normal`, `subscriber` or `monitor`. */
    get mode(): 'normal' | 'subscriber' | 'monitor';
    /** Commands on their way, and commands waiting for a connection. */
    get commandQueue(): {
        readonly length: number;
    };
    get offlineQueue(): {
        readonly length: number;
    };
    /** With `enableAutoPipelining`: commands called in this tick, which go out together at its end. 0 without: commands are batched all the same. */
    get autoPipelineQueueSize(): number;
    /** Failed connection attempts since the last success. */
    get retryAttempts(): number;
    /** Connects; resolves on ready, rejects when the attempt fails. */
    connect(callback?: Callback<void>): Promise<void>;
    /** Ends the connection at once; unsettled commands reject with `Connection is closed.`. With `reconnect` it is only dropped. */
    disconnect(reconnect?: boolean): void;
    /**
     * Lets commands in flight finish, then ends; cuts what is left after `deadlineMs`. Never rejects for a server that is gone.
     *
     * @throws MooringError `MOORING_INVALID_ARGUMENT` for a deadline that is no number of milliseconds.
     */
    close(deadlineMs?: number): Promise<void>;
    /** Closes this client and every duplicate of it, and theirs, as `close` does. */
    closeFamily(deadlineMs?: number): Promise<void>;
    /** Another client with the same options. */
    duplicate(override?: RedisOptions): Redis;
    /** Keeps the process alive while the client is open. */
    ref(): this;
    /** The default: an idle client does not keep the process alive. */
    unref(): this;
    /** A client that emits `monitor` for every command the server gets. */
    monitor(callback?: Callback<Redis>): Promise<Redis>;
    /** Ends a transaction that `multi({ pipeline: false })` began. */
    exec(callback?: Callback<[Error | null, unknown][] | null>): Promise<[Error | null, unknown][] | null>;
    scanStream(options?: ScanStreamOptions): ScanStream;
    scanBufferStream(options?: ScanStreamOptions): ScanStream;
    /** Sends a command object. Tracing code patches this; then every command comes by here. */
    sendCommand(command: Command): Promise<unknown>;
    /** Waiting for `ready` while connecting keeps the process alive. */
    once(event: string | symbol, listener: (...args: never[]) => void): this;
    /** @internal */
    get [PATCHED](): boolean;
    /** @internal */
    [PLACES](isNamed: (name: string) => boolean): string[];
    /** @internal */
    [MAKE_SCRIPT](name: string, definition: ScriptDefinition): Script;
    /** @internal */
    [START](entry: Entry): void;
    /** Runs one call of a command method. */
    [RUN](call: Call_2): unknown;
    /** Without credentials. */
    toJSON(): object;
    [inspect.custom](): string;
    /** Set where that class is defined. */
    static readonly Cluster: typeof Cluster;
    static readonly Command: typeof Command;
    static readonly Pipeline: typeof Pipeline;
    static readonly ScanStream: typeof ScanStream;
    static readonly ReplyError: typeof ReplyError;
}

/**
 * The application's client, made from `REDIS_URI` (then `REDIS_URL`) on first use. Importing it does nothing.
 */
export declare const redisClient: Redis;

/** The command methods of a client. Arguments are flattened once; `null` and `undefined` are sent as empty strings; a callback may come last. */
export declare interface RedisCommands extends Omit<Generic, keyof Precise>, Precise {
    call(...args: (Argument | Callback)[]): Promise<unknown>;
    callBuffer(...args: (Argument | Callback)[]): Promise<unknown>;
    /** The old name of `call`. */
    send_command(...args: (Argument | Callback)[]): Promise<unknown>;
}

/** Root of the errors about Redis. `instanceof` holds across copies of the package. */
export declare class RedisError extends Error {
    /** The command that failed, where there is one; members of an EXEC reply have no such property. */
    command?: CommandInfo;
    constructor(message: string);
    /** What marks the class in `instanceof`. */
    static get brand(): string;
    get name(): string;
    static [Symbol.hasInstance](value: unknown): boolean;
}

/** What names a value. */
export declare type RedisKey = string | Buffer | number;

/** What the log lines go to. */
export declare interface RedisLogger {
    warn(message: string, ...details: unknown[]): void;
    error(message: string, ...details: unknown[]): void;
}

/** Options of `Redis`. Times are milliseconds. */
export declare interface RedisOptions extends SentinelConnectionOptions {
    /** Default 'localhost'. */
    host?: string | undefined;
    /** Default 6379. */
    port?: number | undefined;
    /** A unix socket; wins over host and port. */
    path?: string | undefined;
    /** 4, 6 or 0 for both. Default 0. */
    family?: number | undefined;
    db?: number | undefined;
    username?: string | null | undefined;
    password?: string | null | undefined;
    connectionName?: string | null | undefined;
    /** TLS, with Node's names; `true` or `{}` for the system's roots. */
    tls?: TlsOptions | boolean | undefined;
    noDelay?: boolean | undefined;
    /** Idle time before the first keep-alive probe. */
    keepAlive?: number | undefined;
    /** Default 10000. */
    connectTimeout?: number | undefined;
    /** Default 2000. */
    disconnectTimeout?: number | undefined;
    /** Total life of a command, offline included. Default none. */
    commandTimeout?: number | undefined;
    /** Drops a connection that stays silent while commands wait. Default none. */
    socketTimeout?: number | undefined;
    /** Arms a limit for blocking commands. Default none. */
    blockingTimeout?: number | undefined;
    /** Default 100. */
    blockingTimeoutGrace?: number | undefined;
    /** Default 10000. */
    maxLoadingRetryTime?: number | undefined;
    /** Milliseconds to wait before attempt `times`; anything but a number stops. Default `min(times * 50, 2000)`. */
    retryStrategy?: ((times: number) => number | void | null) | null | false | undefined;
    /** Asked for every error reply: `true` or 1 reconnects, 2 also sends the command again. */
    reconnectOnError?: ((error: Error) => boolean | 1 | 2 | 0) | null | undefined;
    /** Default 20; `null` waits for ever. */
    maxRetriesPerRequest?: number | null | undefined;
    autoResubscribe?: boolean | undefined;
    autoResendUnfulfilledCommands?: boolean | undefined;
    enableOfflineQueue?: boolean | undefined;
    enableReadyCheck?: boolean | undefined;
    lazyConnect?: boolean | undefined;
    readOnly?: boolean | undefined;
    monitor?: boolean | undefined;
    keyPrefix?: KeyPrefix | undefined;
    /** Integers as strings. */
    stringNumbers?: boolean | undefined;
    scripts?: Record<string, ScriptDefinition> | undefined;
    showFriendlyErrorStack?: boolean | undefined;
    disableClientInfo?: boolean | undefined;
    clientInfoTag?: string | undefined;
    /** Accepted: commands are always batched per tick. */
    enableAutoPipelining?: boolean | undefined;
    autoPipeliningIgnoredCommands?: string[] | undefined;
    /** What happens to commands in flight when a connection is lost. Look-alike: from `autoResendUnfulfilledCommands`; managed: 'safe'. */
    resend?: 'all' | 'safe' | 'none' | undefined;
    /** Default true. */
    resendBlocking?: boolean | undefined;
    /** Commands in flight at most; 0 for no limit. */
    inflightLimit?: number | undefined;
    /** Commands waiting for a connection at most; 0 for no limit. */
    offlineQueueMax?: number | undefined;
    offlineQueueMaxBytes?: number | undefined;
    /** How long QUIT waits for a connection. Default 5000; 0 for ever. */
    quitTimeout?: number | undefined;
    /** Linux: unacknowledged data drops the connection. Default 20000. */
    tcpUserTimeout?: number | undefined;
    /** RESP version. Default 2. */
    protocol?: 2 | 3 | undefined;
    /** The subscribe family uses a second connection, so that this one stays usable. Look-alike: false; managed: true. */
    sharedSubscriber?: boolean | undefined;
}

/** Where a connection stands. */
export declare type RedisStatus = (typeof STATUSES)[number];

/** How the default client is. */
export declare interface RedisStatusReport {
    readonly state: 'disconnected' | 'connecting' | 'ready' | 'error' | 'reconnecting' | 'closed';
    /** The client's own status. */
    readonly status: string;
    /** Reconnection attempts since the client was last ready. */
    readonly retries: number;
    readonly inFlight: number;
    readonly queued: number;
    /** Why the last attempt failed. */
    readonly lastError?: string;
}

/** What Redis stores: text, bytes or a number. */
export declare type RedisValue = string | Buffer | number;

/** One Redis client. Its stream ends with `release()`. */
declare class RedisWire {
    /** Checks the options and makes a client in `wait`. Does no I/O. */
    static open(optionsJson: string, wake: () => void): RedisWire | FailureRecord
    /** Takes `commands` encoded commands in `out[0, length)`, eight integers each in `descriptors`. Copies before it returns. */
    flush(out: Uint8Array, length: number, descriptors: Int32Array, commands: number): FailureRecord | null
    /** Fills `meta` and `blob` with what has happened: the number of integers, 0 for nothing, -1 when `meta[0]` integers and `meta[1]` bytes are needed. */
    drain(meta: Int32Array, blob: Uint8Array): number
    /** A failure that tokens of the last drain speak of. */
    failure(id: number): FailureRecord | null
    /** Connects, unless it is connecting or connected. */
    connect(): WireTransition | FailureRecord
    /** Ends the connection; with `reconnect` the retry policy goes on afterwards. */
    disconnect(reconnect: boolean): WireTransition | FailureRecord
    /** The answer of the user's retry strategy for this generation; negative stops. */
    answerRetry(generation: number, delayMs: number): WireTransition | FailureRecord
    /** The answer of `reconnectOnError`: 0 the error stands, 1 reconnect, 2 reconnect and send again. */
    answerReconnectOnError(seq: number, verdict: number): WireTransition | FailureRecord
    /** Keeps the text of a script; commands name it by `id` (1 and up). */
    registerScript(id: number, source: string): void
    /** The name that the next handshake gives the connection. */
    setConnectionName(name: string): void
    /** The status now. */
    status(): WireTransition
    /** A look at it. */
    stats(): WireStats
    /** Ends for good within `deadline_ms`: waits for what is in flight (blocking commands excepted), then settles the rest. Never rejects. */
    close(deadlineMs: number): Promise<WireCloseReport>
    /** Drops the wake function and whatever is still open. */
    release(): void
    /** The question of this number; null when nobody waits for its answer any more. */
    question(id: number): WireQuestion | null
    /** The answer to a question as JSON; none when the function gave nothing of use. */
    answer(id: number, answer?: string | undefined | null): void
    /** The sentinels known by now. */
    sentinels(): Array<WireAddress>
}

/** Options of an index mean nothing beside a list of several. */
declare function refuseBeside(collection: AnyCollection, options: CreateIndexesOptions): void;

/** Names that are refused, and what to do instead. */
declare type Refused = Readonly<Record<string, string>>;

/** Throws the error of `refuse` for an option that is given and cannot be honoured. */
declare function refuseKnown(kind: number | Refused, options: object | undefined, refuse: (name: string, message: string) => Error): void;

/** Arguments that one call after the other begins with. */
declare interface Repeated {
    readonly args: readonly string[];
    /** As they are sent. */
    readonly bytes: Uint8Array;
}

/** A reply as the wire decodes it. */
declare type Reply = string | Buffer | number | boolean | null | Error | Reply[] | Map<Reply, Reply> | Set<Reply>;

/** The server answered with an error; the message is its text, verbatim. */
export declare class ReplyError extends RedisError {
    static get brand(): string;
    get name(): string;
}

/** Turns a decoded reply into what the caller gets. */
declare type ReplyTransformer = (reply: unknown) => unknown;

/** One operation as this file hands it on. */
declare interface Request_2 {
    readonly opcode: number;
    readonly body: object;
    /** The options that Rust knows. */
    readonly known: Document_2;
    readonly options: OperationOptions;
    readonly bulk?: Call['bulk'];
}

/** Options after defaults; live. */
declare type ResolvedClusterOptions = Omit<ClusterOptions, Defaulted> & {
    [Name in Defaulted]: NonNullable<ClusterOptions[Name]>;
};

/** Options after defaults. Live: `retryStrategy`, `commandTimeout`, `keyPrefix`, `connectionName` are read when needed. */
declare type ResolvedOptions = RedisOptions & {
    host: string;
    port: number;
    db: number;
};

/** Options of `executeWithRetry`. */
export declare interface RetryOptions {
    /** Rejects with `MOORING_ABORTED` at once; a callback that runs then goes on by itself. */
    readonly signal?: AbortSignal;
    /** Milliseconds for all attempts: then the last error is thrown, or `MOORING_TIMEOUT` when the first attempt still runs. Default: none. */
    readonly deadlineMs?: number;
}

/** What commands on their way share. */
declare class Routes implements Surroundings {
    #private;
    readonly table: SlotTable;
    readonly offline: OfflineQueue;
    readonly delays: DelayQueue;
    readonly refresh: (done?: () => void) => void;
    constructor(host: RoutesHost, keepAlive: KeepAlive);
    get options(): ResolvedClusterOptions;
    get status(): ClusterStatus;
    get isReady(): boolean;
    get goesOn(): boolean;
    get pool(): NodePool;
    get subscriber(): ClusterSubscriber;
    get sharded(): ShardedSubscribers;
    /** Sends a command where it belongs, now or when the cluster is ready. */
    send(outgoing: Outgoing): void;
    /** The node of a slot, by the option `scaleReads`. */
    nodeOf(slot: number | undefined, scale: NodeRole | ScaleReads, command: () => CommandInfo): Redis | undefined;
    /** A node for a command without a slot, or whose slot's node is not there: it will say where the slot is. */
    anyNode(scale: NodeRole | ScaleReads): Redis | undefined;
    /** MOVED: remembers the new master of a slot, and gives its client. */
    follow(slot: number, announced: NodeKey, answered?: Redis): Redis;
    /** The client of a node that an error reply named; without a host it is on that of the node which answered. */
    connect(announced: NodeKey, answered?: Redis): Redis;
    /** The address where an announced one is reached. */
    reached(announced: NodeAddress): NodeAddress;
    /** When a command that is called now has lived for its `commandTimeout`; 0 for never. */
    expiry(): number;
    /** What is left of it, at least 1; 0 for no limit. */
    millisecondsTo(expires: number): number;
    /** Whether a command that a lost connection rejected is sent again. The nodes' `resend` decides, 'all' as with the peer unless it is set. */
    mayRepeat(error: Error, flags: number): boolean;
}

/** What the cluster client itself contributes. */
declare interface RoutesHost {
    readonly status: ClusterStatus;
    readonly options: ResolvedClusterOptions;
    readonly connectionPool: NodePool;
    readonly subscriber: ClusterSubscriber;
    readonly sharded: ShardedSubscribers;
    refreshSlotsCache(callback?: (error?: Error | null) => void): void;
}

/** Takes a shaped call. */
declare const RUN: unique symbol;

/** A cursor of a command: listCollections, listIndexes and others. */
export declare class RunCommandCursor<T = Document_2> extends AbstractCursor<T> {
    #private;
    readonly command: object;
    /** @internal `retried`: the command is a read that may be sent a second time. */
    constructor(source: CursorSource, command: object, options?: CursorOptions & {
        retried?: boolean;
    });
    setComment(value: unknown): this;
    /** Milliseconds that a later batch of a tailable cursor may be waited for. */
    setMaxTimeMS(value: number): this;
    setBatchSize(value: number): this;
    protected first(): Call;
}

/** Answers reads: all nodes of a slot, master first, and the command. */
export declare type ScaleReads = (nodes: Redis[], command: CommandInfo) => Redis | Redis[] | undefined | null;

/** What a scan stream asks. */
declare interface Scan {
    /** Runs one step; the reply is `[cursor, items]`. */
    readonly step: (args: RedisValue[]) => Promise<unknown>;
    /** SSCAN, HSCAN, ZSCAN: the key. */
    readonly key?: RedisValue | undefined;
}

/** Emits one array per step; keys may repeat, as the server says. */
declare class ScanStream extends Readable {
    #private;
    constructor(scan: Scan, options?: ScanStreamOptions);
    _read(): void;
    /** Ends after the batch that is under way. */
    close(): void;
}

/** Options of a scan stream. */
export declare interface ScanStreamOptions {
    match?: string | Buffer | undefined;
    type?: string | undefined;
    count?: number | string | undefined;
    /** HSCAN without values. */
    noValues?: boolean | undefined;
    highWaterMark?: number | undefined;
}

/** A defined script. Its sha and, when fixed, its number of keys are part of the cached prefix. */
declare class Script extends CommandSpec {
    #private;
    readonly script: number;
    /** What it was made from; duplicates of a client define it again. */
    readonly definition: ScriptDefinition;
    readonly lua: string;
    readonly sha: string;
    readonly numberOfKeys: number | undefined;
    /** Looks on at single calls: their arguments, and the reply when it is no error. */
    witness: ((args: readonly RedisValue[], reply: unknown) => void) | undefined;
    constructor(id: number, name: string, definition: ScriptDefinition);
    /** What stands before the arguments of a call: sha and number of keys. */
    get head(): (string | number)[];
    replyOf(args: readonly RedisValue[]): ReplyTransformer | undefined;
    keys(args: readonly RedisValue[]): RedisValue[];
    prefixKeys(args: RedisValue[], prefix: KeyPrefix): RedisValue[];
    /** Its keys, or the first of them: a queue names the same ones in every call, which is most of what there is to encode. */
    repeated(args: readonly RedisValue[]): Repeated | undefined;
    shown(args: readonly RedisValue[]): readonly RedisValue[];
    protected header(count: number): string;
}

/** What `defineCommand` takes. */
export declare interface ScriptDefinition {
    /** The Lua text. */
    readonly lua: string;
    /** How many of the arguments are keys. Without it the first argument of each call says so. */
    readonly numberOfKeys?: number | undefined;
    /** The script only reads: it may be repeated after a lost connection. */
    readonly readOnly?: boolean | undefined;
    /** Running it twice does the same as once: it may be repeated after a lost connection. Default false, but true for the scripts by which queue workers take and finish jobs. */
    readonly idempotent?: boolean | undefined;
}

/** Sends signed bytes; settles as the signature. */
declare function send(bytes: Uint8Array, how: object, options: CallOptions): Operation;

/** A `VersionedTransaction` that is signed, or a legacy `Transaction`. */
export declare interface SendableTransaction {
    serialize(config?: never): Uint8Array;
}

/** How the node handles a transaction; the fields are those of web3.js. */
export declare interface SendOptions {
    readonly skipPreflight?: boolean;
    /** Default: the pool's commitment. */
    readonly preflightCommitment?: 'processed' | 'confirmed' | 'finalized';
    /** How often the node itself sends it again. */
    readonly maxRetries?: number;
    readonly minContextSlot?: number;
}

/** Sends signed bytes and goes on repeating them; settles as the signature once a node has taken them. */
declare function sendRaw(bytes: Uint8Array, how: object, options: CallOptions): Operation;

/** Options of a send: the node's, the call's, and who signs a legacy transaction. */
export declare interface SendTransactionOptions extends SendOptions, CallOptions_2 {
    readonly signers?: readonly Signer[];
}

/** Where a sentinel listens. */
export declare interface SentinelAddress {
    /** Default 'localhost'. */
    host?: string | undefined;
    /** Default 26379. */
    port?: number | undefined;
    /** 4 or 6; default the client's `family`. */
    family?: number | undefined;
}

/** Options of a client whose server is named by sentinels. Times are milliseconds. */
export declare interface SentinelConnectionOptions {
    /** Sentinels to ask; more are learnt from them. Win over `host`, `port` and `path`. */
    sentinels?: readonly SentinelAddress[] | null | undefined;
    /** The master's name. Required with `sentinels`. */
    name?: string | null | undefined;
    /** What to connect to. Default 'master'. */
    role?: 'master' | 'slave' | undefined;
    sentinelUsername?: string | null | undefined;
    sentinelPassword?: string | null | undefined;
    /** TLS to the sentinels. */
    sentinelTLS?: TlsOptions | boolean | undefined;
    /** Whether `tls` holds for the server that sentinels name. Default false: without it the look-alike connects in the clear, as the peer does. */
    enableTLSForSentinelMode?: boolean | undefined;
    natMap?: NatMap | null | undefined;
    /** With role 'slave'. */
    preferredSlaves?: PreferredSlaves | null | undefined;
    /** Wait before round `times` when no sentinel answered; anything but a number ends the client. Default `min(times * 10, 1000)`. */
    sentinelRetryStrategy?: ((times: number) => number | void | null) | null | false | undefined;
    /** Wait before connecting again to a sentinel that `failoverDetector` listens to; anything but a number stops. Default 60000. */
    sentinelReconnectStrategy?: ((times: number) => number | void | null) | null | false | undefined;
    /** Learn further sentinels from those that answer. Default true. */
    updateSentinels?: boolean | undefined;
    /** Listen to sentinels, and leave the server as soon as one of them says that another has taken over. Default false. */
    failoverDetector?: boolean | undefined;
    /** Sentinels to listen to at most. Default 10. */
    sentinelMaxConnections?: number | undefined;
    /** For one command of a sentinel. Default `sentinelConnectTimeout`. */
    sentinelCommandTimeout?: number | undefined;
    /** For connecting to one sentinel. Default `connectTimeout`. */
    sentinelConnectTimeout?: number | undefined;
}

/** A replica as a sentinel describes it; more fields than these may be there. */
export declare interface SentinelReplica {
    readonly ip: string;
    readonly port: string;
    readonly flags?: string;
    readonly [field: string]: string | undefined;
}

/** One server as Rust describes it. */
declare interface ServerDescription {
    readonly address: string;
    readonly type: string;
    readonly setName?: string | null;
    readonly minWireVersion?: number | null;
    readonly maxWireVersion?: number | null;
}

/** The same functions under the name that the existing backend uses. */
export declare const SessionManager: Readonly<{
    withTransaction: typeof withTransaction;
    withSession: typeof withSession;
    getSessionStats: typeof getSessionStats;
}>;

/** How the session reaches operations: by the option `session` alone, or by itself. */
export declare type SessionMode = 'explicit' | 'ambient';

/** Counters of sessions and transactions. */
export declare interface SessionStats {
    /** Sessions that were started. */
    started: number;
    ended: number;
    /** Sessions that are open now. */
    open: number;
    transactions: ClientStats['transactions'];
    /** Operations that came after their transaction's deadline and were refused. */
    lateOperations: number;
}

declare namespace shape {
    export {
        isAccount,
        account,
        tokenAccounts,
        WithContext,
        AccountInfo,
        BlockhashInfo,
        SignatureStatus,
        TokenAmount,
        ParsedTokenAccount
    }
}

/** What the cluster contributes. */
declare interface ShardedHost extends EventEmitter {
    refreshSlotsCache(callback?: (error?: Error | null) => void): void;
    disconnect(reconnect?: boolean): void;
}

/** A connection per master with sharded subscriptions. */
declare class ShardedSubscribers {
    #private;
    constructor(host: ShardedHost, routes: Routes);
    /** From now on connections may be made. */
    start(): void;
    /** Drops all connections. Subscriptions are kept for the next start. */
    stop(): void;
    /** Runs SSUBSCRIBE or SUNSUBSCRIBE on the node of the channels' slot. */
    run(entry: Entry, slot: number | undefined): void;
    /** The slots were refreshed: subscriptions go where their slots are. */
    refreshed(eager: boolean): void;
}

/** A Redis client of this package: of `createRedisClient`, `redisClient`, or a `Redis`. */
export declare interface SharedLimitsClient {
    readonly status: string;
    closeFamily(deadlineMs?: number): Promise<void>;
}

/** How limits are shared. */
export declare interface SharedLimitsOptions {
    /** Where the limits are kept. Processes share what has the same endpoints (URLs and headers) on the same Redis, in the same database. */
    readonly redis: SharedLimitsClient;
    /**
     * The part of each limit, above 0 and up to 1, that this process uses while Redis is away or takes longer than 20 ms. Default: one part per process that Redis
     * last knew of; the whole limit when it never answered.
     */
    readonly localShare?: number;
}

/** Limits shared with other processes. */
export declare interface SharedLimitStats {
    /** Processes that share the limit of reads, this one included; null before Redis first answered. */
    readonly processes: number | null;
    /** Whether this process keeps to its own share of the reads, because Redis is away or slow or was until a moment ago. */
    readonly local: boolean;
}

/** Where the shutdown's lines go; `console`, pino and winston fit. */
export declare interface ShutdownLogger {
    info(message: string, ...details: unknown[]): unknown;
    error(message: string, ...details: unknown[]): unknown;
}

/** Options of {@link gracefulShutdown}. Unknown names are refused. */
export declare interface ShutdownOptions {
    /**
     * Milliseconds for everything. Default: below the kill time of the platform that is recognised by its environment variables: Kubernetes 25 000, PM2 1 400,
     * systemd 30 000, else 8 000 (Docker kills after 10 000).
     */
    readonly deadlineMs?: number;
    /** Why, for the report. Default `'requested'`. */
    readonly reason?: string;
    /** Job workers: closed first, so that running jobs end while every connection still serves them. */
    readonly workers?: readonly Closeable[];
    /** Queues and queue events: closed after the workers. */
    readonly queues?: readonly Closeable[];
    /** Exit the process afterwards: code 0 when clean, else 1. Default false. */
    readonly exit?: boolean;
    /** Default `console`. */
    readonly logger?: ShutdownLogger;
}

/** One phase of a shutdown. */
declare interface ShutdownPhase {
    /** `workers`, `queues`, `transactions`, `solana`, `redis` or `mongo`. */
    name: string
    /** Milliseconds it took. */
    elapsedMs: number
    /** Things closed or drained in it. */
    closed: number
    /** Operations that finished by themselves. */
    drained: number
    /** Operations cut at the deadline. */
    aborted: number
    /** Transactions whose end was not known then. */
    unconfirmed: Array<UnconfirmedTransaction>
}

/** What a shutdown did. */
export declare interface ShutdownReport {
    /** True when nothing was cut, nothing failed and the deadline was kept. */
    readonly clean: boolean;
    readonly reason: string;
    readonly deadlineMs: number;
    readonly elapsedMs: number;
    /** `workers`, `queues`, `transactions`, `solana`, `redis`, `mongo`, in this order. */
    readonly phases: readonly ShutdownPhase[];
    /** Transactions that pools were sending or following when they closed: `{ signature, bytes }`. The same bytes may be sent again. */
    readonly unconfirmed: readonly UnconfirmedTransaction[];
    /** What the closers of workers and queues threw. They never stop the plan. */
    readonly errors: readonly unknown[];
}

/** The status of a signature. */
export declare interface SignatureStatus {
    readonly slot: number;
    readonly confirmations: number | null;
    readonly err: unknown;
    readonly confirmationStatus?: 'processed' | 'confirmed' | 'finalized';
}

/** Something that signs, such as a `Keypair`. */
export declare interface Signer {
    readonly publicKey: {
        toBase58(): string;
    };
    readonly secretKey: Uint8Array;
}

/** One line of CLUSTER SLOTS: the nodes that serve `[start, end]`, the master first. */
declare interface SlotRange {
    readonly start: number;
    readonly end: number;
    readonly keys: readonly NodeKey[];
}

/** Slot → nodes. */
declare class SlotTable {
    #private;
    /** The nodes of each slot, the master first. Empty before the first refresh. */
    readonly slots: NodeKey[][];
    /** Slots with equal nodes have equal numbers: what one pipeline may touch. */
    readonly groups: (number | undefined)[];
    /** Whether a refresh has told of any slot. */
    get known(): boolean;
    /** Nodes of a slot; none when nobody is known to serve it. */
    nodes(slot: number | undefined): readonly NodeKey[] | undefined;
    /** Takes over what a refresh told. Slots that it does not name are nobody's; ranges of slots that do not exist are passed over. */
    replace(ranges: readonly SlotRange[]): void;
    /** MOVED: the slot has another master. The next refresh tells the rest. */
    move(slot: number, master: NodeKey): void;
}

/** A view of the connection with the names of `net.Socket`. */
declare class SocketView extends EventEmitter {
    #private;
    constructor(client: Redis);
    get writable(): boolean;
    get destroyed(): boolean;
    get remoteAddress(): string | undefined;
    get remotePort(): number | undefined;
    /** Drops the connection; it reconnects as after a loss. */
    destroy(): this;
    /** The same as `destroy`. */
    end(): this;
    /** Set by the option `noDelay` at connect. */
    setNoDelay(): this;
    /** Set by the option `keepAlive` at connect. */
    setKeepAlive(): this;
}

/** A sort order. */
export declare type Sort = string | readonly string[] | Readonly<Record<string, SortDirection>> | ReadonlyMap<string, SortDirection> | readonly (readonly [string, SortDirection])[] | readonly [string, SortDirection];

/** A direction of one field. */
export declare type SortDirection = 1 | -1 | 'asc' | 'desc' | 'ascending' | 'descending' | '1' | '-1' | {
    $meta: string;
};

/** Takes a command whose arguments are ready. */
declare const START: unique symbol;

/** Status texts by number, as `src/redis/connection.rs` numbers them. */
declare const STATUSES: readonly ["wait", "connecting", "connect", "ready", "close", "reconnecting", "end", "monitoring"];

/** Statuses of many signatures; settles as `{context, value}` text. */
declare function statuses(signatures: readonly string[], searchTransactionHistory: boolean, options: CallOptions): Operation;

/** Begins subscription `handle`; settles when a node has confirmed it. `how` is JSON text with the fields of `SubscribeArguments`. */
declare function subscribe(handle: number, how: string, options: CallOptions): Operation;

/** How a subscription is wanted. */
export declare interface SubscribeOptions {
    /** Ends it, as `close()` does. */
    readonly signal?: AbortSignal | undefined;
    /** Called for each gap, at its place among the notifications. */
    readonly onGap?: (gap: Gap) => void;
    /** Notifications that may wait; beyond it the oldest are dropped and counted. Those of signatures never are. Default 1024. */
    readonly queueMax?: number;
    /** Milliseconds `ready()` waits for the first confirmation. Default: the pool's `deadlineMs`. */
    readonly deadlineMs?: number;
    /** What integers become: `'bigint'` where `number` would lose digits beyond 2^53. Default `'number'`. */
    readonly integers?: 'bigint' | 'number';
}

/**
 * A subscription. Take its notifications by `for await`, or hand a listener to `listen`; one of both. It lasts until `close()`, until a `for await` is left, until
 * its signal fires, or until its end: a signature ends by itself, and parameters that nodes refuse end with their error.
 */
export declare interface Subscription<T = unknown> extends AsyncIterable<T>, AsyncDisposable {
    readonly kind: SubscriptionKind;
    /** Notifications dropped because nobody took them in time. */
    readonly dropped: number;
    /**
     * Resolves when a node has confirmed it for the first time.
     * @throws the node's refusal, which ends it; `MOORING_TIMEOUT` after `deadlineMs`: it goes on trying; `MOORING_ABORTED` when it was closed before.
     */
    ready(): Promise<void>;
    /** Calls `listener` for each notification from now on, those that wait first, and `onEnd` once at the end, with the error if there is one. */
    listen(listener: (notification: T) => void, onEnd?: (error?: Error) => void): this;
    /** The notifications. Leaving the loop closes the subscription. */
    [Symbol.asyncIterator](): AsyncIterator<T, undefined>;
    /** Ends it: no notification follows. Resolves when no node knows it any more, after a few seconds at most. Idempotent. */
    close(): Promise<void>;
    /** Keeps the process alive while the subscription lasts. Without it only a `next()` that waits does. */
    ref(): this;
    /** Lets the process go, also while a `next()` waits. */
    unref(): this;
}

/** A gap, and whose it is. */
export declare interface SubscriptionGap extends Gap {
    readonly kind: SubscriptionKind;
    readonly params: readonly unknown[];
}

/** What can be subscribed to: `accountSubscribe` and the like without the last part. */
export declare type SubscriptionKind = 'account' | 'logs' | 'program' | 'root' | 'signature' | 'slot';

/** Notifications by kind of subscription. */
export declare interface SubscriptionNotifications {
    readonly account: WithContext<NotifiedAccount>;
    readonly logs: WithContext<{
        readonly signature: string;
        readonly err: unknown;
        readonly logs: readonly string[] | null;
    }>;
    readonly program: WithContext<{
        readonly pubkey: string;
        readonly account: NotifiedAccount;
    }>;
    readonly root: number;
    /** The text only with `enableReceivedNotification` in `params`. */
    readonly signature: WithContext<{
        readonly err: unknown;
    } | 'receivedSignature'>;
    readonly slot: {
        readonly slot: number;
        readonly parent: number;
        readonly root: number;
    };
}

/** Channels by kind: what a client that is opened anew subscribes to again. */
declare class Subscriptions {
    #private;
    /** Follows an answered command of the subscribe family. */
    follow(command: string, channels: readonly RedisValue[]): void;
    /** Channels of one kind, as the peer's `condition.subscriber` shows them. */
    channels(kind: string): string[];
    /** Commands that restore everything. Shard channels may live in different slots, so each gets its own. */
    restore(): [Kind, RedisValue[]][];
    isEmpty(): boolean;
}

/** What a decision needs to know. */
declare interface Surroundings {
    readonly options: ResolvedClusterOptions;
    readonly delays: DelayQueue;
    /** Whether the cluster is there or will be again: a closed connection is then no end. */
    readonly goesOn: boolean;
    readonly refresh: (done?: () => void) => void;
}

/** TLS options. */
export declare interface TlsOptions {
    /** Replaces the system's roots. */
    ca?: Pem | undefined;
    /** Client certificate. */
    cert?: Pem | undefined;
    /** Key of the client certificate. */
    key?: Pem | undefined;
    /** Default true. */
    rejectUnauthorized?: boolean | undefined;
    /** Name asked for and checked; default the host. */
    servername?: string | undefined;
}

/** Token accounts of a parsed reply. */
declare function tokenAccounts<K extends PublicKeyLike | string>(wire: unknown, like: K): ParsedTokenAccount<K>[];

/** An amount of a token. */
export declare interface TokenAmount {
    readonly amount: string;
    readonly decimals: number;
    readonly uiAmount: number | null;
    readonly uiAmountString?: string;
}

/** `client.topology`: what Mongoose and others look at. Descriptions are fetched when they are read. */
export declare class Topology {
    #private;
    constructor(read: () => Description);
    get description(): TopologyDescription;
    /** The shape that Mongoose's `readyState` reads before each operation: cheap, no JSON. */
    get s(): {
        description: {
            readonly type: string;
            readonly heartbeatFrequencyMS: number;
        };
    };
    isConnected(): boolean;
}

/** The description with the shape of the Node driver's. */
export declare interface TopologyDescription {
    readonly type: string;
    readonly setName: string | null;
    readonly servers: Map<string, object>;
    readonly heartbeatFrequencyMS: number;
}

/** Follows a transaction; with bytes it is sent first. Settles as JSON text. */
declare function track(bytes: Uint8Array, how: object, options: CallOptions): Operation;

/** How a transaction ended. */
export declare interface Tracked {
    readonly signature: string;
    /** `landed`; `failed`: on chain with an error; `expired`: cannot land any more; `unknown`: the deadline came first. */
    readonly status: 'landed' | 'failed' | 'expired' | 'unknown';
    /** The slot it is in; with `unknown` the one where it was seen last, at less than the commitment asked for. */
    readonly slot: number | null;
    /** The transaction's own error. */
    readonly err: unknown;
    /** What its programs logged: of a failed one, when a node still has them. */
    readonly logs: readonly string[] | null;
}

/** How a transaction is followed. */
export declare interface TrackOptions {
    /** What has to be reached. Default `'confirmed'`. */
    readonly commitment?: Commitment;
    /** Past this block height it cannot land any more. Without it (and without bytes) only the deadline ends the wait. */
    readonly lastValidBlockHeight?: number;
    /** Endpoints that get each repetition. Default 2. */
    readonly fanout?: number;
}

/** What `session.transaction` shows. */
export declare class Transaction {
    state: TransactionState;
    /** As given. Typed `never` for the reason given at {@link ClientSession.serverSession}. */
    readonly options: never;
    constructor(options?: TransactionOptions);
    get isStarting(): boolean;
    get isActive(): boolean;
    get isCommitted(): boolean;
    /** Pinning is the server selection's business, in Rust. */
    get isPinned(): boolean;
    get recoveryToken(): undefined;
}

/** A transaction that is sent by a method of the pool, and how following it ended. Its bytes may be sent again at any time, by any process. */
export declare interface TransactionEvent {
    readonly signature: string;
    /** `sending` comes first; the others only for transactions that are followed. */
    readonly status: 'sending' | 'landed' | 'failed' | 'expired' | 'unknown';
    /** With `sending`: the signed bytes. */
    readonly bytes?: Buffer;
}

/** Where the line about a failed transaction goes; `console`, pino and winston fit. */
export declare interface TransactionLogger {
    error(message: string, ...details: unknown[]): unknown;
}

/** Options of a transaction, with the Node driver's names. */
export declare interface TransactionOptions {
    readConcern?: ReadConcernLike;
    writeConcern?: WriteConcernLike;
    readPreference?: ReadPreferenceLike;
    /** Milliseconds the server may take for the commit. */
    maxCommitTimeMS?: number;
}

/** Where a transaction stands; the names are the Node driver's. */
export declare type TransactionState = 'NO_TRANSACTION' | 'STARTING_TRANSACTION' | 'TRANSACTION_IN_PROGRESS' | 'TRANSACTION_COMMITTED' | 'TRANSACTION_ABORTED';

/** Runs `work` in a transaction by `run`, which calls `attempt` once for each attempt and `reset` after one that was rolled back. */
declare type TransactionWrapper = <T>(session: ClientSession, work: (session: ClientSession) => Promise<T>, run: (attempt: () => Promise<T>, reset: () => Promise<void>) => Promise<T>) => Promise<T>;

/** A transaction whose end was not known when its pool closed. The same bytes may be sent again at any time. */
declare interface UnconfirmedTransaction {
    /** Its signature. */
    signature: string
    /** Its bytes; absent when only the signature was followed. */
    bytes?: Buffer
}

/** Runs everything, in any order. */
export declare class UnorderedBulkOperation extends BulkOperation {
    /** @internal */
    constructor(collection: AnyCollection, options: BulkWriteOptions);
}

/** Ends subscription `handle`; settles when no node knows it any more. */
declare function unsubscribe(handle: number): Operation;

/** What an update did. */
export declare interface UpdateResult {
    acknowledged: boolean;
    matchedCount: number;
    modifiedCount: number;
    upsertedCount: number;
    upsertedId: unknown;
}

/** What an operation returns. */
declare type Value = Buffer | string | number | undefined;

/** What `explain` reports. */
export declare type Verbosity = 'queryPlanner' | 'queryPlannerExtended' | 'executionStats' | 'allPlansExecution';

/** Something that wants to be sent. */
declare interface Waiting {
    /** Sends it. */
    run(): void;
    reject(error: Error): void;
    /** Bytes of its arguments, about. */
    readonly bytes: number;
    /** When its `commandTimeout` ends, by `performance.now()`; 0 for never. */
    readonly expires: number;
}

/** A copy of `@solana/web3.js` 1.x, known by its `Connection`. */
export declare interface Web3Module {
    readonly Connection: new (...args: never[]) => object;
}

/** Under this symbol a Redis client shows its wire to the features that use its server. */
declare const WIRE: unique symbol;

/** Where a sentinel listens. */
declare interface WireAddress {
    /** Host name or address. */
    host: string
    /** TCP port. */
    port: number
    /** 4 or 6, if one was asked for. */
    family?: number
}

/** How a close went. */
declare interface WireCloseReport {
    /** Commands that were answered while it waited. */
    drained: number
    /** Commands that were cut. */
    aborted: number
}

/** How an endpoint is reached. */
export declare interface WireOptions {
    /** For `https` and `wss`, with Node's names. Default: the system's roots and Mozilla's, no client certificate. */
    readonly tls?: TlsOptions;
    /**
     * `http://`, `socks5://` (names looked up here) or `socks5h://` (by the proxy), with user and password if need be; `'env'` reads `HTTPS_PROXY`, `HTTP_PROXY`,
     * `ALL_PROXY` and `NO_PROXY`; `false` for none. Default: none, whatever the environment says.
     */
    readonly proxy?: string | false | ProxyRules;
}

/** A question that a function of the user's answers. */
declare interface WireQuestion {
    /** Name of the option that is the function. */
    kind: string
    /** Its argument as JSON. */
    argument: string
}

/** A look at a wire. */
declare interface WireStats {
    /** The status. */
    status: string
    /** Connection epoch. */
    generation: number
    /** Failed attempts since the last success. */
    retries: number
    /** Commands sent without an answer. */
    inFlight: number
    /** Commands that wait to be sent. */
    queued: number
    /** Their bytes. */
    queuedBytes: number
    /** Channels, patterns and shard channels subscribed to. */
    subscriptions: number
    /** Bytes of replies that wait to be drained. */
    backlog: number
    /** The server's address, while connected over TCP. */
    remoteAddress?: string
    /** The server's port. */
    remotePort?: number
}

/** The status after a synchronous call. */
declare interface WireTransition {
    /** `wait`, `connecting`, `connect`, `ready`, `close`, `reconnecting`, `end` or `monitoring`. */
    status: string
    /** Counts transitions: a status token with an older number is old news. */
    number: number
}

/** A value and the slot it was read at. */
export declare interface WithContext<T> {
    readonly context: {
        readonly slot: number;
        readonly apiVersion?: string;
    };
    readonly value: T;
}

/** A document as it is stored. */
export declare type WithId<T> = T & {
    _id: unknown;
};

/** Runs `fn` with a session and ends it on every path. */
export declare function withSession<T>(fn: (session: ClientSession) => Promise<T>, options?: WithSessionOptions): Promise<T>;

/** Options of {@link withSession}. Unknown names are refused. */
export declare interface WithSessionOptions extends ClientSessionOptions {
    /** Default: the client of `connectDB`, else the only open one. */
    client?: MongoClient;
    /** As in {@link WithTransactionOptions}. */
    session?: SessionMode;
    /** As in {@link WithTransactionOptions}. */
    forgottenSession?: ForgottenSession;
}

/**
 * Runs `fn` in a transaction and returns its value. Transient errors run it again; what it throws leaves by identity.
 *
 * @throws MooringError `MOORING_TIMEOUT` after `timeoutMs`, `MOORING_UNKNOWN_COMMIT` when the commit's outcome is unknown, `MOORING_CONFLICT` when a transient
 * conflict outlived the retries (both as the `cause` of the driver's error when a server answered), `MOORING_ABORTED` by `signal`, `MOORING_INVALID_ARGUMENT` for a bad option before any I/O.
 *
 * @example
 * const token = await withTransaction(async (session) => Token.findOneAndUpdate(filter, update, { session, returnDocument: 'after' }));
 */
export declare function withTransaction<T>(fn: (session: ClientSession) => Promise<T>, options?: WithTransactionOptions): Promise<T>;

/** Options of {@link withTransaction}. Unknown names are refused. */
export declare interface WithTransactionOptions extends TransactionOptions {
    /** Default: the client of `connectDB`, else the only open one. */
    client?: MongoClient;
    /** Attempts after the first, on transient errors only. Default 3. */
    maxRetries?: number;
    /** Milliseconds to wait before retry n is n times this. Default: the specification's backoff, 5 ms x 1.5^n with jitter, at most 500 ms. */
    retryDelayMs?: number;
    /** Milliseconds for one attempt: at its end the transaction is aborted on the server. Default 5 000. */
    timeoutMs?: number;
    /** Ends the transaction when it is aborted. */
    signal?: AbortSignal;
    /** Hears what `afterCommit` and `afterRollback` functions throw. Default: a process warning. */
    onHookError?: (error: unknown) => void;
    /** Default `console`. */
    logger?: TransactionLogger;
    /** `ambient`: operations in the callback that name no session take this one; `{ session: null }` opts out. Default `explicit`. */
    session?: SessionMode;
    /** What becomes of an operation on data in the callback that names no session. Default `warn`, once per call site. */
    forgottenSession?: ForgottenSession;
    /** Inside another `withTransaction` of the same client: take part in its transaction, by its limits and concerns, or open one of its own. Default `join`. */
    nested?: 'join' | 'requiresNew';
}

/** A write concern. */
export declare interface WriteConcernLike {
    w?: number | string;
    j?: boolean;
    journal?: boolean;
    wtimeout?: number;
    wtimeoutMS?: number;
}

/** One failed operation of a bulk write. */
export declare class WriteError {
    /** As the server sent it: with `keyPattern` and `keyValue` for a duplicate key. */
    readonly err: WriteFault;
    constructor(fault: WriteFault);
    get code(): number;
    get index(): number;
    get errmsg(): string;
    get errInfo(): object | undefined;
    getOperation(): object | undefined;
    toJSON(): {
        code: number;
        index: number;
        errmsg: string;
        op: object | undefined;
    };
    toString(): string;
}

/** A write error of the server's reply. */
declare interface WriteFault {
    readonly index: number;
    readonly code: number;
    readonly errmsg: string;
    readonly errInfo?: object;
    /** What was asked for. */
    readonly op?: object;
}

/** Options of updates, replacements and deletes. */
export declare interface WriteOptions extends OperationOptions {
    upsert?: boolean;
    arrayFilters?: readonly object[];
    collation?: object;
    hint?: string | object;
    let?: object;
    bypassDocumentValidation?: boolean;
    sort?: Sort;
    ordered?: boolean;
}

export { }
