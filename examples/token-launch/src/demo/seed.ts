/**
 * @module demo/seed
 *
 * Users, wallets and drafted tokens, and lamports for the wallets that pay.
 */
import { Keypair } from '@solana/web3.js';
import type { Types } from 'mongoose';
import { sealKey } from '../blockchain/wallet-key.js';
import { pool } from '../jobs/db.js';
import { TokenModel, UserModel, WalletModel, type WalletRole } from '../models/index.js';

/** What one unit of a token costs. */
export const LAMPORTS_PER_UNIT = 10_000;
/** What a launch pays into the treasury: enough for every sale of the demo and its fees. */
export const LIQUIDITY_LAMPORTS = 200_000_000;
/** What each holder starts with. */
export const UNITS = 1_000;
/** What a dev wallet gets in advance: the liquidity, the fees, and more than an account must hold. */
export const AIRDROP_LAMPORTS = 300_000_000;

/** A token of the demo and everybody around it. */
export interface Launch {
  userId: string;
  tokenId: string;
  tokenAddress: string;
  symbol: string;
  dev: string;
  treasury: string;
  bundle: string;
}

/** Drafts a token with its own user and three wallets. `funded: false` leaves the dev wallet empty, so that the launch must fail. */
export async function seedLaunch(symbol: string, { funded }: { funded: boolean }): Promise<Launch> {
  const user = await UserModel.create({ name: `owner of ${symbol}` });
  const [dev, treasury, bundle] = await Promise.all([
    createWallet(user._id, 'dev'),
    createWallet(user._id, 'treasury'),
    createWallet(user._id, 'bundle'),
  ]);
  const token = await TokenModel.create({
    user: user._id,
    tokenAddress: Keypair.generate().publicKey.toBase58(),
    symbol,
    launch: { devWallet: dev.id, treasury: treasury.id, liquidityLamports: LIQUIDITY_LAMPORTS, lamportsPerUnit: LAMPORTS_PER_UNIT },
    holdings: [
      { wallet: dev.id, units: UNITS },
      { wallet: bundle.id, units: UNITS },
    ],
  });
  if (funded) await fund(dev.address);
  // Sales pay into it; an account below the rent minimum could not take a small sum.
  await fund(bundle.address);
  return {
    userId: user._id.toHexString(),
    tokenId: token._id.toHexString(),
    tokenAddress: token.tokenAddress,
    symbol,
    dev: dev.address,
    treasury: treasury.address,
    bundle: bundle.address,
  };
}

/** Gives a wallet lamports. */
export async function fund(address: string): Promise<void> {
  await pool.request('requestAirdrop', [address, AIRDROP_LAMPORTS]);
}

async function createWallet(user: Types.ObjectId, role: WalletRole): Promise<{ id: Types.ObjectId; address: string }> {
  const keypair = Keypair.generate();
  const address = keypair.publicKey.toBase58();
  const wallet = await WalletModel.create({ user, role, address, sealedKey: sealKey(keypair) });
  return { id: wallet._id, address };
}
