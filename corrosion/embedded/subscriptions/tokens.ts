/** @module Questions that a reader of SQL asks of a token. */
import { bareName, keyword, type Token } from "../store/sql-tokens.ts";

/** What a token names where a name is expected; SQLite takes a string for one. Undefined if it cannot be one. */
export function nameOf(token: Token | undefined): string | undefined {
  return token?.kind === "word" || token?.kind === "name" || token?.kind === "string"
    ? bareName(token)
    : undefined;
}

export function isWord(token: Token | undefined, ...words: readonly string[]): boolean {
  const word = keyword(token);
  return word !== null && words.includes(word);
}

export function isSign(token: Token | undefined, text: string): boolean {
  return token?.kind === "sign" && token.text === text;
}
