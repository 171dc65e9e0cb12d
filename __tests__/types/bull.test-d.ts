/**
 * @module __tests__/types/bull
 *
 * What the compiler knows of clients for Bull 4: they fit its option `createClient` without a cast.
 */
import Bull from 'bull';
import { expectAssignable, expectError, expectType } from 'tsd';
import type { Redis } from '../../dist/index.js';
import { type BullCreateClient, bullClients, bullCreateClient } from '../../dist/redis/bull.js';

expectAssignable<Bull.QueueOptions>({ createClient: bullCreateClient, prefix: 'app' });
expectType<Bull.Queue>(new Bull('mail', { createClient: bullCreateClient }));
expectType<Bull.Queue>(new Bull('mail', { createClient: bullClients('redis://localhost').createClient }));
expectType<BullCreateClient>(bullClients().createClient);

expectType<Redis>(bullCreateClient('client'));
expectType<Redis>(bullCreateClient('bclient', { host: 'localhost' }));
expectError(bullCreateClient('publisher'));
expectError(bullCreateClient());

const own: Bull.QueueOptions['createClient'] = (type) => bullCreateClient(type, { db: 1 });
expectAssignable<Bull.QueueOptions['createClient']>(own);

// A function that says what it answers needs the cast that the documentation shows.
declare const typed: (type: 'client' | 'subscriber' | 'bclient') => Redis;
expectError<Bull.QueueOptions>({ createClient: typed });
expectAssignable<Bull.QueueOptions>({ createClient: typed as unknown as NonNullable<Bull.QueueOptions['createClient']> });
