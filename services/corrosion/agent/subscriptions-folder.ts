/** @module The folder of an agent's subscriptions, which an agent that was cut off leaves in no usable state. */
import { lstat, realpath, rm } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import type { AgentToml } from "../../../lib/corrosion/agent-toml.ts";

export type Cleared =
  | { readonly kind: "cleared" | "absent"; readonly folder: string }
  /** It is not certain to be the agent's own; one sentence. */
  | { readonly kind: "refused"; readonly reason: string };

/**
 * Removes the subscriptions of the agent with this TOML: only a real folder inside the node's own one, or the one
 * called `subscriptions` beside the database, and never one that holds the database. A TOML can be edited by hand, and
 * a slip there must not cost somebody's files. Throws the system's error when the disk refuses.
 */
export async function clearSubscriptions(
  { subscriptionsPath, dbPath }: Pick<AgentToml, "subscriptionsPath" | "dbPath">,
  dataDir: string,
): Promise<Cleared> {
  const parent = await real(dirname(subscriptionsPath));
  const folder = join(parent ?? dirname(subscriptionsPath), basename(subscriptionsPath));
  const found = parent === null ? null : await lstat(folder).catch(ifMissing);
  if (found === null) return { kind: "absent", folder };
  const home = await real(dataDir);
  const database = join((await real(dirname(dbPath))) ?? dirname(dbPath), basename(dbPath));
  const own =
    (home !== null && isInside(folder, home)) || folder === join(dirname(database), "subscriptions");
  if (!found.isDirectory() || !own || isInside(database, folder)) {
    return {
      kind: "refused",
      reason: `The folder ${subscriptionsPath} is not removed after the crash, for it need not belong to the agent alone: put db.subscriptions_path into ${dataDir}.`,
    };
  }
  await rm(folder, { recursive: true, force: true });
  return { kind: "cleared", folder };
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== "" && way !== ".." && !way.startsWith(`..${sep}`);
}

/** The path without symbolic links; null when there is nothing. */
function real(path: string): Promise<string | null> {
  return realpath(path).catch(ifMissing);
}

function ifMissing(error: NodeJS.ErrnoException): null {
  if (error.code === "ENOENT" || error.code === "ENOTDIR") return null;
  throw error;
}
