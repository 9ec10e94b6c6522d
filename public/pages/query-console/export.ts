/** @module A result as a file: what was run is not run again for it. */
import { type CsvValue, csvFile } from "../../../lib/csv.ts";
import type { ConsoleCell, QueryResult } from "../../../services/corrosion/contract.ts";
import type { RunBody } from "./draft.ts";

/** The rows with a header; NULL is an empty field, a blob an SQL literal `x'00'`. */
export function csvOf({ columns, rows }: QueryResult): string {
  return csvFile(
    columns,
    rows.map((row) => row.map(csvValue)),
  );
}

function csvValue(cell: ConsoleCell): CsvValue {
  return typeof cell === "object" && cell !== null ? `x'${cell.blob}'` : cell;
}

/** Everything of the run: what was asked, and the rows as lists, because two columns may have one name. */
export function jsonOf(result: QueryResult, { run_id: _, ...request }: RunBody, exportedAt: Date): string {
  const file = { exported_at: exportedAt.toISOString(), request, ...result };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** `node_messages_all_20260102T030405Z.csv`; `query_…` for somebody's own statement. */
export function fileNameOf({ preset }: RunBody, at: Date, ending: "csv" | "json"): string {
  const stamp = at.toISOString().replaceAll(/[-:]|\.\d+/g, "");
  return `${(preset ?? "query").replaceAll(/[^\w-]/g, "_")}_${stamp}.${ending}`;
}
