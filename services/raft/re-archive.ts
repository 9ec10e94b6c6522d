/** @module What the archive has lost (an older backup was put in place), made once more from snapshot and log. */
import { applyEntry } from "../../lib/conversation/apply.ts";
import type { Command } from "../../lib/conversation/commands.ts";
import { decodeSnapshot } from "../../lib/conversation/snapshot.ts";
import { emptyState, type GroupState } from "../../lib/conversation/state.ts";
import type { ArchivePort } from "./archive-port.ts";
import type { GroupLog } from "./engine/engine.ts";
import { decodeEntry } from "./entry.ts";

/** The archive and the log do not meet: what lies between them is in neither. */
export class ArchiveGap extends Error {
  override name = "ArchiveGap";
}

/**
 * The state at log index `to` as it would be had nothing above `from` ever been archived: what is unarchived in it is
 * what the archive lacks. Throws `ArchiveGap` when the log begins too late, `archive_unavailable`, and what
 * `GroupLog.read` throws.
 */
export async function replayFrom(
  log: GroupLog,
  archive: ArchivePort,
  from: number,
  to: number,
): Promise<GroupState> {
  const { first } = await log.bounds();
  const state = await baseState(log, archive, from, first);
  if (from < first - 1 || state.applied < first - 1) {
    throw new ArchiveGap(
      `group ${log.group}: the archive ends at log index ${from}, and the log begins at ${first}: restore a newer backup of the database`,
    );
  }
  for await (const { index, data } of log.read(state.applied + 1, to)) {
    const { epoch, commands } = decodeEntry(log.group, index, data);
    applyEntry(
      state,
      { index, epoch },
      commands.map((command) => unlessLost(command, from)),
    );
  }
  return state;
}

function unlessLost(command: Command, from: number): Command {
  return command.t === "archived" ? { ...command, index: Math.min(command.index, from) } : command;
}

/** The newest snapshot that is not newer than the archive's end and reaches the log; the beginning without one. */
async function baseState(
  log: GroupLog,
  archive: ArchivePort,
  from: number,
  first: number,
): Promise<GroupState> {
  if (first === 1) return emptyState(log.group);
  for (const index of await archive.snapshots(log.group)) {
    if (index < first - 1) break;
    const data = await archive.snapshot(log.group, index);
    if (!data) continue;
    const state = decodeSnapshot(data);
    // Of a later snapshot nobody can tell where the messages lie that it knows to be archived.
    if (state.archived <= from) return state;
  }
  return emptyState(log.group);
}
