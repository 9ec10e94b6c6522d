/** @module A client's statements, in all their JSON forms (contract corrosion, section 1). */
import type { Params, SqlValue, Statement } from "../values.ts";
import type { SourceJson } from "./source.ts";

/** The body is JSON but not of the shape that the route takes; answered with 422. */
export class WrongShape extends Error {
  override name = "WrongShape";
}

const NO_STATEMENT = "data did not match any variant of untagged enum Statement";
const NO_PARAMS: Params = { kind: "none" };

/** One statement. Throws `WrongShape`. */
export function readStatement(json: SourceJson): Statement {
  const statement = statementOf(json);
  if (statement === null) throw new WrongShape(NO_STATEMENT);
  return statement;
}

/** A transaction's statements; may be empty. Throws `WrongShape`, which names the one that is wrong. */
export function readStatements(json: SourceJson): Statement[] {
  if (!isArray(json)) throw new WrongShape(`invalid type: ${typeName(json)}, expected a sequence`);
  return json.map((item, i) => {
    const statement = statementOf(item);
    if (statement === null) throw new WrongShape(`[${i}]: ${NO_STATEMENT}`);
    return statement;
  });
}

/** Table names of a table_stats request. Throws `WrongShape`. */
export function readTableNames(json: SourceJson): string[] {
  if (!isObject(json))
    throw new WrongShape(`invalid type: ${typeName(json)}, expected struct TableStatRequest`);
  if (!Object.hasOwn(json, "tables")) throw new WrongShape("missing field `tables`");
  const tables = json.tables ?? null;
  if (!isArray(tables))
    throw new WrongShape(`tables: invalid type: ${typeName(tables)}, expected a sequence`);
  return tables.map((name, i) => {
    if (typeof name === "string") return name;
    throw new WrongShape(`tables[${i}]: invalid type: ${typeName(name)}, expected a string`);
  });
}

function statementOf(json: SourceJson): Statement | null {
  if (typeof json === "string") return { sql: json, params: NO_PARAMS };
  if (isArray(json)) {
    const [sql, given] = json;
    if (json.length !== 2 || typeof sql !== "string" || given === undefined) return null;
    const params = isArray(given) ? positional(given) : named(given);
    return params === null ? null : { sql, params };
  }
  return isObject(json) ? verbose(json) : null;
}

function verbose(json: { readonly [key: string]: SourceJson }): Statement | null {
  const sql = own(json, "query");
  if (typeof sql !== "string") return null;
  const byPosition = own(json, "params");
  const byName = own(json, "named_params");
  const values = byPosition === null ? NO_PARAMS : isArray(byPosition) ? positional(byPosition) : null;
  const names = byName === null ? NO_PARAMS : named(byName);
  if (values === null || names === null) return null;
  return { sql, params: values.kind === "none" ? names : values };
}

function own(json: { readonly [key: string]: SourceJson }, key: string): SourceJson {
  return Object.hasOwn(json, key) ? (json[key] ?? null) : null;
}

function positional(given: readonly SourceJson[]): Params | null {
  const values: SqlValue[] = [];
  for (const item of given) {
    const value = paramOf(item);
    if (value === undefined) return null;
    values.push(value);
  }
  return { kind: "positional", values };
}

function named(given: SourceJson): Params | null {
  if (!isObject(given)) return null;
  const values = new Map<string, SqlValue>();
  for (const [name, item] of Object.entries(given)) {
    const value = paramOf(item);
    if (value === undefined) return null;
    values.set(name, value);
  }
  return { kind: "named", values };
}

/** Undefined: no parameter can hold it. */
function paramOf(json: SourceJson): SqlValue | undefined {
  if (json === null) return null;
  if (typeof json === "boolean") return json ? 1n : 0n;
  if (typeof json !== "object") return json;
  if (!isArray(json)) return undefined;
  const bytes = new Uint8Array(json.length);
  for (let i = 0; i < json.length; i++) {
    const byte = json[i];
    if (typeof byte !== "bigint" || byte < 0n || byte > 255n) return undefined;
    bytes[i] = Number(byte);
  }
  return bytes;
}

function isArray(json: SourceJson): json is readonly SourceJson[] {
  return Array.isArray(json);
}

function isObject(json: SourceJson): json is { readonly [key: string]: SourceJson } {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

function typeName(json: SourceJson): string {
  if (json === null) return "null";
  switch (typeof json) {
    case "string":
      return `string ${JSON.stringify(json)}`;
    case "boolean":
      return `boolean \`${json}\``;
    case "bigint":
      return `integer \`${json}\``;
    case "number":
      return `floating point \`${json}\``;
    default:
      return Array.isArray(json) ? "sequence" : "map";
  }
}
