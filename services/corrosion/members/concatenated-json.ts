/** @module What the agent's command line prints: JSON values one after another, pretty-printed, between lines of its log. */
import { type Json, parseJson } from "../../../lib/corrosion/client/json.ts";

/** A value that began is not whole. */
export class CutJson extends Error {
  override name = "CutJson";
}

/**
 * The objects in the text, in their order. A line outside of an object that does not begin with `{` is log and left out.
 * Throws `CutJson` when the last object does not end, `SyntaxError` when one is no JSON.
 */
export function concatenatedJson(text: string): Json[] {
  const values: Json[] = [];
  let at = 0;
  while (at < text.length) {
    if (text[at] === "{") {
      const end = endOfObject(text, at);
      values.push(parseJson(text.slice(at, end)));
      at = end;
    } else if (/\s/.test(text[at]!)) at += 1;
    else {
      const newline = text.indexOf("\n", at);
      at = newline < 0 ? text.length : newline + 1;
    }
  }
  return values;
}

/** Index behind the brace that closes the one at `start`; braces inside of strings do not count. */
function endOfObject(text: string, start: number): number {
  let depth = 0;
  let quoted = false;
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (quoted) {
      if (character === "\\") at += 1;
      else if (character === '"') quoted = false;
    } else if (character === '"') quoted = true;
    else if (character === "{") depth += 1;
    else if (character === "}") {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  throw new CutJson("the command's output ends inside of an object");
}
