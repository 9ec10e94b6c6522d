/** @module The ordered consumers of one engine: created a few at a time, and looked after by one timer. */
import type { NatsLink } from "./nats-link.ts";
import { OrderedTail } from "./nats-tail.ts";
import { Slots } from "./slots.ts";

/** Consumers that are created at a time, so that a lost server does not become a storm of requests. */
const PARALLEL_OPENS = 16;
const OPEN_HOLD_MS = 2000;
/** How often a reader looks whether its consumer still lives. */
const WATCH_MS = 1000;

export class OrderedTails {
  readonly #link: NatsLink;
  readonly #opens = new Slots(PARALLEL_OPENS, OPEN_HOLD_MS);
  readonly #tails = new Set<OrderedTail>();
  #watch: NodeJS.Timeout | null = null;

  constructor(link: NatsLink) {
    this.#link = link;
  }

  /** A consumer from an index on; paid back with `drop`. Throws nats.js's errors. */
  async open(stream: string, from: number): Promise<OrderedTail> {
    const tail = new OrderedTail(this.#link, stream);
    this.#tails.add(tail);
    this.#watch ??= setInterval(() => this.#tick(), WATCH_MS);
    try {
      await this.#opens.run(() => tail.open(from));
      return tail;
    } catch (error) {
      this.drop(tail);
      throw error;
    }
  }

  drop(tail: OrderedTail): void {
    tail.close();
    this.#tails.delete(tail);
    if (this.#tails.size > 0 || !this.#watch) return;
    clearInterval(this.#watch);
    this.#watch = null;
  }

  /** Ends all consumers. */
  close(): void {
    for (const tail of [...this.#tails]) this.drop(tail);
  }

  #tick(): void {
    for (const tail of this.#tails) tail.tick();
  }
}
