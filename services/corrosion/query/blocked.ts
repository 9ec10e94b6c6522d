/** @module Which statements the console runs, and why it does not run the others. */
import { isClosed, isSign, isWord, keyword, nameOf, type Token, tokenize } from "../../../lib/sql-tokens.ts";

export type Mode = "read" | "write";

export type Verdict =
  | { readonly kind: "allowed"; readonly tokens: readonly Token[] }
  | { readonly kind: "blocked"; readonly reason: string };

const READING = new Set(["SELECT", "VALUES", "WITH"]);
const WRITING = new Set(["INSERT", "REPLACE", "UPDATE", "DELETE", "WITH"]);

/** First words that never pass, with what is wrong with them. */
const NEVER: Readonly<Record<string, string>> = {
  CREATE: "changes the schema, which belongs in the schema files of every agent",
  DROP: "changes the schema, and Corrosion never removes anything",
  ALTER: "changes the schema, which belongs in the schema files of every agent",
  VACUUM: "rewrites the database under the agent",
  REINDEX: "rewrites indexes under the agent",
  ANALYZE: "writes statistics under the agent",
  BEGIN: "would leave a transaction open on a connection of the agent",
  COMMIT: "ends a transaction, and the agent makes its own",
  END: "ends a transaction, and the agent makes its own",
  ROLLBACK: "ends a transaction, and the agent makes its own",
  SAVEPOINT: "would leave a transaction open on a connection of the agent",
  RELEASE: "ends a transaction, and the agent makes its own",
  ATTACH: "would attach a file to a connection of the agent",
  DETACH: "would change a connection of the agent",
};

/** Functions of cr-sqlite that only read. */
const READING_FUNCTIONS = new Set([
  "crsql_site_id",
  "crsql_db_version",
  "crsql_peek_next_db_version",
  "crsql_get_seq",
  "crsql_rows_impacted",
  "crsql_config_get",
  "crsql_version",
  "crsql_sha",
  "crsql_pack_columns",
  "crsql_unpack_columns",
  // Tables, which a list of columns may follow.
  "crsql_changes",
  "crsql_db_versions",
  "crsql_tracked_peers",
]);

/** PRAGMAs that take an argument and only read. */
const ASKING_PRAGMAS = new Set([
  "table_info",
  "table_xinfo",
  "table_list",
  "index_list",
  "index_info",
  "index_xinfo",
  "foreign_key_list",
  "foreign_key_check",
  "integrity_check",
  "quick_check",
]);

/** PRAGMAs that only read as long as they have no argument. */
const READING_PRAGMAS = new Set([
  ...ASKING_PRAGMAS,
  "application_id",
  "auto_vacuum",
  "busy_timeout",
  "cache_size",
  "collation_list",
  "compile_options",
  "data_version",
  "database_list",
  "encoding",
  "foreign_keys",
  "freelist_count",
  "function_list",
  "journal_mode",
  "journal_size_limit",
  "locking_mode",
  "max_page_count",
  "mmap_size",
  "module_list",
  "page_count",
  "page_size",
  "pragma_list",
  "query_only",
  "recursive_triggers",
  "schema_version",
  "synchronous",
  "temp_store",
  "user_version",
  "wal_autocheckpoint",
]);

/** Tables that are the agent's own to write. */
const INTERNAL = /^(crsql_|__corro_|sqlite_)|__crsql_/;

/** Whether the console runs this text in this mode. */
export function judge(sql: string, mode: Mode): Verdict {
  const tokens = tokenize(sql);
  const unreadable = tokens.map(unreadableAt).find((problem) => problem !== null);
  if (unreadable) return blocked(`The statement cannot be read: ${unreadable}`);
  const end = tokens.findIndex(isSemicolon);
  const statement = end < 0 ? tokens : tokens.slice(0, end);
  if (end >= 0 && !tokens.slice(end).every(isSemicolon)) return blocked("Only one statement runs at a time");
  const reason = objection(statement, mode);
  return reason === null ? { kind: "allowed", tokens: statement } : blocked(reason);
}

function isSemicolon(token: Token): boolean {
  return isSign(token, ";");
}

function unreadableAt(token: Token): string | null {
  const { kind, text, start } = token;
  // SQLite takes it for the end of the text, whatever follows.
  if (text === "\0") return `character ${start + 1} is a NUL`;
  if (isClosed(token)) return null;
  return `the quote ${kind === "blob" ? "'" : text.charAt(0)} at character ${start + 1} is never closed`;
}

