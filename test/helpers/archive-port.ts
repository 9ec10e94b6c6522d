/** @module The archive as the raft room sees it, without a broker between: a real store, which a test may cut off. */
import { FleetError } from "../../lib/errors.ts";
import { ArchiveDataError, ArchiveUnavailable } from "../../services/conversations/archive/errors.ts";
import { migrateArchive } from "../../services/conversations/archive/migrate.ts";
import { type ArchiveStore, openArchive } from "../../services/conversations/archive/store.ts";
import type { ArchivePort } from "../../services/raft/archive-port.ts";

export interface TestArchive {
  readonly url: string;
  readonly store: ArchiveStore;
  readonly port: ArchivePort;
  /** While true every call fails as if Postgres were away. */
  away: boolean;
  /** Calls so far, by name. */
  readonly calls: Map<string, number>;
}

/** The archive in the database of this URL, with its tables. */
export async function testArchive(url: string): Promise<TestArchive> {
  await migrateArchive({ url });
  const store = openArchive({ url, poolSize: 4 });
  const calls = new Map<string, number>();

  async function call<T>(name: string, body: () => Promise<T>): Promise<T> {
    calls.set(name, (calls.get(name) ?? 0) + 1);
    if (archive.away) throw new FleetError("archive_unavailable", "The archive is away.");
    try {
      return await body();
    } catch (error) {
      if (error instanceof ArchiveUnavailable) throw new FleetError("archive_unavailable", error.message);
      throw error;
    }
  }

  const port: ArchivePort = {
    write: (batch) =>
      call("write", async () => {
        try {
          return { kind: "written", ...(await store.writeBatch(batch)) };
        } catch (error) {
          if (error instanceof ArchiveDataError) return { kind: "refused", problem: error.message };
          throw error;
        }
      }),
    watermark: (group) => call("watermark", () => store.watermark(group)),
    session: (group, id) => call("session", () => store.find(group, id)),
    messages: ({ session, after, limit, max_bytes }) =>
      call("messages", () => store.messages(session, after, limit, max_bytes)),
    saveSnapshot: ({ group, index, data }) =>
      call("saveSnapshot", () => store.saveSnapshot(group, index, data)),
    snapshots: (group) =>
      call("snapshots", async () => (await store.snapshots(group)).map(({ index }) => index)),
    snapshot: (group, index) =>
      call("snapshot", async () => {
        const stored = await store.snapshots(group);
        return (await stored.find((snapshot) => snapshot.index === index)?.load()) ?? null;
      }),
  };
  const archive: TestArchive = { url, store, port, away: false, calls };
  return archive;
}
