/** @module __tests__/solana/web3-equality: what web3.js's own Connection says of a chain that stands still, the pooled one says too, errors included. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  AddressLookupTableProgram,
  type Connection,
  Keypair,
  NONCE_ACCOUNT_LENGTH,
  PublicKey,
  SendTransactionError,
  SolanaJSONRPCError,
  SystemProgram,
  Transaction,
  TransactionMessage,
  VersionedTransaction,
} from '@solana/web3.js';
import { RpcService } from '../support/solana';
import { bothSay, type Said, said, stockConnection } from '../support/stock';

const TOKEN = new PublicKey('TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA');
const payer = Keypair.generate();
const nobody = Keypair.generate().publicKey;
const [mint, tokens, moreTokens, nonce, odd] = Array.from({ length: 5 }, () => Keypair.generate());
const keyOf = (pair: Keypair | undefined): PublicKey => (pair as Keypair).publicKey;
const UNKNOWN = '5VERv8NMvzbJMEkV8xnrLkEaWRtSz9CosKDYjCJjBRnbJLgp8uirBgmQpjKhoR4tjF3ZpRzrFmBV6UjKdiSZkQUW';
let rpc: RpcService;
let pair: readonly [Connection, Connection];
let table: PublicKey;
/** A transaction of each kind that has landed, and the slot they are in. */
const landed: string[] = [];
let slot = 0;
let blockhash = '';

async function land(connection: Connection, transaction: Transaction, signers: Keypair[]): Promise<string> {
  transaction.feePayer = payer.publicKey;
  transaction.recentBlockhash = (await connection.getLatestBlockhash('processed')).blockhash;
  transaction.sign(...signers);
  const signature = await connection.sendRawTransaction(transaction.serialize(), { preflightCommitment: 'processed' });
  await rpc.advance(1);
  return signature;
}

const pay = (lamports: number, from = payer.publicKey): ReturnType<typeof SystemProgram.transfer> =>
  SystemProgram.transfer({ fromPubkey: from, toPubkey: nobody, lamports });

function versioned(lamports: number): VersionedTransaction {
  const message = new TransactionMessage({ payerKey: payer.publicKey, recentBlockhash: blockhash, instructions: [pay(lamports)] });
  const transaction = new VersionedTransaction(message.compileToV0Message());
  transaction.sign([payer]);
  return transaction;
}

beforeAll(async () => {
  rpc = await RpcService.start(1, 0);
  const url = rpc.urls[0] as string;
  pair = [stockConnection(url, 'confirmed'), rpc.pool({ commitment: 'confirmed' }).getConnection()];
  const [stock] = pair;
  await rpc.airdrop(payer.publicKey, 50_000_000_000);
  const base58 = (one: Keypair | undefined): string => keyOf(one).toBase58();
  await rpc.call('setMint', { key: base58(mint), decimals: 6, supply: '3500000' });
  await rpc.call('setTokenAccount', { key: base58(tokens), mint: base58(mint), owner: payer.publicKey.toBase58(), amount: '1500000' });
  await rpc.call('setTokenAccount', { key: base58(moreTokens), mint: base58(mint), owner: nobody.toBase58(), amount: '2000000' });
  const data = Buffer.alloc(3000, 7).toString('base64');
  await rpc.call('setAccount', { key: base58(odd), lamports: '18000000000000000000', owner: nobody.toBase58(), data });
  await rpc.advance(2);
  const rent = await stock.getMinimumBalanceForRentExemption(NONCE_ACCOUNT_LENGTH);
  const nonceAccount = SystemProgram.createNonceAccount({
    fromPubkey: payer.publicKey,
    noncePubkey: keyOf(nonce),
    authorizedPubkey: payer.publicKey,
    lamports: rent,
  });
  landed.push(await land(stock, nonceAccount, [payer, nonce as Keypair]));
  slot = await stock.getSlot('processed');
  await rpc.advance(2);
  const [create, address] = AddressLookupTableProgram.createLookupTable({
    authority: payer.publicKey,
    payer: payer.publicKey,
    recentSlot: (await stock.getSlot('processed')) - 1,
  });
  table = address;
  landed.push(await land(stock, new Transaction().add(create), [payer]));
  const extend = AddressLookupTableProgram.extendLookupTable({
    lookupTable: table,
    authority: payer.publicKey,
    payer: payer.publicKey,
    addresses: [nobody],
  });
  landed.push(await land(stock, new Transaction().add(extend), [payer]));
  ({ blockhash } = await stock.getLatestBlockhash('confirmed'));
  landed.push(await stock.sendTransaction(versioned(1_000_000)));
  await rpc.advance(3);
  ({ blockhash } = await stock.getLatestBlockhash('finalized'));
});
afterAll(() => rpc.stop());

