/** @module What `corrosion.query` offers on the bus: presets, run, history, cancel. */
import type { Timestamp } from "../../../lib/clock.ts";

export interface QueryPreset {
  readonly id: string;
  readonly label: string;
  readonly badge: string;
  readonly description: string;
  /** Null for presets that the node answers itself (`database_info`). */
  readonly sql: string | null;
  readonly params: readonly {
    readonly name: string;
    readonly type: "integer" | "text";
    readonly min?: number;
    readonly default?: number | string;
  }[];
}

/** Cells: integers beyond 2^53 are strings; a blob is `{blob: hex}`. */
export type ConsoleCell = null | number | string | { readonly blob: string };

export interface QueryRun {
  readonly preset?: string;
  readonly sql?: string;
  readonly params?: Readonly<Record<string, number | string>> | readonly (null | boolean | number | string)[];
  readonly mode?: "read" | "write";
  /** Rows at most; 1 to 5000, default 500. */
  readonly limit?: number;
  /** With it a caller may `corrosion.query.cancel` the run. */
  readonly run_id?: string;
}

export interface QueryResult {
  readonly run_id: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly ConsoleCell[])[];
  readonly row_count: number;
  /** Only in mode `write`. */
  readonly rows_affected?: number;
  readonly truncated: boolean;
  readonly elapsed_ms: number;
}

export interface ConsoleRunRecord {
  readonly id: number;
  readonly at: Timestamp;
  readonly preset: string | null;
  readonly sql: string;
  readonly params: unknown;
  readonly mode: "read" | "write";
  readonly row_count: number | null;
  readonly elapsed_ms: number | null;
  readonly error: string | null;
}

/** `analytics.store.recordRun`; `analytics.store.runs` with `{limit}` gives them back as `ConsoleRunRecord[]`. */
export type NewConsoleRun = Omit<ConsoleRunRecord, "id" | "at"> & {
  /** Microseconds since 1970. */
  readonly at: number;
};
