/**
 * @module models/user
 *
 * Who owns wallets and launches tokens.
 */
import { model, Schema, type Types } from 'mongoose';

/** A user of the backend. */
export interface User {
  _id: Types.ObjectId;
  name: string;
}

const schema = new Schema<User>({ name: { type: String, required: true } }, { timestamps: true });

/** Collection `users`. */
export const UserModel = model<User>('User', schema);
