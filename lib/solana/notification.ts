/**
 * @module solana/notification
 *
 * What nodes tell subscriptions, by kind, as JSON: nothing of it is decoded here.
 */
import type { WithContext } from './shape.js';

/** An account in a notification. */
export interface NotifiedAccount {
  /** As the `encoding` in `params` has it; with `base64` it is `[text, 'base64']`. */
  readonly data: unknown;
  readonly executable: boolean;
  readonly lamports: number;
  readonly owner: string;
  readonly rentEpoch?: number;
  readonly space?: number;
}

/** Notifications by kind of subscription. */
export interface SubscriptionNotifications {
  readonly account: WithContext<NotifiedAccount>;
  readonly logs: WithContext<{ readonly signature: string; readonly err: unknown; readonly logs: readonly string[] | null }>;
  readonly program: WithContext<{ readonly pubkey: string; readonly account: NotifiedAccount }>;
  readonly root: number;
  /** The text only with `enableReceivedNotification` in `params`. */
  readonly signature: WithContext<{ readonly err: unknown } | 'receivedSignature'>;
  readonly slot: { readonly slot: number; readonly parent: number; readonly root: number };
}
