/**
 * @module models
 *
 * All models, and the one call that makes their collections and unique indexes exist before the first transaction.
 */
import { TokenModel } from './token.js';
import { TransferModel } from './transfer.js';
import { UserModel } from './user.js';
import { WalletModel } from './wallet.js';

export * from './token.js';
export * from './transfer.js';
export * from './user.js';
export * from './wallet.js';

/** Waits for collections and indexes. Without it the first transactions could run before the unique indexes hold. */
export async function prepareModels(): Promise<void> {
  await Promise.all([UserModel.init(), WalletModel.init(), TokenModel.init(), TransferModel.init()]);
}
