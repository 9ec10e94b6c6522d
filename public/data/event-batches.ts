/** @module Events in batches, so that a page has no more to do when 200 events come in a second than when ten do. */

/** Nobody reads faster. The first event after a pause is shown with the next frame all the same. */
const PACE_MS = 100;
/** A hidden page has no frames; it still takes its events. */
const HIDDEN_MS = 250;
/** Beyond so many in one batch something is wrong with the page, and it is better to fetch everything anew. */
export const BATCH_LIMIT = 5000;

export class EventBatches<Item> {
  readonly #deliver: (items: readonly Item[]) => void;
  #items: Item[] = [];
  #cancel: (() => void) | null = null;
  #deliveredAt = Number.NEGATIVE_INFINITY;

  /** `deliver` gets items in the order in which they came, never none. */
  constructor(deliver: (items: readonly Item[]) => void) {
    this.#deliver = deliver;
  }

  push(item: Item): void {
    this.#items.push(item);
    if (this.#items.length >= BATCH_LIMIT) this.flush();
    this.#cancel ??= this.#soon();
  }

  flush(): void {
    this.#cancel?.();
    this.#cancel = null;
    const items = this.#items;
    this.#items = [];
    if (items.length === 0) return;
    this.#deliveredAt = performance.now();
    this.#deliver(items);
  }

  #soon(): () => void {
    const flush = () => this.flush();
    const wait = this.#deliveredAt + PACE_MS - performance.now();
    if (wait <= 0) return withNextFrame(flush);
    const timer = setTimeout(() => {
      this.#cancel = withNextFrame(flush);
    }, wait);
    return () => clearTimeout(timer);
  }
}

function withNextFrame(run: () => void): () => void {
  if (document.hidden) {
    const timer = setTimeout(run, HIDDEN_MS);
    return () => clearTimeout(timer);
  }
  const frame = requestAnimationFrame(run);
  // Frames stop when the page is hidden before the next one comes.
  const timer = setTimeout(run, HIDDEN_MS);
  return () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
  };
}
