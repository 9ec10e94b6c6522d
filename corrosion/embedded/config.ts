/** @module The agent's configuration: a Corrosion TOML file with its aliases, and what the environment overrides. */
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { dirname, join } from "node:path";
import { parse, TomlError } from "smol-toml";

/** An address to listen on; port 0: the system chooses one. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

export interface Config {
  readonly db: {
    readonly path: string;
    /** Files or folders. */
    readonly schemaPaths: readonly string[];
    readonly subscriptionsPath: string;
  };
  readonly api: {
    readonly addrs: readonly SocketAddress[];
    readonly endpointName: string | null;
    /** Never shown. */
    readonly bearerToken: string | null;
  };
  readonly gossip: {
    readonly addr: SocketAddress;
    readonly externalAddr: SocketAddress | null;
    /** As written: `host:port`, `host`, `host:port@dns:53`. */
    readonly bootstrap: readonly string[];
    readonly memberId: number | null;
  };
  readonly admin: { readonly path: string };
  readonly prometheusAddr: SocketAddress | null;
  /** Configured features that this agent has not, by their keys. */
  readonly lacking: readonly string[];
}

/** The file cannot be used; one sentence. */
export class ConfigUnusable extends Error {
  override name = "ConfigUnusable";
}

export const DEFAULT_CONFIG_PATH = "/etc/corrosion/config.toml";
export const DEFAULT_ADMIN_PATH = "/var/run/corrosion/admin.sock";

type Table = { [key: string]: unknown };

/** Aliases, by table; what is read is the name on the right. */
const ALIASES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  api: { addr: "bind_addr", authz: "authorization" },
  "api.authorization": { bearer: "bearer-token", authorization: "bearer-token" },
  gossip: { addr: "bind_addr" },
  admin: { path: "uds_path" },
  "telemetry.prometheus": { addr: "bind_addr" },
};
const TABLES = ["db", "api", "gossip", "perf", "admin", "telemetry", "log", "consul", "reaper"];
const LACKING = ["gossip.tls", "api.pg", "consul", "telemetry.open-telemetry"];

/** Reads the file and the environment. Throws `ConfigUnusable`. */
export function loadConfig(path: string, env: NodeJS.ProcessEnv): Config {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new ConfigUnusable(`The configuration ${path} cannot be read: ${(error as Error).message}.`);
  }
  return parseConfig(text, env, path);
}

/** Reads the text of a file. `path` is for messages. Throws `ConfigUnusable`. */
export function parseConfig(text: string, env: NodeJS.ProcessEnv, path: string): Config {
  let tree: Table;
  try {
    tree = canonical(parse(text), "");
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [reason] = error.message.split("\n");
    throw new ConfigUnusable(`The configuration ${path} is no TOML: line ${error.line}: ${reason}.`);
  }
  for (const [names, value] of overrides(env)) put(tree, names, value);
  return new Reading(tree, path).config();
}

/** Environment variables whose names have the form `TABLE__KEY` (`__` once for each level). */
function overrides(env: NodeJS.ProcessEnv): [string[], string][] {
  return Object.entries(env).flatMap(([name, value]): [string[], string][] => {
    const names = name.toLowerCase().split("__");
    const known = names.length > 1 && TABLES.includes(names[0] ?? "") && !names.includes("");
    return known && value !== undefined ? [[names, value]] : [];
  });
}

function put(tree: Table, names: readonly string[], value: string): void {
  let table = tree;
  let at = "";
  for (const [i, given] of names.entries()) {
    const name = ALIASES[at]?.[given] ?? given;
    if (i === names.length - 1) {
      table[name] = value;
      return;
    }
    const inner = table[name];
    const next = isTable(inner) ? inner : {};
    table[name] = next;
    table = next;
    at = at === "" ? name : `${at}.${name}`;
  }
}

