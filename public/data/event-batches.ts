/** @module Events in batches, one a frame, so that a page paints as often when 200 events come in a second as with one. */

/** A hidden page has no frames; it still takes its events. */
const HIDDEN_MS = 250;
/** Beyond so many in one batch something is wrong with the page, and it is better to fetch everything anew. */
export const BATCH_LIMIT = 5000;

export class EventBatches<Item> {
  readonly #deliver: (items: readonly Item[]) => void;
  #items: Item[] = [];
  #cancel: (() => void) | null = null;

  /** `deliver` gets items in the order in which they came, never none. */
  constructor(deliver: (items: readonly Item[]) => void) {
    this.#deliver = deliver;
  }

  push(item: Item): void {
    this.#items.push(item);
    if (this.#items.length >= BATCH_LIMIT) this.flush();
    this.#cancel ??= soon(() => this.flush());
  }

  flush(): void {
    this.#cancel?.();
    this.#cancel = null;
    const items = this.#items;
    this.#items = [];
    if (items.length > 0) this.#deliver(items);
  }
}

function soon(run: () => void): () => void {
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
