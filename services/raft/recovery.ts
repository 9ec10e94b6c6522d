/** @module Where a copy's state comes from: a live replica, the newest verifiable snapshot, or the log's beginning. */
import type { ServiceBroker } from "moleculer";
import { decodeSnapshot, UnusableSnapshot } from "../../lib/conversation/snapshot.ts";
import { emptyState, type GroupState } from "../../lib/conversation/state.ts";
import { errorCode } from "../../lib/errors.ts";
import type { ArchivePort } from "./archive-port.ts";
import type { GroupLog } from "./engine/engine.ts";
import { decodeEntry } from "./entry.ts";

export interface RecoverySources {
  /** A copy that another node holds; null when nobody has one. */
  readonly replica: () => Promise<GroupState | null>;
  readonly archive: Pick<ArchivePort, "snapshots" | "snapshot">;
  readonly logger: ServiceBroker["logger"];
  /** A snapshot could not be used. */
  readonly refused: () => void;
}

/** Nothing reaches back to the log's beginning: the state cannot be known now. */
export class RecoveryGap extends Error {
  override name = "RecoveryGap";
}

/** A log of so many entries is read faster than a copy is asked for. */
const SHORT_LOG = 2000;

/**
 * A state from which the log can be applied to its end. Throws `RecoveryGap` when there is none at present, and what
 * `GroupLog.bounds` throws. No group starts empty over a log that has lost its beginning.
 */
export async function recoverState(log: GroupLog, sources: RecoverySources): Promise<GroupState> {
  const { first, last } = await log.bounds();
  if (first === 1 && last < SHORT_LOG) return emptyState(log.group);
  const replica = await sources.replica();
  if (replica && replica.applied >= first - 1 && (await belongs(log, replica, last))) return replica;
  const snapshot = await newestSnapshot(log, first, last, sources);
  if (snapshot) return snapshot;
  if (first === 1) return emptyState(log.group);
  throw new RecoveryGap(
    `group ${log.group}: the log begins at ${first}, and neither a live replica nor a usable snapshot in the archive reaches back to it: bring another node or the database back, or restore table raft_snapshots`,
  );
}

/** Whether the log's next entry was written by somebody who had this very state. */
async function belongs(log: GroupLog, state: GroupState, last: number): Promise<boolean> {
  const next = state.applied + 1;
  if (next > last) return true;
  for await (const { index, data } of log.read(next, next)) {
    const { digest } = decodeEntry(log.group, index, data);
    return digest[0] === state.digest[0] && digest[1] === state.digest[1];
  }
  return true;
}

async function newestSnapshot(
  log: GroupLog,
  first: number,
  last: number,
  { archive, logger, refused }: RecoverySources,
): Promise<GroupState | null> {
  const { group } = log;
  try {
    for (const index of await archive.snapshots(group)) {
      if (index < first - 1) return null;
      // One beyond the log's end is of another log.
      if (index > last) continue;
      const data = await archive.snapshot(group, index);
      const state =
        data &&
        verified(group, index, data, (problem) => {
          refused();
          logger.error("a snapshot cannot be used", { group, index, problem });
        });
      if (!state) continue;
      if (await belongs(log, state, last)) return state;
      refused();
      logger.error("a snapshot cannot be used", { group, index, problem: "it is of another log" });
    }
    return null;
  } catch (error) {
    if (errorCode(error) === "archive_unavailable") return null;
    throw error;
  }
}

function verified(
  group: number,
  index: number,
  data: Uint8Array,
  refused: (problem: string) => void,
): GroupState | null {
  try {
    const state = decodeSnapshot(data);
    if (state.group === group && state.applied === index) return state;
    refused(`it is of group ${state.group} at index ${state.applied}`);
  } catch (error) {
    if (!(error instanceof UnusableSnapshot)) throw error;
    refused(error.message);
  }
  return null;
}
