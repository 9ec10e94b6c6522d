/** @module Whether a statement only reads, by the rule with which SQLite itself decides it. */
import type { DatabaseSync } from "node:sqlite";
import { keyword, tokenize } from "../../../lib/sql-tokens.ts";

/** Operations that make a program one that writes, whatever they work on. */
const WRITING = new Set(["Vacuum", "Checkpoint", "JournalMode"]);

/** `sql` is one statement that can be prepared on `db`. */
export function isReadOnly(db: DatabaseSync, sql: string): boolean {
  return db
    .prepare(`EXPLAIN ${withoutExplain(sql)}`)
    .all()
    .every(
      ({ opcode, p2 }) => !WRITING.has(String(opcode)) && (opcode !== "Transaction" || Number(p2) === 0),
    );
}

/** An explained statement counts as what it explains. */
function withoutExplain(sql: string): string {
  const [first, second, third] = tokenize(sql.slice(0, 4096));
  if (first === undefined || keyword(first) !== "EXPLAIN") return sql;
  const last = keyword(second) === "QUERY" && keyword(third) === "PLAN" ? third : first;
  return sql.slice(last?.end ?? first.end);
}

/** Whether it may leave something behind on its connection: BEGIN, ATTACH, PRAGMA. */
export function leavesTraces(sql: string): boolean {
  const [first] = tokenize(sql.slice(0, 4096));
  return !["SELECT", "WITH", "VALUES", "EXPLAIN"].includes(keyword(first) ?? "");
}
