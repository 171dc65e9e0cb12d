/**
 * @module __tests__/mongo/unified/suites
 *
 * The suites of MongoDB's specifications that mooring is held to, and what of them it does not pass. The files come from a checkout of
 * `mongodb/specifications`, named by `MOORING_SPEC_DIR`; none is committed.
 */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { readTestFiles, type TestFile } from './format';
import { type Outcome, Runner } from './runner';

/** Suite → its folder in the checkout. */
export const SUITES: Readonly<Record<string, string>> = {
  transactions: 'transactions/tests/unified',
  'transactions-convenient-api': 'transactions-convenient-api/tests/unified',
  sessions: 'sessions/tests',
  'retryable-writes': 'retryable-writes/tests/unified',
  'retryable-reads': 'retryable-reads/tests/unified',
  crud: 'crud/tests/unified',
  'command-monitoring': 'command-logging-and-monitoring/tests/monitoring',
  'change-streams': 'change-streams/tests/unified',
};

const NEW_SESSION =
  'a read that is sent again takes another session than its first attempt: the crate has one for each and drops the dirty one';
const OWN_LANE = 'writes without a session have sessions of their own, apart from those of reads';
const NODES_RESULT = 'there is a partial result in any case, as in the Node driver';
const NO_SORT = 'the server behind the stand-in does not know it';
const NULL_ID = 'an `_id` that is null is replaced by a new one, as in the Node driver';

/** Applicable tests that do not pass, by `suite/file | description`, each with its reason; the same list is in `docs/compatibility.md`. */
export const KNOWN: ReadonlyMap<string, string> = new Map<string, string>([
  ['sessions/driver-sessions-dirty-session-errors.json | Dirty implicit session is discarded (read returning cursor)', NEW_SESSION],
  ['sessions/driver-sessions-dirty-session-errors.json | Dirty implicit session is discarded (read not returning cursor)', NEW_SESSION],
  ['sessions/driver-sessions-server-support.json | Server supports implicit sessions', OWN_LANE],
  ['crud/create-null-ids.json | inserting _id with type null via insertOne', NULL_ID],
  ['crud/create-null-ids.json | inserting _id with type null via insertMany', NULL_ID],
  ['crud/create-null-ids.json | inserting _id with type null via bulkWrite', NULL_ID],
  [
    'client-bulkWrite/client-bulkWrite-partialResults.json | partialResult is unset when first operation fails during an ordered bulk write (verbose)',
    NODES_RESULT,
  ],
  [
    'client-bulkWrite/client-bulkWrite-partialResults.json | partialResult is unset when first operation fails during an ordered bulk write (summary)',
    NODES_RESULT,
  ],
  [
    'client-bulkWrite/client-bulkWrite-partialResults.json | partialResult is unset when all operations fail during an unordered bulk write',
    NODES_RESULT,
  ],
  [
    'client-bulkWrite/client-bulkWrite.json | client bulkWrite with writeConcern in a transaction causes a transaction error',
    'it is dropped, as in the Node driver',
  ],
  ['client-bulkWrite/client-bulkWrite-updateOne-sort.json | client bulkWrite updateOne with sort option', NO_SORT],
  ['client-bulkWrite/client-bulkWrite-replaceOne-sort.json | client bulkWrite replaceOne with sort option', NO_SORT],
]);

/** The tests of `clientBulkWrite`, which need a server 8.0: on a stand-in, if they are asked for by this name. */
export const ON_STAND_IN = 'client-bulkWrite';

/** The files of a suite. */
export function suiteFiles(checkout: string, suite: string): TestFile[] {
  if (suite === ON_STAND_IN) {
    const all = Object.keys(SUITES).flatMap((each) => suiteFiles(checkout, each));
    return all.filter(({ name }) => name.includes('client-bulkWrite'));
  }
  return readTestFiles(join(checkout, 'source', SUITES[suite] ?? suite));
}

/** Runs files; each outcome is also a JSON line in the file that `MOORING_SPEC_OUT` names. */
export async function runFiles(uri: string, suite: string, files: readonly TestFile[]): Promise<Outcome[]> {
  const { MOORING_SPEC_OUT: out, MOORING_SPEC_ONLY: only } = process.env;
  const runner = await Runner.connect(uri);
  const outcomes: Outcome[] = [];
  try {
    for (const file of files) {
      for await (const outcome of runner.run(file, only)) {
        outcomes.push({ ...outcome, name: `${suite}/${outcome.name}` });
        if (out !== undefined) appendFileSync(out, `${JSON.stringify({ suite, ...outcome })}\n`);
      }
    }
  } finally {
    await runner.close();
  }
  return outcomes;
}
