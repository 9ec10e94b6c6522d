/** @module What a message says, as text. Pure. */
import type { Message } from "../../../services/conversations/contract.ts";

/** Its text, or the texts of its parts; else the whole content, as it is stored. */
export function messageText({ content }: Pick<Message, "content">): string {
  if (typeof content.text === "string") return content.text;
  if (Array.isArray(content.parts)) {
    const texts = content.parts.flatMap((part) => (isTextPart(part) ? [part.text] : []));
    if (texts.length > 0) return texts.join("\n");
  }
  return JSON.stringify(content, null, 2);
}

function isTextPart(part: unknown): part is { readonly text: string } {
  return (
    typeof part === "object" &&
    part !== null &&
    "type" in part &&
    part.type === "text" &&
    "text" in part &&
    typeof part.text === "string"
  );
}
