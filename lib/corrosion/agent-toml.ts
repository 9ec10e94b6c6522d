/** @module What an agent's TOML says to those who run it and talk to it. */
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { TomlTable } from "smol-toml";
import { parseToml, tableAt, UnusableToml } from "../toml.ts";

/** The agent's working folder: what relative paths of its TOML start from. */
export const AGENT_FOLDER = fileURLToPath(new URL("../..", import.meta.url));

/** Absolute paths, and addresses as `host:port`. */
export interface AgentToml {
  /** Where this machine reaches the first address of the HTTP API. */
  readonly apiUrl: string;
  readonly apiHost: string;
  readonly apiPort: number;
  /** Bearer token that the API asks for; null when it asks for none. */
  readonly token: string | null;
  readonly adminPath: string;
  readonly gossipAddr: string;
  readonly bootstrap: readonly string[];
  readonly dbPath: string;
  readonly subscriptionsPath: string;
}

const ADMIN_DEFAULT = "/var/run/corrosion/admin.sock";

/** Throws `UnusableToml` when no agent could start with this text. */
export function readAgentToml(text: string): AgentToml {
  const table = parseToml(text);
  const [db, api, gossip] = [tableAt(table, "db"), tableAt(table, "api"), tableAt(table, "gossip")];
  const admin = tableAt(table, "admin");
  const dbPath = resolve(AGENT_FOLDER, required(db, "db", ["path"]));
  const { host, port } = addressOf(firstAddress(api));
  return {
    apiUrl: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
    apiHost: host,
    apiPort: port,
    token: optional(tableAt(api, "authz"), "api.authz", ["bearer-token", "authorization", "bearer"]),
    adminPath: resolve(AGENT_FOLDER, optional(admin, "admin", ["path", "uds_path"]) ?? ADMIN_DEFAULT),
    gossipAddr: required(gossip, "gossip", ["addr", "bind_addr"]),
    bootstrap: strings(gossip, "bootstrap"),
    dbPath,
    subscriptionsPath: resolve(
      AGENT_FOLDER,
      optional(db, "db", ["subscriptions_path"]) ?? join(dirname(dbPath), "subscriptions"),
    ),
  };
}

/** `api.addr` is one address or several. */
function firstAddress(api: TomlTable): string {
  const value = api.addr ?? api.bind_addr;
  const first = Array.isArray(value) ? value[0] : value;
  if (typeof first === "string") return first;
  throw new UnusableToml('"api.addr" is missing, or is no address and no list of addresses');
}

/** An address that listens everywhere is reached over the loopback interface. */
function addressOf(address: string): { host: string; port: number } {
  const [, v6, v4, port] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(address) ?? [];
  if (port === undefined || Number(port) < 1 || Number(port) > 65_535) {
    throw new UnusableToml(`"api.addr" is ${JSON.stringify(address)}, and must be ip:port`);
  }
  if (v6 !== undefined) return { host: v6 === "::" ? "::1" : v6, port: Number(port) };
  return { host: v4 === "0.0.0.0" ? "127.0.0.1" : (v4 ?? ""), port: Number(port) };
}

function required(table: TomlTable, name: string, keys: readonly [string, ...string[]]): string {
  const value = optional(table, name, keys);
  if (value !== null) return value;
  throw new UnusableToml(`"${name}.${keys[0]}" is missing`);
}

/** The first of these keys that is there; they are names of one thing. */
function optional(table: TomlTable, name: string, keys: readonly string[]): string | null {
  const key = keys.find((candidate) => Object.hasOwn(table, candidate));
  if (key === undefined) return null;
  const value = table[key];
  if (typeof value === "string" && value !== "") return value;
  throw new UnusableToml(`"${name}.${key}" is no text`);
}

function strings(table: TomlTable, key: string): string[] {
  const value = table[key] ?? [];
  if (Array.isArray(value) && value.every((entry) => typeof entry === "string")) return value;
  throw new UnusableToml(`"gossip.${key}" is no list of hosts`);
}
