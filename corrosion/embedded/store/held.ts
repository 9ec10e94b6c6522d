/** @module What this agent can send of a version: the changes of it that still stand. */
import type { ActorId, Change, Held } from "../replication.ts";
import { cutChunks } from "./chunks.ts";
import type { TrackedTable } from "./tracked-table.ts";

export interface HeldVersion {
  readonly origin: ActorId;
  readonly version: bigint;
  /** Ordinal of the origin. */
  readonly site: bigint;
}

/** Of a version that is here whole. What was overwritten since is left out, and its seqs with it. */
export function heldVersion(
  tables: readonly TrackedTable[],
  { origin, version, site }: HeldVersion,
  maxBytes: number,
): Held {
  const changes: Change[] = [];
  let ts = "0";
  for (const table of tables) {
    for (const standing of table.standing(site, version)) {
      const { pk, cid, val, col_version, cl, seq } = standing;
      changes.push({ table: table.shape.name, pk, cid, val, colVersion: col_version, cl, seq: Number(seq) });
      ts = standing.ts;
    }
  }
  if (changes.length === 0) return { kind: "empty" };
  changes.sort((a, b) => a.seq - b.seq);
  return { kind: "chunks", chunks: cutChunks({ origin, version, ts: BigInt(ts) }, changes, maxBytes) };
}