type Ask = (connection: Connection) => Promise<unknown>;

/** Every method with the arguments that backends give. */
const METHODS: readonly (readonly [name: string, ask: Ask])[] = [
  ['getBalance', (c) => c.getBalance(payer.publicKey)],
  ['getBalance beyond 2^53', (c) => c.getBalance(keyOf(odd))],
  ['getBalance of nobody', (c) => c.getBalance(Keypair.generate().publicKey, 'processed')],
  ['getBalanceAndContext', (c) => c.getBalanceAndContext(payer.publicKey, { commitment: 'processed', minContextSlot: 1 })],
  ['getAccountInfo', (c) => c.getAccountInfo(payer.publicKey)],
  ['getAccountInfo of a program', (c) => c.getAccountInfo(TOKEN)],
  ['getAccountInfo with a slice', (c) => c.getAccountInfo(keyOf(odd), { dataSlice: { offset: 5, length: 10 } })],
  ['getAccountInfo of nobody', (c) => c.getAccountInfo(Keypair.generate().publicKey)],
  ['getAccountInfoAndContext', (c) => c.getAccountInfoAndContext(keyOf(odd), 'processed')],
  ['getParsedAccountInfo', (c) => c.getParsedAccountInfo(keyOf(tokens))],
  [
    'getMultipleAccountsInfo',
    (c) => c.getMultipleAccountsInfo([payer.publicKey, Keypair.generate().publicKey, keyOf(odd), keyOf(odd), TOKEN]),
  ],
  ['getMultipleAccountsInfo of none', (c) => c.getMultipleAccountsInfo([])],
  ['getMultipleAccountsInfoAndContext', (c) => c.getMultipleAccountsInfoAndContext([keyOf(mint), keyOf(tokens)], 'finalized')],
  ['getMultipleParsedAccounts', (c) => c.getMultipleParsedAccounts([keyOf(mint), keyOf(odd)])],
  ['getProgramAccounts', (c) => c.getProgramAccounts(TOKEN)],
  [
    'getProgramAccounts with filters',
    (c) => c.getProgramAccounts(TOKEN, { filters: [{ dataSize: 165 }, { memcmp: { offset: 32, bytes: nobody.toBase58() } }] }),
  ],
  ['getProgramAccounts with the context', (c) => c.getProgramAccounts(nobody, { withContext: true, dataSlice: { offset: 0, length: 4 } })],
  ['getParsedProgramAccounts', (c) => c.getParsedProgramAccounts(TOKEN)],
  ['getTokenAccountsByOwner by mint', (c) => c.getTokenAccountsByOwner(payer.publicKey, { mint: keyOf(mint) })],
  ['getTokenAccountsByOwner by program', (c) => c.getTokenAccountsByOwner(nobody, { programId: TOKEN }, 'processed')],
  ['getParsedTokenAccountsByOwner', (c) => c.getParsedTokenAccountsByOwner(payer.publicKey, { programId: TOKEN })],
  ['getTokenAccountBalance', (c) => c.getTokenAccountBalance(keyOf(tokens))],
  ['getTokenSupply', (c) => c.getTokenSupply(keyOf(mint))],
  ['getTokenLargestAccounts', (c) => c.getTokenLargestAccounts(keyOf(mint))],
  ['getMinimumBalanceForRentExemption', (c) => c.getMinimumBalanceForRentExemption(165)],
  ['getNonce', (c) => c.getNonce(keyOf(nonce))],
  ['getNonceAndContext', (c) => c.getNonceAndContext(keyOf(nonce))],
  ['getAddressLookupTable', (c) => c.getAddressLookupTable(table)],
  ['getLatestBlockhash', (c) => c.getLatestBlockhash()],
  ['getLatestBlockhashAndContext', (c) => c.getLatestBlockhashAndContext('finalized')],
  ['isBlockhashValid', (c) => c.isBlockhashValid(blockhash)],
  ['getFeeForMessage', (c) => c.getFeeForMessage(versioned(1).message)],
  ['getRecentPrioritizationFees', (c) => c.getRecentPrioritizationFees()],
  ['getRecentPerformanceSamples', (c) => c.getRecentPerformanceSamples(2)],
  ['getSlot', (c) => c.getSlot()],
  ['getSlot at a commitment', (c) => c.getSlot('finalized')],
  ['getSlotLeader', (c) => c.getSlotLeader()],
  ['getSlotLeaders', (c) => c.getSlotLeaders(slot, 3)],
  ['getBlockHeight', (c) => c.getBlockHeight()],
  ['getBlockTime', (c) => c.getBlockTime(slot - 40)],
  ['getBlock', (c) => c.getBlock(slot, { maxSupportedTransactionVersion: 0 })],
  ['getBlock without transactions', (c) => c.getBlock(slot, { transactionDetails: 'none', rewards: false })],
  ['getParsedBlock', (c) => c.getParsedBlock(slot, { maxSupportedTransactionVersion: 0 })],
  ['getBlocks', (c) => c.getBlocks(slot - 5, slot)],
  ['getBlockSignatures', (c) => c.getBlockSignatures(slot)],
  ['getFirstAvailableBlock', (c) => c.getFirstAvailableBlock()],
  ['getMinimumLedgerSlot', (c) => c.getMinimumLedgerSlot()],
  ['getTransaction', (c) => c.getTransaction(landed[0] as string, { maxSupportedTransactionVersion: 0 })],
  ['getTransaction of version 0', (c) => c.getTransaction(landed[3] as string, { maxSupportedTransactionVersion: 0 })],
  ['getTransaction of nobody', (c) => c.getTransaction(UNKNOWN, { maxSupportedTransactionVersion: 0 })],
  ['getTransactions', (c) => c.getTransactions(landed, { maxSupportedTransactionVersion: 0 })],
  ['getParsedTransaction', (c) => c.getParsedTransaction(landed[1] as string, { maxSupportedTransactionVersion: 0 })],
  ['getParsedTransactions', (c) => c.getParsedTransactions(landed, { maxSupportedTransactionVersion: 0 })],
  ['getSignaturesForAddress', (c) => c.getSignaturesForAddress(payer.publicKey, { limit: 3 })],
  ['getSignatureStatus', (c) => c.getSignatureStatus(landed[0] as string)],
  ['getSignatureStatuses', (c) => c.getSignatureStatuses([...landed, UNKNOWN], { searchTransactionHistory: true })],
  ['getTransactionCount', (c) => c.getTransactionCount()],
  ['getEpochInfo', (c) => c.getEpochInfo()],
  ['getEpochSchedule', (c) => c.getEpochSchedule()],
  ['getVoteAccounts', (c) => c.getVoteAccounts()],
  ['getVersion', (c) => c.getVersion()],
  ['getGenesisHash', (c) => c.getGenesisHash()],
  ['simulateTransaction', (c) => c.simulateTransaction(versioned(5_000_000), { sigVerify: true })],
  ['simulateTransaction that fails', (c) => c.simulateTransaction(versioned(900_000_000_000))],
  [
    'simulateTransaction with accounts',
    (c) => c.simulateTransaction(versioned(5_000_000), { accounts: { encoding: 'base64', addresses: [nobody.toBase58()] } }),
  ],
];

