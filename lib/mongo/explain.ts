/**
 * @module mongo/explain
 *
 * The option `explain` of operations that are not cursors: the command that the operation would send, explained.
 */
import type { AnyCollection } from './collection.js';
import type { CountOptions, FindOneAndOptions, OperationOptions, WriteOptions } from './collection-options.js';
import { statementOf } from './bulk.js';
import type { Document } from './host.js';
import { pick } from './operation.js';
import { checkGiven } from './given.js';
import { REFUSED, refuseKnown } from './refused.js';
import { sortDocument } from './sort.js';

/** What `explain` reports. */
export type Verbosity = 'queryPlanner' | 'queryPlannerExtended' | 'executionStats' | 'allPlansExecution';
/** The option: a verbosity, or `true` for all plans. */
export type Explain = Verbosity | boolean | { verbosity: Verbosity; maxTimeMS?: number };

/** Whether an operation is asked to explain itself. */
export function isExplained(options: object): boolean {
  checkGiven(options);
  const { explain } = options as { explain?: unknown };
  return explain !== undefined && explain !== null && explain !== false;
}

/** The command `explain` around another. */
export function explainCommand(command: object, explain: Explain): Document {
  if (typeof explain !== 'object')
    return { explain: command, verbosity: explain === true ? 'allPlansExecution' : explain === false ? 'queryPlanner' : explain };
  return { explain: command, ...pick(explain, ['verbosity', 'maxTimeMS']) };
}

const BESIDE = ['let', 'comment', 'bypassDocumentValidation', 'collation'] as const;

/** Explains an update or a delete; `operation` is it as a bulk write has it. */
export function explainWrite(collection: AnyCollection, operation: Document, options: WriteOptions): Promise<Document> {
  const [[name, given] = ['', {}]] = Object.entries(operation) as [string, Document][];
  const deletes = name.startsWith('delete');
  const known = pick(options, deletes ? ['collation', 'hint'] : ['upsert', 'arrayFilters', 'collation', 'hint', 'sort']);
  const statement = statementOf({ [name]: { ...given, ...known } });
  const command = {
    [deletes ? 'delete' : 'update']: collection.collectionName,
    [deletes ? 'deletes' : 'updates']: [statement],
    ...pick(options, ['let', 'comment', ...(deletes ? [] : ['bypassDocumentValidation'])]),
  };
  return explained(collection, command, options);
}

/** Explains a findAndModify. */
export function explainFindAndModify(collection: AnyCollection, body: Document, options: FindOneAndOptions): Promise<Document> {
  const { filter, update } = body;
  const sort = sortDocument(options.sort, undefined, (message) => collection.refuse('sort', message));
  const command = {
    findAndModify: collection.collectionName,
    query: filter,
    ...(update === undefined ? { remove: true } : { update, new: options.returnDocument === 'after' }),
    ...pick({ sort, fields: options.projection }, ['sort', 'fields']),
    ...pick(options, update === undefined ? ['hint', ...BESIDE] : ['upsert', 'arrayFilters', 'hint', ...BESIDE]),
  };
  return explained(collection, command, options);
}

/** Explains a distinct. */
export function explainDistinct(
  collection: AnyCollection,
  body: { key: string; filter: object },
  options: OperationOptions,
): Promise<Document> {
  const command = {
    distinct: collection.collectionName,
    key: body.key,
    query: body.filter,
    ...pick(options, ['collation', 'hint', 'comment']),
  };
  return explained(collection, command, options);
}

function explained(collection: AnyCollection, command: object, options: OperationOptions): Promise<Document> {
  const { explain } = options as { explain: Explain };
  refuseKnown(REFUSED.everywhere, options, (name, message) => collection.refuse(name, message));
  // The server explains without writing: it takes no write concern.
  return collection.db.command(explainCommand(command, explain), pick(options, ['session', 'signal', 'timeoutMS']));
}

/** Explains a count by the aggregation that counts so. */
export async function explainCount(collection: AnyCollection, body: object, options: CountOptions): Promise<Document> {
  const { explain, skip, limit, ...others } = options;
  const { filter } = body as { filter?: object };
  if (filter === undefined) throw collection.refuse('explain', 'Option "explain" is not supported on this command');
  const paging = [...(skip === undefined ? [] : [{ $skip: skip }]), ...(limit === undefined ? [] : [{ $limit: limit }])];
  const pipeline = [{ $match: filter }, ...paging, { $group: { _id: 1, n: { $sum: 1 } } }];
  return collection.aggregate(pipeline, others).explain(explain);
}
