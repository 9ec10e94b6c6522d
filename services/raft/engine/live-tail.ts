/** @module The live end of one follower: entries handed over in memory, dropped when the follower is too slow. */
import type { LogEntry } from "./engine.ts";

/** Above this a slow follower reads from the log again instead of growing the heap. */
const MAX_TAIL_BYTES = 4 * 1024 * 1024;
/** What an entry costs beside its bytes. */
const ENTRY_OVERHEAD = 64;

export class LiveTail {
  #entries: LogEntry[] = [];
  #bytes = 0;
  #ended = false;
  #failure: Error | null = null;
  #wake: (() => void) | null = null;

  /** True after `end`. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Hands over an entry that is committed. Over the bound the older ones are dropped: the reader sees the gap. */
  push(entry: LogEntry): void {
    const size = entry.data.length + ENTRY_OVERHEAD;
    if (this.#bytes + size > MAX_TAIL_BYTES) {
      this.#entries = [];
      this.#bytes = 0;
    }
    this.#entries.push(entry);
    this.#bytes += size;
    this.#notify();
  }

  /** Everything handed over since the last call. Throws what the tail was ended with. */
  take(): readonly LogEntry[] {
    if (this.#failure) throw this.#failure;
    const taken = this.#entries;
    this.#entries = [];
    this.#bytes = 0;
    return taken;
  }

  /** Resolves when there is something to take, or the tail has ended. */
  async wait(): Promise<void> {
    if (this.#entries.length > 0 || this.#ended) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  end(failure: Error | null = null): void {
    this.#ended = true;
    this.#failure ??= failure;
    this.#notify();
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}
