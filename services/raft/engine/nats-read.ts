/** @module Reading a stream: contiguous entries, whatever happens to consumers, servers and the connection. */
import { setTimeout as delay } from "node:timers/promises";
import type { LogEntry } from "./engine.ts";
import { Truncated, Unavailable } from "./errors.ts";
import { apiCode, JS, unavailable } from "./nats-errors.ts";
import type { NatsLink } from "./nats-link.ts";
import { inPlace } from "./nats-place.ts";
import { streamName } from "./nats-streams.ts";
import type { OrderedTail } from "./nats-tail.ts";
import type { OrderedTails } from "./nats-tails.ts";

const BACKOFF_FIRST_MS = 100;
const BACKOFF_MAX_MS = 2000;
/** A read that is known to be able to go on takes another consumer after so long without an entry. */
const READ_STUCK_MS = 2500;
/** A read gives up after so long without an entry. */
const READ_GIVE_UP_MS = 30_000;
/** A follower asks the stream's leader after so long without an entry whether it has missed any. */
const FOLLOW_CHECK_MS = 20_000;
/** How long a copy may take to hand out one entry before the leader is asked. */
const DIRECT_MS = 2000;

/** Ends of the log as the stream's leader knows them. */
export type Bounds = () => Promise<{ first: number; last: number }>;

export class StreamReader {
  readonly #link: NatsLink;
  readonly #tails: OrderedTails;
  readonly #group: number;
  readonly #stream: string;
  readonly #bounds: Bounds;

  constructor(link: NatsLink, tails: OrderedTails, group: number, bounds: Bounds) {
    this.#link = link;
    this.#tails = tails;
    this.#group = group;
    this.#stream = streamName(group);
    this.#bounds = bounds;
  }

  /** A handful of entries, each asked for directly and all at once. */
  async *few(from: number, to: number): AsyncGenerator<LogEntry, void, void> {
    const wanted = Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => this.#one(from + i));
    // When the reader stops early, nobody is left to hear of the others' failures.
    for (const entry of wanted) entry.catch(() => {});
    for (const entry of wanted) yield await entry;
  }

  /** One entry that is known to exist: from any copy, or from the leader when that copy is behind. */
  async #one(index: number): Promise<LogEntry> {
    const near = await this.#direct(index);
    if (near) return { index, data: near };
    try {
      const message = await this.#link.jsm.streams.getMessage(this.#stream, { seq: index });
      if (!inPlace(message.header, index)) {
        this.#link.misplaced(this.#stream, index);
        throw new Unavailable(`group ${this.#group}: index ${index} is not what was written there`);
      }
      return { index, data: message.data };
    } catch (error) {
      if (apiCode(error) === JS.noMessageFound) {
        const { first } = await this.#bounds();
        if (index < first) throw new Truncated(this.#group, index, first);
      }
      throw unavailable(`group ${this.#group}: index ${index} cannot be read`, error);
    }
  }

  /** The entry from whichever copy is asked first; null when that one does not have it (yet), or there is none. */
  async #direct(index: number): Promise<Uint8Array | null> {
    try {
      const question = JSON.stringify({ seq: index });
      const answer = await this.#link.request(
        `$JS.API.DIRECT.GET.${this.#stream}`,
        new TextEncoder().encode(question),
        DIRECT_MS,
      );
      if (answer.headers?.get("Nats-Sequence") !== String(index)) return null;
      if (inPlace(answer.headers, index)) return answer.data;
      this.#link.misplaced(this.#stream, index);
      return null;
    } catch {
      // The leader is asked next, and what it says counts.
      return null;
    }
  }

  /**
   * Entries from..to, or without end when `to` is null. Whatever happens to consumers, servers and the connection,
   * the next index is the only thing that is remembered, and only that entry is handed on.
   */
  async *entries(from: number, to: number | null, stop: AbortSignal): AsyncGenerator<LogEntry, void, void> {
    let next = from;
    let progressAt = performance.now();
    // A consumer that begins before the first entry says nothing of it; `read` has looked already.
    let looked = to !== null;
    let failures = 0;
    while (!stop.aborted && (to === null || next <= to)) {
      if (to !== null && performance.now() - progressAt > READ_GIVE_UP_MS)
        throw new Unavailable(
          `group ${this.#group}: index ${next} could not be read for ${READ_GIVE_UP_MS} ms`,
        );
      const tail = await this.#openTail(next, failures, looked, stop);
      if (!tail) {
        failures++;
        continue;
      }
      looked = true;
      const before = next;
      try {
        for await (const entry of this.#deliveries(tail, next, to, stop)) {
          next = entry.index + 1;
          yield entry;
        }
      } finally {
        this.#tails.drop(tail);
      }
      if (next > before) {
        progressAt = performance.now();
        failures = 0;
      } else failures++;
    }
  }

  /** A consumer from `next` on, or null when there is none to be had now. Throws `Truncated`. */
  async #openTail(
    next: number,
    failures: number,
    looked: boolean,
    stop: AbortSignal,
  ): Promise<OrderedTail | null> {
    try {
      if (failures > 0)
        await delay(Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (failures - 1)), undefined, {
          signal: stop,
        });
      if (failures > 0 || !looked) {
        const { first } = await this.#bounds();
        if (next < first) throw new Truncated(this.#group, next, first);
      }
      return await this.#tails.open(this.#stream, next);
    } catch (error) {
      if (error instanceof Truncated) throw error;
      return null;
    }
  }

  /** The contiguous entries that a consumer delivers; returns when it is broken or `to` is reached. */
  async *#deliveries(
    tail: OrderedTail,
    from: number,
    to: number | null,
    stop: AbortSignal,
  ): AsyncGenerator<LogEntry, void, void> {
    let next = from;
    let quietSince = performance.now();
    const end = (): void => tail.break();
    stop.addEventListener("abort", end, { once: true });
    try {
      for (;;) {
        for (const delivery of tail.take()) {
          if (stop.aborted) return;
          if (delivery.kind === "flow") {
            tail.allowMore(delivery.reply);
            continue;
          }
          yield { index: delivery.index, data: delivery.data };
          next = delivery.index + 1;
          if (to !== null && next > to) return;
          quietSince = performance.now();
        }
        if (stop.aborted || tail.broken) return;
        const quietMs = performance.now() - quietSince;
        if (to !== null && quietMs > READ_STUCK_MS) return;
        if (to === null && quietMs > FOLLOW_CHECK_MS) {
          // Its copy of the stream may be stuck although the consumer speaks.
          if (await this.#isBehind(next)) return;
          quietSince = performance.now();
        }
        await tail.wait(quietSince + (to === null ? FOLLOW_CHECK_MS : READ_STUCK_MS));
      }
    } finally {
      stop.removeEventListener("abort", end);
    }
  }

  async #isBehind(next: number): Promise<boolean> {
    try {
      return (await this.#bounds()).last >= next;
    } catch {
      // Without a leader there is nothing to be behind of; the next check asks again.
      return false;
    }
  }
}
