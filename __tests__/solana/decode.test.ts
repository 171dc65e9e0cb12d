/** @module __tests__/solana/decode: natively decoded reads against web3.js's own, over replies that no honest node gives. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type Connection, Keypair, PublicKey, SystemProgram } from '@solana/web3.js';
import { ConnectionPool, type ConnectionPoolOptions } from '../../dist/index.js';
import { ScriptedRpc } from '../support/scripted-rpc';
import { bothSay, type Said, stockConnection } from '../support/stock';

const OWNER = 'TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA';
const KEYS = [Keypair.generate().publicKey, Keypair.generate().publicKey];
const U64 = '18446744073709551615';
let rpc: ScriptedRpc;
const pools: ConnectionPool[] = [];

const open = (options: ConnectionPoolOptions = {}): ConnectionPool => {
  const logger = { warn: () => {}, error: () => {} };
  const cacheConfig = { balanceTTL: 0, blockhashTTL: 0, accountInfoTTL: 0, signatureStatusTTL: 0 };
  const pool = new ConnectionPool({ endpoints: [rpc.url], maxRequestsPerSecond: 100_000, cacheConfig, logger, ...options });
  pools.push(pool);
  return pool;
};
let pair: readonly [Connection, Connection];

beforeAll(async () => {
  rpc = await ScriptedRpc.start();
});
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});
afterAll(() => rpc.stop());

const both = async (result: string, ask: (connection: Connection) => Promise<unknown>): Promise<Said> => {
  pair = [stockConnection(rpc.url, 'processed'), open().getConnection()];
  rpc.script = result.startsWith('"') ? result : `"result":${result}`;
  return await bothSay(pair, ask);
};

/** An account as JSON text; each part can be replaced, or left out by ''. */
const account = (parts: Readonly<Record<string, string>> = {}): string => {
  const whole: Record<string, string> = {
    data: '["AQID","base64"]',
    executable: 'false',
    lamports: '1000',
    owner: `"${OWNER}"`,
    rentEpoch: U64,
    space: '3',
    ...parts,
  };
  const fields = Object.entries(whole).filter(([, text]) => text !== '');
  return `{${fields.map(([name, text]) => `"${name}":${text}`).join(',')}}`;
};
const around = (value: string, context = '{"apiVersion":"4.2.2","slot":7}'): string => `{"context":${context},"value":${value}}`;
const big = Buffer.alloc(10 * 1024 * 1024, 'mooring').toString('base64');

/** Replies for one account: name, text of the value or of the whole result, whether both clients take it. */
const ONE: readonly (readonly [name: string, result: string, taken: boolean])[] = [
  ['a usual one', around(account()), true],
  ['null', around('null'), true],
  ['no data', around(account({ data: '["","base64"]', space: '0' })), true],
  ['10 MB of data', around(account({ data: `["${big}","base64"]` })), true],
  ['u64 limits', around(account({ lamports: U64, rentEpoch: U64, space: U64 })), true],
  ['beyond a double', around(account({ lamports: '9007199254740993' })), true],
  ['a fraction and an exponent', around(account({ lamports: '1.5', rentEpoch: '1e3', space: '-0' })), true],
  ['an infinite number', around(account({ lamports: '1e999' })), true],
  ['a negative number', around(account({ lamports: '-5' })), true],
  ['no space', around(account({ space: '' })), true],
  ['a null space', around(account({ space: 'null' })), true],
  ['a field more', around(account({ label: '"x"' })), true],
  ['a field twice', around(account().replace('"lamports"', '"lamports":5,"lamports"')), true],
  ['a context with more', around(account(), '{"slot":7,"apiVersion":"9.9","more":[1,{"a":null}]}'), true],
  ['a context without a version', around(account(), '{"slot":7}'), true],
  ['more beside the value', '{"context":{"slot":7},"value":null,"more":1}', true],
  ['the system program as owner', around(account({ owner: '"11111111111111111111111111111111"' })), true],
  ['an executable', around(account({ executable: 'true' })), true],
  ['base64 that is cut', around(account({ data: '["AQI","base64"]' })), true],
  ['base64 with foreign characters', around(account({ data: '["A!Q\\nID*","base64"]' })), true],
  ['url-safe base64', around(account({ data: '["-_-_","base64"]' })), true],
  ['base64 with an escape', around(account({ data: '["A\\/ID","base64"]' })), true],
  ['an escaped owner', around(account({ owner: `"\\u0054${OWNER.slice(1)}"` })), true],
  [
    'fields in another order',
    around(`{"space":3,"rentEpoch":0,"owner":"${OWNER}","lamports":1,"executable":true,"data":["AQID","base64"]}`),
    true,
  ],
  [
    'white space',
    around(` { "data" : [ "AQID" , "base64" ] , "executable" : false,"lamports":1,"owner":"${OWNER}","rentEpoch":0 } `),
    true,
  ],
  ['no context', '{"value":null}', false],
  ['a context without a slot', around(account(), '{"apiVersion":"4.2.2"}'), false],
  ['a slot that is text', around(account(), '{"slot":"7"}'), false],
  ['no value', '{"context":{"slot":7}}', false],
  ['a value that is a number', around('5'), false],
  ['an array for the account', around(`[["AQID","base64"],false,1,"${OWNER}",0,3]`), false],
  ['a null result', 'null', false],
  ['base58', around(account({ data: '["Ldp","base58"]' })), false],
  ['base64+zstd', around(account({ data: '["KLUv/QBYGQAAYWJj","base64+zstd"]' })), false],
  ['data that is text', around(account({ data: '"AQID"' })), false],
  ['data of three', around(account({ data: '["AQID","base64","x"]' })), false],
  ['parsed data', around(account({ data: '{"program":"p","parsed":{},"space":1}' })), false],
  ['no data field', around(account({ data: '' })), false],
  ['no owner', around(account({ owner: '' })), false],
  ['an owner of 31 bytes', around(account({ owner: '"4uQeVj5tqViQh7yWWGStvkEG1Zmhx6uasJtWCJzio"' })), false],
  ['an owner that is no base58', around(account({ owner: '"0OIl"' })), false],
  ['an empty owner', around(account({ owner: '""' })), false],
  ['a null owner', around(account({ owner: 'null' })), false],
  ['no lamports', around(account({ lamports: '' })), false],
  ['lamports as text', around(account({ lamports: '"1"' })), false],
  ['no rent epoch', around(account({ rentEpoch: '' })), false],
  ['an executable that is a number', around(account({ executable: '1' })), false],
  ['an error', '"error":{"code":-32602,"message":"Invalid param: WrongSize"}', false],
  ['an error with data', '"error":{"code":-32003,"message":"Transaction signature verification failure","data":{"a":[5]}}', false],
  ['an error of an unknown code', '"error":{"code":12345,"message":"what","data":[1,null]}', false],
  ['an error without a message', '"error":{"code":-32602}', false],
];

