/** @module __tests__/mongo/explain: the option `explain` of every operation that has a plan, and its refusal where there is none. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Collection, type Document, type MongoClient } from '../../dist/index.js';
import { connected, failureOf } from './fixture';

let client: MongoClient;
let items: Collection;

beforeAll(async () => {
  client = await connected('mooring_explain');
  items = client.db().collection('items');
  await items.insertMany([{ _id: 1 }, { _id: 2 }]);
});
afterAll(() => client.close());

const OPTIONS = { explain: 'queryPlanner' } as const;
const PLANNED: [string, () => Promise<unknown>][] = [
  ['find', async () => (await items.find({}, { explain: true }).toArray())[0]],
  ['findOne', () => items.findOne({ _id: 1 }, OPTIONS)],
  ['aggregate', async () => (await items.aggregate([{ $match: {} }], OPTIONS).toArray())[0]],
  ['distinct', () => items.distinct('_id', {}, OPTIONS)],
  ['updateOne', () => items.updateOne({ _id: 1 }, { $set: { a: 1 } }, { ...OPTIONS, upsert: true })],
  ['updateMany', () => items.updateMany({}, { $set: { a: 1 } }, OPTIONS)],
  ['replaceOne', () => items.replaceOne({ _id: 1 }, { a: 1 }, OPTIONS)],
  ['deleteOne', () => items.deleteOne({ _id: 1 }, OPTIONS)],
  ['deleteMany', () => items.deleteMany({}, OPTIONS)],
  ['findOneAndUpdate', () => items.findOneAndUpdate({ _id: 1 }, { $set: { a: 1 } }, OPTIONS)],
  ['findOneAndReplace', () => items.findOneAndReplace({ _id: 1 }, { a: 1 }, OPTIONS)],
  ['findOneAndDelete', () => items.findOneAndDelete({ _id: 1 }, { ...OPTIONS, sort: { _id: -1 } })],
  ['find().explain()', () => items.find({ _id: 1 }).limit(1).explain({ verbosity: 'executionStats', maxTimeMS: 1000 })],
];

test.each(PLANNED)('%s tells its plan and changes nothing', async (_name, run) => {
  const plan = (await run()) as Document;
  expect(plan['queryPlanner']).toMatchObject({ winningPlan: expect.any(Object) });
  expect(await items.find().toArray()).toEqual([{ _id: 1 }, { _id: 2 }]);
});

test.each<[string, () => Promise<unknown>]>([
  ['insertOne', () => items.insertOne({}, OPTIONS)],
  ['insertMany', () => items.insertMany([{}], OPTIONS)],
  ['bulkWrite', () => items.bulkWrite([{ deleteOne: { filter: {} } }], OPTIONS)],
  ['estimatedDocumentCount', () => items.estimatedDocumentCount(OPTIONS)],
])('%s refuses it', async (_name, run) => {
  expect((await failureOf(run)).message).toContain('explain');
});

test('countDocuments tells the plan of its aggregation', async () => {
  const plan = (await items.countDocuments({ _id: 1 }, { ...OPTIONS, skip: 0, limit: 5 })) as unknown as Document;
  expect(JSON.stringify(plan)).toContain('winningPlan');
});
