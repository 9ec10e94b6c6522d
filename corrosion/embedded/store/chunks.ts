/** @module A version's changes cut into chunks that together cover its seqs without a hole. */
import type { Change, Chunk } from "../replication.ts";

/** What all chunks of a version share. */
export type Version = Pick<Chunk, "origin" | "version" | "ts">;

/**
 * Chunks of at most about `maxBytes` of JSON each; a change that is larger has one for itself.
 * @param changes By ascending seq, at least one. The last one ends the version.
 */
export function cutChunks(version: Version, changes: readonly Change[], maxBytes: number): Chunk[] {
  const lastSeq = changes.at(-1)?.seq ?? 0;
  const chunks: Chunk[] = [];
  let part: Change[] = [];
  let bytes = 0;
  let startSeq = 0;
  const close = (endSeq: number) => {
    chunks.push({ ...version, startSeq, endSeq, lastSeq, changes: part });
    startSeq = endSeq + 1;
    part = [];
    bytes = 0;
  };
  for (const change of changes) {
    const size = sizeOf(change);
    // Changes of one seq stay together, so that no seq lies in two chunks.
    const previous = part.at(-1);
    if (previous && bytes + size > maxBytes && previous.seq < change.seq) close(change.seq - 1);
    part.push(change);
    bytes += size;
  }
  close(lastSeq);
  return chunks;
}

const OVERHEAD = 90;

/** Bytes of a change as JSON, roughly. */
function sizeOf({ table, pk, cid, val }: Change): number {
  const value = typeof val === "string" ? val.length : val instanceof Uint8Array ? val.length * 1.4 : 10;
  return OVERHEAD + table.length + cid.length + pk.length * 1.4 + value;
}
