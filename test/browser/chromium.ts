/** @module Finds a Chromium, or installs Debian's: `node test/browser/chromium.ts` prints its path. */
import { delimiter, join } from "node:path";
import { aptInstall, works } from "../../bin/install.ts";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** CHROMIUM_PATH, else the first on PATH that runs; null when there is none. */
export async function findChromium(): Promise<string | null> {
  const chosen = process.env.CHROMIUM_PATH;
  if (chosen) return chosen;
  const folders = (process.env.PATH ?? "").split(delimiter).filter(Boolean);
  for (const path of folders.flatMap((folder) => NAMES.map((name) => join(folder, name)))) {
    if (await works(path, ["--version"])) return path;
  }
  return null;
}

/**
 * As `findChromium`, but installs it (as root, where there is apt-get) when it is missing. Throws an error that says
 * what to do when that cannot be.
 */
export async function ensureChromium(): Promise<string> {
  const found = await findChromium();
  if (found !== null) return found;
  let failure = "";
  if (process.getuid?.() === 0 && (await works("apt-get", ["--version"]))) {
    console.error("installing chromium with apt-get; this takes a minute or two");
    const problem = await aptInstall("chromium");
    if (problem !== null) failure = ` (apt-get install failed: ${problem})`;
    const installed = await findChromium();
    if (installed !== null) return installed;
  }
  throw new Error(
    `Chromium was not found on PATH: install it, on Debian as root with apt-get install chromium, or set CHROMIUM_PATH${failure}.`,
  );
}

if (import.meta.main) {
  try {
    console.log(await ensureChromium());
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
