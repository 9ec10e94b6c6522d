/** @module The SQLite stores that this process has open: nodes of one process share the file of a folder. */
import { mkdir, realpath } from "node:fs/promises";
import { Unavailable } from "./errors.ts";
import { SqliteStore } from "./sqlite-store.ts";

/** By the real path of the folder. State of the process, because the folder's lock is the process's too. */
const stores = new Map<
  string,
  { store: Promise<SqliteStore>; users: number; closing: Promise<void> | null }
>();

/** Opens the folder's store, or joins the one that this process has open. Every call is paid back with `releaseStore`. */
export async function acquireStore(dataDir: string): Promise<{ store: SqliteStore; folder: string }> {
  const folder = await existingFolder(dataDir);
  for (;;) {
    const shared = stores.get(folder);
    if (shared?.closing) {
      await shared.closing;
      continue;
    }
    if (shared) {
      shared.users++;
      return { store: await shared.store, folder };
    }
    const store = SqliteStore.open(folder);
    stores.set(folder, { store, users: 1, closing: null });
    try {
      return { store: await store, folder };
    } catch (error) {
      stores.delete(folder);
      throw error;
    }
  }
}

/** Gives the store back; the last user closes it. */
export async function releaseStore(folder: string): Promise<void> {
  const shared = stores.get(folder);
  if (!shared || --shared.users > 0) return;
  shared.closing = shared.store.then((store) => store.close()).finally(() => stores.delete(folder));
  await shared.closing;
}

async function existingFolder(dataDir: string): Promise<string> {
  try {
    await mkdir(dataDir, { recursive: true });
    return await realpath(dataDir);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Unavailable(
      `the data folder ${dataDir} cannot be made: ${reason}; set FLEET_DATA_DIR to another folder`,
      {
        cause: error,
      },
    );
  }
}