function objection(tokens: readonly Token[], mode: Mode): string | null {
  const verb = keyword(tokens[0]);
  if (tokens.length === 0) return "There is no statement";
  if (verb === null) return "A statement begins with a word such as SELECT";
  const never = Object.hasOwn(NEVER, verb) ? NEVER[verb] : undefined;
  if (never !== undefined) return `${verb} is blocked: it ${never}`;
  const call = forbiddenCall(tokens);
  if (call !== null) return `${call}() is blocked: it does more than read`;
  if (verb === "EXPLAIN")
    return mode === "read" ? explained(tokens) : "EXPLAIN is read: choose the mode read";
  if (verb === "PRAGMA") return mode === "read" ? pragma(tokens) : "PRAGMA is read: choose the mode read";
  if (READING.has(verb) || WRITING.has(verb)) return wrongMode(verb, mode) ?? internalTarget(tokens);
  return `${verb} is blocked: the console runs SELECT, VALUES, WITH, EXPLAIN, reading PRAGMAs, INSERT, REPLACE, UPDATE and DELETE`;
}

function wrongMode(verb: string, mode: Mode): string | null {
  if (mode === "read" && !READING.has(verb)) return `${verb} writes: choose the mode write to run it`;
  if (mode === "write" && !WRITING.has(verb)) return `${verb} only reads: choose the mode read`;
  return null;
}

/** EXPLAIN runs nothing, but what it explains follows the same rules, in whichever mode it would need. */
function explained(tokens: readonly Token[]): string | null {
  const rest = tokens.slice(isWord(tokens[1], "QUERY") && isWord(tokens[2], "PLAN") ? 3 : 1);
  const verb = keyword(rest[0]);
  if (verb === "EXPLAIN") return "EXPLAIN explains a statement, not another EXPLAIN";
  return objection(rest, verb !== null && WRITING.has(verb) && !READING.has(verb) ? "write" : "read");
}

/** `PRAGMA [schema.]name`, `… = value` or `…(value)`. */
function pragma(tokens: readonly Token[]): string | null {
  const from = isSign(tokens[2], ".") ? 3 : 1;
  const name = nameOf(tokens[from])?.toLowerCase() ?? "";
  const rest = tokens.slice(from + 1);
  if (rest.length === 0)
    return READING_PRAGMAS.has(name) ? null : `PRAGMA ${name} is blocked: it may do more than read`;
  if (!isSign(rest[0], "("))
    return `PRAGMA ${name} with a value is blocked: it would change a setting of the agent`;
  return ASKING_PRAGMAS.has(name) ? null : `PRAGMA ${name} with a value is blocked: it may do more than read`;
}

/** Name of a called function that the console does not run; null when there is none. */
function forbiddenCall(tokens: readonly Token[]): string | null {
  for (const [i, token] of tokens.entries()) {
    const name = nameOf(token)?.toLowerCase();
    if (name === undefined || !isSign(tokens[i + 1], "(")) continue;
    if (name === "load_extension") return name;
    if (name.startsWith("crsql_") && !READING_FUNCTIONS.has(name)) return name;
  }
  return null;
}

/** Why the table that is written to must not be; null when it may, or when nothing is written to. */
function internalTarget(tokens: readonly Token[]): string | null {
  const target = targetOf(tokens);
  if (target === null || !INTERNAL.test(target.toLowerCase())) return null;
  return `Writing to ${target} is blocked: it is the agent's own`;
}

/** The table behind the statement's INSERT INTO, REPLACE INTO, UPDATE or DELETE FROM, without its schema. */
function targetOf(tokens: readonly Token[]): string | null {
  let depth = 0;
  for (const [i, token] of tokens.entries()) {
    if (isSign(token, "(")) depth += 1;
    if (isSign(token, ")")) depth -= 1;
    if (depth > 0) continue;
    const verb = keyword(tokens[i]);
    // `OR REPLACE` may stand behind INSERT and UPDATE.
    const behind = isWord(tokens[i + 1], "OR") ? i + 3 : i + 1;
    if (verb === "UPDATE") return tableAt(tokens, behind);
    if ((verb === "INSERT" || verb === "REPLACE") && isWord(tokens[behind], "INTO")) {
      return tableAt(tokens, behind + 1);
    }
    if (verb === "DELETE" && isWord(tokens[i + 1], "FROM")) return tableAt(tokens, i + 2);
  }
  return null;
}

function tableAt(tokens: readonly Token[], at: number): string | null {
  return nameOf(tokens[isSign(tokens[at + 1], ".") ? at + 2 : at]) ?? null;
}

function blocked(reason: string): Verdict {
  return { kind: "blocked", reason: `${reason}.` };
}
