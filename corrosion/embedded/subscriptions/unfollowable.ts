/** @module Refuses what a subscription could show once, but not follow. */
import type { DatabaseSync } from "node:sqlite";
import { isSign, isWord, nameOf } from "../../../lib/sql-tokens.ts";
import { SubscriptionRefused } from "./contract.ts";
import type { Aggregates, Placed } from "./select.ts";

/** Throws `SubscriptionRefused` for the statement's own aggregates, DISTINCT and the like; sub-queries may have them. */
export function refuseUnfollowable(tokens: readonly Placed[], aggregates: Aggregates): void {
  if (isWord(tokens[1], "DISTINCT")) throw unfollowable("DISTINCT");
  for (const [at, token] of tokens.entries()) {
    refuseInTable(tokens, at);
    if (token.nested) continue;
    if (token.depth === 0) refuseClause(tokens, at);
    if (!isSign(tokens[at + 1], "(")) continue;
    const name = nameOf(token)?.toLowerCase();
    if (name === undefined || token.kind === "string") continue;
    const aggregating =
      aggregates.always.has(name) || (aggregates.withOneArgument.has(name) && !hasComma(tokens, at + 1));
    if (aggregating) throw unfollowable(`aggregates (${name})`);
  }
}

function refuseClause(tokens: readonly Placed[], at: number): void {
  const token = tokens[at]!;
  if (isWord(token, "UNION", "INTERSECT", "EXCEPT")) throw unfollowable("compound SELECT");
  if (isWord(token, "GROUP") && isWord(tokens[at + 1], "BY")) throw unfollowable("GROUP BY");
  if (isWord(token, "HAVING")) throw unfollowable("HAVING");
  if (isWord(token, "LIMIT")) throw unfollowable("LIMIT");
  if (isWord(token, "WINDOW") && isWord(tokens[at + 2], "AS") && isSign(tokens[at + 3], "(")) {
    throw unfollowable("window functions");
  }
}

/** `x IN table`, which the real agent cannot read either. */
function refuseInTable(tokens: readonly Placed[], at: number): void {
  const table = nameOf(tokens[at + 1]);
  if (!isWord(tokens[at], "IN") || table === undefined) return;
  throw new SubscriptionRefused(
    400,
    `expression is not supported: ${tokens[at - 1]?.text ?? ""} IN ${table}`,
  );
}

function hasComma(tokens: readonly Placed[], open: number): boolean {
  const inside = tokens[open]!.depth + 1;
  for (let at = open + 1; at < tokens.length && tokens[at]!.depth >= inside; at++) {
    if (tokens[at]!.depth === inside && isSign(tokens[at], ",")) return true;
  }
  return false;
}

export function unfollowable(what: string): SubscriptionRefused {
  return new SubscriptionRefused(
    400,
    `the embedded development agent does not follow ${what} in subscriptions, and Corrosion's results are wrong ` +
      "after the first one: use a query, or subscribe to the rows",
  );
}

/** SQLite knows best which of its functions aggregate, over windows too; `min` and `max` do so with one argument only. */
export function aggregatesOf(reader: DatabaseSync): Aggregates {
  const rows = reader.prepare("SELECT DISTINCT name, type FROM pragma_function_list").all();
  const names = (scalar: boolean): Set<string> =>
    new Set(rows.filter((row) => (row.type === "s") === scalar).map((row) => String(row.name)));
  const scalars = names(true);
  const others = names(false);
  return { always: others.difference(scalars), withOneArgument: others.intersection(scalars) };
}
