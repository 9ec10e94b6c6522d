/** @module Reads a FROM clause: tables, aliases and how they are joined. */

import { isSign, isWord, nameOf } from "../../../lib/sql-tokens.ts";
import { SubscriptionRefused } from "./contract.ts";
import type { Placed, Source } from "./select.ts";
import { unfollowable } from "./unfollowable.ts";

const JOIN_WORDS = ["NATURAL", "LEFT", "RIGHT", "FULL", "INNER", "CROSS", "OUTER"] as const;

interface Join {
  readonly kind: Source["join"];
  /** The first token after it. */
  readonly next: number;
}

/** The tables of a clause that begins with FROM. Throws `SubscriptionRefused` for anything but plain tables. */
export function parseFrom(tokens: readonly Placed[]): Source[] {
  const sources: Source[] = [];
  let join: Join | undefined = { kind: "first", next: 1 };
  while (join !== undefined) {
    const { source, next } = readSource(tokens, join);
    sources.push(source);
    join = nextJoin(tokens, next);
  }
  return sources;
}

function readSource(tokens: readonly Placed[], join: Join): { source: Source; next: number } {
  let at = join.next;
  if (isSign(tokens[at], "(")) {
    const subQuery = isWord(tokens[at + 1], "SELECT", "VALUES", "WITH");
    throw unfollowable(subQuery ? "sub-queries in FROM" : "joins in brackets");
  }
  let table = nameOf(tokens[at]) ?? "";
  at += 1;
  if (isSign(tokens[at], ".")) {
    const schema = table;
    table = nameOf(tokens[at + 1]) ?? "";
    at += 2;
    if (schema.toLowerCase() !== "main") throw notInSchema(`${schema}.${table}`);
  }
  if (isSign(tokens[at], "(")) throw notInSchema(table);
  if (isWord(tokens[at], "AS")) at += 1;
  else if (!isAlias(tokens, at)) return { source: { table, alias: table, join: join.kind }, next: at };
  return { source: { table, alias: nameOf(tokens[at]) ?? table, join: join.kind }, next: at + 1 };
}

/** A table that this agent's schema does not have. */
export function notInSchema(table: string): SubscriptionRefused {
  return new SubscriptionRefused(400, `table not found in schema: ${table}`);
}

function isAlias(tokens: readonly Placed[], at: number): boolean {
  const token = tokens[at];
  if (nameOf(token) === undefined) return false;
  return !isWord(token, "ON", "USING", "INDEXED", "NOT", "JOIN") && joinAt(tokens, at) === undefined;
}

/** The next join of this clause, past ON, USING and INDEXED BY. */
function nextJoin(tokens: readonly Placed[], start: number): Join | undefined {
  for (let at = start; at < tokens.length; at++) {
    const join = tokens[at]!.depth === 0 ? joinAt(tokens, at) : undefined;
    if (join !== undefined) return join;
  }
  return undefined;
}

/** LEFT and its like may be names of columns too: they begin a join only when JOIN follows. */
function joinAt(tokens: readonly Placed[], at: number): Join | undefined {
  if (isSign(tokens[at], ",")) return { kind: "inner", next: at + 1 };
  let next = at;
  while (isWord(tokens[next], ...JOIN_WORDS)) next += 1;
  if (!isWord(tokens[next], "JOIN")) return undefined;
  const words = tokens.slice(at, next);
  if (words.some((word) => isWord(word, "RIGHT", "FULL"))) return { kind: "other", next: next + 1 };
  return { kind: words.some((word) => isWord(word, "LEFT")) ? "left" : "inner", next: next + 1 };
}
