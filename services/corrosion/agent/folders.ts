/** @module The folders that an agent needs before it starts. */

import { dirname } from "node:path";
import type { AgentToml } from "../../../lib/corrosion/agent-toml.ts";
import { makeFolder } from "../../../lib/folders.ts";
import { UnusableToml } from "../../../lib/toml.ts";

/** Longest path of a Unix socket that all systems take. */
const MAX_SOCKET_PATH = 103;

/**
 * Makes the folders of its database and of its socket, and the node's own. Throws `UnusableToml` when the socket's path
 * is too long, and the system's error when the disk refuses.
 */
export function prepareFolders({ adminPath, dbPath }: AgentToml, dataDir: string): void {
  const length = Buffer.byteLength(adminPath);
  if (length > MAX_SOCKET_PATH) {
    throw new UnusableToml(
      `admin.path has ${length} bytes, and a socket's path at most ${MAX_SOCKET_PATH}: use a shorter DATA_DIR`,
    );
  }
  for (const folder of [dataDir, dirname(dbPath), dirname(adminPath)]) {
    makeFolder(folder);
  }
}
