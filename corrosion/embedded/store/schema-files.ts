/** @module Schema texts read: what tables and indexes they define, as SQLite itself understands them. */
import { DatabaseSync } from "node:sqlite";
import { bareName, keyword, sqlString, statements, type Token } from "../../../lib/sql-tokens.ts";
import { SchemaRefused } from "./contract.ts";
import { Query } from "./sql-rows.ts";

export interface SchemaColumn {
  readonly name: string;
  /** The definition as it was written, name included. */
  readonly sql: string;
  /** The definition without comments and superfluous spaces, keywords in upper case: what is compared. */
  readonly text: string;
  readonly notNull: boolean;
  readonly hasDefault: boolean;
  /** Position in the key, from 1; 0 outside of it. */
  readonly key: number;
  readonly generated: boolean;
}

export interface SchemaIndex {
  readonly name: string;
  readonly sql: string;
  readonly text: string;
}

export interface SchemaTable {
  readonly name: string;
  readonly sql: string;
  readonly columns: readonly SchemaColumn[];
  readonly indexes: readonly SchemaIndex[];
  /** Of a UNIQUE index or constraint; null without one. */
  readonly unique: string | null;
  /** The first column that refers to another table. */
  readonly foreignKey: string | null;
  /** A key column that compares otherwise than bytewise, with its collation. */
  readonly collated: { readonly column: string; readonly collation: string } | null;
}

interface Definition {
  readonly name: string;
  readonly sql: string;
  readonly tokens: readonly Token[];
}

interface IndexDefinition extends Definition {
  readonly table: string;
}

const CONSTRAINTS = new Set(["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"]);
const KEYWORDS = new Set(
  `ABORT ALWAYS AND AS ASC AUTOINCREMENT BETWEEN CASE CHECK COLLATE CONFLICT CONSTRAINT CURRENT_DATE CURRENT_TIME
    CURRENT_TIMESTAMP DEFAULT DESC ELSE END FAIL FALSE GENERATED GLOB IGNORE IN INDEX IS KEY LIKE NOT NULL ON OR PRIMARY
    REFERENCES REPLACE ROLLBACK STORED THEN TRUE UNIQUE VIRTUAL WHEN WHERE CREATE`.split(/\s+/),
);

/**
 * The tables that the texts define, each with its indexes. Throws `SchemaRefused` for anything but CREATE TABLE and
 * CREATE INDEX, for what SQLite does not accept, and for an index on a table that the texts do not define.
 */
export function parseSchema(texts: readonly string[]): SchemaTable[] {
  const tables = new Map<string, Definition>();
  const indexes = new Map<string, IndexDefinition>();
  for (const { sql, tokens } of statements(texts.join("\n;\n"))) {
    const statement = classify(sql, tokens);
    const name = statement.definition.name.toLowerCase();
    if (statement.kind === "index") indexes.set(name, statement.definition);
    else tables.set(name, once(tables.get(name), statement.definition));
  }
  for (const { name, table } of indexes.values()) {
    if (!tables.has(table.toLowerCase())) {
      throw new SchemaRefused(`missing table for index (table: '${table}', index: '${name}')`);
    }
  }
  const scratch = new DatabaseSync(":memory:", {
    readBigInts: true,
    enableForeignKeyConstraints: false,
    enableDoubleQuotedStringLiterals: true,
  });
  try {
    for (const { sql } of [...tables.values(), ...indexes.values()]) execute(scratch, sql);
    return [...tables.values()].map((table) =>
      tableOf(
        scratch,
        table,
        [...indexes.values()].filter((index) => index.table.toLowerCase() === table.name.toLowerCase()),
      ),
    );
  } finally {
    scratch.close();
  }
}

type Classified =
  | { readonly kind: "table"; readonly definition: Definition }
  | { readonly kind: "index"; readonly definition: IndexDefinition };

function classify(sql: string, tokens: readonly Token[]): Classified {
  const words = tokens.slice(0, 3).map(keyword);
  if (words[0] === "CREATE" && (words[1] === "TEMP" || words[1] === "TEMPORARY")) {
    throw new SchemaRefused(`temporary tables are not supported: ${sql}`);
  }
  if (words[0] === "CREATE" && words[1] === "TABLE") {
    const { name, rest } = named(tokens.slice(2), sql);
    if (keyword(rest[0]) === "AS")
      throw new SchemaRefused(`tables made by AS SELECT are not supported: ${sql}`);
    const own = `CREATE TABLE ${name.text} ${textFrom(sql, tokens, rest)}`;
    return { kind: "table", definition: { name: bareName(name), sql: own, tokens: rest } };
  }
  const unique = words[0] === "CREATE" && words[1] === "UNIQUE" && words[2] === "INDEX";
  if (unique || (words[0] === "CREATE" && words[1] === "INDEX")) {
    const { name, rest } = named(tokens.slice(unique ? 3 : 2), sql);
    const table = rest[1];
    if (keyword(rest[0]) !== "ON" || !table) throw new SchemaRefused(`unsupported command: ${sql}`);
    const own = `CREATE ${unique ? "UNIQUE " : ""}INDEX ${name.text} ${textFrom(sql, tokens, rest)}`;
    return {
      kind: "index",
      definition: { name: bareName(name), table: bareName(table), sql: own, tokens: rest },
    };
  }
  throw new SchemaRefused(`unsupported command: ${sql}`);
}

