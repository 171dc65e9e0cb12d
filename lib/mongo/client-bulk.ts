/**
 * @module mongo/client-bulk
 *
 * Bulk writes of the client: checks and shapes the models; batching, retries, cursors and merging of results are Rust's.
 * Guarantees: a model that the Node driver would refuse is refused before any I/O, also where that driver has sent earlier ones by then.
 */
import type { MongoClient } from './client.js';
import {
  type ClientBulkContext,
  type ClientBulkReply,
  clientBulkResult,
  type ClientBulkWriteResult,
  unacknowledged,
} from './client-bulk-result.js';
import type { InsertOptions } from './collection-options.js';
import { giveId, hasOperators } from './document.js';
import { concerns } from './concern.js';
import { refuse } from './errors.js';
import { BSON_OPTION_NAMES, type BsonOptions, type Document } from './host.js';
import { Opcode, pick } from './operation.js';
import { refuseKnown } from './refused.js';
import { type Sort, sortDocument } from './sort.js';

/** What all models have. */
export interface ClientWriteModel {
  /** `database.collection`. */
  namespace: string;
}
/** Inserts a document. */
export interface ClientInsertOneModel extends ClientWriteModel {
  name: 'insertOne';
  document: object;
}
/** Updates the first document that matches. */
export interface ClientUpdateOneModel extends ClientWriteModel {
  name: 'updateOne';
  filter: object;
  update: object | readonly object[];
  arrayFilters?: readonly object[];
  collation?: object;
  hint?: string | object;
  upsert?: boolean;
  sort?: Sort;
}
/** Updates all documents that match. */
export interface ClientUpdateManyModel extends Omit<ClientUpdateOneModel, 'name' | 'sort'> {
  name: 'updateMany';
}
/** Replaces the first document that matches. */
export interface ClientReplaceOneModel extends Omit<ClientUpdateOneModel, 'name' | 'update' | 'arrayFilters'> {
  name: 'replaceOne';
  replacement: object;
}
/** Deletes the first document that matches. */
export interface ClientDeleteOneModel extends ClientWriteModel {
  name: 'deleteOne';
  filter: object;
  collation?: object;
  hint?: string | object;
}
/** Deletes all documents that match. */
export interface ClientDeleteManyModel extends Omit<ClientDeleteOneModel, 'name'> {
  name: 'deleteMany';
}
/** One write of {@link MongoClient.bulkWrite}. */
export type AnyClientBulkWriteModel =
  | ClientInsertOneModel
  | ClientUpdateOneModel
  | ClientUpdateManyModel
  | ClientReplaceOneModel
  | ClientDeleteOneModel
  | ClientDeleteManyModel;

/** Options of {@link MongoClient.bulkWrite}. */
export interface ClientBulkWriteOptions extends Omit<InsertOptions, 'forceServerObjectId'> {
  let?: object;
  /** Results of the single writes as well. Default: counts only. */
  verboseResults?: boolean;
}

const FIELDS: Readonly<Record<string, readonly string[]>> = {
  updateOne: ['filter', 'update', 'upsert', 'arrayFilters', 'collation', 'hint'],
  updateMany: ['filter', 'update', 'upsert', 'arrayFilters', 'collation', 'hint'],
  replaceOne: ['filter', 'replacement', 'upsert', 'collation', 'hint'],
  deleteOne: ['filter', 'collation', 'hint'],
  deleteMany: ['filter', 'collation', 'hint'],
};
const SORTED = new Set(['updateOne', 'replaceOne']);
const OPTIONS = ['ordered', 'bypassDocumentValidation', 'comment', 'let', 'maxTimeMS', 'verboseResults'] as const;
const ATOMIC = 'atomic modifiers (start with $) and must not be empty.';

