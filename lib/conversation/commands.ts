/** @module The commands of a group's log: what may stand in an entry, with the version of each. */
import type { JsonObject } from "../json.ts";
import type { DispatchState } from "./state.ts";

/** Starts a leader epoch. */
export interface ClaimCommand {
  readonly t: "claim";
  readonly v: 1;
  readonly epoch: number;
  readonly node: string;
  readonly at: number;
}

/** Ends a leader epoch in an orderly way. */
export interface ReleaseCommand {
  readonly t: "release";
  readonly v: 1;
  readonly at: number;
}

export interface CreateCommand {
  readonly t: "create";
  readonly v: 1;
  readonly session: string;
  readonly user: string;
  readonly agent: string;
  readonly metadata: JsonObject;
  /** The id was made for this command: the archive cannot hold a session with it. */
  readonly fresh?: true;
  readonly at: number;
}

export interface AppendCommand {
  readonly t: "append";
  readonly v: 1;
  readonly session: string;
  /** Id of the message. */
  readonly id: string;
  readonly role: "user" | "agent";
  readonly sender: string;
  readonly kind: string;
  readonly content: JsonObject;
  readonly metadata: JsonObject;
  readonly key?: string;
  readonly expect?: number;
  readonly at: number;
}

export interface ArchiveCommand {
  readonly t: "archive";
  readonly v: 1;
  readonly session: string;
  readonly at: number;
}

export interface ReadCommand {
  readonly t: "read";
  readonly v: 1;
  readonly session: string;
  readonly user: string;
  readonly seq: number;
  readonly at: number;
}

/** A session's header as the archive holds it, on its way back into the state. */
export interface HydrateCommand {
  readonly t: "hydrate";
  readonly v: 1;
  readonly session: string;
  readonly user: string;
  readonly agent: string;
  readonly metadata: JsonObject;
  readonly status: "active" | "archived";
  readonly insertedAt: number;
  readonly updatedAt: number;
  readonly lastSeq: number;
  readonly lastSender: string | null;
  readonly lastActivityAt: number | null;
  readonly cursor: number;
  /** Unread seqs above the cursor as pairs of step and repetitions: from the cursor, take the step so many times. */
  readonly unread: readonly number[];
  readonly dispatch: DispatchState;
  /** Idempotency keys with their seqs, oldest first. */
  readonly keys: readonly (readonly [string, number])[];
  /** `GroupState.evicted` when the archive was asked: after a later eviction the answer may be outdated. */
  readonly evicted: number;
  readonly at: number;
}

/** Everything up to `index` is in the archive. */
export interface ArchivedCommand {
  readonly t: "archived";
  readonly v: 1;
  readonly index: number;
  /** The newest snapshot in the archive, when there is a newer one than the state knows of. */
  readonly snapshot?: { readonly index: number; readonly commands: number };
  readonly at: number;
}

/** Drops the headers of these sessions from the state, as far as they are archived and no dispatch is open. */
export interface EvictCommand {
  readonly t: "evict";
  readonly v: 1;
  readonly sessions: readonly string[];
  /** Only sessions that were not used since, in microseconds since 1970. */
  readonly unusedSince: number;
  readonly at: number;
}

/** Times are microseconds since 1970, stamped by the leader; they never decrease along a log. */
export type Command =
  | ClaimCommand
  | ReleaseCommand
  | CreateCommand
  | AppendCommand
  | ArchiveCommand
  | ReadCommand
  | HydrateCommand
  | ArchivedCommand
  | EvictCommand;

/** What callers propose: a command before the leader has stamped id and time. */
export type Draft =
  | Omit<CreateCommand, "at" | "v">
  | Omit<AppendCommand, "at" | "v" | "id">
  | Omit<ArchiveCommand, "at" | "v">
  | Omit<ReadCommand, "at" | "v">;

/** What a leader proposes by itself. */
export type UpkeepDraft =
  | Omit<HydrateCommand, "at" | "v">
  | Omit<ArchivedCommand, "at" | "v">
  | Omit<EvictCommand, "at" | "v">;

/** The versions that this program applies. A command of another version stops the replica that meets it. */
export const COMMAND_VERSIONS: Readonly<Record<Command["t"], readonly number[]>> = {
  claim: [1],
  release: [1],
  create: [1],
  append: [1],
  archive: [1],
  read: [1],
  hydrate: [1],
  archived: [1],
  evict: [1],
};

/** The log holds what this version of the program does not know; applying on would let replicas diverge. */
export class UnknownCommand extends Error {
  override name = "UnknownCommand";
}

/** Passes a decoded value as a command. Throws `UnknownCommand` when its type or version is not known here. */
export function checkCommand(value: unknown): Command {
  const { t, v } = (value ?? {}) as { t?: unknown; v?: unknown };
  const versions =
    typeof t === "string" && Object.hasOwn(COMMAND_VERSIONS, t) ? COMMAND_VERSIONS[t as Command["t"]] : [];
  if (!versions.some((known) => known === v)) {
    throw new UnknownCommand(
      `the log holds command "${String(t)}" version ${String(v)}, which this version of Fleetport does not know: run a newer version on this data`,
    );
  }
  return value as Command;
}
