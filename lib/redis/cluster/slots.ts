/**
 * @module redis/cluster/slots
 *
 * Which node serves which slot, as far as this client knows: filled by refreshes, corrected by MOVED. Pure data.
 */
import keySlot = require('cluster-key-slot');
import type { RedisValue } from '../transformers.js';

/** `host:port`. */
export type NodeKey = string;

/** Slots of a cluster. */
export const SLOTS = 16_384;

/** One line of CLUSTER SLOTS: the nodes that serve `[start, end]`, the master first. */
export interface SlotRange {
  readonly start: number;
  readonly end: number;
  readonly keys: readonly NodeKey[];
}

/** Whether there is such a slot: what a server names need not be one. */
export function isSlot(slot: number): boolean {
  return Number.isInteger(slot) && slot >= 0 && slot < SLOTS;
}

/** The slot of one key. */
export function slotOf(key: RedisValue): number {
  return keySlot(typeof key === 'number' ? String(key) : key);
}

/** The slot of all keys; `undefined` without keys, -1 when they live in different slots. */
export function commonSlot(keys: readonly RedisValue[]): number | undefined {
  const [first, ...others] = keys;
  if (first === undefined) return undefined;
  const slot = slotOf(first);
  return others.every((key) => slotOf(key) === slot) ? slot : -1;
}

/** Slot → nodes. */
export class SlotTable {
  /** The nodes of each slot, the master first. Empty before the first refresh. */
  readonly slots: NodeKey[][] = [];
  /** Slots with equal nodes have equal numbers: what one pipeline may touch. */
  readonly groups: (number | undefined)[] = new Array<number | undefined>(SLOTS);
  readonly #numbers = new Map<string, number>();

  /** Whether a refresh has told of any slot. */
  get known(): boolean {
    return this.slots.length > 0;
  }

  /** Nodes of a slot; none when nobody is known to serve it. */
  nodes(slot: number | undefined): readonly NodeKey[] | undefined {
    return slot === undefined ? undefined : this.slots[slot];
  }

  /** Takes over what a refresh told. Slots that it does not name are nobody's; ranges of slots that do not exist are passed over. */
  replace(ranges: readonly SlotRange[]): void {
    this.slots.length = 0;
    this.#numbers.clear();
    this.groups.fill(undefined);
    for (const { start, end, keys } of ranges) {
      if (!isSlot(start) || !isSlot(end)) continue;
      const nodes = [...keys];
      const group = this.#group(nodes);
      for (let slot = start; slot <= end; slot++) {
        this.slots[slot] = nodes;
        this.groups[slot] = group;
      }
    }
  }

  /** MOVED: the slot has another master. The next refresh tells the rest. */
  move(slot: number, master: NodeKey): void {
    const before = this.slots[slot] ?? [];
    if (before[0] === master) return;
    const nodes = [master, ...before.slice(1).filter((key) => key !== master)];
    this.slots[slot] = nodes;
    this.groups[slot] = this.#group(nodes);
  }

  #group(nodes: readonly NodeKey[]): number | undefined {
    if (nodes.length === 0) return undefined;
    const name = nodes.join(';');
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    const number = this.#numbers.size + 1;
    this.#numbers.set(name, number);
    return number;
  }
}
