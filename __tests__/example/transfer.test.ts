/**
 * @module __tests__/example/transfer
 *
 * The workers of the example on the real SVM: a transfer is paid once however often it is run, its bytes are stored before they are sent, and no key is in Redis.
 */
import { Keypair, PublicKey, VersionedTransaction } from '@solana/web3.js';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Launch } from '../../examples/token-launch/src/demo/seed.js';
import { type Backend, connectFresh, eventually, loadBackend } from './backend';

const FEE_LAMPORTS = 5_000;

describe('a transfer', () => {
  let backend: Backend;
  let launch: Launch;
  const workers: { close(): Promise<unknown> }[] = [];

  beforeAll(async () => {
    backend = loadBackend('transfer', 6);
    await connectFresh(backend);
  }, 60_000);

  beforeEach(async () => {
    launch = await backend.seedLaunch('TEST', { funded: true });
  });

  afterAll(async () => {
    await backend.mooring.gracefulShutdown({ workers, queues: Object.values(backend.queues), logger: { info: () => {}, error: () => {} } });
  });

  const transferOf = () => backend.TransferModel.findOne({ token: launch.tokenId }).sort({ _id: -1 }).orFail();
  const token = () => backend.TokenModel.findById(launch.tokenId).orFail();
  const balanceOf = async (address: string): Promise<number> => {
    backend.pool.clearCache();
    return backend.pool.getBalance(new PublicKey(address));
  };
  /** A launch that is enqueued; no worker runs yet. */
  const enqueued = async () => {
    expect((await backend.enqueueTokenLaunch(launch)).success).toBe(true);
    return transferOf();
  };
  /** What a worker leaves that dies after storing the bytes and before sending them. */
  const storedOnly = async () => {
    const transfer = await enqueued();
    const wallet = await backend.WalletModel.findById(transfer.from).select('+sealedKey').orFail();
    const signed = await backend.signTransfer({ wallet, to: transfer.to, lamports: transfer.lamports, memo: transfer.jobId });
    await backend.TransferModel.updateOne({ _id: transfer._id }, { $set: { signed, state: 'SIGNED' } });
    // Whatever runs it now cannot sign again.
    await backend.WalletModel.deleteOne({ _id: transfer.from });
    return { id: transfer._id.toHexString(), signed };
  };

  test('run once, pays once and launches the token', async () => {
    const transfer = await enqueued();
    expect(await backend.runTransfer(transfer._id.toHexString())).toBe('LANDED');
    const landed = await transferOf();
    expect(landed.state).toBe('LANDED');
    expect(landed.slot).toBeGreaterThan(0);
    expect((await token()).state).toBe('LAUNCHED');
    expect(await balanceOf(launch.treasury)).toBe(backend.LIQUIDITY_LAMPORTS);
    expect(await balanceOf(launch.dev)).toBe(backend.AIRDROP_LAMPORTS - backend.LIQUIDITY_LAMPORTS - FEE_LAMPORTS);
  });

  test('whose worker died before the send is sent by the next one, with the stored bytes and without the key', async () => {
    const { id, signed } = await storedOnly();
    expect(await backend.runTransfer(id)).toBe('LANDED');
    expect((await transferOf()).signed?.signature).toBe(signed.signature);
    const { value } = await backend.pool.getSignatureStatuses([signed.signature]);
    expect(value[0]?.err).toBeNull();
    expect(await balanceOf(launch.treasury)).toBe(backend.LIQUIDITY_LAMPORTS);
  });

  test('whose worker died after the send is found landed by the next one, and not paid again', async () => {
    const { id } = await storedOnly();
    await backend.runTransfer(id);
    await backend.TransferModel.updateOne({ _id: id }, { $set: { state: 'SIGNED' }, $unset: { slot: 1 } });
    await backend.TokenModel.updateOne({ _id: launch.tokenId }, { $set: { state: 'LAUNCHING' } });
    expect(await backend.runTransfer(id)).toBe('LANDED');
    expect((await token()).state).toBe('LAUNCHED');
    expect(await balanceOf(launch.treasury)).toBe(backend.LIQUIDITY_LAMPORTS);
  });

  test('run by five workers at once is paid once', async () => {
    const transfer = await enqueued();
    const ends = await Promise.all(Array.from({ length: 5 }, () => backend.runTransfer(transfer._id.toHexString())));
    expect(new Set(ends)).toEqual(new Set(['LANDED']));
    expect(await balanceOf(launch.treasury)).toBe(backend.LIQUIDITY_LAMPORTS);
    expect(await balanceOf(launch.dev)).toBe(backend.AIRDROP_LAMPORTS - backend.LIQUIDITY_LAMPORTS - FEE_LAMPORTS);
  });

  test('whose bytes can never land has failed, and the launch can be tried again', async () => {
    const transfer = await enqueued();
    const id = transfer._id;
    const wallet = await backend.WalletModel.findById(transfer.from).select('+sealedKey').orFail();
    const signed = await backend.signTransfer({ wallet, to: transfer.to, lamports: transfer.lamports, memo: transfer.jobId });
    const height = await backend.pool.request<number>('getBlockHeight');
    // Signed under a blockhash that no node knows, as one that is long past.
    const transaction = VersionedTransaction.deserialize(signed.bytes);
    transaction.message.recentBlockhash = Keypair.generate().publicKey.toBase58();
    transaction.sign([backend.openKey(new PublicKey(wallet.address).toBytes(), wallet.sealedKey)]);
    const stale = {
      bytes: Buffer.from(transaction.serialize()),
      signature: backend.base58(transaction.signatures[0] ?? new Uint8Array()),
      lastValidBlockHeight: height - 5,
    };
    await backend.TransferModel.updateOne({ _id: id }, { $set: { signed: { ...signed, ...stale }, state: 'SIGNED' } });
    const end = await eventually('the transfer has failed', () => backend.runTransfer(id.toHexString()).catch(() => undefined));
    expect(end).toBe('FAILED');
    expect((await token()).state).toBe('FAILED');
    expect((await backend.enqueueTokenLaunchRetry(launch)).success).toBe(true);
    expect(await backend.runTransfer((await transferOf())._id.toHexString())).toBe('LANDED');
    expect(await balanceOf(launch.treasury)).toBe(backend.LIQUIDITY_LAMPORTS);
  });

  test('whose job was lost gets it again, once', async () => {
    const transfer = await enqueued();
    const queue = backend.queues.launch;
    await (await queue.getJob(transfer.jobId))?.remove();
    expect(await queue.getJob(transfer.jobId)).toBeUndefined();
    await backend.reconcile(0);
    expect((await queue.getJob(transfer.jobId))?.data).toEqual({ transferId: transfer._id.toHexString() });
    expect(await backend.reconcile(0)).toBe(0);
  });

  test('goes through the queue: launch, sale of the developer, sale of a wallet, and no key is in Redis', async () => {
    workers.push(...backend.startWorkers());
    const { userId, tokenAddress } = launch;
    expect((await backend.enqueueTokenLaunch(launch)).success).toBe(true);
    await eventually('launched', async () => (await token()).state === backend.TokenState.LAUNCHED);
    const sales = await Promise.all([
      backend.enqueueDevSell({ userId, tokenAddress, units: 3, requestId: 'dev' }),
      backend.enqueueWalletSell({ userId, tokenAddress, walletAddress: launch.bundle, units: 4, requestId: 'wallet' }),
    ]);
    expect(sales.map((sale) => sale.success)).toEqual([true, true]);
    await eventually(
      'sold',
      async () => (await backend.TransferModel.countDocuments({ token: launch.tokenId, state: backend.TransferState.LANDED })) === 3,
    );
    expect((await token()).state).toBe('LISTED');
    expect((await token()).holdings.map(({ units, reserved }) => [units, reserved])).toEqual([
      [997, 0],
      [996, 0],
    ]);
    expect(await balanceOf(launch.bundle)).toBe(backend.AIRDROP_LAMPORTS + 4 * backend.LAMPORTS_PER_UNIT);
    expect(await balanceOf(launch.treasury)).toBe(backend.LIQUIDITY_LAMPORTS - 7 * backend.LAMPORTS_PER_UNIT - 2 * FEE_LAMPORTS);
    const inRedis = await everythingInRedis(backend);
    expect(inRedis).toContain(launch.tokenId);
    for (const secret of await secretsOf(backend)) expect(inRedis).not.toContain(secret);
  });
});

