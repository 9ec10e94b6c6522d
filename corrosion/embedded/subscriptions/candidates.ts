/** @module Changed rows that wait to be looked at by one subscription. */
import type { Touched } from "../replication.ts";
import type { Followed } from "./followed.ts";

/** What one look is about: everything, or these packed keys, a list a source. */
export type Look =
  | { readonly kind: "whole" }
  | { readonly kind: "keys"; readonly keys: readonly (readonly Uint8Array[])[] };

/** From so many waiting keys on the whole query is less work than looking at each. */
const WHOLE_FROM = 20_000;

export class Candidates {
  readonly #wholeTables: ReadonlySet<string>;
  /** Sources by lower-case table name. */
  readonly #sources: ReadonlyMap<string, readonly number[]>;
  readonly #keys = new Map<string, Map<string, Uint8Array>>();
  #whole = false;
  #size = 0;

  constructor(followed: Followed) {
    this.#wholeTables = followed.wholeTables;
    const sources = new Map<string, number[]>();
    for (const [index, source] of followed.sources.entries()) {
      const name = source.table.name.toLowerCase();
      sources.set(name, [...(sources.get(name) ?? []), index]);
    }
    this.#sources = sources;
  }

  /** How many keys wait; at least 1 when the whole query does. */
  get size(): number {
    return this.#whole ? Math.max(1, this.#size) : this.#size;
  }

  /** Ignores rows of tables that the subscription does not read. */
  add(touched: Pick<Touched, "table" | "pk">): void {
    const table = touched.table.toLowerCase();
    if (this.#wholeTables.has(table)) this.addWhole();
    else if (!this.#sources.has(table)) return;
    if (this.#whole) {
      this.#size += 1;
      return;
    }
    const keys = this.#keys.get(table) ?? new Map<string, Uint8Array>();
    this.#keys.set(table, keys);
    const before = keys.size;
    keys.set(Buffer.from(touched.pk).toString("latin1"), touched.pk);
    this.#size += keys.size - before;
    if (this.#size >= WHOLE_FROM) this.addWhole();
  }

  /** Asks for the whole query, which answers for every key that waits: one left behind would not count as new. */
  addWhole(): void {
    this.#whole = true;
    this.#keys.clear();
  }

  /** What to look at now, up to `limit` keys, which wait no longer; null when nothing waits. */
  take(limit: number): Look | null {
    if (this.#whole) {
      this.#whole = false;
      this.#size = 0;
      return { kind: "whole" };
    }
    const taken: Uint8Array[][] = Array.from({ length: [...this.#sources.values()].flat().length }, () => []);
    let left = limit;
    for (const [table, keys] of this.#keys) {
      for (const [name, key] of keys) {
        if (left === 0) return { kind: "keys", keys: taken };
        keys.delete(name);
        left -= 1;
        this.#size -= 1;
        for (const source of this.#sources.get(table) ?? []) taken[source]!.push(key);
      }
      this.#keys.delete(table);
    }
    return left === limit ? null : { kind: "keys", keys: taken };
  }
}