/** Runs a bulk write of the client. */
export async function clientBulkWrite(
  client: MongoClient,
  models: readonly AnyClientBulkWriteModel[],
  options: ClientBulkWriteOptions,
): Promise<ClientBulkWriteResult> {
  const { operations } = client;
  refuseKnown(Opcode.clientBulkWrite, options, (name, message) => operations.refuse(name, message));
  if (!Array.isArray(models)) throw operations.refuse('models', 'Argument "models" must be an array of models');
  if (models.length === 0)
    throw refuse(client.host, 'models', 'No client bulk write models were provided.', 'MongoClientBulkWriteExecutionError');
  const bson: BsonOptions = { ...client.bsonOptions, ...(pick(options, BSON_OPTION_NAMES) as BsonOptions) };
  const concern = concerns(options, client.concerns, ['writeConcern']);
  refuseUnacknowledged(client, concern, options);
  const shaped = (models as readonly AnyClientBulkWriteModel[]).map((model, index) => shape(client, model, index, bson));
  const clientBulk: ClientBulkContext = {
    ordered: options.ordered !== false,
    verbose: options.verboseResults === true,
    model: (index) => describe(shaped[index]),
  };
  const { session, signal, timeoutMS } = options;
  const body = { models: shaped, options: { ...pick(options, OPTIONS), ...concern } };
  const reply = await operations.run({ opcode: Opcode.clientBulkWrite, body, session, signal, timeoutMS, bson, clientBulk });
  if (reply === undefined) return unacknowledged();
  return clientBulkResult(operations.decode(reply as Buffer, { ...bson, raw: false }) as ClientBulkReply, clientBulk);
}

function refuseUnacknowledged(client: MongoClient, concern: Document, options: ClientBulkWriteOptions): void {
  if ((concern['writeConcern'] as { w?: unknown } | undefined)?.w !== 0) return;
  const message = 'Cannot request unacknowledged write concern and';
  if (options.verboseResults === true) throw client.operations.refuse('verboseResults', `${message} verbose results`);
  if (options.ordered !== false) throw client.operations.refuse('ordered', `${message} ordered writes`);
}

/** A model as Rust takes it. */
function shape(client: MongoClient, model: unknown, index: number, bson: BsonOptions): Document {
  const wrong = (what: string): Error => client.operations.refuse('models', `model ${index} ${what}`);
  if (typeof model !== 'object' || model === null) throw wrong('must be an object');
  const given = model as Document;
  const { name, namespace } = given;
  if (typeof namespace !== 'string' || !/^[^.]+\../.test(namespace)) throw wrong('must have a namespace of the form database.collection');
  if (name === 'insertOne') return { name, namespace, document: insertion(client, given['document'], wrong, bson) };
  const fields = typeof name === 'string' && Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
  if (fields === undefined) throw wrong(`has no name of insertOne, ${Object.keys(FIELDS).join(', ')}`);
  if (typeof given['filter'] !== 'object' || given['filter'] === null) throw wrong('must have a filter');
  checkChange(client, given, bson);
  const shaped = { name, namespace, ...pick(given, fields) };
  if (!SORTED.has(name as string)) return shaped;
  const sort = sortDocument(given['sort'], undefined, (message) => client.operations.refuse('sort', message));
  return sort === undefined ? shaped : { ...shaped, sort };
}

function insertion(client: MongoClient, document: unknown, wrong: (what: string) => Error, bson: BsonOptions): object {
  if (typeof document !== 'object' || document === null) throw wrong('must have a document');
  const { pkFactory, forceServerObjectId, host } = client;
  giveId(document, forceServerObjectId === true ? undefined : () => pkFactory?.createPk() ?? new host.bson.ObjectId());
  // The body holds filters and updates too: documents are checked by themselves.
  if (bson.checkKeys === true) host.bson.serialize(document, { checkKeys: true });
  return document;
}

function checkChange(client: MongoClient, { name, update, replacement }: Document, bson: BsonOptions): void {
  const refuseModel = (argument: string, message: string): Error => refuse(client.host, argument, message, 'MongoAPIError');
  if (name === 'replaceOne') {
    const isDocument = typeof replacement === 'object' && replacement !== null && !Array.isArray(replacement);
    if (isDocument && !hasOperators(replacement)) return;
    throw refuseModel('replacement', `Client bulk write replace models must not contain ${ATOMIC}`);
  }
  if (name !== 'updateOne' && name !== 'updateMany') return;
  if (!hasOperators(update)) throw refuseModel('update', `Client bulk write update models must only contain ${ATOMIC}`);
  if (bson.ignoreUndefined === true && !Array.isArray(update) && Object.values(update as Document).every((value) => value === undefined))
    throw client.operations.refuse(
      'update',
      'Update operations require that all atomic operators have defined values, but none were provided.',
    );
}

function describe(model: Document | undefined): ReturnType<ClientBulkContext['model']> {
  if (model === undefined) return undefined;
  const { name, document } = model as { name: string; document?: Document | Map<string, unknown> };
  return { name, insertedId: document instanceof Map ? document.get('_id') : document?.['_id'] };
}
