/** @module Versions that this agent could not merge: asked for again after a while, or when the schema has changed. */
import { LRUCache } from "lru-cache";
import type { ActorId, Range } from "../replication.ts";
import { setOf } from "./ranges.ts";
import type { VersionSets } from "./sync-plan.ts";

/** Different refusals that are remembered as told. */
const TOLD = 1000;

export class Refusals {
  readonly #againMs: number;
  readonly #byOrigin = new Map<ActorId, { versions: Range[]; readonly until: number }>();
  readonly #told = new LRUCache<string, true>({ max: TOLD });

  constructor(againMs: number) {
    this.#againMs = againMs;
  }

  /** Notes a refusal at `now`, in milliseconds; true when its like was not told yet. */
  add(origin: ActorId, version: bigint, message: string, now: number): boolean {
    const of = this.#byOrigin.get(origin) ?? { versions: [], until: now + this.#againMs };
    of.versions.push({ start: version, end: version });
    this.#byOrigin.set(origin, of);
    const key = `${origin} ${message}`;
    const news = !this.#told.has(key);
    this.#told.set(key, true);
    return news;
  }

  /** What should not be asked for now. */
  waiting(now: number): VersionSets {
    for (const [origin, of] of this.#byOrigin) {
      if (of.until <= now) this.#byOrigin.delete(origin);
      else of.versions = [...setOf(of.versions)];
    }
    return new Map([...this.#byOrigin].map(([origin, { versions }]) => [origin, versions]));
  }

  /** All may be asked for again, and are told again. */
  clear(): void {
    this.#byOrigin.clear();
    this.#told.clear();
  }
}