const KEYED = (value: string): string => `{"account":${value},"pubkey":"${OWNER}"}`;
/** Lists of keyed accounts. */
const LISTS: readonly (readonly [name: string, list: string, taken: boolean])[] = [
  ['empty', '[]', true],
  ['two', `[${KEYED(account())},${KEYED(account({ owner: '"11111111111111111111111111111111"' }))}]`, true],
  ['the key first', `[{"pubkey":"${OWNER}","account":${account()}}]`, true],
  ['a field more', `[{"pubkey":"${OWNER}","account":${account()},"more":1}]`, true],
  ['a null account', `[${KEYED('null')}]`, false],
  ['a null', '[null]', false],
  ['no key', `[{"account":${account()}}]`, false],
  ['a key that is none', `[{"account":${account()},"pubkey":"abc"}]`, false],
  ['an object', '{}', false],
  ['null', 'null', false],
];

describe('getAccountInfo', () => {
  it.each(ONE)('%s', async (_name, result, taken) => {
    const outcome = await both(result, (connection) => connection.getAccountInfoAndContext(KEYS[0] as PublicKey));
    expect('value' in outcome).toBe(taken);
    await expect(both(result, (connection) => connection.getAccountInfo(KEYS[0] as PublicKey, 'confirmed'))).resolves.toBeDefined();
  });
});

describe('getMultipleAccountsInfo', () => {
  it.each(ONE)('%s', async (_name, result, taken) => {
    const listed = result.includes('"value":') ? result.replace(/"value":(.*?)(,"more":1)?\}$/s, '"value":[null,$1]$2}') : result;
    const outcome = await both(listed, (connection) => connection.getMultipleAccountsInfoAndContext(KEYS));
    expect('value' in outcome).toBe(taken);
  });

  it('takes other lists as the peer does', async () => {
    for (const list of ['[]', '[null,null,null]', '{}', `[${account()},${account({ owner: '"11111111111111111111111111111111"' })}]`])
      await expect(both(around(list), (connection) => connection.getMultipleAccountsInfo(KEYS))).resolves.toBeDefined();
  });

  it('hands out one key object for each owner, and data of its own memory only when asked', async () => {
    rpc.script = `"result":${around(`[${account()},${account()}]`)}`;
    const [first, second] = await open().getConnection().getMultipleAccountsInfo(KEYS);
    expect(first?.owner).toBe(second?.owner);
    expect(first?.owner).toBeInstanceOf(PublicKey);
    expect(first?.data.buffer).toBe(second?.data.buffer);
    const [copied] = await open({ copyAccountData: true }).getConnection().getMultipleAccountsInfo(KEYS);
    expect(copied?.data).toEqual(first?.data);
    expect(copied?.data.buffer).not.toBe(first?.data.buffer);
    expect((first?.data.byteOffset ?? 1) % 8).toBe(0);
    expect(() => open({ copyAccountData: 1 as never })).toThrow(expect.objectContaining({ code: 'MOORING_INVALID_CONFIG' }));
  });
});