function canonical(table: Table, at: string): Table {
  const entries = Object.entries(table).map(([given, value]) => {
    const name = ALIASES[at]?.[given] ?? given;
    const inner = at === "" ? name : `${at}.${name}`;
    return [name, isTable(value) ? canonical(value, inner) : value];
  });
  return Object.fromEntries(entries);
}

function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** One configuration while it is read; every complaint names the key and the file. */
class Reading {
  readonly #tree: Table;
  readonly #path: string;

  constructor(tree: Table, path: string) {
    this.#tree = tree;
    this.#path = path;
  }

  config(): Config {
    const dbPath = this.#text("db.path");
    if (dbPath === null) throw this.#missing("db.path");
    const addrs = this.#texts("api.bind_addr").map((text) => this.#address("api.addr", text));
    if (addrs.length === 0) throw this.#missing("api.addr");
    const gossip = this.#text("gossip.bind_addr");
    if (gossip === null) throw this.#missing("gossip.addr");
    const external = this.#text("gossip.external_addr");
    const prometheus = this.#text("telemetry.prometheus.bind_addr");
    return {
      db: {
        path: dbPath,
        schemaPaths: this.#texts("db.schema_paths"),
        subscriptionsPath: this.#text("db.subscriptions_path") ?? join(dirname(dbPath), "subscriptions"),
      },
      api: {
        addrs,
        endpointName: this.#text("api.endpoint_name"),
        bearerToken: this.#text("api.authorization.bearer-token"),
      },
      gossip: {
        addr: this.#address("gossip.addr", gossip),
        externalAddr: external === null ? null : this.#address("gossip.external_addr", external),
        bootstrap: this.#texts("gossip.bootstrap"),
        memberId: this.#u16("gossip.member_id"),
      },
      admin: { path: this.#text("admin.uds_path") ?? DEFAULT_ADMIN_PATH },
      prometheusAddr: prometheus === null ? null : this.#address("telemetry.prometheus.addr", prometheus),
      lacking: LACKING.filter((key) => this.#at(key) !== null),
    };
  }

  #at(key: string): unknown {
    let value: unknown = this.#tree;
    for (const name of key.split(".")) value = isTable(value) ? (value[name] ?? null) : null;
    return value;
  }

  #text(key: string): string | null {
    const value = this.#at(key);
    if (value === null || typeof value === "string") return value;
    throw this.#problem(key, "must be a string");
  }

  /** An array of strings, or one string. */
  #texts(key: string): string[] {
    const value = this.#at(key);
    if (value === null) return [];
    const items: unknown[] = Array.isArray(value) ? value : [value];
    return items.map((item) => {
      if (typeof item === "string") return item;
      throw this.#problem(key, "must be a string or an array of strings");
    });
  }

  #u16(key: string): number | null {
    const value = this.#at(key);
    if (value === null) return null;
    const number = typeof value === "string" ? Number(value) : value;
    if (typeof number === "number" && Number.isInteger(number) && number >= 0 && number <= 0xffff)
      return number;
    throw this.#problem(key, "must be an integer from 0 to 65535");
  }

  #address(key: string, text: string): SocketAddress {
    const address = parseAddress(text);
    if (address === null)
      throw this.#problem(key, `must be an address with a port like 127.0.0.1:8080, not "${text}"`);
    return address;
  }

  #missing(key: string): ConfigUnusable {
    return new ConfigUnusable(`The configuration ${this.#path} has no ${key}: add it.`);
  }

  #problem(key: string, what: string): ConfigUnusable {
    return new ConfigUnusable(`In the configuration ${this.#path}, ${key} ${what}.`);
  }
}

/** `127.0.0.1:8080` or `[::1]:8080`; null for anything else. */
export function parseAddress(text: string): SocketAddress | null {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  if (match === null) return null;
  const [, six, four, digits] = match;
  const host = six ?? four ?? "";
  const port = Number(digits);
  if (isIP(host) !== (six === undefined ? 4 : 6) || port > 65_535) return null;
  return { host, port };
}
