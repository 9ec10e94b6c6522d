/** @module Lines of a byte stream whose chunks may end anywhere, even inside a character. */

/** A line is longer than any that an agent sends. */
export class LineTooLong extends Error {
  override name = "LineTooLong";
}

/** The bytes are no UTF-8. */
export class InvalidText extends Error {
  override name = "InvalidText";
}

export const MAX_LINE_CHARS = 64 * 1024 * 1024;

/** Gives each line once it is whole; blank lines are left out. */
export class LineDecoder {
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  readonly #maxChars: number;
  /** The unfinished line, as it came: joined once, when its end is there. */
  #parts: string[] = [];
  #length = 0;

  constructor(maxChars: number = MAX_LINE_CHARS) {
    this.#maxChars = maxChars;
  }

  /** The lines that this chunk completes, without their line feed. Throws `LineTooLong` and `InvalidText`. */
  push(chunk: Uint8Array): string[] {
    return this.#take(this.#decode(chunk));
  }

  /**
   * What stands behind the last line feed, as a line; empty when nothing does. Throws `InvalidText` when a character
   * is cut off.
   */
  end(): string[] {
    const lines = this.#take(`${this.#decode(null)}\n`);
    this.#parts = [];
    return lines;
  }

  #decode(chunk: Uint8Array | null): string {
    try {
      // No byte of a longer UTF-8 character looks like a line feed, so characters first, lines second is safe.
      return chunk ? this.#decoder.decode(chunk, { stream: true }) : this.#decoder.decode();
    } catch (error) {
      throw new InvalidText("the stream holds bytes that are no UTF-8", { cause: error });
    }
  }

  #take(text: string): string[] {
    const pieces = text.split("\n");
    const rest = pieces.pop() ?? "";
    const lines: string[] = [];
    for (const piece of pieces) {
      this.#add(piece);
      const line = this.#parts.length === 1 ? piece : this.#parts.join("");
      this.#parts = [];
      this.#length = 0;
      if (line.trim() !== "") lines.push(line);
    }
    this.#add(rest);
    return lines;
  }

  #add(piece: string): void {
    this.#length += piece.length;
    if (this.#length > this.#maxChars) {
      throw new LineTooLong(`the stream holds a line of more than ${this.#maxChars} characters`);
    }
    this.#parts.push(piece);
  }
}