/** Every key and every value, as text. */
async function everythingInRedis({ redisClient: redis }: Backend): Promise<string> {
  const read: Record<string, (key: string) => Promise<unknown>> = {
    string: (key) => redis.get(key),
    hash: (key) => redis.hgetall(key),
    list: (key) => redis.lrange(key, 0, -1),
    set: (key) => redis.smembers(key),
    zset: (key) => redis.zrange(key, 0, -1),
    stream: (key) => redis.xrange(key, '-', '+'),
  };
  const found: unknown[] = [];
  for (const key of await redis.keys('*')) {
    const reader = read[await redis.type(key)];
    if (reader === undefined) throw new Error(`no reader for ${key}`);
    found.push(key, await reader(key));
  }
  return JSON.stringify(found);
}

/** The private keys in every notation that could have slipped out, and their sealed form. */
async function secretsOf(backend: Backend): Promise<string[]> {
  const wallets = await backend.WalletModel.find({}).select('+sealedKey');
  return wallets.flatMap(({ address, sealedKey }) => {
    const secret = Buffer.from(backend.openKey(new PublicKey(address).toBytes(), sealedKey).secretKey);
    const seed = secret.subarray(0, 32);
    return [
      secret.toString('hex'),
      seed.toString('hex'),
      secret.toString('base64'),
      new PublicKey(seed).toBase58(),
      [...seed].join(','),
      sealedKey.data,
    ];
  });
}