it('covers what backends use', () => {
  const names = new Set(METHODS.map(([name]) => name.split(' ')[0]));
  expect(names.size).toBeGreaterThanOrEqual(40);
});

it.each(METHODS)('%s', async (_name, ask) => {
  const outcome = await bothSay(pair, ask);
  expect(outcome).toHaveProperty('value');
});

/** Calls that a node refuses. */
const REFUSED: readonly (readonly [name: string, ask: Ask])[] = [
  ['a commitment that is none', (c) => c.getAccountInfo(payer.publicKey, 'maybe' as never)],
  ['a balance at a commitment that is none', (c) => c.getBalance(payer.publicKey, 'maybe' as never)],
  ['more keys than a node takes', (c) => c.getMultipleAccountsInfo(Array.from({ length: 101 }, () => nobody))],
  ['a filter that is none', (c) => c.getProgramAccounts(TOKEN, { filters: [{} as never] })],
  ['an encoding that is none', (c) => c.getProgramAccounts(TOKEN, { encoding: 'base32' as never })],
  ['no token account', (c) => c.getTokenAccountBalance(payer.publicKey)],
  ['no mint', (c) => c.getTokenSupply(payer.publicKey)],
  ['token accounts of no mint', (c) => c.getTokenAccountsByOwner(payer.publicKey, { mint: nobody })],
  ['a nonce account that is none', (c) => c.getNonce(payer.publicKey)],
  ['a version that was not asked for', (c) => c.getTransaction(landed[3] as string)],
  ['a block below what is allowed', (c) => c.getBlock(slot, { commitment: 'processed' as never })],
  ['a commitment below what is allowed', (c) => c.getSignaturesForAddress(payer.publicKey, {}, 'processed' as never)],
  ['a limit above the highest', (c) => c.getSignaturesForAddress(payer.publicKey, { limit: 5000 })],
  ['more statuses than a node takes', (c) => c.getSignatureStatuses(Array.from({ length: 257 }, () => UNKNOWN))],
  ['a method that the node lacks', (c) => c.getSupply()],
  ['another one that it lacks', (c) => c.getClusterNodes()],
  ['a transaction that is none', (c) => c.sendEncodedTransaction('AAAA')],
  ['simulating without signers', (c) => c.simulateTransaction(new Transaction().add(pay(1)), 'x' as never)],
];

