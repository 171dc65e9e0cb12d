/**
 * @module __tests__/mongo/unified/unified.test
 *
 * MongoDB's specification tests over mooring's API, and the proof that the runner finds what is wrong: files of ours of which some must fail. Without
 * `MOORING_SPEC_DIR` only the latter run, and it is said.
 */
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { uriFor } from '../fixture';
import { readTestFile } from './format';
import type { Outcome } from './runner';
import { StandIn } from './stand-in';
import { KNOWN, ON_STAND_IN, runFiles, suiteFiles, SUITES } from './suites';

const OWN = join(__dirname, 'own');
const SUITE_LIMIT_MS = 30 * 60_000;
const uri = (): string => uriFor('admin');
const { MOORING_SPEC_DIR: checkout, MOORING_SPEC_SUITES: chosen, MOORING_SPEC_ONLY: only } = process.env;

function reasons(outcomes: readonly Outcome[]): Record<string, string | undefined> {
  return Object.fromEntries(outcomes.map(({ name, state, reason }) => [name.replace(/^.* \| /, ''), state === 'pass' ? 'pass' : reason]));
}

test('passes what holds: results, errors, events, entities, fail points, transactions', async () => {
  const outcomes = await runFiles(uri(), 'own', [readTestFile(OWN, 'holds.json')]);
  expect(outcomes.map(({ state, reason }) => reason ?? state)).toEqual([
    'pass', 'pass', 'pass', 'pass', 'pass', 'pass',
    'server 99.0 or newer', 'topology sharded', 'the file says: to show that skipped tests are told',
  ]); // prettier-ignore
});

test('fails what does not hold, and says where', async () => {
  const outcomes = await runFiles(uri(), 'own', [readTestFile(OWN, 'does-not-hold.json')]);
  expect(reasons(outcomes)).toMatchObject({
    'another result': expect.stringContaining('collection0.find[0].x.y: expected'),
    'a field too many below the root': expect.stringContaining('not expected: y'),
    'an error that does not come': expect.stringContaining('expected an error'),
    'an error that is not expected': expect.stringContaining('E11000'),
    'another label': expect.stringContaining('with the label TransientTransactionError'),
    'an event too few': expect.stringContaining('expected 2 events'),
    'an event too many': expect.stringContaining('expected 0 events'),
    'another field in a command': expect.stringContaining('command.insert'),
    'another outcome': expect.stringContaining('outcome of mooring_unified.own'),
    'an operation that does not exist': expect.stringContaining('is not supported by this runner'),
    'an entity that does not exist': expect.stringContaining('is not defined'),
  });
  expect(outcomes.filter(({ state }) => state !== 'fail')).toEqual([]);
});

test('refuses a file of a newer format', async () => {
  const file = { ...readTestFile(OWN, 'holds.json'), schemaVersion: '2.0' };
  const [first] = await runFiles(uri(), 'own', [file]);
  expect(first).toMatchObject({ state: 'fail', reason: expect.stringContaining('schema version 2.0 is not supported') });
});

if (checkout === undefined || checkout === '') {
  process.stderr.write(
    'MOORING_SPEC_DIR is not set: the tests of the MongoDB specifications do not run, only those of the runner itself (node dev/suites/mongospec.mjs <checkout>)\n',
  );
} else {
  test.each(
    chosen === undefined ? Object.keys(SUITES) : [...Object.keys(SUITES), ON_STAND_IN].filter((suite) => chosen.split(',').includes(suite)),
  )(
    'specification suite %s',
    async (suite) => {
      const outcomes = await outcomesOf(suite, checkout);
      const failed = outcomes.filter(({ state }) => state === 'fail');
      expect(failed.filter(({ name }) => !KNOWN.has(name)).map(({ name, reason }) => `${name}: ${reason}`)).toEqual([]);
      // A known failure that is none any more must leave the list.
      const names = new Set(failed.map(({ name }) => name));
      const stale = [...KNOWN.keys()].filter((name) => name.startsWith(`${suite}/`) && !names.has(name));
      expect(only === undefined ? stale : []).toEqual([]);
    },
    SUITE_LIMIT_MS,
  );
}

async function outcomesOf(suite: string, from: string): Promise<Outcome[]> {
  const files = suiteFiles(from, suite);
  if (suite !== ON_STAND_IN) return runFiles(uri(), suite, files);
  const server = await StandIn.start(uri());
  try {
    return await runFiles(server.uri, suite, files);
  } finally {
    await server.stop();
  }
}
