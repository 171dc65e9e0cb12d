/**
 * @module demo/scenes
 *
 * What happens in the demo: a calm stretch, one fault of each kind while calls go on, and each service gone in turn.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { TokenModel, TokenState } from '../models/index.js';
import type { Book, Call } from './calls.js';
import { type Service, serves, untilSettled } from './proof.js';
import type { Launch } from './seed.js';
import { type Checks, heading, note } from './table.js';
import type { Ask } from './world.js';

/** What a scene works with. */
export interface Stage {
  ask: Ask;
  book: Book;
  checks: Checks;
  /** Tokens whose launch succeeds. */
  launches: readonly Launch[];
  /** A token whose dev wallet is empty at first. */
  broke: Launch;
}

const SETTLED = 'every transfer has ended';

/** Launches and sales with nothing wrong, and calls that must be refused. */
export async function calm({ book, checks, launches, broke }: Stage): Promise<void> {
  heading('The four functions and their workers');
  const [first] = launches;
  if (first === undefined) throw new Error('no launch was seeded');
  const [unfunded, ...answers] = await Promise.all([book.launch(broke), ...launches.map((launch) => book.launch(launch))]);
  checks.check('every launch is accepted', unfunded.success && answers.every((call) => call.success), `${answers.length + 1} calls`);
  const again = await book.launch(first);
  checks.check('a second launch of one token is refused', !again.success, again.message);
  const launched = await untilState(launches, TokenState.LAUNCHED);
  checks.check('every funded token is launched', launched);
  report(await book.sellAll(launches), checks);
  const sale = await book.devSell(first, 'asked-twice');
  const repeated = await book.devSell(first, 'asked-twice');
  checks.check('a sale asked for twice is sold once', sale.success && repeated.success, repeated.message);
  checks.check(SETTLED, await untilSettled(launches));
}

/** Commits that fail transiently, and commits whose answer is cut off. */
export async function commitFailure({ ask, book, checks, launches }: Stage): Promise<void> {
  heading('Fault 1: commits fail (5 transient errors, then 2 connections cut in the commit)');
  await ask('mongo.failCommits', 5);
  report(await book.sellAll(launches), checks);
  await ask('mongo.cutCommits', 2);
  report(await book.sellAll(launches), checks);
  await ask('mongo.clear');
  checks.check(SETTLED, await untilSettled(launches));
}

/** Every Redis connection killed, three times. */
export async function redisKilled({ ask, book, checks, launches }: Stage): Promise<void> {
  heading('Fault 2: all Redis connections killed, 3 times');
  for (let i = 0; i < 3; i += 1) {
    const calls = book.sellAll(launches);
    await delay(60);
    note(`killed ${await ask<number>('redis.killClients')} connections`);
    report(await calls, checks);
  }
  checks.check(SETTLED, await untilSettled(launches));
}

/** One endpoint answers 429, another never answers. */
export async function rpcFaults({ ask, book, checks, launches }: Stage): Promise<void> {
  heading('Fault 3: one RPC endpoint limited (429), one hanging, one left');
  await ask('rpc.fault', 0, 'limited');
  await ask('rpc.fault', 1, 'hanging');
  report(await book.sellAll(launches), checks);
  await serves('RPC', launches, checks);
  checks.check(SETTLED, await untilSettled(launches));
  await ask('rpc.clear');
}

/** MongoDB killed and started again. */
export async function mongoGone(stage: Stage): Promise<void> {
  const { ask, book, checks, launches } = stage;
  heading('MongoDB gone (kill -9, then started again)');
  report(await book.sellAll(launches), checks);
  await ask('mongo.kill');
  await proveOthers(stage, ['Redis', 'RPC']);
  const calls = book.sellAll(launches.slice(0, 2));
  await delay(1_500);
  await ask('mongo.restart');
  const answers = await calls;
  const success = answers.filter((call) => call.success).length;
  note(`calls made while it was gone: ${success} succeeded after it came back, ${answers.length - success} answered success: false`);
  checks.check(
    'they answered in time',
    answers.every((call) => call.elapsedMs < 20_000),
    `longest ${longest(answers)} ms`,
  );
  report(await book.sellAll(launches), checks);
  checks.check(SETTLED, await untilSettled(launches));
}

/** Redis frozen and woken: its sockets stay open and say nothing. */
export async function redisGone(stage: Stage): Promise<void> {
  const { ask, book, checks, launches } = stage;
  heading('Redis gone (frozen, then woken)');
  await ask('redis.suspend');
  const calls = book.sellAll(launches);
  await proveOthers(stage, ['MongoDB', 'RPC']);
  const answers = await calls;
  checks.check(
    'calls are accepted without it',
    answers.every((call) => call.success),
    `longest ${longest(answers)} ms`,
  );
  await ask('redis.resume');
  checks.check(SETTLED, await untilSettled(launches));
}

/** No RPC endpoint answers. */
export async function rpcGone(stage: Stage): Promise<void> {
  const { ask, book, checks, launches } = stage;
  heading('RPC gone (every endpoint resets connections, then they come back)');
  await ask('rpc.gone');
  report(await book.sellAll(launches), checks);
  await proveOthers(stage, ['MongoDB', 'Redis']);
  await delay(1_000);
  await ask('rpc.clear');
  checks.check(SETTLED, await untilSettled(launches));
}

async function proveOthers({ checks, launches }: Stage, services: readonly Service[]): Promise<void> {
  for (const service of services) await serves(service, launches, checks);
}

function report(calls: readonly Call[], checks: Checks): void {
  const failed = calls.find((call) => !call.success);
  const figures = failed === undefined ? `${calls.length} calls, longest ${longest(calls)} ms` : `${failed.name}: ${failed.message}`;
  checks.check('every sale is accepted', failed === undefined, figures);
}

function longest(calls: readonly Call[]): number {
  return Math.round(Math.max(...calls.map((call) => call.elapsedMs)));
}

/** Waits until all tokens have the state. */
export async function untilState(launches: readonly Launch[], state: TokenState, limitMs = 30_000): Promise<boolean> {
  const deadline = performance.now() + limitMs;
  const tokens = { tokenAddress: { $in: launches.map((launch) => launch.tokenAddress) }, state };
  while ((await TokenModel.countDocuments(tokens)) < launches.length) {
    if (performance.now() > deadline) return false;
    await delay(200);
  }
  return true;
}
