/**
 * @module demo/calls
 *
 * Calls of the four functions, and the book that is kept of what they answered. The book is the claim; `demo/ledger` compares it with what the servers hold.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Answer, enqueueDevSell, enqueueTokenLaunch, enqueueTokenLaunchRetry, enqueueWalletSell } from '../backend/functions.js';
import type { Launch } from './seed.js';

/** The names of the four functions. */
export const FUNCTIONS = ['enqueueTokenLaunch', 'enqueueTokenLaunchRetry', 'enqueueDevSell', 'enqueueWalletSell'] as const;

/** One call and its answer. */
export interface Call extends Answer {
  name: (typeof FUNCTIONS)[number];
  /** The job that the call stands for. */
  jobId: string;
  elapsedMs: number;
}

/** How many units a sale of the demo sells. */
export const UNITS_PER_SALE = 2;

/** Every call of the demo. */
export class Book {
  readonly calls: Call[] = [];
  private sales = 0;

  /** Launches; `attempt` 1 is the launch, later ones are retries. */
  launch({ userId, tokenId, tokenAddress }: Launch, attempt = 1): Promise<Call> {
    const [name, enqueue] =
      attempt === 1
        ? (['enqueueTokenLaunch', enqueueTokenLaunch] as const)
        : (['enqueueTokenLaunchRetry', enqueueTokenLaunchRetry] as const);
    return this.record(name, `launch-${tokenId}-${attempt}`, () => enqueue({ userId, tokenAddress }));
  }

  /** Sells from the developer's holding. */
  devSell({ userId, tokenId, tokenAddress }: Launch, requestId = this.nextRequest()): Promise<Call> {
    const work = () => enqueueDevSell({ userId, tokenAddress, units: UNITS_PER_SALE, requestId });
    return this.record('enqueueDevSell', `dev-sell-${tokenId}-${requestId}`, work);
  }

  /** Sells from the bundle wallet's holding. */
  walletSell({ userId, tokenId, tokenAddress, bundle }: Launch, requestId = this.nextRequest()): Promise<Call> {
    const work = () => enqueueWalletSell({ userId, tokenAddress, walletAddress: bundle, units: UNITS_PER_SALE, requestId });
    return this.record('enqueueWalletSell', `wallet-sell-${tokenId}-${requestId}`, work);
  }

  /** One sale of each kind for each token, a few milliseconds apart; answers when all have answered. */
  async sellAll(launches: readonly Launch[], gapMs = 20): Promise<Call[]> {
    const running: Promise<Call>[] = [];
    for (const launch of launches) {
      running.push(this.devSell(launch), this.walletSell(launch));
      await delay(gapMs);
    }
    return Promise.all(running);
  }

  private nextRequest(): string {
    this.sales += 1;
    return `demo-${this.sales}`;
  }

  private async record(name: Call['name'], jobId: string, work: () => Promise<Answer>): Promise<Call> {
    const started = performance.now();
    const call = { name, jobId, ...(await work()), elapsedMs: performance.now() - started };
    this.calls.push(call);
    return call;
  }
}
