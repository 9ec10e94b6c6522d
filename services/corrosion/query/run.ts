/** @module Runs what the console asks for on an agent. */
import type { Cell } from "../../../lib/corrosion/client/events.ts";
import type { CorrosionClient } from "../../../lib/corrosion/client/http.ts";
import type { ConsoleCell, QueryResult } from "../contract.ts";
import type { RunRequest } from "./request.ts";

export type Rows = Pick<QueryResult, "columns" | "rows" | "row_count" | "rows_affected" | "truncated">;

/** At most `limit` rows, within `timeoutMs` in all. Throws `AgentError` and the signal's reason. */
export async function run(
  client: CorrosionClient,
  { statement, mode, limit }: RunRequest,
  options: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<Rows> {
  if (statement === null) return databaseInfo(client, options, limit);
  if (mode === "write") {
    const { results } = await client.transact([statement], options);
    const rowsAffected = results.reduce((sum, result) => sum + result.rowsAffected, 0);
    return { columns: [], rows: [], row_count: 0, rows_affected: rowsAffected, truncated: false };
  }
  const { columns, rows, truncated } = await client.query(statement, { ...options, limit });
  return { columns, rows: rows.map((row) => row.map(consoleCell)), row_count: rows.length, truncated };
}

const TABLES = "SELECT DISTINCT tbl_name FROM __corro_schema WHERE type = 'table' ORDER BY tbl_name";

/** What the API says beside SQL. A part that fails fails the whole: half of it would look like all of it. */
async function databaseInfo(
  client: CorrosionClient,
  options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  limit: number,
): Promise<Rows> {
  const health = await client.health(options);
  const tables = (await client.query(TABLES, options)).rows.map(([name]) => String(name));
  const counts = await client.tableStats(tables, options);
  const numbers = health.kind === "quiet" ? null : health.numbers;
  const all: ConsoleCell[][] = [
    ["agent", "address", client.agent],
    ["agent", "program", health.program],
    ["health", "state", health.kind],
    ["health", "gaps", numbers?.gaps ?? null],
    ["health", "members", numbers?.members ?? null],
    ["health", "p99_lag", numbers?.p99Lag ?? null],
    ["health", "queue_size", numbers?.queueSize ?? null],
    ...[...counts].map(([table, rows]): ConsoleCell[] => ["rows", table, rows]),
  ];
  const rows = all.slice(0, limit);
  return { columns: ["part", "name", "value"], rows, row_count: rows.length, truncated: all.length > limit };
}

/** A cell as JSON without loss: integers beyond 2^53 are texts, blobs hex digits. */
export function consoleCell(cell: Cell): ConsoleCell {
  if (typeof cell === "bigint") return String(cell);
  return cell instanceof Uint8Array ? { blob: Buffer.from(cell).toString("hex") } : cell;
}
