/** @module SQL text as SQLite's own tokenizer cuts it: statements, words, strings, parameters. */

export interface Token {
  /** `name` is a quoted identifier; a double-quoted one may still be a string to SQLite. `blob` is `x'00'`. */
  readonly kind: "word" | "name" | "string" | "blob" | "number" | "parameter" | "sign";
  /** As it is written, with its quotes. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** The parameters of a statement as SQLite numbers them. */
export interface Parameters {
  readonly count: number;
  /** By position, from 0: the name with its prefix, null of a plain `?` or of a number that is not used. */
  readonly names: readonly (string | null)[];
}

// Everything beyond ASCII may be part of a name, space look-alikes too; only a byte order mark is space.
const SPACE = /[ \t\n\v\f\r\ufeff]+|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/y;
const TOKENS: readonly (readonly [Token["kind"], RegExp])[] = [
  ["string", /'(?:[^']|'')*(?:'|$)/y],
  ["blob", /[xX]'[^']*(?:'|$)/y],
  ["name", /"(?:[^"]|"")*(?:"|$)|`(?:[^`]|``)*(?:`|$)|\[[^\]]*(?:\]|$)/y],
  ["parameter", /\?[0-9]*|[:@#$](?:[\w$\u0080-\uffff]|::)+(?:\([^\s)]*\))?/y],
  ["number", /0[xX][0-9a-fA-F_]+|(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9_]+)?/y],
  ["word", /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/y],
  ["sign", /\|\||->>|->|<<|>>|<=|>=|<>|!=|==|[\s\S]/y],
];

/** All tokens but spaces and comments. What is not closed runs to the end of the text; SQLite will say so. */
export function tokenize(sql: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < sql.length; ) {
    const space = matchAt(SPACE, sql, at);
    if (space > at) {
      at = space;
      continue;
    }
    for (const [kind, pattern] of TOKENS) {
      const end = matchAt(pattern, sql, at);
      if (end === at) continue;
      tokens.push({ kind, text: sql.slice(at, end), start: at, end });
      at = end;
      break;
    }
  }
  return tokens;
}

function matchAt(pattern: RegExp, sql: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(sql) ? pattern.lastIndex : at;
}

/** Whether a quoted token ends with its quote; one that does not has run to the end of the text. */
export function isClosed({ kind, text }: Token): boolean {
  if (kind !== "string" && kind !== "name" && kind !== "blob") return true;
  const quote = kind === "blob" ? "'" : text.charAt(0);
  // A doubled quote stands for itself, so in a closed one they are even.
  return quote === "[" ? text.endsWith("]") : text.split(quote).length % 2 === 1;
}

/** Upper case of a word, null of any other token. */
export function keyword(token: Token | undefined): string | null {
  return token?.kind === "word" ? token.text.toUpperCase() : null;
}

/** The statements of a text, each with its tokens and without its semicolon; empty ones left out. */
export function statements(sql: string): { readonly sql: string; readonly tokens: readonly Token[] }[] {
  const found: { sql: string; tokens: Token[] }[] = [];
  let tokens: Token[] = [];
  let body: "none" | "open" | "closed" = "none";
  const finish = () => {
    const [first, last] = [tokens[0], tokens.at(-1)];
    if (first && last) found.push({ sql: sql.slice(first.start, last.end), tokens });
    tokens = [];
    body = "none";
  };
  for (const token of tokenize(sql)) {
    if (token.text === ";" && body !== "open") {
      finish();
      continue;
    }
    // Only the END behind a semicolon closes a trigger; others belong to CASE.
    if (body === "open" && keyword(token) === "END" && tokens.at(-1)?.text === ";") body = "closed";
    tokens.push(token);
    if (body === "none" && keyword(token) === "BEGIN" && createsTrigger(tokens)) body = "open";
  }
  finish();
  return found;
}

function createsTrigger(tokens: readonly Token[]): boolean {
  const words = tokens.slice(0, 6).map(keyword);
  const create = words.indexOf("CREATE");
  const next = words[create + 1];
  return (
    create !== -1 &&
    (next === "TRIGGER" || ((next === "TEMP" || next === "TEMPORARY") && words[create + 2] === "TRIGGER"))
  );
}

export function parameters(tokens: readonly Token[]): Parameters {
  const names: (string | null)[] = [];
  for (const { kind, text } of tokens) {
    if (kind !== "parameter") continue;
    if (text === "?") names.push(null);
    else if (text.startsWith("?")) setAt(names, Number(text.slice(1)) - 1, text);
    else if (!names.includes(text)) names.push(text);
  }
  return { count: names.length, names };
}

/** SQLite takes numbers up to 32766; it refuses a greater one itself. */
function setAt(names: (string | null)[], at: number, name: string): void {
  if (at < 0 || at >= 32_766) return;
  while (names.length <= at) names.push(null);
  names[at] = name;
}

/** Whether it is one of these bare words, which are given in upper case. */
export function isWord(token: Token | undefined, ...words: readonly string[]): boolean {
  const word = keyword(token);
  return word !== null && words.includes(word);
}

export function isSign(token: Token | undefined, text: string): boolean {
  return token?.kind === "sign" && token.text === text;
}

/** What a token names where a name is expected; SQLite takes a string for one. Undefined if it cannot be one. */
export function nameOf(token: Token | undefined): string | undefined {
  return token?.kind === "word" || token?.kind === "name" || token?.kind === "string"
    ? bareName(token)
    : undefined;
}

/** A name or a string without its quotes. */
export function bareName(token: Token): string {
  const { kind, text } = token;
  if (kind === "word") return text;
  const quote = text[0] ?? "";
  const inner = text.slice(1, -1);
  return quote === "[" ? inner : inner.replaceAll(quote + quote, quote);
}

/** A name in double quotes. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as an SQL string. */
export function sqlString(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
