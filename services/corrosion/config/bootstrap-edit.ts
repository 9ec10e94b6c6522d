/** @module Changes `gossip.bootstrap` in an agent's TOML, and nothing else. */
import type { TomlTable } from "smol-toml";
import { parseToml, sameToml, tableAt, UnusableToml, writeToml } from "../../../lib/toml.ts";

/** Texts that one edit tries at most; a real file needs one or two. */
const MAX_TRIES = 500;

/**
 * The text with these bootstrap hosts. Comments, spacing and every other value stay as they are where the value can be
 * replaced in place; otherwise all values stay and comments go. What is returned was parsed again and differs from
 * the text given in `gossip.bootstrap` alone. Throws `UnusableToml` when the text is no TOML, or has no table `gossip`.
 */
export function editBootstrap(text: string, hosts: readonly string[]): string {
  const before = parseToml(text);
  const gossip = tableAt(before, "gossip");
  if (!Object.hasOwn(before, "gossip")) throw new UnusableToml('it has no table "gossip"');
  const wanted: TomlTable = { ...before, gossip: { ...gossip, bootstrap: [...hosts] } };
  if (sameToml(before, wanted)) return text;

  const value = `[${hosts.map((host) => JSON.stringify(host)).join(", ")}]`;
  let tries = 0;
  for (const candidate of candidates(text, value)) {
    if (isExactly(candidate, wanted)) return candidate;
    tries += 1;
    if (tries === MAX_TRIES) break;
  }
  const rewritten = writeToml(wanted);
  if (!isExactly(rewritten, wanted)) {
    throw new UnusableToml("its values cannot be written again exactly as they are");
  }
  return rewritten;
}

/**
 * Texts that may be the one wanted: a parser decides, so that a commented line, a key of the same name elsewhere or a
 * bracket in a string is never taken for the value.
 */
function* candidates(text: string, value: string): Generator<string> {
  for (const match of text.matchAll(/bootstrap["']?[ \t]*=[ \t]*/g)) {
    const start = match.index + match[0].length;
    for (let end = text.indexOf("]", start); end !== -1; end = text.indexOf("]", end + 1)) {
      yield text.slice(0, start) + value + text.slice(end + 1);
    }
  }
  for (const match of text.matchAll(/^[ \t]*\[[ \t]*["']?gossip["']?[ \t]*\][^\n]*(?:\n|$)/gm)) {
    const at = match.index + match[0].length;
    const newline = match[0].endsWith("\n") ? "" : "\n";
    yield `${text.slice(0, at)}${newline}bootstrap = ${value}${match[0].endsWith("\r\n") ? "\r\n" : "\n"}${text.slice(at)}`;
  }
}

function isExactly(text: string, wanted: TomlTable): boolean {
  try {
    return sameToml(parseToml(text), wanted);
  } catch (error) {
    if (error instanceof UnusableToml) return false;
    throw error;
  }
}
