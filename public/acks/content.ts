/** @module What a message may say: the same rules as the node's, told before anything is sent. */

/** Largest content in bytes of UTF-8. */
export const MAX_CONTENT_BYTES = 8192;

const encoder = new TextEncoder();

/** Bytes of UTF-8. */
export function bytesOf(content: string): number {
  return encoder.encode(content).length;
}

/** Why no message can have this content, one sentence; null: it can. */
export function contentProblem(content: string): string | null {
  const bytes = bytesOf(content);
  if (bytes === 0) return "Write something: a message has 1 byte to 8 KiB.";
  if (bytes > MAX_CONTENT_BYTES) {
    return `This has ${bytes.toLocaleString("en")} bytes: a message has at most 8 KiB (8,192 bytes).`;
  }
  return content.isWellFormed() ? null : "Half of a character is missing: delete it, and type it anew.";
}
