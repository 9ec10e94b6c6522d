/** @module Reports that were asked for a moment ago: by experiment, kind and scope, never one for another. */
import { LRUCache } from "lru-cache";
import type { Scope } from "../contract.ts";

/** Reports at most; one of a long run may have many rows. */
const MAX_REPORTS = 32;

export interface ReportKey {
  /** Null for what is not of one experiment. */
  readonly experiment: string | null;
  readonly kind: string;
  readonly scope: Scope;
}

interface Kept {
  readonly experiment: string | null;
  readonly report: Promise<unknown>;
}

export class ReportCache {
  readonly #reports: LRUCache<string, Kept> | null;

  /** `keepMs` 0: keeps nothing. */
  constructor(keepMs: number) {
    this.#reports = keepMs === 0 ? null : new LRUCache({ max: MAX_REPORTS, ttl: keepMs });
  }

  /** The kept report, also one that is still being made, else what `make` returns. A failure is not kept. */
  get<T>(key: ReportKey, make: () => Promise<T>): Promise<T> {
    const reports = this.#reports;
    if (reports === null) return make();
    const name = JSON.stringify([key.experiment, key.kind, key.scope]);
    const kept = reports.get(name);
    if (kept) return kept.report as Promise<T>;
    const report = make();
    const entry: Kept = { experiment: key.experiment, report };
    reports.set(name, entry);
    report.catch(() => {
      if (reports.peek(name) === entry) reports.delete(name);
    });
    return report;
  }

  /** Drops what is of the experiment, and what is of all. Null: everything. */
  forget(experiment: string | null): void {
    for (const [name, kept] of this.#reports?.entries() ?? []) {
      if (experiment === null || kept.experiment === null || kept.experiment === experiment) {
        this.#reports?.delete(name);
      }
    }
  }
}
