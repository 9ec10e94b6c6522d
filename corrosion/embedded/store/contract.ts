/** @module What the store of one agent offers: everything that its one writing connection does. */
import type { ActorId, Chunk, Committed, Held, KnownVersions, Range, Received } from "../replication.ts";
import type { Statement } from "../values.ts";

export interface TransactionResult {
  readonly results: readonly { readonly rowsAffected: number; readonly seconds: number }[];
  /** The new own version; null when no replicated value changed. */
  readonly version: bigint | null;
}

/** A statement failed, and nothing of the transaction was kept. The message is SQLite's own, or the contract's. */
export class StatementFailed extends Error {
  override name = "StatementFailed";
}

/** A schema file breaks a rule; the message is the contract's (corrosion, section 9). */
export class SchemaRefused extends Error {
  override name = "SchemaRefused";
}

/** The file is none of an embedded development agent, or cannot be opened; one sentence. */
export class StoreUnusable extends Error {
  override name = "StoreUnusable";
}

export interface StoreOptions {
  /** `:memory:` is not taken: readers open the same file. */
  readonly path: string;
  /** Local (non-chunked) commits of one version are cut into chunks of about this many bytes. Default 64 KiB. */
  readonly chunkBytes?: number;
  /** Wall clock in milliseconds, for tests. */
  readonly now?: () => number;
}

export interface Store {
  readonly actorId: ActorId;
  /** Applies schema texts (each file's content); all or nothing. Throws `SchemaRefused`. */
  applySchema(files: readonly string[]): void;
  /**
   * All or nothing, in order. `onStep` is told before each statement and before the commit: whoever limits the time of
   * each. Throws `StatementFailed`.
   */
  transact(statements: readonly Statement[], onStep?: () => void): TransactionResult;
  known(): KnownVersions;
  held(origin: ActorId, version: bigint, maxBytes: number): Held;
  receive(chunks: readonly Chunk[]): readonly Received[];
  /** Throws `RangeError` when origin or versions cannot be, as `noteHead` does. */
  receiveEmpty(origin: ActorId, versions: Range): void;
  noteHead(origin: ActorId, head: bigint): void;
  /** Members as gossip sees them, self left out; replaces what is no longer listed after two days. */
  writeMembers(members: readonly StoredMember[]): void;
  /** The members that were written last. */
  readMembers(): readonly StoredMember[];
  /** Agents of different clusters never talk to each other. 0 until it is set. */
  readonly clusterId: number;
  setClusterId(clusterId: number): void;
  /**
   * Takes a new actor id: what this agent wrote so far counts as another origin's, and its own versions start again
   * at 1. Returns the new id, which `actorId` is from now on.
   */
  newIdentity(): ActorId;
  /**
   * Writes a consistent copy of the database to a file that must not exist yet. The copy belongs to nobody: its own
   * id is an origin as others are, and it remembers no members. Throws `StoreUnusable`.
   */
  backupTo(path: string): void;
  /** Called after each commit, in order, before the call that made it returns. */
  onCommitted(listener: (committed: Committed) => void): void;
  /** Tables of the schema, by name, with their key columns in key order. */
  tables(): readonly ReplicatedTable[];
  /** Checkpoints the write-ahead log and closes. */
  close(): void;
}

export interface StoredMember {
  readonly actorId: ActorId;
  readonly address: string;
  readonly state: "Alive" | "Suspect" | "Down";
  readonly incarnation: number;
  readonly ts: bigint;
  readonly rttMin: number | null;
}

export interface ReplicatedTable {
  readonly name: string;
  readonly keys: readonly string[];
  /** All columns in declared order, those of the key and generated ones too. */
  readonly columns: readonly string[];
}
