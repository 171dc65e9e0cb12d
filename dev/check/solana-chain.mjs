/**
 * @module dev/check/solana-chain
 *
 * The chain behind the Solana RPC server: commitments, blockhashes, preflight, programs, tokens, history, and nodes that lag, freeze, lie or lose transactions.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { startSolanaRpc } from '../solana-rpc.mjs';
import { newSigner } from '../solana-rpc/transfer.mjs';
import { rpc, transfer } from './rpc-client.mjs';

const SYSTEM = '11111111111111111111111111111111';
const processed = { commitment: 'processed' };
let solana;
let url;
let other;
let payer;

before(async () => {
  solana = await startSolanaRpc({ fronts: 2, slotMs: 0 });
  [url, other] = solana.endpoints.map((endpoint) => endpoint.url);
  payer = newSigner();
  await solana.airdrop(payer.address, 100e9);
  await solana.advance(40);
});
after(() => solana.stop());
afterEach(() => solana.clearFaults());

const latest = async (front = url) => (await rpc(front, 'getLatestBlockhash', [processed])).value.blockhash;
const balance = async (key, front = url) => (await rpc(front, 'getBalance', [key, processed])).value;
const send = (base64, config = {}, front = url) =>
  rpc(front, 'sendTransaction', [base64, { encoding: 'base64', preflightCommitment: 'processed', ...config }]);

async function newTransfer(lamports = 1e9, blockhash) {
  const to = newSigner().address;
  return { to, ...transfer({ from: payer, to, lamports, blockhash: blockhash ?? (await latest()) }) };
}

test('chain: a transfer is processed, confirmed a slot later, finalized after 32, and lands once however often it is sent', async () => {
  const { to, signature, base64 } = await newTransfer();
  assert.equal(await send(base64), signature);
  await assert.rejects(send(base64), {
    code: -32002,
    data: {
      accounts: null,
      err: 'AlreadyProcessed',
      innerInstructions: null,
      loadedAccountsDataSize: 0,
      logs: [],
      replacementBlockhash: null,
      returnData: null,
      unitsConsumed: 0,
    },
  });
  assert.equal(await send(base64, { skipPreflight: true }, other), signature);
  const seen = [];
  for (const slots of [0, 1, 31]) {
    await solana.advance(slots);
    const [status] = (await rpc(url, 'getSignatureStatuses', [[signature]])).value;
    const finalized = (await rpc(url, 'getBalance', [to])).value;
    seen.push([status.confirmationStatus, status.confirmations, await balance(to), finalized]);
  }
  assert.deepEqual(seen, [
    ['processed', 0, 1e9, 0],
    ['confirmed', 1, 1e9, 0],
    ['finalized', null, 1e9, 1e9],
  ]);
  assert.deepEqual(
    (await solana.landed()).filter((one) => one.signature === signature).map((one) => [one.err, one.received]),
    [[null, 3]],
  );
});

test('chain: preflight fails as on a real node, a failing program lands and pays when preflight is skipped', async () => {
  const poor = await newTransfer(1000e9);
  await assert.rejects(send(poor.base64), (error) => {
    assert.equal(error.message, 'Transaction simulation failed: Error processing Instruction 0: custom program error: 0x1');
    assert.deepEqual(error.data.err, { InstructionError: [0, { Custom: 1 }] });
    return error.code === -32002 && error.data.logs.length === 3;
  });
  const earlier = await balance(payer.address);
  await send(poor.base64, { skipPreflight: true });
  assert.equal(await balance(payer.address), earlier - 5000);
  const unknown = await newTransfer(1, newSigner().address);
  await assert.rejects(send(unknown.base64), { code: -32002, message: 'Transaction simulation failed: Blockhash not found' });
  const { blockhash } = (await rpc(url, 'getLatestBlockhash', [processed])).value;
  const penniless = transfer({ from: newSigner(), to: payer.address, lamports: 1, blockhash });
  await assert.rejects(send(penniless.base64), /Attempt to debit an account but found no record of a prior credit/);
  await send(penniless.base64, { skipPreflight: true });
  assert.deepEqual((await rpc(url, 'getSignatureStatuses', [[penniless.signature]])).value, [null]); // dropped, not in any block
  const { base64 } = await newTransfer();
  const forged = Buffer.from(base64, 'base64');
  forged[10] ^= 1;
  await assert.rejects(send(forged.toString('base64')), { code: -32003 });
  await assert.rejects(send('AAAA'), { code: -32602 });
  await assert.rejects(send(Buffer.alloc(1300).toString('base64')), /too large/);
});

test('chain: a blockhash lives for 150 blocks', async () => {
  const { blockhash, lastValidBlockHeight } = (await rpc(url, 'getLatestBlockhash', [processed])).value;
  const early = await newTransfer(1e6, blockhash);
  const dead = await newTransfer(2e6, blockhash);
  await solana.advance(150);
  assert.equal(await rpc(url, 'getBlockHeight', [processed]), lastValidBlockHeight);
  assert.equal((await rpc(url, 'isBlockhashValid', [blockhash, processed])).value, true);
  await send(early.base64);
  await solana.advance(1);
  assert.equal((await rpc(url, 'isBlockhashValid', [blockhash, processed])).value, false);
  await send(dead.base64, { skipPreflight: true });
  assert.equal(await balance(dead.to), 0);
});

test('chain: simulation, fee, minimum balance, health and node methods answer', async () => {
  const { base64 } = await newTransfer();
  const simulated = (await rpc(url, 'simulateTransaction', [base64, { encoding: 'base64', commitment: 'processed', sigVerify: true }]))
    .value;
  assert.equal(simulated.err, null);
  assert.equal(simulated.logs.length, 2);
  const message = Buffer.from(base64, 'base64').subarray(65).toString('base64');
  assert.equal((await rpc(url, 'getFeeForMessage', [message, processed])).value, 5000);
  assert.equal(await rpc(url, 'getMinimumBalanceForRentExemption', [165]), 2_039_280);
  assert.equal(await rpc(url, 'getHealth'), 'ok');
  assert.equal(await (await fetch(`${url}/health`)).text(), 'ok');
  const info = await rpc(url, 'getEpochInfo', [processed]);
  assert.equal(info.absoluteSlot, await rpc(url, 'getSlot', [processed]));
  assert.notEqual(info.absoluteSlot, info.blockHeight);
  assert.ok((await rpc(url, 'getVersion'))['solana-core']);
  assert.equal(await rpc(url, 'getGenesisHash'), await rpc(other, 'getGenesisHash'));
});

test('chain: accounts come in the encodings asked for, tokens parsed', async () => {
  const [mint, token, plain] = [newSigner().address, newSigner().address, newSigner().address];
  await solana.setMint({ key: mint, decimals: 6, supply: 5_000_000 });
  await solana.setTokenAccount({ key: token, mint, owner: payer.address, amount: 1_500_000 });
  const lamports = '9007199254740993';
  await solana.setAccount({ key: plain, lamports, owner: SYSTEM, data: Buffer.from('hello').toString('base64') });
  const text = await (
    await fetch(url, {
      method: 'POST',
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'getAccountInfo', params: [plain, { encoding: 'base64', ...processed }] }),
    })
  ).text();
  assert.ok(text.includes(`"lamports":${lamports},`) && text.includes('"rentEpoch":18446744073709551615'), text);
  const amount = { amount: '1500000', decimals: 6, uiAmount: 1.5, uiAmountString: '1.5' };
  assert.deepEqual((await rpc(url, 'getTokenAccountBalance', [token, processed])).value, amount);
  const largest = (await rpc(url, 'getTokenLargestAccounts', [mint, processed])).value;
  assert.deepEqual(largest, [{ address: token, ...amount }]);
  await assert.rejects(rpc(url, 'getTokenLargestAccounts', [plain, processed]), { code: -32602 });
  const [owned] = (await rpc(url, 'getTokenAccountsByOwner', [payer.address, { mint }, { encoding: 'jsonParsed', ...processed }])).value;
  assert.equal(owned.pubkey, token);
  assert.deepEqual(owned.account.data.parsed.info.tokenAmount, amount);
  const TOKEN = owned.account.owner;
  const filters = [{ dataSize: 165 }, { memcmp: { offset: 0, bytes: mint } }];
  const found = await rpc(url, 'getProgramAccounts', [
    TOKEN,
    { encoding: 'base64', dataSlice: { offset: 64, length: 8 }, filters, ...processed },
  ]);
  assert.deepEqual(
    found.map((one) => [one.pubkey, Buffer.from(one.account.data[0], 'base64').readBigUInt64LE()]),
    [[token, 1_500_000n]],
  );
  const [one, none] = (await rpc(url, 'getMultipleAccounts', [[plain, newSigner().address], { encoding: 'base58', ...processed }])).value;
  assert.deepEqual([one.data, none], [['Cn8eVZg', 'base58'], null]);
  await assert.rejects(rpc(url, 'getBalance', ['no key']), { code: -32602, message: 'Invalid param: Invalid' });
  await assert.rejects(rpc(url, 'getTokenAccountBalance', [plain, processed]), {
    code: -32602,
    message: 'Invalid param: not a Token account',
  });
});

test('chain: leaders, votes and samples', async () => {
  const leader = await rpc(url, 'getSlotLeader', []);
  assert.deepEqual(await rpc(other, 'getSlotLeaders', [5, 3]), [leader, leader, leader]);
  await assert.rejects(rpc(url, 'getSlotLeaders', [5, 5001]), { code: -32602 });
  assert.deepEqual(await rpc(url, 'getVoteAccounts', []), { current: [], delinquent: [] });
  await solana.airdrop(newSigner().address, 1e9);
  const samples = await rpc(url, 'getRecentPerformanceSamples', []);
  const landed = await solana.landed();
  assert.equal(
    samples.reduce((sum, one) => sum + one.numTransactions, 0),
    landed.length,
  );
  assert.deepEqual((await rpc(url, 'getRecentPerformanceSamples', [1]))[0], samples[0]);
  await solana.advance(1);
});

test('chain: history is told by signature, address and block', async () => {
  const { to, signature, base64 } = await newTransfer(3e9);
  await send(base64);
  assert.equal(await rpc(url, 'getTransaction', [signature, { commitment: 'confirmed' }]), null);
  await solana.advance(1);
  const found = await rpc(url, 'getTransaction', [
    signature,
    { commitment: 'confirmed', encoding: 'jsonParsed', maxSupportedTransactionVersion: 0 },
  ]);
  assert.deepEqual([found.meta.err, found.meta.fee, found.meta.postBalances[1], found.version], [null, 5000, 3e9, 'legacy']);
  assert.deepEqual(
    found.transaction.message.accountKeys.map((key) => [key.signer, key.writable]),
    [
      [true, true],
      [false, true],
      [false, false],
    ],
  );
  const block = await rpc(url, 'getBlock', [found.slot, { commitment: 'confirmed', encoding: 'base64' }]);
  assert.deepEqual(
    block.transactions.map((one) => one.transaction[0]),
    [base64],
  );
  const history = await rpc(url, 'getSignaturesForAddress', [to, { commitment: 'confirmed' }]);
  assert.deepEqual(
    history.map((one) => one.signature),
    [signature],
  );
  await assert.rejects(rpc(url, 'getTransaction', [signature, processed]), { code: -32602 });
  await assert.rejects(rpc(url, 'getBlock', [found.slot + 1000, { commitment: 'confirmed' }]), { code: -32004 });
});

test('chain: a lagging node shows old slots, hashes, balances and statuses; a far one says it is behind', async () => {
  await solana.fault(1, { kind: 'lag', slots: 10 });
  const { to, signature, base64 } = await newTransfer();
  await send(base64);
  const slot = await rpc(url, 'getSlot', [processed]);
  assert.equal(await rpc(other, 'getSlot', [processed]), slot - 10);
  assert.equal(await balance(to, other), 0);
  assert.deepEqual((await rpc(other, 'getSignatureStatuses', [[signature]])).value, [null]);
  assert.notEqual(await latest(other), await latest());
  const fresh = await newTransfer();
  await assert.rejects(send(fresh.base64, {}, other), /Blockhash not found/);
  const floor = { minContextSlot: slot, ...processed };
  await assert.rejects(rpc(other, 'getBalance', [to, floor]), { code: -32016, data: { contextSlot: slot - 10 } });
  await solana.advance(10);
  assert.equal(await balance(to, other), 1e9);
  await solana.fault(1, { kind: 'lag', slots: 2500 });
  await assert.rejects(rpc(other, 'getHealth'), { code: -32005, data: { numSlotsBehind: 2500 } });
  await solana.fault(1, { kind: 'lag', slots: 2500, healthy: true });
  assert.equal(await rpc(other, 'getHealth'), 'ok');
});

test('chain: a frozen node stands still and calls itself healthy', async () => {
  await solana.fault(1, { kind: 'freeze' });
  const frozen = await rpc(other, 'getSlot', [processed]);
  await solana.advance(50);
  assert.equal(await rpc(other, 'getSlot', [processed]), frozen);
  assert.equal(await rpc(other, 'getHealth'), 'ok');
});

test('chain: sends vanish in a black hole, land late, or are seen and then lost in a fork', async () => {
  const status = async (signature) => (await rpc(url, 'getSignatureStatuses', [[signature]])).value[0];
  const [lost, late, forked] = [await newTransfer(), await newTransfer(), await newTransfer()];
  await solana.fault(0, { kind: 'blackhole', count: 1 });
  assert.equal(await send(lost.base64), lost.signature);
  await solana.fault(0, { kind: 'late', slots: 3, count: 1 });
  await send(late.base64);
  await solana.fault(0, { kind: 'fork', slots: 2, count: 1 });
  await send(forked.base64);
  assert.deepEqual(
    [await status(lost.signature), await status(late.signature), (await status(forked.signature)).confirmationStatus],
    [null, null, 'processed'],
  );
  await solana.advance(3);
  assert.deepEqual([await status(lost.signature), (await status(late.signature)).err, await status(forked.signature)], [null, null, null]);
  assert.equal((await solana.sends()).find((one) => one.signature === lost.signature).received, 1);
});

test('chain: a provider may give slots for block heights, and slots may be skipped', async () => {
  await solana.fault(0, { kind: 'slotAsHeight' });
  assert.equal(await rpc(url, 'getBlockHeight', [processed]), await rpc(url, 'getSlot', [processed]));
  const gaps = await startSolanaRpc({ fronts: 1, slotMs: 0, skipRate: 1 });
  const [{ url: front }] = gaps.endpoints;
  const { slot } = await gaps.advance(40);
  await assert.rejects(rpc(front, 'getBlock', [slot - 33, {}]), { code: -32007 });
  assert.equal((await rpc(front, 'getBlocks', [slot - 39, slot, { commitment: 'confirmed' }])).length, 0);
  await gaps.stop();
});
