/**
 * @module __tests__/types/solana
 *
 * What the compiler knows of a pool's subscriptions.
 */
import { expectError, expectType } from 'tsd';
import type { ConnectionPool, NotifiedAccount, Subscription, WithContext } from '../../dist/index.js';

declare const pool: ConnectionPool;

expectType<Subscription<WithContext<NotifiedAccount>>>(pool.subscribe('account', ['key', { encoding: 'base64' }]));
expectType<Subscription<number>>(pool.subscribe('root', [], { integers: 'number' }).ref());
// With bigints only the caller knows which integers there are.
expectType<Subscription>(pool.subscribe('slot', [], { integers: 'bigint' }));
expectType<Subscription<{ slot: bigint }>>(pool.subscribe<{ slot: bigint }>('slot', [], { integers: 'bigint' }));
expectError(pool.subscribe('vote'));
