/** @module Folders made with all that they lie in. */
import { mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/**
 * Makes the folder and those above it that are missing; one that is there stays as it is. Throws the system's error.
 * Node's own recursive `mkdir` tries for ever below a folder like `/proc`, which is there and takes nothing.
 */
export function makeFolder(path: string): void {
  const folder = resolve(path);
  if (made(folder)) return;
  makeFolder(dirname(folder));
  if (!made(folder)) mkdirSync(folder);
}

/** False when what it lies in is missing. */
function made(folder: string): boolean {
  try {
    mkdirSync(folder);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" && dirname(folder) !== folder) return false;
    // Also a file system that cannot be written says so of a folder that is there.
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return true;
    throw error;
  }
}
