/** @module Replication in memory, for gossip alone: keeps versions of origins as the store does, without any tables. */
import type {
  ActorId,
  Change,
  Chunk,
  Committed,
  Held,
  KnownVersions,
  Range,
  Received,
  Replication,
} from "../../corrosion/embedded/replication.ts";

interface Origin {
  head: bigint;
  /** Whole versions; null: nothing of it stands any more. */
  readonly whole: Map<bigint, readonly Chunk[] | null>;
  /** Versions of which a part is here. */
  readonly parts: Map<bigint, Chunk[]>;
}

export class MemoryReplication implements Replication {
  readonly id: ActorId;
  readonly origins = new Map<ActorId, Origin>();
  /** Tables that the schema lacks. */
  readonly lacking = new Set<string>();
  /** Chunks that were known already when they came. */
  duplicates = 0;
  /** All questions fail while this is true. */
  broken = false;
  readonly #onCommitted: (committed: Committed) => void;

  constructor(id: ActorId, onCommitted: (committed: Committed) => void) {
    this.id = id;
    this.#onCommitted = onCommitted;
  }

  /** A local version of so many changes, in chunks of at most `perChunk` of them, each with so many bytes. */
  commit(table = "t", count = 1, perChunk = 100, bytes = 0): bigint {
    const own = this.#origin(this.id);
    own.head += 1n;
    const version = own.head;
    const ts = (BigInt(Date.now()) << 32n) / 1000n;
    const chunks: Chunk[] = [];
    for (let startSeq = 0; startSeq < count; startSeq += perChunk) {
      const endSeq = Math.min(count, startSeq + perChunk) - 1;
      const changes = Array.from({ length: endSeq - startSeq + 1 }, (_, i) =>
        changeOf(table, version, startSeq + i, bytes),
      );
      chunks.push({ origin: this.id, version, ts, startSeq, endSeq, lastSeq: count - 1, changes });
    }
    own.whole.set(version, chunks);
    this.#onCommitted({ origin: this.id, version, local: true, touched: [], chunks });
    return version;
  }

  /** A version all of whose changes were overwritten. */
  overwrite(origin: ActorId, version: bigint): void {
    this.#origin(origin).whole.set(version, null);
  }

  has(origin: ActorId, version: bigint): boolean {
    return this.origins.get(origin)?.whole.has(version) ?? false;
  }

  /** Whole versions per origin, as text to be compared. */
  contents(): string {
    const all = [...this.origins].map(([origin, { whole }]) => [
      origin,
      [...whole].map(([version, chunks]) => `${version}:${chunks === null ? "-" : cells(chunks)}`).sort(),
    ]);
    return JSON.stringify(all.sort());
  }

  async known(): Promise<KnownVersions> {
    this.#check();
    const known = [...this.origins].map(([origin, { head, whole, parts }]) => {
      const need: Range[] = [];
      for (let version = 1n; version <= head; version++) {
        if (whole.has(version) || parts.has(version)) continue;
        const last = need.at(-1);
        if (last?.end === version - 1n) need[need.length - 1] = { start: last.start, end: version };
        else need.push({ start: version, end: version });
      }
      const partial = [...parts].map(([version, chunks]) => ({ version, missing: missingOf(chunks) }));
      return [origin, { head, need, partial }] as const;
    });
    return new Map(known);
  }

  async held(origin: ActorId, version: bigint, _maxBytes: number): Promise<Held> {
    this.#check();
    const chunks = this.origins.get(origin)?.whole.get(version);
    if (chunks === undefined) return { kind: "unknown" };
    return chunks === null ? { kind: "empty" } : { kind: "chunks", chunks };
  }

  async receive(chunks: readonly Chunk[]): Promise<readonly Received[]> {
    this.#check();
    return chunks.map((chunk) => this.#receive(chunk));
  }

  async receiveEmpty(origin: ActorId, { start, end }: Range): Promise<void> {
    const of = this.#origin(origin);
    for (let version = start; version <= end; version++) {
      if (!of.whole.has(version)) of.whole.set(version, null);
      of.parts.delete(version);
    }
    if (end > of.head) of.head = end;
  }

  async noteHead(origin: ActorId, head: bigint): Promise<void> {
    const of = this.#origin(origin);
    if (head > of.head) of.head = head;
  }

  #receive(chunk: Chunk): Received {
    const of = this.#origin(chunk.origin);
    const parts = of.parts.get(chunk.version) ?? [];
    if (of.whole.has(chunk.version) || parts.some(({ startSeq }) => startSeq === chunk.startSeq)) {
      this.duplicates += 1;
      return { kind: "duplicate" };
    }
    const unknown = chunk.changes.find(({ table }) => this.lacking.has(table));
    if (chunk.version > of.head) of.head = chunk.version;
    if (unknown) return { kind: "refused", message: `no such table: ${unknown.table}` };
    parts.push(chunk);
    if (missingOf(parts).length > 0) {
      of.parts.set(chunk.version, parts);
      return { kind: "buffered" };
    }
    of.parts.delete(chunk.version);
    of.whole.set(
      chunk.version,
      parts.sort((a, b) => a.startSeq - b.startSeq),
    );
    return { kind: "applied" };
  }

  #origin(id: ActorId): Origin {
    const origin = this.origins.get(id) ?? { head: 0n, whole: new Map(), parts: new Map() };
    this.origins.set(id, origin);
    return origin;
  }

  #check(): void {
    if (this.broken) throw new Error("the database does not answer");
  }
}

function missingOf(chunks: readonly Chunk[]): [number, number][] {
  const sorted = [...chunks].sort((a, b) => a.startSeq - b.startSeq);
  const missing: [number, number][] = [];
  let next = 0;
  for (const { startSeq, endSeq } of sorted) {
    if (startSeq > next) missing.push([next, startSeq - 1]);
    next = Math.max(next, endSeq + 1);
  }
  const last = sorted[0]?.lastSeq ?? -1;
  if (next <= last) missing.push([next, last]);
  return missing;
}

function cells(chunks: readonly Chunk[]): string {
  return chunks.flatMap(({ changes }) => changes.map(({ val }) => `${val}`)).join();
}

function changeOf(table: string, version: bigint, seq: number, bytes: number): Change {
  const val = `${version}/${seq}`.padEnd(bytes, ".");
  return { table, pk: Uint8Array.of(1, 9, seq & 0xff), cid: "v", val, colVersion: 1n, cl: 1n, seq };
}
