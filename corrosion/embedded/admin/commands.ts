/** @module Commands of the admin socket, read from JSON (contract corrosion, section 4). */
import { UndecodableFrame } from "./frames.ts";

export type AdminCommand =
  | { readonly kind: "ping" }
  | { readonly kind: "reload" }
  | { readonly kind: "sync" }
  | { readonly kind: "members" }
  | { readonly kind: "membership_states" }
  | { readonly kind: "rejoin" }
  | { readonly kind: "subs_list" }
  | { readonly kind: "subs_info"; readonly hash: string | null; readonly id: string | null }
  /** A command of Corrosion that this agent has not. */
  | { readonly kind: "lacking"; readonly name: string };

const UUID = /^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$/i;

type Inner = (value: unknown) => AdminCommand | null;

const WORDS: Readonly<Record<string, AdminCommand>> = {
  Ping: { kind: "ping" },
  Reload: { kind: "reload" },
};

const COMMANDS: Readonly<Record<string, Inner>> = {
  Sync: words({
    Generate: { kind: "sync" },
    ReconcileGaps: lacking("sync reconcile-gaps"),
    CheckBookieConsistency: lacking("sync check-bookie-consistency"),
  }),
  Cluster: either(
    words({
      Members: { kind: "members" },
      MembershipStates: { kind: "membership_states" },
      Rejoin: { kind: "rejoin" },
    }),
    (value) => (isTagged(value, "SetId") && isU16(value.SetId) ? lacking("cluster set-id") : null),
  ),
  Subs: either(words({ List: { kind: "subs_list" } }), (value) =>
    isTagged(value, "Info") ? subsInfo(value.Info) : null,
  ),
  Actor: (value) => (isTagged(value, "Version") && isTable(value.Version) ? lacking("actor version") : null),
  Log: either(words({ Reset: lacking("log reset") }), (value) =>
    isTagged(value, "Set") && isTable(value.Set) ? lacking("log set") : null,
  ),
};

/** Reads one frame. Throws `UndecodableFrame`. */
export function readCommand(text: string): AdminCommand {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new UndecodableFrame(error instanceof Error ? error.message : String(error));
  }
  if (typeof json === "string" && Object.hasOwn(WORDS, json)) return WORDS[json]!;
  if (isTable(json)) {
    const [entry, ...more] = Object.entries(json);
    const read = entry === undefined || more.length > 0 ? undefined : COMMANDS[entry[0]];
    const command = read?.(entry?.[1]) ?? null;
    if (command !== null) return command;
  }
  throw new UndecodableFrame(`unknown command: ${text.slice(0, 200)}`);
}

function words(known: Readonly<Record<string, AdminCommand>>): Inner {
  return (value) => (typeof value === "string" && Object.hasOwn(known, value) ? known[value]! : null);
}

function either(...readers: readonly Inner[]): Inner {
  return (value) => {
    for (const read of readers) {
      const command = read(value);
      if (command !== null) return command;
    }
    return null;
  };
}

function lacking(name: string): AdminCommand {
  return { kind: "lacking", name };
}

function subsInfo(value: unknown): AdminCommand | null {
  if (!isTable(value)) return null;
  const { hash = null, id = null } = value;
  if (hash !== null && typeof hash !== "string") return null;
  if (id !== null && (typeof id !== "string" || !UUID.test(id))) return null;
  return { kind: "subs_info", hash, id };
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isTagged<K extends string>(value: unknown, tag: K): value is Record<K, unknown> {
  return isTable(value) && Object.keys(value).length === 1 && Object.hasOwn(value, tag);
}

function isU16(value: unknown): boolean {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 0xffff;
}
