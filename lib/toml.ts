/** @module An agent's TOML with every value exact: integers of 64 bits, floats and dates stay what they are. */
import { isDeepStrictEqual } from "node:util";
import { parse, stringify, TomlDate, TomlError, type TomlTable, type TomlValue } from "smol-toml";

/** A configuration that no agent could use; the message is one sentence without its end and without the file's name. */
export class UnusableToml extends Error {
  override name = "UnusableToml";
}

/** Throws `UnusableToml` with the line when the text is no TOML. */
export function parseToml(text: string): TomlTable {
  try {
    return parse(text, { integersAsBigInt: true });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [first = "it is no TOML"] = error.message.split("\n");
    throw new UnusableToml(
      `line ${error.line}, column ${error.column}: ${first.replace(/^Invalid TOML document: /, "")}`,
      { cause: error },
    );
  }
}

/** The table as text, with all its values; what was not a value, comments and spacing, is gone. */
export function writeToml(table: TomlTable): string {
  return `${stringify(table, { numbersAsFloat: true })}\n`;
}

/** Whether two tables have the same keys with the same values of the same types. */
export function sameToml(a: TomlTable, b: TomlTable): boolean {
  return isDeepStrictEqual(typed(a), typed(b));
}

/** Dates of different kinds may be one moment: they are compared as they are written. */
function typed(value: TomlValue): unknown {
  if (value instanceof TomlDate) return { date: value.toISOString() };
  if (Array.isArray(value)) return value.map(typed);
  if (typeof value !== "object") return value;
  return new Map(
    Object.entries(value)
      .map(([key, inner]) => [key, typed(inner)] as const)
      .sort(([x], [y]) => (x < y ? -1 : 1)),
  );
}

export function isTable(value: TomlValue): value is TomlTable {
  return typeof value === "object" && !Array.isArray(value) && !(value instanceof TomlDate);
}

/** The table under this key; an empty one when there is none. Throws `UnusableToml` when it is no table. */
export function tableAt(table: TomlTable, key: string): TomlTable {
  const value = Object.hasOwn(table, key) ? table[key] : {};
  if (value !== undefined && isTable(value)) return value;
  throw new UnusableToml(`"${key}" is no table`);
}
