/** @module The newest events of the subscriber, for people who watch them go by from any node. */
import type { Timestamp } from "../../../lib/clock.ts";
import type { MessageFlow, MessageUpdate } from "../contract.ts";

const KEPT = 500;

export class Flow {
  readonly #entries: MessageFlow["entries"][number][] = [];
  #last = 0;

  add(at: Timestamp, update: MessageUpdate): void {
    this.#last += 1;
    this.#entries.push({ n: this.#last, at, update });
    if (this.#entries.length > KEPT) this.#entries.shift();
  }

  /** What came after number `after`, as far as it is still there; without it only where one could begin. */
  since(after: number | undefined): MessageFlow {
    if (after === undefined) return { last: this.#last, entries: [] };
    return { last: this.#last, entries: this.#entries.filter(({ n }) => n > after) };
  }
}
