/** @module Which versions of which origins are here: heads, gaps and parts, in memory and in the tables at once. */
import type { DatabaseSync } from "node:sqlite";
import type { ActorId, Chunk, Known, Range } from "../replication.ts";
import { actorBytes, actorIdOf } from "./actor-id.ts";
import { type RangeChange, RangeSet } from "./range-set.ts";
import { Change, Query } from "./sql-rows.ts";
import type { Mirror } from "./transactions.ts";

/** A version of which some chunks wait in the buffer. */
export interface Partial {
  /** The lowest that any chunk told: what lay behind it was overwritten since. */
  lastSeq: number;
  readonly ts: string;
  readonly seqs: RangeSet;
}

interface Origin {
  /** Highest version heard of. */
  head: bigint;
  readonly gaps: RangeSet;
  readonly partials: Map<bigint, Partial>;
}

const seqRange = (start: number, end: number): Range => ({ start: BigInt(start), end: BigInt(end) });

export class Bookkeeping implements Mirror {
  readonly #origins = new Map<ActorId, Origin>();
  readonly #heads: Query<{ actor_id: Uint8Array; version: bigint }>;
  readonly #gaps: Query<{ actor_id: Uint8Array; start: bigint; end: bigint }>;
  readonly #parts: Query<{
    site_id: Uint8Array;
    db_version: bigint;
    start_seq: bigint;
    end_seq: bigint;
    last_seq: bigint;
    ts: string;
  }>;
  readonly #raise: Change;
  readonly #addGap: Change;
  readonly #dropGap: Change;
  readonly #addPart: Change;
  readonly #dropPart: Change;
  readonly #dropParts: Change;
  readonly #dropBuffered: Change;
  #changed = false;

  constructor(db: DatabaseSync) {
    this.#heads = new Query(db, "SELECT site_id AS actor_id, db_version AS version FROM crsql_db_versions");
    this.#gaps = new Query(db, 'SELECT actor_id, start, "end" FROM __corro_bookkeeping_gaps');
    this.#parts = new Query(
      db,
      "SELECT site_id, db_version, start_seq, end_seq, last_seq, ts FROM __corro_seq_bookkeeping",
    );
    this.#raise = new Change(
      db,
      `INSERT INTO crsql_db_versions (site_id, db_version) VALUES (?, ?)
        ON CONFLICT (site_id) DO UPDATE SET db_version = max(db_version, excluded.db_version)`,
    );
    this.#addGap = new Change(
      db,
      'INSERT INTO __corro_bookkeeping_gaps (actor_id, start, "end") VALUES (?, ?, ?)',
    );
    this.#dropGap = new Change(db, "DELETE FROM __corro_bookkeeping_gaps WHERE actor_id = ? AND start = ?");
    this.#addPart = new Change(
      db,
      `INSERT INTO __corro_seq_bookkeeping (site_id, db_version, start_seq, end_seq, last_seq, ts)
        VALUES (?, ?, ?, ?, ?, ?)`,
    );
    this.#dropPart = new Change(
      db,
      "DELETE FROM __corro_seq_bookkeeping WHERE site_id = ? AND db_version = ? AND start_seq = ?",
    );
    this.#dropParts = new Change(
      db,
      "DELETE FROM __corro_seq_bookkeeping WHERE site_id = ? AND db_version = ?",
    );
    this.#dropBuffered = new Change(
      db,
      "DELETE FROM __corro_buffered_changes WHERE site_id = ? AND db_version = ?",
    );
    this.#load();
  }

  committed(): void {
    this.#changed = false;
  }

  rolledBack(): void {
    if (this.#changed) this.#load();
    this.#changed = false;
  }

  #load(): void {
    this.#origins.clear();
    const rise = (bytes: Uint8Array, version: bigint) => {
      const origin = this.#origin(actorIdOf(bytes));
      if (version > origin.head) origin.head = version;
      return origin;
    };
    for (const { actor_id, version } of this.#heads.all()) rise(actor_id, version);
    for (const { actor_id, start, end } of this.#gaps.all()) rise(actor_id, end).gaps.add({ start, end });
    for (const { site_id, db_version, start_seq, end_seq, last_seq, ts } of this.#parts.all()) {
      const { partials } = rise(site_id, db_version);
      const partial = partials.get(db_version) ?? { lastSeq: Number(last_seq), ts, seqs: new RangeSet() };
      partial.lastSeq = Math.min(partial.lastSeq, Number(last_seq));
      partial.seqs.add({ start: start_seq, end: end_seq });
      partials.set(db_version, partial);
    }
  }

  #origin(actorId: ActorId): Origin {
    let origin = this.#origins.get(actorId);
    if (!origin) {
      origin = { head: 0n, gaps: new RangeSet(), partials: new Map() };
      this.#origins.set(actorId, origin);
    }
    return origin;
  }

  /** What is known of each origin of which anything is known. */
  known(): Map<ActorId, Known> {
    const all = new Map<ActorId, Known>();
    for (const [actorId, { head, gaps, partials }] of this.#origins) {
      if (head === 0n) continue;
      const partial = [...partials].map(([version, { lastSeq, seqs }]) => ({
        version,
        missing: seqs.missing(seqRange(0, lastSeq)).map((r) => [Number(r.start), Number(r.end)] as const),
      }));
      all.set(actorId, { head, need: [...gaps.ranges], partial });
    }
    return all;
  }

  head(actorId: ActorId): bigint {
    return this.#origins.get(actorId)?.head ?? 0n;
  }

  /** Whether the version is here, whole, or was overwritten. */
  has(actorId: ActorId, version: bigint): boolean {
    const origin = this.#origins.get(actorId);
    if (!origin || version > origin.head || origin.partials.has(version)) return false;
    return !origin.gaps.covers({ start: version, end: version });
  }

  partial(actorId: ActorId, version: bigint): Partial | null {
    return this.#origins.get(actorId)?.partials.get(version) ?? null;
  }

  /** An origin has got this far; what is new becomes a gap. */
  noteHead(actorId: ActorId, head: bigint): void {
    const origin = this.#origin(actorId);
    if (head <= origin.head) return;
    this.#changed = true;
    this.#storeGaps(actorId, origin.gaps.add({ start: origin.head + 1n, end: head }));
    origin.head = head;
  }

  /** Versions are here now, or nothing of them stands any more: no gap, no part of them is left. */
  complete(actorId: ActorId, versions: Range): void {
    this.#changed = true;
    this.noteHead(actorId, versions.start - 1n);
    const origin = this.#origin(actorId);
    this.#storeGaps(actorId, origin.gaps.remove(versions));
    for (const version of partialsIn(origin, versions)) this.#dropPartial(actorId, version);
    if (versions.end > origin.head) origin.head = versions.end;
    this.raise(actorId, versions.end);
  }

  /** The highest version seen of an origin, which the table `crsql_db_versions` tells. */
  raise(actorId: ActorId, version: bigint): void {
    this.#changed = true;
    const origin = this.#origin(actorId);
    if (version > origin.head) origin.head = version;
    this.#raise.run(actorBytes(actorId), version);
  }

  /** Nothing of the version is here: parts of it are dropped, and it is a gap. */
  miss(actorId: ActorId, version: bigint): void {
    this.#changed = true;
    this.noteHead(actorId, version);
    const origin = this.#origin(actorId);
    if (origin.partials.has(version)) this.#dropPartial(actorId, version);
    this.#storeGaps(actorId, origin.gaps.add({ start: version, end: version }));
  }

  /** A part of a version waits in the buffer now: it is no gap any more. Returns what there is of it. */
  addPart(chunk: Chunk): Partial {
    this.#changed = true;
    const { origin: actorId, version, startSeq, endSeq, lastSeq } = chunk;
    this.noteHead(actorId, version);
    const origin = this.#origin(actorId);
    const range = { start: version, end: version };
    this.#storeGaps(actorId, origin.gaps.remove(range));
    const known = origin.partials.get(version);
    const partial = known ?? { lastSeq, ts: String(chunk.ts), seqs: new RangeSet() };
    partial.lastSeq = Math.min(partial.lastSeq, lastSeq);
    origin.partials.set(version, partial);
    const site = actorBytes(actorId);
    const { removed, added } = partial.seqs.add(seqRange(startSeq, endSeq));
    for (const { start } of removed) this.#dropPart.run(site, version, start);
    for (const { start, end } of added) {
      this.#addPart.run(site, version, start, end, BigInt(partial.lastSeq), partial.ts);
    }
    return partial;
  }

  #dropPartial(actorId: ActorId, version: bigint): void {
    this.#origin(actorId).partials.delete(version);
    this.#dropParts.run(actorBytes(actorId), version);
    this.#dropBuffered.run(actorBytes(actorId), version);
  }

  #storeGaps(actorId: ActorId, { removed, added }: RangeChange): void {
    const actor = actorBytes(actorId);
    for (const { start } of removed) this.#dropGap.run(actor, start);
    for (const { start, end } of added) this.#addGap.run(actor, start, end);
  }
}

function partialsIn({ partials }: Origin, { start, end }: Range): bigint[] {
  return [...partials.keys()].filter((version) => version >= start && version <= end);
}

/** Whether all seqs that stand are there. */
export function isWhole({ lastSeq, seqs }: Partial): boolean {
  return seqs.covers(seqRange(0, lastSeq));
}

/** Whether a chunk brings nothing that the part has not. */
export function bringsNothing({ seqs, lastSeq }: Partial, chunk: Chunk): boolean {
  return chunk.lastSeq >= lastSeq && seqs.covers(seqRange(chunk.startSeq, chunk.endSeq));
}
