/** @module What the raft room asks of the archive: the service of its own node, without waiting long for it. */
import type { ServiceBroker } from "moleculer";
import { FleetError } from "../../lib/errors.ts";
import type {
  ArchiveBatch,
  ArchivedMessages,
  ArchiveWritten,
  FoundSession,
  GetArchivedMessages,
  GetArchivedSession,
  GetWatermark,
  ListSnapshots,
  LoadedSnapshot,
  LoadSnapshot,
  SaveSnapshot,
  SnapshotIndexes,
} from "../conversations/contract.ts";

/** Every call throws `archive_unavailable` when Postgres cannot be used now, or when what it holds is not whole. */
export interface ArchivePort {
  write(batch: ArchiveBatch): Promise<ArchiveWritten>;
  /** Log index up to which the group is archived. */
  watermark(group: number): Promise<number>;
  /** A session, and how much of its group the archive holds. */
  session(group: number, id: string): Promise<FoundSession>;
  messages(request: GetArchivedMessages): Promise<ArchivedMessages>;
  saveSnapshot(snapshot: SaveSnapshot): Promise<void>;
  /** Indexes of the group's snapshots, newest first. */
  snapshots(group: number): Promise<readonly number[]>;
  snapshot(group: number, index: number): Promise<Uint8Array | null>;
}

/**
 * Calls on behalf of a waiting caller end after `lookupMs`; those of the archiver and of a recovery take as long as
 * Postgres may take.
 */
export function archivePort(broker: ServiceBroker, lookupMs: number): ArchivePort {
  const { nodeID } = broker;
  const call = <T, P extends object>(action: string, params: P): Promise<T> =>
    broker.call<T, P>(`archive.${action}`, params, { nodeID });
  const lookUp = <T, P extends object>(action: string, params: P): Promise<T> =>
    within(call<T, P>(action, params), lookupMs);
  return {
    write: (batch) => call<ArchiveWritten, ArchiveBatch>("write", batch),
    watermark: (group) => call<number, GetWatermark>("watermark", { group }),
    session: (group, id) => lookUp<FoundSession, GetArchivedSession>("session", { group, id }),
    messages: (request) => lookUp<ArchivedMessages, GetArchivedMessages>("messages", request),
    saveSnapshot: (snapshot) => call<void, SaveSnapshot>("saveSnapshot", snapshot),
    snapshots: async (group) => (await call<SnapshotIndexes, ListSnapshots>("snapshots", { group })).indexes,
    snapshot: async (group, index) =>
      (await call<LoadedSnapshot, LoadSnapshot>("snapshot", { group, index })).data,
  };
}

async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new FleetError("archive_unavailable", `The archive has not answered for ${ms} ms.`)),
    ms,
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
