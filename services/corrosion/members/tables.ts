/** @module Rows of `__corro_members`, as the agent's database has them. */
import { actorIdOf } from "../../../lib/actor-ids.ts";
import { isObject, parseJson } from "../../../lib/corrosion/client/json.ts";
import type { CorrosionMemberRow, IdentityMap } from "../contract.ts";
import { address, integer, memberState, type StateReply, stateReply } from "./replies.ts";

export const MEMBERS_SQL = "SELECT actor_id, address, foca_state, rtt_min, updated_at FROM __corro_members";

/** Cells in the order of `MEMBERS_SQL`. */
export type MembersCells = readonly unknown[];

/** The row as it is shown; a state that cannot be read stands in `raw`. */
export function memberRow(cells: MembersCells, map: IdentityMap): CorrosionMemberRow {
  const [actor, at, foca, rtt, updated] = cells;
  const id = actorIdOf(actor);
  const read = focaState(foca);
  return {
    id: id ?? textOf(actor),
    node_id: id === null ? null : (map[id] ?? null),
    address: address(textOf(at)),
    state: read?.state ?? null,
    incarnation: read?.incarnation ?? null,
    rtt_min: integer(rtt),
    updated_at: updated == null ? null : textOf(updated),
    raw: read === null && foca !== null ? textOf(foca) : null,
  };
}

/** The same as an entry of the agent's own list; null when the state cannot be read. */
export function stateOfRow(cells: MembersCells): StateReply | null {
  const foca = parsed(cells[2]);
  if (!isObject(foca)) return null;
  try {
    return stateReply(foca);
  } catch {
    return null; // Shown raw in its table; who it is stands there too.
  }
}

function focaState(foca: unknown) {
  const value = parsed(foca);
  if (!isObject(value)) return null;
  const state = memberState(value.state);
  return state === null ? null : { state, incarnation: integer(value.incarnation) };
}

function parsed(foca: unknown) {
  if (typeof foca !== "string") return undefined;
  try {
    return parseJson(foca);
  } catch {
    return undefined; // Shown raw.
  }
}

function textOf(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  return typeof value === "string" ? value : String(value);
}
