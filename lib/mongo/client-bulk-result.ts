/**
 * @module mongo/client-bulk-result
 *
 * What a bulk write of the client did, with the members of the Node driver's `ClientBulkWriteResult`, and its errors. Counts and indexes are Rust's.
 */
import type { Document, Host } from './host.js';

/** What an insert did. */
export interface ClientInsertOneResult {
  insertedId: unknown;
}

/** What an update or a replacement did. */
export interface ClientUpdateResult {
  matchedCount: number;
  modifiedCount: number;
  /** Only if there was an upsert; it may be `null`. */
  upsertedId?: unknown;
  didUpsert: boolean;
}

/** What a delete did. */
export interface ClientDeleteResult {
  deletedCount: number;
}

/** What a bulk write did. The maps, by the place of the model, are there with `verboseResults` only. */
export interface ClientBulkWriteResult {
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

/** One write that failed, in `writeErrors` of a `MongoClientBulkWriteError`. */
export interface ClientBulkWriteError {
  code: number;
  message: string;
}

/** Facts about a bulk write that Rust's reply lacks. */
export interface ClientBulkContext {
  readonly ordered: boolean;
  readonly verbose: boolean;
  /** What a model does and, of an insert, the id of its document. */
  model(index: number): { name: string; insertedId?: unknown } | undefined;
}

/** Counts, results and errors as Rust reports them. Numbers are what the flags of the BSON library make of them. */
export interface ClientBulkReply {
  results: { index: unknown; n: unknown; nModified: unknown; upserted?: Document }[];
  writeErrors: { index: unknown; code?: unknown; message: string }[];
  writeConcernErrors: Document[];
  [count: string]: unknown;
}

const COUNTS = ['insertedCount', 'upsertedCount', 'matchedCount', 'modifiedCount', 'deletedCount'] as const;

/** What a bulk write did of which nobody wanted to hear. */
export function unacknowledged(): ClientBulkWriteResult {
  return { acknowledged: false, insertedCount: 0, upsertedCount: 0, matchedCount: 0, modifiedCount: 0, deletedCount: 0 };
}

/** The result that a reply holds. */
export function clientBulkResult(reply: ClientBulkReply, context: ClientBulkContext): ClientBulkWriteResult {
  const [insertedCount, upsertedCount, matchedCount, modifiedCount, deletedCount] = COUNTS.map((name) => Number(reply[name])) as [
    number, number, number, number, number,
  ]; // prettier-ignore
  const counts = { acknowledged: true, insertedCount, upsertedCount, matchedCount, modifiedCount, deletedCount };
  if (!context.verbose) return counts;
  const insertResults = new Map<number, ClientInsertOneResult>();
  const updateResults = new Map<number, ClientUpdateResult>();
  const deleteResults = new Map<number, ClientDeleteResult>();
  for (const { index: place, n, nModified, upserted } of reply.results) {
    const index = Number(place);
    const model = context.model(index);
    if (model?.name === 'insertOne') insertResults.set(index, { insertedId: model.insertedId });
    else if (model?.name.startsWith('delete') === true) deleteResults.set(index, { deletedCount: Number(n) });
    else updateResults.set(index, { matchedCount: Number(n), modifiedCount: Number(nModified), ...upsertOf(upserted) });
  }
  return { ...counts, insertResults, updateResults, deleteResults };
}

function upsertOf(upserted: Document | undefined): { didUpsert: boolean; upsertedId?: unknown } {
  return upserted === undefined ? { didUpsert: false } : { didUpsert: true, upsertedId: upserted['_id'] };
}

/**
 * The error of a bulk write. `behind` failed one of its commands as a whole: an error of the server is the cause of a `MongoClientBulkWriteError`, any other is the
 * error itself, as in the Node driver, and says what had been done as well.
 */
export function clientBulkError(host: Host, reply: ClientBulkReply, context: ClientBulkContext, behind: Error | undefined): Error {
  const partialResult = clientBulkResult(reply, context);
  if (behind !== undefined && !host.is(behind, 'MongoServerError')) return Object.assign(behind, { partialResult });
  const writeErrors = new Map<number, ClientBulkWriteError>(
    reply.writeErrors.map(({ index, code, message }) => [Number(index), { code: Number(code ?? 0), message }]),
  );
  const error = host.error(['MongoClientBulkWriteError', 'MongoServerError'], described(writeErrors.size > 0 && context.ordered, behind));
  if (behind !== undefined) Object.defineProperty(error, 'cause', { value: behind, enumerable: false, configurable: true, writable: true });
  return Object.assign(error, { writeErrors, writeConcernErrors: reply.writeConcernErrors, partialResult });
}

function described(stopped: boolean, behind: Error | undefined): Document {
  if (behind !== undefined) {
    const { code, codeName } = behind as { code?: unknown; codeName?: unknown };
    return { message: 'Mongo client bulk write encountered an error during execution', code, codeName };
  }
  if (stopped) return { message: 'Mongo client ordered bulk write encountered a write error.' };
  return { message: 'Mongo client bulk write encountered errors during execution.' };
}
