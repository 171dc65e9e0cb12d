/**
 * @module redis/pubsub
 *
 * Messages to events, and the channels a client is subscribed to. Text events are made only when somebody listens for them.
 */
import type { EventEmitter } from 'node:events';
import type { Redis } from './client.js';
import { type Call, RUN } from './commander.js';
import type { RedisValue, Reply } from './transformers.js';

/** Kinds of subscription, by the command that makes them. */
const KINDS = ['subscribe', 'psubscribe', 'ssubscribe'] as const;
type Kind = (typeof KINDS)[number];

/** Channels by kind: what a client that is opened anew subscribes to again. */
export class Subscriptions {
  readonly #channels: Record<Kind, Map<string, RedisValue>> = { subscribe: new Map(), psubscribe: new Map(), ssubscribe: new Map() };

  /** Follows an answered command of the subscribe family. */
  follow(command: string, channels: readonly RedisValue[]): void {
    const leaving = command.includes('unsub');
    const set = this.#channels[(leaving ? command.replace('un', '') : command) as Kind];
    if (leaving && channels.length === 0) set.clear();
    for (const channel of channels) {
      if (leaving) set.delete(channel.toString());
      else set.set(channel.toString(), channel);
    }
  }

  /** Channels of one kind, as the peer's `condition.subscriber` shows them. */
  channels(kind: string): string[] {
    return [...(this.#channels[kind as Kind]?.keys() ?? [])];
  }

  /** Commands that restore everything. Shard channels may live in different slots, so each gets its own. */
  restore(): [Kind, RedisValue[]][] {
    const all = KINDS.map((kind): [Kind, RedisValue[]] => [kind, [...this.#channels[kind].values()]]);
    return all
      .flatMap(([kind, channels]): [Kind, RedisValue[]][] =>
        kind === 'ssubscribe' ? channels.map((channel) => [kind, [channel]]) : [[kind, channels]],
      )
      .filter(([, channels]) => channels.length > 0);
  }

  isEmpty(): boolean {
    return KINDS.every((kind) => this.#channels[kind].size === 0);
  }
}

/** Events that carry messages. */
export const MESSAGE_EVENTS = ['message', 'messageBuffer', 'pmessage', 'pmessageBuffer', 'smessage', 'smessageBuffer'] as const;

/** Emits one message, text and Buffer form. */
export function emitMessage(emitter: EventEmitter, message: Reply[]): void {
  const [kind, ...parts] = message;
  const name = (kind as Buffer).toString();
  // A pattern message names its pattern as text in both forms.
  const texts = parts.map((part) => (part === null ? '' : (part as Buffer).toString()));
  if (emitter.listenerCount(name) > 0) emitter.emit(name, ...texts);
  if (emitter.listenerCount(`${name}Buffer`) === 0) return;
  emitter.emit(`${name}Buffer`, ...(name === 'pmessage' ? [texts[0], ...parts.slice(1)] : parts));
}

/** One line of MONITOR: `1339518083.107412 [0 127.0.0.1:60866] "keys" "*"`. */
export function emitMonitorLine(emitter: EventEmitter, line: string): void {
  const time = line.slice(0, line.indexOf(' '));
  const quote = line.indexOf('"');
  const args = line
    .slice(quote + 1, -1)
    .split('" "')
    .map((argument) => argument.replaceAll('\\"', '"'));
  const [database, source] = line.slice(time.length + 2, quote - 2).split(' ');
  emitter.emit('monitor', time, args, source, database);
}

/** The second connection of a client with `sharedSubscriber`: its messages appear on the first, which stays usable for all other commands. */
export class SharedSubscriber {
  readonly #client: Redis;

  constructor(owner: Redis) {
    this.#client = owner.duplicate({ sharedSubscriber: false, lazyConnect: true });
    for (const event of MESSAGE_EVENTS) this.#client.on(event, (...message: unknown[]) => owner.emit(event, ...message));
    this.#client.on('error', (error: Error) => owner.silentEmit('error', error));
  }

  /** Runs a command of the subscribe family. */
  run(call: Call): unknown {
    if (this.#client.status === 'end') void this.#client.connect().catch(() => {});
    return this.#client[RUN](call);
  }

  /** Ends with the client that it serves. */
  quit(): void {
    this.#client.quit().catch(() => {});
  }

  disconnect(reconnect: boolean): void {
    this.#client.disconnect(reconnect);
  }

  close(deadlineMs: number): Promise<void> {
    return this.#client.close(deadlineMs);
  }
}
