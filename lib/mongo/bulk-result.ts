/**
 * @module mongo/bulk-result
 *
 * What a bulk write did, with the members of the Node driver's `BulkWriteResult` and `WriteError` (which the driver does not export at run time).
 */

/** Counts as Rust reports them. */
export interface BulkCounts {
  insertedCount?: number;
  matchedCount?: number;
  modifiedCount?: number;
  deletedCount?: number;
  upsertedCount?: number;
  upsertedIds?: Record<string, unknown>;
}

/** Facts about a bulk write that the server's reply lacks. */
export interface BulkContext {
  readonly ordered: boolean;
  readonly insertedIds: readonly { index: number; _id: unknown }[];
  /** What was asked for at an index, as the server's command says it. */
  operation(index: number): object;
}

/** A write error of the server's reply. */
export interface WriteFault {
  readonly index: number;
  readonly code: number;
  readonly errmsg: string;
  readonly errInfo?: object;
  /** What was asked for. */
  readonly op?: object;
}

/** One failed operation of a bulk write. */
export class WriteError {
  /** As the server sent it: with `keyPattern` and `keyValue` for a duplicate key. */
  readonly err: WriteFault;

  constructor(fault: WriteFault) {
    this.err = fault;
  }
  get code(): number {
    return this.err.code;
  }
  get index(): number {
    return this.err.index;
  }
  get errmsg(): string {
    return this.err.errmsg;
  }
  get errInfo(): object | undefined {
    return this.err.errInfo;
  }
  getOperation(): object | undefined {
    return this.err.op;
  }
  toJSON(): { code: number; index: number; errmsg: string; op: object | undefined } {
    return { code: this.code, index: this.index, errmsg: this.errmsg, op: this.err.op };
  }
  toString(): string {
    return `WriteError(${JSON.stringify(this.toJSON())})`;
  }
}

/** Errors of a bulk write. */
export interface BulkFaults {
  readonly writeErrors: readonly WriteError[];
  readonly writeConcernErrors: readonly object[];
}

/** What a bulk write did. */
export class BulkWriteResult {
  readonly insertedCount: number;
  readonly matchedCount: number;
  readonly modifiedCount: number;
  readonly deletedCount: number;
  readonly upsertedCount: number;
  readonly upsertedIds: Record<number, unknown>;
  readonly insertedIds: Record<number, unknown>;
  readonly result: object;
  readonly #faults: BulkFaults;

  /** @internal */
  constructor(counts: BulkCounts, bulk: BulkContext, faults: BulkFaults = { writeErrors: [], writeConcernErrors: [] }) {
    this.#faults = faults;
    this.insertedCount = counts.insertedCount ?? 0;
    this.matchedCount = counts.matchedCount ?? 0;
    this.modifiedCount = counts.modifiedCount ?? 0;
    this.deletedCount = counts.deletedCount ?? 0;
    this.upsertedCount = counts.upsertedCount ?? 0;
    this.upsertedIds = Object.fromEntries(Object.entries(counts.upsertedIds ?? {}).map(([index, id]) => [Number(index), id]));
    this.insertedIds = Object.fromEntries(inserted(bulk, faults).map(({ index, _id }) => [index, _id]));
    const upserted = Object.entries(this.upsertedIds).map(([index, _id]) => ({ index: Number(index), _id }));
    this.result = {
      ok: 1,
      ...faults,
      insertedIds: bulk.insertedIds,
      nInserted: this.insertedCount,
      nUpserted: this.upsertedCount,
      nMatched: this.matchedCount,
      nModified: this.modifiedCount,
      nRemoved: this.deletedCount,
      upserted,
    };
    Object.defineProperty(this, 'result', { enumerable: false });
  }

  get ok(): number {
    return 1;
  }
  isOk(): boolean {
    return true;
  }
  getRawResponse(): object {
    return this.result;
  }
  getUpsertedIdAt(index: number): unknown {
    return this.upsertedIds[index];
  }
  hasWriteErrors(): boolean {
    return this.#faults.writeErrors.length > 0;
  }
  getWriteErrorCount(): number {
    return this.#faults.writeErrors.length;
  }
  getWriteErrorAt(index: number): WriteError | undefined {
    return this.#faults.writeErrors[index];
  }
  getWriteErrors(): readonly WriteError[] {
    return this.#faults.writeErrors;
  }
  getWriteConcernError(): object | undefined {
    return this.#faults.writeConcernErrors[0];
  }
}

/** Ids of the documents that are really there. */
function inserted(bulk: BulkContext, faults: BulkFaults): readonly { index: number; _id: unknown }[] {
  const [first] = faults.writeErrors;
  if (first === undefined) return bulk.insertedIds;
  if (bulk.ordered) return bulk.insertedIds.filter(({ index }) => index < first.index);
  const failed = new Set(faults.writeErrors.map(({ index }) => index));
  return bulk.insertedIds.filter(({ index }) => !failed.has(index));
}
