/**
 * @module __tests__/mongo/fixture
 *
 * What the MongoDB tests share: the replica set's URI with a database of the file's own, fail points, and the server's own view of what is open.
 */
import { type Document, MongoClient, type MongoClientOptions } from '../../dist/index.js';

/** The URI of the replica set, for database `name`. */
export function uriFor(name: string): string {
  return (process.env['MONGODB_URI'] ?? '').replace(/^(mongodb:\/\/[^/?]+)(\/[^?]*)?/, `$1/${name}`);
}

/** A connected client with an empty database. */
export async function connected(name: string, options: MongoClientOptions = {}): Promise<MongoClient> {
  const client = await new MongoClient(uriFor(name), options).connect();
  await client.db().dropDatabase();
  return client;
}

/** Sets the fail point `failCommand`; `mode` is `{ times: n }`, `'alwaysOn'` or `'off'`. */
export async function failCommand(client: MongoClient, mode: object | string, data: object = {}): Promise<void> {
  await client.db('admin').command({ configureFailPoint: 'failCommand', mode, ...(mode === 'off' ? {} : { data }) });
}

/** Transactions that the server has open. */
export async function openTransactions(client: MongoClient): Promise<number> {
  const { transactions } = (await client.db('admin').command({ serverStatus: 1 })) as { transactions: { currentOpen: number } };
  return transactions.currentOpen;
}

/** Waits until `condition` holds; fails after `limitMs`. */
export async function until(condition: () => boolean | Promise<boolean>, limitMs = 5_000): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`condition did not hold within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What `run` throws or rejects with. */
export async function failureOf(run: () => unknown): Promise<Error & Document> {
  try {
    await run();
  } catch (error) {
    return error as Error & Document;
  }
  throw new Error('the call was expected to fail');
}

/** A logger that keeps its lines. */
export function recorder(): { lines: string[]; error(message: string): void } {
  const lines: string[] = [];
  return { lines, error: (message) => void lines.push(message) };
}
