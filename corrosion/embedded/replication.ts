/**
 * @module What replicates: versions of origins, cut into chunks, and the port through which gossip reaches the
 * database. The port is asynchronous because the database lives in the writer's process.
 */
import type { SqlValue } from "./values.ts";

/** An agent's id, 32 lower-case hex digits. */
export type ActorId = string;

/** One row of `crsql_changes` (contract corrosion, sections 7 and 8). */
export interface Change {
  readonly table: string;
  /** The packed key. */
  readonly pk: Uint8Array;
  /** Column, or `-1` for the sentinel. */
  readonly cid: string;
  readonly val: SqlValue;
  readonly colVersion: bigint;
  readonly cl: bigint;
  /** Position in its version, from 0. */
  readonly seq: number;
}

/** Inclusive. */
export interface Range {
  readonly start: bigint;
  readonly end: bigint;
}

/** A part of one version of one origin: the changes with seqs `startSeq..endSeq` that still stand. */
export interface Chunk {
  readonly origin: ActorId;
  readonly version: bigint;
  /** NTP64, of the origin's commit. */
  readonly ts: bigint;
  readonly startSeq: number;
  readonly endSeq: number;
  /** The highest seq of the whole version. */
  readonly lastSeq: number;
  readonly changes: readonly Change[];
}

/** What an agent knows of an origin: everything up to `head` but what is in `need` and `partial`. */
export interface Known {
  readonly head: bigint;
  /** Versions of which nothing is here, ascending. */
  readonly need: readonly Range[];
  /** Versions of which a part waits in the buffer: the ranges of seqs that are missing. */
  readonly partial: readonly {
    readonly version: bigint;
    readonly missing: readonly (readonly [number, number])[];
  }[];
}

export type KnownVersions = ReadonlyMap<ActorId, Known>;

/** What became of a received chunk. */
export type Received =
  | { readonly kind: "applied" }
  | { readonly kind: "buffered" }
  /** Known already; nothing changed. */
  | { readonly kind: "duplicate" }
  /** The version stays a gap, the message says why (a table that this agent has not, NULL into NOT NULL). */
  | { readonly kind: "refused"; readonly message: string };

/** What an agent can send of a version that another one misses. */
export type Held =
  | { readonly kind: "chunks"; readonly chunks: readonly Chunk[] }
  /** All its changes were overwritten since: the asker closes the gap. */
  | { readonly kind: "empty" }
  /** Not here, or not whole. */
  | { readonly kind: "unknown" };

export interface Replication {
  known(): Promise<KnownVersions>;
  /** The changes of a version that still stand, in chunks of at most `maxBytes` of JSON, more or less. */
  held(origin: ActorId, version: bigint, maxBytes: number): Promise<Held>;
  /** Chunks are taken in order, each version in a transaction of its own; one answer a chunk. */
  receive(chunks: readonly Chunk[]): Promise<readonly Received[]>;
  /** Versions of which nothing stands any more: known from now on. */
  receiveEmpty(origin: ActorId, versions: Range): Promise<void>;
  /** An origin has got this far: what lies between becomes a gap row. */
  noteHead(origin: ActorId, head: bigint): Promise<void>;
}

/** A row that a commit changed. */
export interface Touched {
  readonly table: string;
  readonly pk: Uint8Array;
  /** The row's causal length now; even: deleted. */
  readonly cl: bigint;
}

/** Told after each commit, local or merged, in commit order. */
export interface Committed {
  readonly origin: ActorId;
  readonly version: bigint;
  readonly local: boolean;
  readonly touched: readonly Touched[];
  /** Of a local commit: all its chunks, to be sent to the peers at once. Empty when merged. */
  readonly chunks: readonly Chunk[];
}
