/** @module The text of an agent's TOML without its secrets. */
import type { TomlTable, TomlValue } from "smol-toml";
import { isTable, parseToml, UnusableToml, writeToml } from "../../../lib/toml.ts";

export const REDACTED = "[redacted]";

/** `bearer-token` and its aliases, and whatever else is plainly a secret. */
const SECRET = /^(bearer|bearer[-_]token|authorization|token|password|secret)$/i;
/** The same as they stand in a text, in a comment too; the value may be any of TOML's strings, or be cut off. */
const IN_TEXT =
  /(["']?\b(?:bearer|bearer[-_]token|authorization|token|password|secret)["']?[ \t]*=[ \t]*)("""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:\\.|[^"\\\n])*"?|'[^'\n]*'?|[^\s"'][^\n]*)/gi;

/**
 * The text with its secrets replaced, and with those of `known` wherever they stand. Comments stay, unless a secret
 * is written in a way that only a parser sees.
 */
export function redactToml(text: string, known: readonly string[] = []): string {
  const shown = text.replace(IN_TEXT, `$1"${REDACTED}"`);
  const table = parsed(text);
  // A broken file is shown as far as its lines tell where the secrets are.
  if (table === null) return without(shown, known);
  const secrets = [...known, ...secretsIn(table)];
  const after = parsed(shown);
  return without(after === null || secretsIn(after).length > 0 ? writeToml(blanked(table)) : shown, secrets);
}

function parsed(text: string): TomlTable | null {
  try {
    return parseToml(text);
  } catch (error) {
    if (error instanceof UnusableToml) return null;
    throw error;
  }
}

/** Below this, a secret is part of too many words to be looked for outside its place. */
const MIN_SECRET = 4;

function without(text: string, secrets: readonly string[]): string {
  return secrets
    .filter((secret) => secret.length >= MIN_SECRET)
    .reduce((shown, secret) => shown.replaceAll(secret, REDACTED), text);
}

/** Secrets of the table that are not redacted yet. */
function secretsIn(value: TomlValue): string[] {
  if (Array.isArray(value)) return value.flatMap(secretsIn);
  if (!isTable(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    if (!isSecret(key, inner)) return secretsIn(inner);
    return inner === REDACTED ? [] : [String(inner)];
  });
}

function blanked(table: TomlTable): TomlTable {
  const copy = (value: TomlValue): TomlValue => {
    if (Array.isArray(value)) return value.map(copy);
    return isTable(value) ? blanked(value) : value;
  };
  return Object.fromEntries(
    Object.entries(table).map(([key, value]) => [key, isSecret(key, value) ? REDACTED : copy(value)]),
  );
}

function isSecret(key: string, value: TomlValue): boolean {
  return SECRET.test(key) && !isTable(value);
}
