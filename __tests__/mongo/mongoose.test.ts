/** @module __tests__/mongo/mongoose: models of Mongoose 9 and 8 over mooring, unchanged; no socket is opened by the driver inside Mongoose. */
// oxlint-disable eslint/no-underscore-dangle -- MongoDB's name of the key
import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import mongoose9 from 'mongoose';
import { getSessionStats, type MongoClient, withTransaction } from '../../dist/index.js';
import { createDriver, useMooring } from '../../dist/mongo/mongoose.js';
import { failCommand, failureOf, openTransactions, until, uriFor } from './fixture';

// By `require`: the types of the two versions declare the same module and cannot be loaded together.
// oxlint-disable-next-line typescript/no-require-imports -- see above
const mongoose8 = require('mongoose-8') as typeof mongoose9;

describe.each([
  ['9', mongoose9],
  ['8', mongoose8],
])('Mongoose %s', (major, module) => {
  const mongoose = new module.Mongoose();
  const { Schema } = mongoose;
  const User = mongoose.model(
    'User',
    new Schema(
      { name: String, email: { type: String, unique: true }, balance: { type: Number, default: 0 }, tags: [String] },
      { timestamps: true },
    ),
  );
  const Post = mongoose.model('Post', new Schema({ title: String, author: { type: Schema.Types.ObjectId, ref: 'User' } }));
  let client: MongoClient;

  beforeAll(async () => {
    useMooring(mongoose as never);
    await mongoose.connect(uriFor(`mooring_mongoose_${major}`));
    client = mongoose.connection.getClient() as unknown as MongoClient;
    await mongoose.connection.dropDatabase();
    await Promise.all([User, Post].map((model) => model.createCollection()));
    await User.syncIndexes();
  });
  beforeEach(async () => {
    await Promise.all([User.deleteMany({}), Post.deleteMany({})]);
  });
  afterAll(() => mongoose.disconnect());

  test('knows where it is connected', () => {
    expect(mongoose.version.startsWith(`${major}.`)).toBe(true);
    expect(mongoose.connection.readyState).toBe(1);
    expect(mongoose.connection).toMatchObject({ name: `mooring_mongoose_${major}`, host: expect.any(String), port: expect.any(Number) });
    expect(useMooring(mongoose as never)).toBe(mongoose);
  });

  test('creates, finds, populates, saves and deletes', async () => {
    const ada = await User.create({ name: 'Ada', email: 'ada@example.org', tags: ['x'] });
    await Post.create({ title: 'Notes', author: ada._id });
    const post = await Post.findOne({ title: 'Notes' }).populate<{ author: { name: string } }>('author');
    expect(post?.author.name).toBe('Ada');
    expect(await Post.find().populate('author').lean()).toMatchObject([{ title: 'Notes', author: { email: 'ada@example.org' } }]);
    ada.balance = 5;
    ada.tags.push('y');
    await ada.save();
    const lean = await User.findById(ada._id).lean();
    expect(lean).toMatchObject({ balance: 5, tags: ['x', 'y'] });
    expect(lean?._id).toBeInstanceOf(mongoose.Types.ObjectId);
    expect(await User.exists({ name: 'Ada' })).toEqual({ _id: ada._id });
    expect(await ada.deleteOne()).toMatchObject({ deletedCount: 1 });
    expect(await User.countDocuments({})).toBe(0);
  });

  test('returns the new document for new: true, with and without a session', async () => {
    await User.create({ name: 'Ada', email: 'a' });
    expect((await User.findOneAndUpdate({ name: 'Ada' }, { $inc: { balance: 1 } }, { new: true }))?.balance).toBe(1);
    expect((await User.findOneAndUpdate({ name: 'Ada' }, { $inc: { balance: 1 } }))?.balance).toBe(1);
    const session = await mongoose.startSession();
    session.startTransaction();
    expect((await User.findOneAndUpdate({ name: 'Ada' }, { $inc: { balance: 1 } }, { new: true, session }))?.balance).toBe(3);
    expect((await User.findOne({ name: 'Ada' }))?.balance).toBe(2);
    await session.commitTransaction();
    await session.endSession();
    expect((await User.findOne({ name: 'Ada' }).lean())?.balance).toBe(3);
  });

  test('runs the other operations of a model', async () => {
    await User.insertMany([1, 2, 3].map((n) => ({ name: `u${n}`, email: `u${n}`, balance: n })));
    expect(await User.updateMany({ balance: { $gt: 1 } }, { $inc: { balance: 10 } })).toMatchObject({ matchedCount: 2, modifiedCount: 2 });
    expect(await User.updateOne({ name: 'u1' }, { $set: { balance: 0 } })).toMatchObject({ modifiedCount: 1 });
    expect(await User.aggregate([{ $group: { _id: null, sum: { $sum: '$balance' } } }])).toEqual([{ _id: null, sum: 25 }]);
    expect(await User.distinct('name')).toEqual(['u1', 'u2', 'u3']);
    expect(await User.estimatedDocumentCount()).toBe(3);
    expect((await User.find().sort({ name: -1 }).skip(1).limit(1).select('name').lean())[0]).toMatchObject({ name: 'u2' });
    expect(await User.replaceOne({ name: 'u1' }, { name: 'new', email: 'new' })).toMatchObject({ modifiedCount: 1 });
    expect((await User.findOneAndDelete({ name: 'new' }))?.name).toBe('new');
    expect(await User.deleteOne({ name: 'u2' })).toMatchObject({ deletedCount: 1 });
    expect(
      await User.bulkWrite([{ insertOne: { document: { name: 'b', email: 'b' } } }, { deleteOne: { filter: { name: 'u3' } } }]),
    ).toMatchObject({
      insertedCount: 1,
      deletedCount: 1,
    });
    const document = new User({ name: 'bulk', email: 'bulk' });
    await User.bulkSave([document]);
    expect(document.isNew).toBe(false);
    expect(await User.find().explain()).toBeDefined();
  });

  test('iterates with cursors', async () => {
    await User.insertMany(Array.from({ length: 30 }, (_, n) => ({ name: `u${n}`, email: `u${n}` })));
    const names: unknown[] = [];
    for await (const user of User.find().sort({ _id: 1 }).batchSize(7).cursor()) names.push(user.name);
    expect(names).toHaveLength(30);
    let summed = 0;
    await User.find()
      .cursor()
      .eachAsync(() => {
        summed += 1;
      });
    expect(summed).toBe(30);
    const aggregated: unknown[] = [];
    for await (const one of User.aggregate([{ $match: {} }]).cursor({ batchSize: 4 })) aggregated.push(one);
    expect(aggregated).toHaveLength(30);
    for await (const user of User.find().batchSize(2).cursor()) if (user.name === 'u3') break;
  });

  test('reports a duplicate key as the error class of its own driver copy', async () => {
    await User.create({ name: 'Ada', email: 'same' });
    const error = await failureOf(() => User.create({ name: 'Bob', email: 'same' }));
    expect(error).toBeInstanceOf(mongoose.mongo.MongoServerError);
    expect(error).toMatchObject({ code: 11_000, keyValue: { email: 'same' }, keyPattern: { email: 1 } });
    const many = await failureOf(() => User.insertMany([{ email: 'x' }, { email: 'same' }, { email: 'y' }], { ordered: false }));
    expect(many).toMatchObject({ name: 'MongoBulkWriteError', insertedDocs: [{ email: 'x' }, { email: 'y' }] });
  });

  test('resets documents when connection.transaction rolls back, and retries transient errors', async () => {
    const user = new User({ name: 'Ada', email: 'a' });
    const failure = await failureOf(() =>
      mongoose.connection.transaction(async (session) => {
        await user.save({ session });
        expect(user.isNew).toBe(false);
        throw new Error('no');
      }),
    );
    expect(failure.message).toBe('no');
    expect(user.isNew).toBe(true);
    await failCommand(client, { times: 1 }, { failCommands: ['insert'], errorCode: 112, errorLabels: ['TransientTransactionError'] });
    let attempts = 0;
    const value = await mongoose.connection.transaction(async (session) => {
      attempts += 1;
      await user.save({ session });
      return 'value';
    });
    await failCommand(client, 'off');
    expect([attempts, value, user.isNew]).toEqual([2, 'value', false]);
    expect(await User.countDocuments({})).toBe(1);
    await until(() => getSessionStats(client).open === 0);
    expect(await openTransactions(client)).toBe(0);
  });

  test('takes part in withTransaction, also when endSession comes in catch and in finally', async () => {
    const result = await withTransaction(
      async (session) => {
        await User.create([{ name: 'Ada', email: 'a' }], { session });
        expect(await User.countDocuments({}, { session: null as never })).toBe(0);
        return User.findOneAndUpdate({ name: 'Ada' }, { $set: { balance: 7 } }, { session, new: true });
      },
      { client },
    );
    expect(result?.balance).toBe(7);
    const manual = async (): Promise<void> => {
      const session = await mongoose.startSession();
      try {
        session.startTransaction();
        await User.create([{ name: 'Bob', email: 'b' }], { session });
        throw new Error('launch failed');
      } catch {
        await session.endSession();
      } finally {
        await session.endSession();
      }
    };
    await manual();
    expect(await User.countDocuments({})).toBe(1);
    expect(getSessionStats(client).open).toBe(0);
  });

  test('switches databases, lists them and follows its own transaction storage', async () => {
    const other = mongoose.connection.useDb(`mooring_mongoose_${major}_other`);
    const Thing = other.model('Thing', new Schema({ a: Number }));
    await Thing.create({ a: 1 });
    expect(await Thing.countDocuments({})).toBe(1);
    await other.dropDatabase();
    const { databases } = await mongoose.connection.listDatabases();
    expect(databases.map(({ name }) => name)).toContain(`mooring_mongoose_${major}`);
    expect((await mongoose.connection.db?.collection('users').indexes())?.map(({ name }) => name)).toContain('email_1');
  });

  test('buffers operations until it is connected, and opens and closes connections of its own', async () => {
    const connection = mongoose.createConnection();
    const Late = connection.model('Late', new Schema({ a: Number }));
    const early = Late.create({ a: 1 });
    await connection.openUri(uriFor(`mooring_mongoose_${major}_late`));
    expect((await early).a).toBe(1);
    await connection.dropDatabase();
    await connection.close();
    expect(connection.readyState).toBe(0);
    await connection.openUri(uriFor(`mooring_mongoose_${major}_late`));
    expect(await Late.countDocuments({})).toBe(0);
    await connection.close();
    const named = await failureOf(() => mongoose.createConnection('mongodb://127.0.0.1:1/', { serverSelectionTimeoutMS: 200 }).asPromise());
    expect(named.name).toBe('MongooseServerSelectionError');
  });

  test('makes collections and indexes of models that were compiled before the driver came', async () => {
    const early = new module.Mongoose();
    const Early = early.model('Early', new early.Schema({ code: { type: String, unique: true } }));
    useMooring(early as never);
    await early.connect(uriFor(`mooring_mongoose_${major}_early`));
    await Early.init();
    expect(await Early.collection.indexInformation()).toHaveProperty('code_1');
    await early.connection.dropDatabase();
    await early.disconnect();
  });

  test('watch: the same documents as the emitter and as the iterator', async () => {
    const stream = User.watch([], { hydrate: true });
    const seen: { name?: string | null }[] = [];
    stream.on('change', ({ fullDocument }: { fullDocument: { name?: string } }) => seen.push(fullDocument));
    const iterator = User.watch();
    const next = iterator.next();
    await until(() => client.stats().changeStreams === 2);
    await User.create({ name: 'Ada', email: 'a' });
    await until(() => seen.length === 1);
    expect(seen[0]).toBeInstanceOf(User);
    expect(await next).toMatchObject({ operationType: 'insert', fullDocument: { name: 'Ada' } });
    await Promise.all([stream.close(), iterator.close()]);
    expect(client.stats().changeStreams).toBe(0);
  });

  test('withTransaction puts documents back when the callback throws, when the commit fails, and between attempts', async () => {
    const logger = { error: () => {} };
    const doc = new User({ name: 'Ada', email: 'a' });
    await failureOf(() =>
      withTransaction(
        async (session) => {
          await doc.save({ session });
          throw new Error('no');
        },
        { client, logger },
      ),
    );
    expect(doc.isNew).toBe(true);
    await failCommand(
      client,
      { times: 1 },
      { failCommands: ['commitTransaction'], errorCode: 112, errorLabels: ['TransientTransactionError'] },
    );
    await failureOf(() => withTransaction((session) => doc.save({ session }), { client, logger, maxRetries: 0 }));
    expect(doc.isNew).toBe(true);
    await failCommand(
      client,
      { times: 1 },
      { failCommands: ['commitTransaction'], errorCode: 112, errorLabels: ['TransientTransactionError'] },
    );
    await withTransaction((session) => doc.save({ session }), { client });
    expect(doc.isNew).toBe(false);
    expect(await User.findOne({ name: 'Ada' }).lean()).toMatchObject({ email: 'a' });
  });

  test('command events come before the result, with the classes of its driver', async () => {
    const connection = await mongoose.createConnection(uriFor(`mooring_mongoose_${major}`), { monitorCommands: true }).asPromise();
    const events: { commandName: string; constructor: { name: string }; requestId: number }[] = [];
    for (const name of ['commandStarted', 'commandSucceeded', 'commandFailed']) connection.on(name, (event) => events.push(event as never));
    await connection.collection('users').findOne({});
    expect(events.map(({ commandName, constructor }) => [commandName, constructor.name])).toEqual([
      ['find', 'CommandStartedEvent'],
      ['find', 'CommandSucceededEvent'],
    ]);
    expect(events[0]?.requestId).toBe(events[1]?.requestId);
    await connection.close();
  });

  test('bulkSave names the documents that failed', async () => {
    const [one, two] = [new User({ name: 'One', email: 'same' }), new User({ name: 'Two', email: 'same' })];
    await failureOf(() => User.bulkSave([one, two]));
    expect([one.isNew, two.isNew]).toEqual([false, true]);
  });

  test('findOne tells its plan', async () => {
    expect(await User.findOne({ name: 'x' }).explain()).toHaveProperty('queryPlanner');
  });

  test('prints no credential', async () => {
    const connection = mongoose.createConnection();
    const uri = 'mongodb://user:S3CR3T-sentinel@127.0.0.1:1/';
    const error = await failureOf(() => connection.openUri(uri, { serverSelectionTimeoutMS: 100, pass: 'S3CR3T-sentinel', user: 'user' }));
    for (const value of [error, connection]) expect(inspect(value, { depth: 6 })).not.toContain('S3CR3T');
    const driver = createDriver(mongoose);
    expect(Object.keys(driver)).toEqual(['Connection', 'Collection', 'BulkWriteResult', 'ClientEncryption']);
  });
});
