/** @module What a message says, in blocks of text, code and data; nothing of it is ever markup. Pure. */
import type { Message } from "../../../services/conversations/contract.ts";

export type Block =
  | { readonly kind: "text" | "reasoning"; readonly text: string }
  /** Between two lines of three backticks. */
  | { readonly kind: "code"; readonly text: string }
  /** What is stored, as JSON; `label` is the part's type, null for the rest of a content. */
  | { readonly kind: "data"; readonly label: string | null; readonly text: string };

/** Its text, or its parts in their order; whatever else is stored stands as data. */
export function blocksOf({ content }: Pick<Message, "content">): readonly Block[] {
  const { text, parts, ...rest } = content;
  if (typeof text === "string") {
    const other = { ...rest, ...(parts !== undefined && { parts }) };
    return [...textBlocks(text), ...(Object.keys(other).length > 0 ? [dataBlock(null, other)] : [])];
  }
  const blocks = Array.isArray(parts) ? parts.flatMap(partBlocks) : [];
  return blocks.length > 0 ? blocks : [dataBlock(null, content)];
}

/** A text, cut where code begins and ends. One pass: a text of nothing but backticks costs no more than another. */
export function textBlocks(text: string): readonly Block[] {
  const lines = text.split("\n");
  const blocks: Block[] = [];
  let from = 0;
  let opened: number | null = null;
  for (const [at, line] of lines.entries()) {
    if (opened === null) {
      if (line.startsWith("```")) opened = at;
    } else if (line.trimEnd() === "```") {
      if (opened > from) blocks.push({ kind: "text", text: lines.slice(from, opened).join("\n") });
      blocks.push({ kind: "code", text: lines.slice(opened + 1, at).join("\n") });
      opened = null;
      from = at + 1;
    }
  }
  if (from < lines.length) blocks.push({ kind: "text", text: lines.slice(from).join("\n") });
  return blocks.length > 1
    ? blocks.filter((block) => block.kind !== "text" || block.text.trim() !== "")
    : blocks;
}

/** All of it as one text, as it is compared and copied. */
export function wholeText(blocks: readonly Block[]): string {
  return blocks.map(({ text }) => text).join("\n");
}

/** The first `most` characters, and how many there are in all. */
export function beginning(
  blocks: readonly Block[],
  most: number,
): { readonly blocks: readonly Block[]; readonly length: number } {
  const length = blocks.reduce((sum, { text }) => sum + text.length, 0);
  let left = most;
  const shown: Block[] = [];
  for (const block of blocks) {
    if (left <= 0) break;
    shown.push(block.text.length <= left ? block : { ...block, text: block.text.slice(0, left) });
    left -= Math.max(1, block.text.length);
  }
  return { blocks: shown, length };
}

function partBlocks(part: unknown): readonly Block[] {
  if (typeof part !== "object" || part === null || !("type" in part)) return [dataBlock(null, part)];
  const text = "text" in part && typeof part.text === "string" ? part.text : null;
  if (part.type === "text" && text !== null) return textBlocks(text);
  if (part.type === "reasoning" && text !== null) return text === "" ? [] : [{ kind: "reasoning", text }];
  return part.type === "step-start" ? [] : [dataBlock(String(part.type), part)];
}

function dataBlock(label: string | null, value: unknown): Block {
  return { kind: "data", label, text: JSON.stringify(value, null, 2) };
}
