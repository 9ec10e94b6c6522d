/** @module What the main process and the writer's process say to each other, in order, several at a time. */
import type { ActorId, Chunk, Committed, Held, KnownVersions, Range, Received } from "../replication.ts";
import type { ReplicatedTable, StoredMember, TransactionResult } from "../store/contract.ts";
import type { Statement } from "../values.ts";

/** What can be asked of the writer: the store's methods. */
export interface WriterCalls {
  applySchema(files: readonly string[]): readonly ReplicatedTable[];
  transact(statements: readonly Statement[]): TransactionResult;
  known(): KnownVersions;
  held(origin: ActorId, version: bigint, maxBytes: number): Held;
  receive(chunks: readonly Chunk[]): readonly Received[];
  receiveEmpty(origin: ActorId, versions: Range): void;
  noteHead(origin: ActorId, head: bigint): void;
  writeMembers(members: readonly StoredMember[]): void;
  /** Checkpoints and closes; nothing is asked after it. */
  close(): void;
}

export type WriterMethod = keyof WriterCalls;

export interface WriterRequest {
  readonly id: number;
  readonly method: WriterMethod;
  readonly args: readonly unknown[];
  /** Whether the start of each statement is told, because each has a time limit. */
  readonly timed: boolean;
}

export type FailureKind = "StatementFailed" | "SchemaRefused" | "StoreUnusable" | "Error";

export type WriterReport =
  | {
      readonly kind: "ready";
      readonly actorId: ActorId;
      readonly tables: readonly ReplicatedTable[];
      /** The highest own version. */
      readonly version: bigint;
    }
  | { readonly kind: "unusable"; readonly message: string }
  | { readonly kind: "started" }
  | { readonly kind: "committed"; readonly committed: Committed }
  | { readonly kind: "answer"; readonly id: number; readonly value: unknown }
  | {
      readonly kind: "failed";
      readonly id: number;
      readonly failure: FailureKind;
      readonly message: string;
    };
