/** @module SQL cut into tokens, as SQLite cuts it; comments and space are left out. */

export type TokenKind = "word" | "quoted" | "string" | "number" | "blob" | "parameter" | "punctuation";

export interface Token {
  readonly kind: TokenKind;
  /** As it is written. */
  readonly text: string;
  /** Upper case of a word, the name in quotes or brackets, the content of a string; otherwise the text. */
  readonly value: string;
  /** Offsets in the SQL. */
  readonly start: number;
  readonly end: number;
}

// In this order: a comment before the minus, a blob before the word `x`.
const TOKEN = new RegExp(
  [
    /(?<space>\s+|--[^\n]*|\/\*(?:[^*]|\*(?!\/))*(?:\*\/)?)/,
    /(?<blob>[xX]'[^']*')/,
    /(?<string>'(?:[^']|'')*')/,
    /(?<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\])/,
    /(?<number>0[xX][0-9a-fA-F_]+|(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9_]+)?)/,
    /(?<parameter>\?[0-9]*|[:@$#][A-Za-z0-9_$\u0080-\uffff]+(?:::[A-Za-z0-9_$\u0080-\uffff]+)*)/,
    /(?<word>[A-Za-z_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*)/,
    /(?<punctuation>[\s\S])/,
  ]
    .map((part) => part.source)
    .join("|"),
  "gy",
);

const KINDS: readonly TokenKind[] = [
  "blob",
  "string",
  "quoted",
  "number",
  "parameter",
  "word",
  "punctuation",
];

/** All tokens of a text. Never throws: text that SQLite would refuse still gives tokens. */
export function tokenize(sql: string): Token[] {
  const tokens: Token[] = [];
  for (const match of sql.matchAll(TOKEN)) {
    const kind = KINDS.find((name) => match.groups?.[name] !== undefined);
    if (kind === undefined) continue;
    const text = match[0];
    tokens.push({
      kind,
      text,
      value: tokenValue(kind, text),
      start: match.index,
      end: match.index + text.length,
    });
  }
  return tokens;
}

function tokenValue(kind: TokenKind, text: string): string {
  if (kind === "word") return text.toUpperCase();
  if (kind !== "quoted" && kind !== "string") return text;
  const quote = text.at(-1)!;
  const inner = text.slice(1, -1);
  return quote === "]" ? inner : inner.replaceAll(quote + quote, quote);
}

/** What a token names where a name is expected; undefined if it cannot be one. */
export function nameOf(token: Token | undefined): string | undefined {
  if (token?.kind === "word") return token.text;
  return token?.kind === "quoted" || token?.kind === "string" ? token.value : undefined;
}

export function isWord(token: Token | undefined, ...words: readonly string[]): boolean {
  return token?.kind === "word" && words.includes(token.value);
}

export function isPunctuation(token: Token | undefined, text: string): boolean {
  return token?.kind === "punctuation" && token.text === text;
}

/** A name as SQL. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
