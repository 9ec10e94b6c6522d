/** @module The tokens of an SQL text by SQLite's lexical rules, without comments and space. */

export type Token =
  /** A bare word: a keyword or a name. */
  | { readonly kind: "word"; readonly text: string }
  /** A name in double quotes, backticks or brackets, without them. */
  | { readonly kind: "name"; readonly text: string }
  /** A text in single quotes, without them; SQLite also takes it for a name where only a name can stand. */
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "number"; readonly text: string }
  /** `?`, `?1`, `:a`, `@a` or `$a`. */
  | { readonly kind: "param"; readonly text: string }
  | { readonly kind: "sign"; readonly text: string };

/** The text holds something that no token begins with or ends; one sentence. */
export class UnreadableSql extends Error {
  override name = "UnreadableSql";
}

// Everything beyond ASCII may be part of a name, space look-alikes too.
const SPACE = /[\t\n\v\f\r \ufeff]+/y;
const LINE_COMMENT = /--[^\n]*/y;
const BLOCK_COMMENT = /\/\*(?:[\s\S]*?\*\/|[\s\S]*$)/y;
const WORD = /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/y;
const NUMBER = /(?:\d|\.\d)(?:[\w.]|(?<=[eE])[+-](?=\d))*/y;
const PARAM = /\?\d*|[:@$][\w$\u0080-\uffff]+/y;
const STRING = /'((?:[^']|'')*)'/y;
const DOUBLE_QUOTED = /"((?:[^"]|"")*)"/y;
const BACKTICKED = /`((?:[^`]|``)*)`/y;
const BRACKETED = /\[([^\]]*)\]/y;
const QUOTES = /['"`[]/;

/** The tokens in order. Throws `UnreadableSql` for an unclosed quote and for a NUL. */
export function tokensOf(sql: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(sql);
    if (found) at = pattern.lastIndex;
    return found;
  };
  while (at < sql.length) {
    if (take(SPACE) || take(LINE_COMMENT) || take(BLOCK_COMMENT)) continue;
    const token = tokenAt(take);
    if (token) {
      tokens.push(token);
      continue;
    }
    const text = sql.charAt(at);
    if (QUOTES.test(text))
      throw new UnreadableSql(`the quote ${text} at character ${at + 1} is never closed`);
    // SQLite takes it for the end of the text, whatever follows.
    if (text === "\0") throw new UnreadableSql(`character ${at + 1} is a NUL`);
    tokens.push({ kind: "sign", text });
    at += 1;
  }
  return tokens;
}

function tokenAt(take: (pattern: RegExp) => RegExpExecArray | null): Token | null {
  const word = take(WORD);
  if (word) return { kind: "word", text: word[0] };
  const number = take(NUMBER);
  if (number) return { kind: "number", text: number[0] };
  const param = take(PARAM);
  if (param) return { kind: "param", text: param[0] };
  const string = take(STRING);
  if (string) return { kind: "string", text: (string[1] ?? "").replaceAll("''", "'") };
  const double = take(DOUBLE_QUOTED);
  if (double) return { kind: "name", text: (double[1] ?? "").replaceAll('""', '"') };
  const backtick = take(BACKTICKED);
  if (backtick) return { kind: "name", text: (backtick[1] ?? "").replaceAll("``", "`") };
  const bracket = take(BRACKETED);
  if (bracket) return { kind: "name", text: bracket[1] ?? "" };
  return null;
}
