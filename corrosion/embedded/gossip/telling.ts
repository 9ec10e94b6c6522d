/** @module What gossip tells of itself; the same thing said every second says nothing more. */
import { LRUCache } from "lru-cache";
import type { GossipEvent } from "./contract.ts";

/** Messages that are remembered as told. */
const TOLD = 1000;
/** After so long the same thing is news again. */
const TOLD_MS = 600_000;

export class Telling {
  readonly #listener: (event: GossipEvent) => void;
  readonly #told = new LRUCache<string, true>({ max: TOLD, ttl: TOLD_MS });

  constructor(listener: (event: GossipEvent) => void) {
    this.#listener = listener;
  }

  tell(event: GossipEvent): void {
    this.#listener(event);
  }

  /** Only when nothing was told by this key of late. */
  once(key: string, event: GossipEvent): void {
    if (this.#told.has(key)) return;
    this.#told.set(key, true);
    this.tell(event);
  }

  trouble(what: string, error: unknown): void {
    const message = `${what} failed: ${error instanceof Error ? error.message : String(error)}`;
    this.once(message, { kind: "trouble", message });
  }

  /** All is news again. */
  forget(): void {
    this.#told.clear();
  }
}