describe('getProgramAccounts', () => {
  it.each(LISTS)('%s', async (_name, list, taken) => {
    const outcome = await both(list, (connection) => connection.getProgramAccounts(KEYS[0] as PublicKey));
    expect('value' in outcome).toBe(taken);
    await expect(
      both(around(list), (connection) => connection.getProgramAccounts(KEYS[0] as PublicKey, { withContext: true })),
    ).resolves.toBeDefined();
  });
});

describe('getTokenAccountsByOwner', () => {
  it.each(LISTS)('%s', async (_name, list, taken) => {
    const ask = (connection: Connection): Promise<unknown> =>
      connection.getTokenAccountsByOwner(KEYS[0] as PublicKey, { mint: KEYS[1] as PublicKey });
    expect('value' in (await both(around(list), ask))).toBe(taken);
    await expect(both(list, ask)).resolves.toBeDefined();
  });
});

describe('small answers', () => {
  const error = '"error":{"code":-32602,"message":"no","data":{"a":1}}';
  const NUMBERS = ['0', U64, '9007199254740993', '1.5', '-1', '"5"', 'null', '{}', '[]'].map((value) => around(value));
  it.each([...NUMBERS, '{"value":5}', 'null', '5', '[]', '{"context":null,"value":5}', around('5', '[]'), error])(
    'getBalance %s',
    async (result) => {
      await expect(both(result, (connection) => connection.getBalanceAndContext(KEYS[0] as PublicKey))).resolves.toBeDefined();
      await expect(both(result, (connection) => connection.getBalance(KEYS[0] as PublicKey))).resolves.toBeDefined();
    },
  );

  const HASHES = [
    '{"blockhash":"abc","lastValidBlockHeight":5}',
    '{"blockhash":"abc","lastValidBlockHeight":18446744073709551615,"more":1}',
    '{"blockhash":"abc"}',
    '{"blockhash":1,"lastValidBlockHeight":5}',
    'null',
    '[]',
  ].map((value) => around(value));
  it.each([...HASHES, 'null', error])('getLatestBlockhash %s', async (result) => {
    await expect(both(result, (connection) => connection.getLatestBlockhashAndContext())).resolves.toBeDefined();
    await expect(both(result, (connection) => connection.getLatestBlockhash('finalized'))).resolves.toBeDefined();
  });

  const STATUSES = [
    '[]',
    '[null]',
    '[{"slot":1,"confirmations":null,"err":null,"confirmationStatus":"finalized","status":{"Ok":null}}]',
    '[{"slot":1,"confirmations":3,"err":{"InstructionError":[0,{"Custom":1}]},"confirmationStatus":"processed"}]',
    '[{"slot":1,"confirmations":3,"err":"AccountNotFound"}]',
    '[{"slot":1,"confirmations":3,"err":[1]}]',
    '[{"slot":1,"confirmations":3,"err":5}]',
    '[{"slot":1,"confirmations":3}]',
    '[{"slot":1,"err":null}]',
    '[{"slot":1,"confirmations":3,"err":null,"confirmationStatus":"rooted"}]',
    '[{"slot":1,"confirmations":3,"err":null,"confirmationStatus":null}]',
    '[5]',
    '{}',
  ].map((value) => around(value));
  it.each([...STATUSES, 'null', error])('getSignatureStatuses %s', async (result) => {
    await expect(both(result, (connection) => connection.getSignatureStatuses(['a', 'b']))).resolves.toBeDefined();
    await expect(
      both(result, (connection) => connection.getSignatureStatus('a', { searchTransactionHistory: true })),
    ).resolves.toBeDefined();
  });
});

