/** @module __tests__/mongo/pool-events: the events of the connection pools, in the Node driver's shapes, only for those who listen. */
import { afterEach, expect, test } from '@jest/globals';
import { ConnectionCheckedOutEvent } from 'mongodb';
import { type Document, MongoClient } from '../../dist/index.js';
import { connected, failCommand, failureOf, until, uriFor } from './fixture';

const open: MongoClient[] = [];
const kept = (client: MongoClient): MongoClient => {
  open.push(client);
  return client;
};
afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.close(true)));
});

const NAMES = [
  'connectionPoolCreated',
  'connectionPoolReady',
  'connectionPoolCleared',
  'connectionPoolClosed',
  'connectionCreated',
  'connectionReady',
  'connectionClosed',
  'connectionCheckOutStarted',
  'connectionCheckOutFailed',
  'connectionCheckedOut',
  'connectionCheckedIn',
];

function listening(options: object = {}): { client: MongoClient; events: [string, Document][] } {
  const events: [string, Document][] = [];
  const client = kept(new MongoClient(uriFor('mooring_pool_events'), { maxPoolSize: 1, ...options }));
  for (const name of NAMES) client.on(name, (event: Document) => events.push([name, event]));
  return { client, events };
}

test('tell the life of a pool and of its connections', async () => {
  const { client, events } = listening();
  await client.connect();
  await client.db().collection('x').findOne({});
  await until(() => events.filter(([name]) => name === 'connectionCheckedIn').length >= 2);
  const of = (name: string): Document => events.find(([event]) => event === name)?.[1] as Document;
  expect(of('connectionPoolCreated')).toMatchObject({
    name: 'connectionPoolCreated',
    address: expect.stringContaining(':'),
    options: { maxPoolSize: 1 },
  });
  expect(of('connectionReady')).toMatchObject({ connectionId: expect.any(Number), durationMS: expect.any(Number) });
  expect(of('connectionCheckedOut')).toBeInstanceOf(ConnectionCheckedOutEvent);
  expect(of('connectionCheckedOut')['connectionId']).toBe(of('connectionCreated')['connectionId']);
  const order = events.map(([name]) => name);
  expect(order.indexOf('connectionPoolCreated')).toBeLessThan(order.indexOf('connectionCreated'));
  expect(order.indexOf('connectionCheckOutStarted')).toBeLessThan(order.indexOf('connectionCheckedOut'));
});

test('tell of a pool that was cleared and of a connection that broke', async () => {
  const { client, events } = listening({ retryReads: false, waitQueueTimeoutMS: 200 });
  const admin = kept(await connected('mooring_pool_events'));
  await client.connect();
  await failCommand(admin, { times: 1 }, { failCommands: ['find'], closeConnection: true });
  await failureOf(() => client.db().collection('x').findOne({}));
  await until(() => ['connectionPoolCleared', 'connectionClosed'].every((wanted) => events.some(([name]) => name === wanted)));
  expect(events.find(([name]) => name === 'connectionClosed')?.[1]).toMatchObject({ reason: expect.stringMatching(/^(error|stale)$/) });
  await failCommand(admin, 'off');
});

test('do not come to who listens for something else', async () => {
  const client = kept(new MongoClient(uriFor('mooring_pool_events'), { heartbeatFrequencyMS: 500 }));
  let beats = 0;
  client.on('serverHeartbeatSucceeded', () => (beats += 1));
  await client.connect();
  await client.db().collection('x').findOne({});
  await until(() => beats > 0);
  const late: unknown[] = [];
  client.on('connectionCheckedOut', (event) => late.push(event));
  await client.db().collection('x').findOne({});
  await until(() => late.length > 0);
  expect(late).toHaveLength(1);
});
