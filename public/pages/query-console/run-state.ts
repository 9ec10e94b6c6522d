/** @module What became of the newest run, and how that is told. */
import type { QueryResult } from "../../../services/corrosion/contract.ts";
import { countText, msText } from "../../data/wording.ts";
import type { RunBody } from "./draft.ts";

/** Times are milliseconds since 1970. */
export type RunState =
  | { readonly kind: "idle" }
  | { readonly kind: "running"; readonly id: string; readonly body: RunBody; readonly since: number }
  | { readonly kind: "done"; readonly body: RunBody; readonly result: QueryResult; readonly at: number }
  | { readonly kind: "failed"; readonly body: RunBody; readonly error: Error; readonly at: number }
  | { readonly kind: "cancelled"; readonly body: RunBody; readonly at: number };

/** `12 rows in 3.4 ms`, `1 row affected in 5.0 ms`. */
export function outcomeText({ row_count, rows_affected, elapsed_ms }: QueryResult): string {
  const rows =
    rows_affected === undefined ? countText(row_count, "row") : `${countText(rows_affected, "row")} affected`;
  return `${rows} in ${msText(elapsed_ms)}`;
}
