/** @module Reads a SELECT's outline: its FROM tables, where its WHERE stands, what its sub-queries may read. */

import { isSign, isWord, nameOf, type Token, tokenize } from "../../../lib/sql-tokens.ts";
import { SubscriptionRefused } from "./contract.ts";
import { parseFrom } from "./from-clause.ts";
import { refuseUnfollowable } from "./unfollowable.ts";

/** A table of the FROM clause, in the order in which they are written. */
export interface Source {
  /** As written; SQLite compares names without case. */
  readonly table: string;
  /** Under which name its columns are known in the statement. */
  readonly alias: string;
  readonly join: "first" | "inner" | "left" | "other";
}

export interface Select {
  readonly sources: readonly Source[];
  /** `SELECT … ` up to FROM. */
  readonly head: string;
  /** `FROM …` up to WHERE or what follows. */
  readonly from: string;
  /** What stands after WHERE; null if there is none. */
  readonly where: string | null;
  /** `ORDER BY …`, or empty. */
  readonly order: string;
  /** Lower-case words and names in sub-queries: whatever table they read is among them. */
  readonly nestedNames: ReadonlySet<string>;
}

/** Names of functions that aggregate, and of those which do so with one argument only; lower case. */
export interface Aggregates {
  readonly always: ReadonlySet<string>;
  readonly withOneArgument: ReadonlySet<string>;
}

/** A token, how many brackets are open before it, and whether one of them holds a sub-query. */
export interface Placed extends Token {
  readonly depth: number;
  readonly nested: boolean;
}

/**
 * The outline of a statement that SQLite could prepare. Throws `SubscriptionRefused` with the contract's message
 * for what cannot be subscribed to; whether the tables exist is not looked at.
 */
export function parseSelect(sql: string, aggregates: Aggregates): Select {
  const tokens = place(oneStatement(tokenize(sql)));
  refuseOtherKinds(tokens);
  refuseUnfollowable(tokens, aggregates);
  const clauses = clausesOf(tokens);
  const end = tokens.at(-1)!.end;
  const fromEnd = clauses.where ?? clauses.order;
  return {
    sources: parseFrom(tokens.slice(clauses.from, fromEnd)),
    head: sql.slice(tokens[0]!.start, tokens[clauses.from]!.start),
    from: sql.slice(tokens[clauses.from]!.start, endOf(tokens, fromEnd)),
    where:
      clauses.where === undefined
        ? null
        : sql.slice(tokens[clauses.where]!.end, endOf(tokens, clauses.order)).trim(),
    order: clauses.order === undefined ? "" : sql.slice(tokens[clauses.order]!.start, end),
    nestedNames: nestedNames(tokens),
  };
}

/** Drops the closing semicolon. Throws when another statement follows. */
function oneStatement(tokens: readonly Token[]): readonly Token[] {
  const stop = tokens.findIndex((token) => isSign(token, ";"));
  if (stop < 0) return tokens;
  if (tokens.slice(stop).some((token) => !isSign(token, ";"))) {
    throw new SubscriptionRefused(400, "Multiple statements provided");
  }
  return tokens.slice(0, stop);
}

function place(tokens: readonly Token[]): Placed[] {
  const open: boolean[] = [];
  return tokens.map((token, index) => {
    if (isSign(token, ")")) open.pop();
    const placed = { ...token, depth: open.length, nested: open.at(-1) ?? false };
    if (isSign(token, "(")) {
      open.push(placed.nested || isWord(tokens[index + 1], "SELECT", "VALUES", "WITH"));
    }
    return placed;
  });
}

function refuseOtherKinds(tokens: readonly Placed[]): void {
  const first = tokens[0];
  if (isWord(first, "SELECT")) return;
  if (isWord(first, "EXPLAIN")) {
    throw new SubscriptionRefused(400, "one statement is required for matching");
  }
  if (isWord(first, "VALUES")) throw noTable();
  const main = tokens.find(
    (token) =>
      token.depth === 0 && isWord(token, "SELECT", "VALUES", "INSERT", "REPLACE", "UPDATE", "DELETE"),
  );
  if (isWord(first, "WITH") && isWord(main, "SELECT", "VALUES")) {
    const name = tokens[isWord(tokens[1], "RECURSIVE") ? 2 : 1];
    throw new SubscriptionRefused(400, `table not found in schema: ${nameOf(name) ?? ""}`);
  }
  throw new SubscriptionRefused(400, "unsupported statement");
}

function noTable(): SubscriptionRefused {
  return new SubscriptionRefused(400, "at least 1 table is required in FROM / JOIN clause");
}

/** Where the clauses of the statement itself begin, as indexes of tokens. */
function clausesOf(tokens: readonly Placed[]): { from: number; where?: number; order?: number } {
  const find = (word: string): number | undefined => {
    const index = tokens.findIndex(
      (token, at) => token.depth === 0 && isWord(token, word) && !isDistinctFrom(tokens, at),
    );
    return index < 0 ? undefined : index;
  };
  const from = find("FROM");
  if (from === undefined) throw noTable();
  const where = find("WHERE");
  const order = find("ORDER");
  return { from, ...(where !== undefined && { where }), ...(order !== undefined && { order }) };
}

/** The FROM of `a IS DISTINCT FROM b` begins no clause. */
function isDistinctFrom(tokens: readonly Token[], at: number): boolean {
  return (
    isWord(tokens[at], "FROM") && isWord(tokens[at - 1], "DISTINCT") && isWord(tokens[at - 2], "IS", "NOT")
  );
}

function endOf(tokens: readonly Token[], next: number | undefined): number {
  return next === undefined ? tokens.at(-1)!.end : tokens[next]!.start;
}

/** A name before a point is an alias or a schema, often the outer query's. */
function nestedNames(tokens: readonly Placed[]): Set<string> {
  const names = tokens.flatMap((token, at) => {
    const name = token.nested && !isSign(tokens[at + 1], ".") ? nameOf(token) : undefined;
    return name === undefined ? [] : [name.toLowerCase()];
  });
  return new Set(names);
}
