/**
 * @module redis/inline-transaction
 *
 * A transaction that is sent command by command: which commands of a client belong to it. Rust knows what became of its connection.
 *
 * Guarantees: commands until EXEC or DISCARD are its members; one that lost its connection is over when a member's failure was told, so that a caller who
 * gives up there, without EXEC, leaves a client that works.
 */
import { type CommandSpec, Flag } from './commands.js';
import type { Place } from './core.js';
import { ReplyError } from './errors.js';

/** Of a command that belongs to nothing. */
export const ALONE: Place = { group: 0, index: 0 };

/** The transaction of one client that is sent command by command, if there is one. */
export class InlineTransaction {
  readonly #nextGroup: () => number;
  #group = 0;
  #count = 0;
  /** One that is over without EXEC or DISCARD: either of them may still come. */
  #over = 0;

  constructor(nextGroup: () => number) {
    this.#nextGroup = nextGroup;
  }

  /** The place of the next command. */
  place({ flags }: CommandSpec): Place {
    const ends = (flags & Flag.exec) !== 0;
    if ((flags & Flag.multi) !== 0) this.#begin(this.#nextGroup());
    const group = this.#group === 0 && ends ? this.#over : this.#group;
    if (group === 0) return ALONE;
    const place = { group, index: this.#count++ };
    if (ends) this.#begin(0);
    return place;
  }

  /** The caller of a command in `group` is told of this error. What the server itself answers ends nothing, unless it refused MULTI. */
  failed(group: number, spec: CommandSpec, error: Error): void {
    if (group !== this.#group || (error instanceof ReplyError && (spec.flags & Flag.multi) === 0)) return;
    this.#over = group;
    this.#group = 0;
  }

  #begin(group: number): void {
    this.#group = group;
    this.#count = 0;
    this.#over = 0;
  }
}
