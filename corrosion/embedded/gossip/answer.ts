/** @module Answering a peer that asks for versions, as fast as it takes them. */
import type { ActorId, Chunk, Held, Range, Replication } from "../replication.ts";
import { setOf } from "./ranges.ts";
import type { Want } from "./sync-plan.ts";
import { type Message, roughBytes } from "./wire.ts";

/** Versions that are read from the database at the same time. */
const READ_AT_ONCE = 16;
/** Chunks in one frame, in multiples of a chunk's size. */
const CHUNKS_IN_FRAME = 4;

export interface Answering {
  readonly replication: Pick<Replication, "held">;
  readonly chunkBytes: number;
  /** Sends as soon as there is room; false: the asker is gone. */
  readonly send: (message: Message) => Promise<boolean>;
}

/** Sends what is held of these versions, then that it was all. Throws what `held` throws. */
export async function answer(id: number, wants: readonly Want[], how: Answering): Promise<void> {
  for (const group of groups(wants)) {
    const held = await Promise.all(
      group.map(({ origin, version }) => how.replication.held(origin, version, how.chunkBytes)),
    );
    const found = group.map((one, i) => ({ ...one, held: held[i]! }));
    if (!(await sendEmpty(id, found, how))) return;
    const chunks = found.flatMap(({ held, seqs }) =>
      held.kind === "chunks" ? held.chunks.filter((chunk) => isNeeded(chunk, seqs)) : [],
    );
    for (const frameful of inFrames(chunks, CHUNKS_IN_FRAME * how.chunkBytes)) {
      if (!(await how.send({ t: "give", id, chunks: frameful }))) return;
    }
  }
  await how.send({ t: "done", id });
}

/** The chunks in groups of about so many bytes of JSON, each of at least one. */
export function inFrames(chunks: readonly Chunk[], bytes: number): readonly (readonly Chunk[])[] {
  const frames: Chunk[][] = [];
  let room = 0;
  for (const chunk of chunks) {
    const size = roughBytes(chunk);
    if (size > room || frames.length === 0) {
      frames.push([]);
      room = bytes;
    }
    frames.at(-1)!.push(chunk);
    room -= size;
  }
  return frames;
}

interface Wanted {
  readonly origin: ActorId;
  readonly version: bigint;
  readonly seqs: Want["seqs"];
}

function* groups(wants: readonly Want[]): Generator<readonly Wanted[]> {
  let group: Wanted[] = [];
  for (const { origin, versions, seqs } of wants) {
    for (let version = versions.start; version <= versions.end; version++) {
      group.push({ origin, version, seqs });
      if (group.length < READ_AT_ONCE) continue;
      yield group;
      group = [];
    }
  }
  if (group.length > 0) yield group;
}

async function sendEmpty(
  id: number,
  found: readonly (Wanted & { readonly held: Held })[],
  how: Answering,
): Promise<boolean> {
  const empty = new Map<ActorId, Range[]>();
  for (const { origin, version, held } of found) {
    if (held.kind !== "empty") continue;
    empty.set(origin, [...(empty.get(origin) ?? []), { start: version, end: version }]);
  }
  for (const [origin, versions] of empty) {
    if (!(await how.send({ t: "empty", id, origin, versions: setOf(versions) }))) return false;
  }
  return true;
}

/**
 * Whether the asker needs the chunk. The last one also says where the version ends now: what lay behind was overwritten,
 * and who still waits for that must hear of it.
 */
function isNeeded({ startSeq, endSeq, lastSeq }: Chunk, seqs: Want["seqs"]): boolean {
  if (seqs === null) return true;
  return seqs.some(
    ([first, last]) => (first <= endSeq && startSeq <= last) || (endSeq === lastSeq && last > lastSeq),
  );
}
