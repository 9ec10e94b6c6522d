/** @module Query strings, read strictly: what cannot be meant is refused, never guessed. */
import { FleetError } from "../../lib/errors.ts";

/** The parameters of one query string, by name. */
export interface Query {
  has(name: string): boolean;
  /** The text of a parameter, undefined when it is absent. */
  text(name: string): string | undefined;
  /** A whole number in decimal digits, undefined when absent. Throws invalid_parameter for anything else. */
  integer(name: string): number | undefined;
  /** `true` or `false`, undefined when absent. Throws invalid_parameter for anything else. */
  flag(name: string): boolean | undefined;
}

/** Throws invalid_parameter for a malformed percent-encoding and for a name that is given twice. */
export function parseQuery(source: string): Query {
  const values = new Map<string, string>();
  for (const piece of source.split("&")) {
    if (piece === "") continue;
    const equals = piece.indexOf("=");
    const name = decode(equals < 0 ? piece : piece.slice(0, equals));
    if (values.has(name)) throw new FleetError("invalid_parameter", `${name} is given more than once`);
    values.set(name, equals < 0 ? "" : decode(piece.slice(equals + 1)));
  }
  return {
    has: (name) => values.has(name),
    text: (name) => values.get(name),
    integer(name) {
      const text = values.get(name);
      if (text === undefined) return undefined;
      const value = Number(text);
      if (/^-?\d+$/.test(text) && Number.isSafeInteger(value)) return value;
      throw new FleetError("invalid_parameter", `${name} must be a whole number`);
    },
    flag(name) {
      const text = values.get(name);
      if (text === undefined) return undefined;
      if (text === "true" || text === "false") return text === "true";
      throw new FleetError("invalid_parameter", `${name} must be true or false`);
    },
  };
}

/** What stands behind the `?` of a request's target. */
export function queryOf(target: string): string {
  const mark = target.indexOf("?");
  return mark < 0 ? "" : target.slice(mark + 1);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw new FleetError("invalid_parameter", "the query has a malformed percent-encoding");
  }
}
