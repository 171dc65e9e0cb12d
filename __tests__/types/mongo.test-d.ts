/**
 * @module __tests__/types/mongo
 *
 * What the compiler knows of MongoDB: a session of ours goes where Mongoose asks for one, without a cast; options are named; documents keep their type.
 */
import { expectAssignable, expectError, expectType } from 'tsd';
import type { ClientSession as DriverSession } from 'mongodb';
import mongoose, { type ClientSession as MongooseSession } from 'mongoose';
// The driver inside Mongoose 8; its own types cannot be loaded beside those of Mongoose 9.
import type { ClientSession as Mongoose8Session } from '../../node_modules/mongoose-8/node_modules/mongodb';
import { type ClientSession, connectDB, type MongoClient, withSession, withTransaction, type WithTransactionOptions } from '../../index.js';

declare const session: ClientSession;
declare const client: MongoClient;

expectAssignable<MongooseSession>(session);
expectAssignable<Mongoose8Session>(session);
expectAssignable<DriverSession>(session);
expectType<AbortSignal>(session.signal);
expectType<number>(session.attempt);

interface Token {
  name: string;
  supply: number;
}
const Model = mongoose.model('Token', new mongoose.Schema<Token>({ name: String, supply: Number }));

// The seed's example, without a cast.
expectType<Promise<string>>(
  withTransaction(async (tx) => {
    await Model.findOneAndUpdate({ name: 'a' }, { $set: { supply: 1 } }, { session: tx, new: true });
    await Model.findOneAndUpdate({ name: 'a' }, { $set: { supply: 1 } }, { session: tx, returnDocument: 'after' });
    await Model.create([{ name: 'b', supply: 2 }], { session: tx });
    tx.afterCommit(() => {});
    return 'done';
  }),
);
expectType<Promise<number>>(withSession(async () => 1));
expectType<Promise<MongoClient>>(connectDB({ mongoose }));
expectType<Promise<MongoClient>>(connectDB({ mongoose: false, uri: 'mongodb://127.0.0.1/' }));

expectAssignable<WithTransactionOptions>({
  client,
  maxRetries: 3,
  timeoutMs: 5_000,
  readConcern: 'snapshot',
  writeConcern: { w: 'majority' },
});
expectError(withTransaction(async () => 1, { timeoutMS: 5_000 }));
expectType<Promise<number>>(withTransaction(async () => 1, { nested: 'requiresNew' }));
expectError(withTransaction(async () => 1, { nested: 'merge' }));

// Documents keep their type.
expectType<Promise<(Token & { _id: unknown }) | null>>(client.db().collection<Token>('tokens').findOne({ name: 'a' }));
