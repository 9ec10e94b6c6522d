/** @module What the Tab key does to a text: two spaces at the cursor, or a step for all lines that are selected. */

const STEP = "  ";

/** Characters `from`..`to` become `insert`; then `select` is selected. */
export interface Edit {
  readonly from: number;
  readonly to: number;
  readonly insert: string;
  readonly select: readonly [number, number];
}

export interface Selection {
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

/** Null: there is nothing to change. `back` is Shift+Tab, which takes a step away from the beginning of each line. */
export function tabEdit({ text, from, to }: Selection, back: boolean): Edit | null {
  const several = text.slice(from, to).includes("\n");
  if (!back && !several) {
    const at = from + STEP.length;
    return { from, to, insert: STEP, select: [at, at] };
  }
  const start = text.slice(0, from).lastIndexOf("\n") + 1;
  // A selection that ends at the beginning of a line has nothing of that line.
  const last = several && text[to - 1] === "\n" ? to - 1 : to;
  const newline = text.indexOf("\n", last);
  const end = newline < 0 ? text.length : newline;
  const lines = text.slice(start, end).split("\n");
  const stepped = lines.map((line) => (back ? line.replace(/^(?: {1,2}|\t)/, "") : STEP + line));
  const insert = stepped.join("\n");
  if (insert === text.slice(start, end)) return null;
  if (several) return { from: start, to: end, insert, select: [start, start + insert.length] };
  const shift = end - start - insert.length;
  return {
    from: start,
    to: end,
    insert,
    select: [Math.max(start, from - shift), Math.max(start, to - shift)],
  };
}