it.each(REFUSED)('refuses %s', async (_name, ask) => {
  const outcome = await bothSay(pair, ask);
  expect(outcome).toHaveProperty('error');
});

describe('sending', () => {
  const fails = (): Promise<Said> => bothSay(pair, (c) => c.sendTransaction(versioned(900_000_000_000)));

  it('fails in the simulation as web3.js does, with logs', async () => {
    const outcome = await fails();
    expect(outcome).toMatchObject({ error: { made: SendTransactionError } });
    const [stock, pooled] = await Promise.all(
      pair.map(async (c) => await c.sendTransaction(versioned(900_000_000_000)).catch((reason: unknown) => reason as SendTransactionError)),
    );
    const logs = await (pooled as SendTransactionError).getLogs(pair[1]);
    expect(logs).toEqual(await (stock as SendTransactionError).getLogs(pair[0]));
    expect(logs.length).toBeGreaterThan(1);
    expect((pooled as SendTransactionError).cause).toMatchObject({ code: 'MOORING_SERVER_ERROR', details: { serverCode: -32002 } });
  });

  it('refuses a wrong signature, a duplicate and an old blockhash as web3.js does', async () => {
    const forged = versioned(1_000);
    forged.signatures[0] = new Uint8Array(64).fill(7);
    await expect(bothSay(pair, (c) => c.sendTransaction(forged))).resolves.toHaveProperty('error');
    const twice = versioned(1_000_123);
    await pair[0].sendTransaction(twice, { preflightCommitment: 'processed' });
    await expect(bothSay(pair, (c) => c.sendTransaction(twice, { preflightCommitment: 'processed' }))).resolves.toHaveProperty('error');
    const raw = twice.serialize();
    await expect(bothSay(pair, (c) => c.sendRawTransaction([...raw], { skipPreflight: true, maxRetries: 0 }))).resolves.toHaveProperty(
      'value',
    );
  });

  it('says by a MooringError what could not be a transaction, before anything is sent', async () => {
    const [, pooled] = pair;
    await rpc.call('resetHits');
    for (const bytes of [new Uint8Array(2000), new Uint8Array(3), 'text' as never])
      expect(await said(() => pooled.sendRawTransaction(bytes))).toMatchObject({ error: { code: 'MOORING_INVALID_ARGUMENT' } });
    expect(await rpc.count('sendTransaction')).toBe(0);
  });
});

it('keeps the MooringError as the cause of the peer’s error', async () => {
  const [, pooled] = pair;
  const error = await pooled.getMultipleAccountsInfo(Array.from({ length: 101 }, () => nobody)).catch((reason: unknown) => reason as Error);
  expect(error).toBeInstanceOf(SolanaJSONRPCError);
  expect(error).toMatchObject({ cause: { name: 'MooringError', details: { serverCode: -32602 } } });
  const worded = await pooled.getBalance(nobody, 'maybe' as never).catch((reason: unknown) => reason as Error);
  expect(worded).toMatchObject({ cause: { name: 'SolanaJSONRPCError', cause: { name: 'MooringError' } } });
});
