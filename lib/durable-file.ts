/** @module Files that are there whole or not at all, and still there after a power cut. */
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { makeFolder } from "./folders.ts";

/** What is being written stands beside the file under its name with this behind it. */
export const ASIDE = ".new";

/**
 * Gives the file this content: whoever reads it, at any moment and after any crash, finds the old content or the new
 * one. Makes its folder when that is missing. Throws the system's error, and then the file is as it was. `mode` is
 * that of the new file.
 */
export async function writeDurably(file: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  const aside = `${file}${ASIDE}`;
  makeFolder(dirname(file));
  try {
    const handle = await open(aside, "w", mode);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(aside, file);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
  await syncFolder(dirname(file));
}

/** A rename is on the disk only once its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
