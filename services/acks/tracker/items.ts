/** @module Sent messages and who acknowledged them. Pure: what is decided follows from the calls and their times. */
import type { Acknowledged, ItemState, Transport } from "../contract.ts";

export interface Limits {
  /** How long an item is waited for, microseconds. */
  readonly deadlineUs: number;
  /** Items younger than this stay, microseconds. */
  readonly keepUs: number;
  /** So many of the newest stay, whatever their age. */
  readonly keepNewest: number;
  /** No more than these, whatever their age. */
  readonly most: number;
}

export const LIMITS: Omit<Limits, "deadlineUs"> = {
  keepUs: 600_000_000,
  keepNewest: 100,
  most: 5000,
};

export interface Tracked {
  readonly pk: string;
  readonly transport: Transport;
  readonly expected: readonly string[];
  /** Microseconds, of the clock that all times here are of. */
  readonly sentAt: number;
  readonly experimentId: string | null;
}

export interface Ack {
  readonly nodeId: string;
  readonly arrivedAt: number;
  /** As the receiver says. */
  readonly receiptTimestamp: string | null;
  readonly late: boolean;
}

export interface Item extends Tracked {
  readonly deadlineAt: number;
  /** In the order in which they came. */
  readonly acks: ReadonlyMap<string, Ack>;
}

interface OwnItem extends Item {
  readonly acks: Map<string, Ack>;
  /** Grows from item to item. */
  readonly number: number;
}

export interface Arrival {
  readonly pk: string;
  readonly nodeId: string;
  readonly receiptTimestamp: string | null;
  /** Null: by any. */
  readonly transport: Transport | null;
}

/** All times are microseconds of one clock that never jumps. */
export class Items {
  readonly #limits: Limits;
  /** Oldest first. */
  readonly #items = new Map<string, OwnItem>();
  #tracked = 0;
  /** Number of the last item that was tracked before the last reset. */
  #reset = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#items.size;
  }

  /** The newest item; null when there is none, and after `reset` until there is a new one. */
  get latest(): Item | null {
    const newest = [...this.#items.values()].at(-1);
    return newest && newest.number > this.#reset ? newest : null;
  }

  get(pk: string): Item | null {
    return this.#items.get(pk) ?? null;
  }

  /** Begins to wait. An item that is tracked already stays as it is, with its acknowledgements. */
  track(tracked: Tracked, now: number): Item {
    const known = this.#items.get(tracked.pk);
    if (known) return known;
    this.#tracked += 1;
    const item: OwnItem = {
      ...tracked,
      number: this.#tracked,
      expected: [...new Set(tracked.expected)].sort(),
      deadlineAt: tracked.sentAt + this.#limits.deadlineUs,
      acks: new Map(),
    };
    this.#items.set(item.pk, item);
    this.#drop(now);
    return item;
  }

  /** Forgets the item. Returns whether there was one. */
  untrack(pk: string): boolean {
    return this.#items.delete(pk);
  }

  /** Counts the first acknowledgement of each node, and no other. `now` is when it arrived. */
  acknowledge({ pk, nodeId, receiptTimestamp, transport }: Arrival, now: number): Acknowledged {
    const item = this.#items.get(pk);
    if (!item || (transport !== null && transport !== item.transport)) {
      return { outcome: "unknown", late: false };
    }
    const known = item.acks.get(nodeId);
    if (known) return { outcome: "repeated", late: known.late };
    const late = now >= item.deadlineAt;
    item.acks.set(nodeId, { nodeId, arrivedAt: now, receiptTimestamp, late });
    return { outcome: "counted", late };
  }

  /** No item is the latest any more. Those that were sent stay, so that what is under way is answered and counted. */
  reset(): void {
    this.#reset = this.#tracked;
  }

  #drop(now: number): void {
    const { keepNewest, keepUs, most } = this.#limits;
    for (const { pk, sentAt } of this.#items.values()) {
      const enough = this.#items.size > keepNewest && now - sentAt >= keepUs;
      if (this.#items.size <= most && !enough) return;
      this.#items.delete(pk);
    }
  }
}

/** Where the item stands. What comes after the deadline is kept, and changes nothing here any more. */
export function stateOf(item: Item, now: number): ItemState {
  const inTime = [...item.acks.values()].filter(({ late }) => !late);
  if (item.expected.every((nodeId) => item.acks.get(nodeId)?.late === false)) return "complete";
  if (now < item.deadlineAt) return "pending";
  return inTime.length > 0 ? "partial" : "unacked";
}

/** Arrival - send, in milliseconds with three decimals. */
export function latencyMs(item: Item, ack: Ack): number {
  return (ack.arrivedAt - item.sentAt) / 1000;
}