/** The name behind IF NOT EXISTS and a database's name, and what follows it. */
function named(tokens: readonly Token[], sql: string): { name: Token; rest: readonly Token[] } {
  let rest = keyword(tokens[0]) === "IF" && keyword(tokens[1]) === "NOT" ? tokens.slice(3) : tokens;
  if (rest[1]?.text === ".") rest = rest.slice(2);
  const name = rest[0];
  if (!name || name.kind === "sign") throw new SchemaRefused(`unsupported command: ${sql}`);
  return { name, rest: rest.slice(1) };
}

function textFrom(sql: string, tokens: readonly Token[], rest: readonly Token[]): string {
  const first = rest[0];
  return first ? sql.slice(first.start - (tokens[0]?.start ?? 0)) : "";
}

function once(known: Definition | undefined, again: Definition): Definition {
  if (known && normalized(known.tokens) !== normalized(again.tokens)) {
    throw new SchemaRefused(`table '${again.name}' is defined twice, and not in the same way`);
  }
  return again;
}

function execute(scratch: DatabaseSync, sql: string): void {
  try {
    scratch.exec(sql);
  } catch (error) {
    throw new SchemaRefused(`${error instanceof Error ? error.message : error} in ${sql}`, { cause: error });
  }
}

function tableOf(scratch: DatabaseSync, table: Definition, indexes: readonly IndexDefinition[]): SchemaTable {
  const definitions = columnDefinitions(table);
  const literal = sqlString(table.name);
  const columns = new Query<{
    name: string;
    notnull: bigint;
    dflt: string | null;
    pk: bigint;
    hidden: bigint;
  }>(
    scratch,
    `SELECT name, "notnull", dflt_value AS dflt, pk, hidden FROM pragma_table_xinfo(${literal}) ORDER BY cid`,
  ).all();
  const unique = new Query<{ name: string }>(
    scratch,
    `SELECT name FROM pragma_index_list(${literal}) WHERE "unique" AND origin <> 'pk' ORDER BY seq DESC`,
  ).first();
  const foreign = new Query<{ column: string }>(
    scratch,
    `SELECT "from" AS column FROM pragma_foreign_key_list(${literal}) ORDER BY id DESC, seq`,
  ).first();
  const collated = new Query<{ column: string; collation: string }>(
    scratch,
    `SELECT x.name AS column, x.coll AS collation FROM pragma_index_list(${literal}) l, pragma_index_xinfo(l.name) x
      WHERE l.origin = 'pk' AND x.key AND upper(x.coll) <> 'BINARY'`,
  ).first();
  return {
    name: table.name,
    sql: table.sql,
    columns: columns.map(({ name, notnull, dflt, pk, hidden }) => ({
      name,
      sql: definitions.get(name.toLowerCase())?.sql ?? name,
      text: definitions.get(name.toLowerCase())?.text ?? "",
      notNull: notnull !== 0n,
      hasDefault: dflt !== null,
      key: Number(pk),
      generated: hidden > 1n,
    })),
    indexes: indexes.map(({ name, sql, tokens }) => ({ name, sql, text: normalized(tokens) })),
    unique: unique?.name ?? null,
    foreignKey: foreign?.column ?? null,
    collated: collated ?? null,
  };
}

/** The parts between the outermost commas of the body, by the lower-case name of the column that they define. */
function columnDefinitions({ sql, tokens }: Definition): Map<string, { sql: string; text: string }> {
  const found = new Map<string, { sql: string; text: string }>();
  // The rest of the statement is the end of its text, so offsets count from there.
  const shift = sql.length - (tokens.at(-1)?.end ?? 0);
  let depth = 0;
  let part: Token[] = [];
  const close = () => {
    const [name, ...definition] = part;
    if (name && !CONSTRAINTS.has(keyword(name) ?? "")) {
      const end = part.at(-1)?.end ?? name.end;
      const text = normalized(definition);
      found.set(bareName(name).toLowerCase(), { sql: sql.slice(name.start + shift, end + shift), text });
    }
    part = [];
  };
  for (const token of tokens) {
    if (token.text === ")" && --depth === 0) {
      close();
      break;
    }
    if (token.text === "," && depth === 1) close();
    else if (depth > 0) part.push(token);
    if (token.text === "(") depth += 1;
  }
  return found;
}

function normalized(tokens: readonly Token[]): string {
  return tokens.map((token) => (KEYWORDS.has(keyword(token) ?? "") ? keyword(token) : token.text)).join(" ");
}
