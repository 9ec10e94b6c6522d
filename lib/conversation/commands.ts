/** @module The commands of a group's log: what may stand in an entry, with the version of each. */
import type { JsonObject } from "../json.ts";

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

/** Times are microseconds since 1970, stamped by the leader; they never decrease along a log. */
export type Command =
  | ClaimCommand
  | ReleaseCommand
  | CreateCommand
  | AppendCommand
  | ArchiveCommand
  | ReadCommand;

/** What callers propose: a command before the leader has stamped id and time. */
export type Draft =
  | Omit<CreateCommand, "at" | "v">
  | Omit<AppendCommand, "at" | "v" | "id">
  | Omit<ArchiveCommand, "at" | "v">
  | Omit<ReadCommand, "at" | "v">;

/** The versions that this program applies. A command of another version stops the replica that meets it. */
export const COMMAND_VERSIONS: Readonly<Record<Command["t"], readonly number[]>> = {
  claim: [1],
  release: [1],
  create: [1],
  append: [1],
  archive: [1],
  read: [1],
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
