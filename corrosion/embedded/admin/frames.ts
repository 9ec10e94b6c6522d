/** @module Frames of the admin socket: a length of four bytes, big-endian, then JSON. */
import type { Socket } from "node:net";

const LENGTH_BYTES = 4;
export const MAX_FRAME_BYTES = 100 * 1024 * 1024;

/** What arrived is no frame; the connection cannot go on. */
export class UndecodableFrame extends Error {
  override name = "UndecodableFrame";
}

/** The frames of a connection as texts, until it ends. Throws `UndecodableFrame`, and for a frame that breaks off. */
export async function* frames(socket: Socket): AsyncGenerator<string, void, void> {
  let held: Buffer[] = [];
  let size = 0;
  // Whoever stops reading may still have something to say.
  for await (const bytes of socket.iterator({ destroyOnReturn: false })) {
    held.push(bytes as Buffer);
    size += (bytes as Buffer).length;
    for (;;) {
      if (size < LENGTH_BYTES) break;
      let all = held.length === 1 ? held[0] : undefined;
      if (all === undefined && (held[0]?.length ?? 0) < LENGTH_BYTES) {
        all = Buffer.concat(held);
        held = [all];
      }
      const length = (all ?? held[0])?.readUInt32BE(0) ?? 0;
      if (length > MAX_FRAME_BYTES) throw new UndecodableFrame("frame size too big");
      if (size < LENGTH_BYTES + length) break;
      const whole = held.length === 1 && held[0] !== undefined ? held[0] : Buffer.concat(held);
      yield whole.toString("utf8", LENGTH_BYTES, LENGTH_BYTES + length);
      const rest = whole.subarray(LENGTH_BYTES + length);
      held = rest.length > 0 ? [rest] : [];
      size = rest.length;
    }
  }
  if (size > 0) throw new UndecodableFrame("bytes remaining on stream");
}

/** A frame around JSON text. */
export function frame(json: string): Buffer {
  const body = Buffer.from(json);
  const whole = Buffer.allocUnsafe(LENGTH_BYTES + body.length);
  whole.writeUInt32BE(body.length, 0);
  body.copy(whole, LENGTH_BYTES);
  return whole;
}