describe('arguments', () => {
  const key = KEYS[0] as PublicKey;
  const filters = [
    { dataSize: 165 },
    { memcmp: { offset: 0, bytes: '3Mc6vR' } },
    { memcmp: { offset: 1, bytes: 'AQID', encoding: 'base64' as const } },
  ];
  const ASKED: readonly (readonly [name: string, ask: (connection: Connection) => Promise<unknown>])[] = [
    ['getBalance', (c) => c.getBalance(key)],
    ['getBalance at a commitment', (c) => c.getBalance(key, 'finalized')],
    ['getBalance with a configuration', (c) => c.getBalance(key, { commitment: 'confirmed', minContextSlot: 5 })],
    ['getBalance with a floor only', (c) => c.getBalance(key, { minContextSlot: 5 })],
    ['getAccountInfo', (c) => c.getAccountInfo(key)],
    ['getAccountInfo with a slice', (c) => c.getAccountInfo(key, { commitment: 'confirmed', dataSlice: { offset: 1, length: 2 } })],
    ['getMultipleAccountsInfo', (c) => c.getMultipleAccountsInfo(KEYS, 'confirmed')],
    ['getMultipleAccountsInfo of none', (c) => c.getMultipleAccountsInfo([])],
    [
      'getMultipleAccountsInfo with a slice',
      (c) => c.getMultipleAccountsInfo(KEYS, { dataSlice: { offset: 1, length: 2 }, minContextSlot: 1 }),
    ],
    ['getProgramAccounts', (c) => c.getProgramAccounts(key)],
    ['getProgramAccounts at a commitment', (c) => c.getProgramAccounts(key, 'confirmed')],
    [
      'getProgramAccounts with filters',
      (c) => c.getProgramAccounts(key, { filters, dataSlice: { offset: 0, length: 1 }, withContext: true }),
    ],
    ['getProgramAccounts in base64+zstd', (c) => c.getProgramAccounts(key, { encoding: 'base64+zstd' as never })],
    ['getTokenAccountsByOwner by mint', (c) => c.getTokenAccountsByOwner(key, { mint: key }, 'confirmed')],
    ['getTokenAccountsByOwner by program', (c) => c.getTokenAccountsByOwner(key, { programId: key }, { minContextSlot: 3 })],
    ['getLatestBlockhash', (c) => c.getLatestBlockhash()],
    ['getLatestBlockhash with a floor', (c) => c.getLatestBlockhash({ commitment: 'confirmed', minContextSlot: 3 })],
    ['getSignatureStatuses', (c) => c.getSignatureStatuses(['a'])],
    ['getSignatureStatuses in the history', (c) => c.getSignatureStatuses(['a'], { searchTransactionHistory: true })],
  ];
  it.each(ASKED)('%s asks what the peer asks', async (_name, ask) => {
    rpc.script = '"error":{"code":-32602,"message":"asked"}';
    await ask(stockConnection(rpc.url, 'processed')).catch(() => {});
    const theirs = JSON.parse(rpc.lastParams) as unknown;
    await ask(open().getConnection()).catch(() => {});
    expect(JSON.parse(rpc.lastParams)).toEqual(theirs);
  });

  it.each([[undefined], [null], ['text'], [{}], [{ toBase58: () => KEYS[1]?.toBase58() }]])(
    'the key %p is taken or refused as the peer does',
    async (odd) => {
      const odds = [odd] as unknown as PublicKey[];
      const result = around('null');
      await expect(both(result, (connection) => connection.getAccountInfo(odd as never))).resolves.toBeDefined();
      await expect(both(result, (connection) => connection.getBalance(odd as never))).resolves.toBeDefined();
      await expect(both(around('[null]'), (connection) => connection.getMultipleAccountsInfo(odds))).resolves.toBeDefined();
      await expect(both('[]', (connection) => connection.getProgramAccounts(odd as never))).resolves.toBeDefined();
      await expect(
        both(around('[]'), (connection) => connection.getTokenAccountsByOwner(odd as never, { mint: SystemProgram.programId })),
      ).resolves.toBeDefined();
      await expect(
        both(around('[]'), (connection) => connection.getTokenAccountsByOwner(SystemProgram.programId, { mint: odd } as never)),
      ).resolves.toBeDefined();
    },
  );
});

describe('the pool’s own methods', () => {
  it('refuse a reply without accounts by MOORING_PROTOCOL', async () => {
    const pool = open();
    for (const result of [around('5'), around(account({ owner: 'null' })), 'null', around(account({ data: '"AQID"' }))]) {
      rpc.script = `"result":${result}`;
      await expect(pool.getAccountInfo(KEYS[0] as PublicKey)).rejects.toMatchObject({ code: 'MOORING_PROTOCOL' });
      await expect(pool.getAccountInfo(OWNER)).rejects.toMatchObject({ code: 'MOORING_PROTOCOL' });
    }
  });

  it('take text and objects as keys', async () => {
    const pool = open();
    rpc.script = `"result":${around(account({ more: '1' }))}`;
    expect(await pool.getAccountInfo(OWNER)).toMatchObject({ owner: OWNER, data: Buffer.from([1, 2, 3]), more: 1 });
    rpc.script = `"result":${around(account())}`;
    expect(await pool.getAccountInfo(KEYS[0] as PublicKey)).toMatchObject({ owner: new PublicKey(OWNER), data: Buffer.from([1, 2, 3]) });
  });
});
