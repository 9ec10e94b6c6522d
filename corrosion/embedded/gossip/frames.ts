/** @module Frames on a byte stream: four bytes of length, big-endian, then so many bytes. */

const HEADER_BYTES = 4;

/** A frame is longer than what this side takes, or empty. */
export class BadFrame extends Error {
  override name = "BadFrame";
}

/** The bytes of one frame. */
export function frame(body: string): Buffer {
  const length = Buffer.byteLength(body);
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + length);
  bytes.writeUInt32BE(length);
  bytes.write(body, HEADER_BYTES);
  return bytes;
}

/** Cuts a stream into frames. What it holds is never more than was received. */
export class FrameReader {
  #parts: Buffer[] = [];
  #held = 0;
  /** Longest body that is taken from now on. */
  maxBytes: number;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** Whether a frame has begun and is not whole. */
  get pending(): boolean {
    return this.#held > 0;
  }

  push(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#parts.push(bytes);
    this.#held += bytes.length;
  }

  /** The body of the next whole frame; null when more bytes are needed. Throws `BadFrame`. */
  next(): Buffer | null {
    if (this.#held < HEADER_BYTES) return null;
    const length = this.#header().readUInt32BE();
    if (length === 0) throw new BadFrame("a frame of 0 bytes");
    if (length > this.maxBytes) {
      throw new BadFrame(`a frame of ${length} bytes, and ${this.maxBytes} are the most`);
    }
    if (this.#held < HEADER_BYTES + length) return null;
    const [first] = this.#parts;
    const whole = this.#parts.length === 1 && first ? first : Buffer.concat(this.#parts, this.#held);
    const rest = whole.subarray(HEADER_BYTES + length);
    this.#parts = rest.length > 0 ? [rest] : [];
    this.#held = rest.length;
    return whole.subarray(HEADER_BYTES, HEADER_BYTES + length);
  }

  /** The first part, made long enough to hold the header. */
  #header(): Buffer {
    const [first] = this.#parts;
    if (first && first.length >= HEADER_BYTES) return first;
    const whole = Buffer.concat(this.#parts, this.#held);
    this.#parts = [whole];
    return whole;
  }
}
