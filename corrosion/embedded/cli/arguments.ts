/** @module The command line, read: global flags anywhere, then a command with its own. */
import { type ParseArgsOptionsConfig, parseArgs } from "node:util";

/** The line is not understood; the message is for standard error. */
export class WrongUsage extends Error {
  override name = "WrongUsage";
}

export interface GlobalFlags {
  readonly config: string;
  readonly apiAddr: string | null;
  readonly dbPath: string | null;
  readonly adminPath: string | null;
}

export interface Statement {
  readonly sql: string;
  readonly params: readonly string[];
  readonly timer: boolean;
  /** Seconds. */
  readonly timeout: number | null;
}

export type Command =
  | { readonly kind: "version" | "help" | "agent" | "reload" }
  | ({ readonly kind: "query"; readonly columns: boolean } & Statement)
  | ({ readonly kind: "exec" } & Statement)
  | { readonly kind: "backup"; readonly path: string }
  | {
      readonly kind: "restore";
      readonly path: string;
      readonly selfActorId: boolean;
      readonly actorId: string | null;
    }
  /** A command that the agent answers on its admin socket. */
  | { readonly kind: "admin"; readonly request: unknown }
  /** A command of Corrosion that this program has not. */
  | { readonly kind: "lacking"; readonly name: string };

export interface CommandLine {
  readonly flags: GlobalFlags;
  readonly command: Command;
}

export const USAGE = `Usage: corrosion [-c FILE] [--api-addr ADDR] [--db-path PATH] [--admin-path PATH] COMMAND

Commands:
  agent                                 runs the agent
  query SQL [--columns] [--timer] [--timeout N] [--param V]...
  exec SQL [--timer] [--timeout N] [--param V]...
  reload                                reads the schema files again
  backup PATH                           writes a copy of the database
  restore PATH [--self-actor-id] [--actor-id UUID]
  cluster members | membership-states | rejoin
  sync generate
  subs list | info [--hash H] [--id U]
`;

const GLOBAL = {
  config: { type: "string", short: "c", default: "/etc/corrosion/config.toml" },
  "api-addr": { type: "string" },
  "db-path": { type: "string" },
  "admin-path": { type: "string" },
  version: { type: "boolean", short: "V" },
  help: { type: "boolean", short: "h" },
} satisfies ParseArgsOptionsConfig;

const OWN = {
  columns: { type: "boolean" },
  timer: { type: "boolean" },
  timeout: { type: "string" },
  param: { type: "string", multiple: true },
  "self-actor-id": { type: "boolean" },
  "actor-id": { type: "string" },
  hash: { type: "string" },
  id: { type: "string" },
} satisfies ParseArgsOptionsConfig;

type Own = keyof typeof OWN;

const ADMIN: Readonly<Record<string, unknown>> = {
  "cluster members": { Cluster: "Members" },
  "cluster membership-states": { Cluster: "MembershipStates" },
  "cluster rejoin": { Cluster: "Rejoin" },
  "sync generate": { Sync: "Generate" },
  "subs list": { Subs: "List" },
};

const LACKING =
  /^(cluster set-id|sync (reconcile-gaps|check-bookie-consistency)|(actor|log|tls|db|consul)( \S+)?|template)$/;
const UUID = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;

/** Reads what stands behind the program's name. Throws `WrongUsage`. */
export function readArguments(args: readonly string[]): CommandLine {
  const { values, positionals } = parsed(args);
  const flags: GlobalFlags = {
    config: values.config,
    apiAddr: values["api-addr"] ?? null,
    dbPath: values["db-path"] ?? null,
    adminPath: values["admin-path"] ?? null,
  };
  if (values.version) return { flags, command: { kind: "version" } };
  if (values.help) return { flags, command: { kind: "help" } };
  const [first = "", second = ""] = positionals;
  const line = positionals.slice(0, 2).join(" ");
  const given = (Object.keys(OWN) as Own[]).filter((name) => values[name] !== undefined);
  const only = (operands: number, ...allowed: readonly Own[]) => {
    const [foreign] = given.filter((name) => !allowed.includes(name));
    if (foreign !== undefined) throw new WrongUsage(`unexpected argument '--${foreign}' found`);
    if (positionals.length < operands) throw new WrongUsage(`an argument of '${line}' is missing`);
    if (positionals.length > operands)
      throw new WrongUsage(`unexpected argument '${positionals[operands]}' found`);
  };
  const statement = (): Statement => ({
    sql: second,
    params: values.param ?? [],
    timer: values.timer ?? false,
    timeout: secondsOf(values.timeout),
  });
  switch (first) {
    case "agent":
    case "reload":
      only(1);
      return { flags, command: { kind: first } };
    case "query":
      only(2, "columns", "timer", "timeout", "param");
      return { flags, command: { kind: "query", columns: values.columns ?? false, ...statement() } };
    case "exec":
      only(2, "timer", "timeout", "param");
      return { flags, command: { kind: "exec", ...statement() } };
    case "backup":
      only(2);
      return { flags, command: { kind: "backup", path: second } };
    case "restore": {
      only(2, "self-actor-id", "actor-id");
      const actorId = uuidOf("actor-id", values["actor-id"]);
      return {
        flags,
        command: { kind: "restore", path: second, selfActorId: values["self-actor-id"] ?? false, actorId },
      };
    }
  }
  if (line === "subs info") {
    only(2, "hash", "id");
    const id = uuidOf("id", values.id);
    return {
      flags,
      command: { kind: "admin", request: { Subs: { Info: { hash: values.hash ?? null, id } } } },
    };
  }
  if (Object.hasOwn(ADMIN, line)) {
    only(2);
    return { flags, command: { kind: "admin", request: ADMIN[line] } };
  }
  if (LACKING.test(line) || first === "template") return { flags, command: { kind: "lacking", name: line } };
  throw new WrongUsage(first === "" ? "a command is missing" : `unrecognized subcommand '${line}'`);
}

function parsed(args: readonly string[]) {
  // Commands that this program has not keep their own flags to themselves.
  try {
    return parseArgs({ args: [...args], options: { ...GLOBAL, ...OWN }, allowPositionals: true });
  } catch (error) {
    throw new WrongUsage(error instanceof Error ? error.message : String(error));
  }
}

function secondsOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (!/^\d{1,15}$/.test(text)) throw new WrongUsage(`invalid value '${text}' for '--timeout <TIMEOUT>'`);
  return Number(text);
}

function uuidOf(flag: string, text: string | undefined): string | null {
  if (text === undefined) return null;
  if (!UUID.test(text)) throw new WrongUsage(`invalid value '${text}' for '--${flag}': it is no UUID`);
  return text.toLowerCase();
}
