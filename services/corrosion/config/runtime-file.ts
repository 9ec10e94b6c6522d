/** @module The TOML that a node's agent runs on: where it is, and the known-good text that each start gives it. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ConsoleConfig } from "../../../lib/console-config.ts";
import { writeToml } from "../../../lib/toml.ts";

/** `{configDir}/runtime/node{N}.toml`. */
export function runtimeFile({ agent, node }: ConsoleConfig): string {
  return join(agent.configDir, "runtime", `node${node}.toml`);
}

export interface KnownGood {
  readonly text: string;
  /** Whether it is the canonical file's; else it was generated from the node's configuration. */
  readonly canonical: boolean;
}

/**
 * The text of the canonical file; a generated one where there is none, or where ports or folders were set so that it
 * is not this node's. Throws the system's error when the file cannot be read.
 */
export async function knownGood(config: ConsoleConfig): Promise<KnownGood> {
  if (!config.agent.moved) {
    const file = join(config.agent.configDir, "canonical", `node${config.node}.toml`);
    const text = await readFile(file, "utf8").catch(ifMissing);
    if (text !== null) return { text, canonical: true };
  }
  return { text: generateToml(config), canonical: false };
}

/** Fly's private network is a WireGuard tunnel: QUIC's own guesses at packets do not get through it. */
const FLY_LINK = { max_mtu: 1372n, disable_gso: true };

/** A TOML for this node's ports and folders. */
export function generateToml({ agent, dataDir, environment, fly, node }: ConsoleConfig): string {
  const prod = environment === "prod";
  const host = prod ? (fly.privateIp ?? "::") : "127.0.0.1";
  const table = {
    db: {
      path: join(dataDir, "corrosion.db"),
      schema_paths: [agent.schemaDir],
      subscriptions_path: join(dataDir, "subscriptions"),
    },
    api: {
      addr: `127.0.0.1:${agent.apiPort}`,
      ...(agent.apiToken === null ? {} : { authz: { "bearer-token": agent.apiToken } }),
    },
    gossip: {
      addr: `${host.includes(":") ? `[${host}]` : host}:${agent.gossipPort}`,
      bootstrap: [...agent.bootstrap],
      plaintext: true,
      ...(prod && FLY_LINK),
    },
    admin: { path: agent.adminPath },
  };
  return `# Generated for node ${node} when it started; the next start generates it anew.\n\n${writeToml(table)}`;
}

function ifMissing(error: NodeJS.ErrnoException): null {
  if (error.code === "ENOENT") return null;
  throw error;
}
