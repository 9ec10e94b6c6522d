/** @module Frames of the admin socket: a 4-byte big-endian length, then so many bytes of JSON. */

/** Longest frame that an agent takes or sends. */
export const MAX_FRAME_BYTES = 100 * 1024 * 1024;
const HEADER_BYTES = 4;

/** The other side announces a frame that none can be. */
export class BadFrame extends Error {
  override name = "BadFrame";
}

/** The frame of a JSON value. Throws `BadFrame` when it would be too long. */
export function encodeFrame(value: unknown): Buffer {
  const body = Buffer.from(JSON.stringify(value));
  if (body.length > MAX_FRAME_BYTES) throw new BadFrame(`a command of ${body.length} bytes is too long`);
  const frame = Buffer.alloc(HEADER_BYTES + body.length);
  frame.writeUInt32BE(body.length);
  body.copy(frame, HEADER_BYTES);
  return frame;
}

/** Puts frames together again, wherever the stream was cut. */
export class FrameDecoder {
  #chunks: Buffer[] = [];
  #bytes = 0;

  /** Whether a frame has begun that is not whole yet. */
  get partial(): boolean {
    return this.#bytes > 0;
  }

  /** The texts of the frames that this chunk completes. Throws `BadFrame`; nothing can be read after that. */
  push(chunk: Uint8Array): string[] {
    this.#chunks.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    this.#bytes += chunk.length;
    const texts: string[] = [];
    for (;;) {
      const length = this.#announced();
      if (length === null || this.#bytes < HEADER_BYTES + length) return texts;
      texts.push(this.#take(HEADER_BYTES + length).toString("utf8", HEADER_BYTES));
    }
  }

  /** Length of the frame that begins here; null while its header is not whole. */
  #announced(): number | null {
    if (this.#bytes < HEADER_BYTES) return null;
    if (this.#chunks[0]!.length < HEADER_BYTES) this.#chunks = [Buffer.concat(this.#chunks)];
    const length = this.#chunks[0]!.readUInt32BE();
    if (length > MAX_FRAME_BYTES)
      throw new BadFrame(`a frame of ${length} bytes was announced, which is too long`);
    return length;
  }

  #take(bytes: number): Buffer {
    const all = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    const rest = all.subarray(bytes);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#bytes = rest.length;
    return all.subarray(0, bytes);
  }
}
