/** @module Reads of the agent's member tables, and of what the other nodes think. */
import type { ServiceBroker } from "moleculer";
import { nodesWith } from "../../../lib/cluster-nodes.ts";
import { AgentError } from "../../../lib/corrosion/client/errors.ts";
import type { Cell } from "../../../lib/corrosion/client/events.ts";
import type { CorrosionClient } from "../../../lib/corrosion/client/http.ts";
import type { ConsoleCell, CorrosionTables, IdentityMap, MemberView } from "../contract.ts";
import { ownActorId } from "./fetch.ts";
import type { Observer } from "./matrix.ts";
import { MEMBERS_SQL, memberRow } from "./tables.ts";

const TRACKED_SQL = "SELECT * FROM crsql_tracked_peers";
/** A node that is well answers from its memory. */
const VIEW_LIMIT_MS = 2000;

/** `__corro_members` and its neighbours. Throws `AgentError` when a part of it cannot be read. */
export async function corrosionTables(client: CorrosionClient, map: IdentityMap): Promise<CorrosionTables> {
  const [members, tracked, actorId] = await Promise.all([
    client.query(MEMBERS_SQL),
    trackedPeers(client),
    ownActorId(client),
  ]);
  return {
    members: members.rows.map((cells) => memberRow(cells, map)),
    tracked_peers: tracked,
    actor_id: actorId,
  };
}

/** Asks every node of the registry at the same time. Never throws: who does not answer is named. */
export function askObservers(broker: ServiceBroker): Promise<Observer[]> {
  return Promise.all(
    nodesWith(broker, "corrosion.members").map(async ({ id, available }): Promise<Observer> => {
      if (!available) return { node_id: id, kind: "no answer", reason: "it is not connected to the bus" };
      try {
        const options = { nodeID: id, timeout: VIEW_LIMIT_MS };
        const view = await broker.call<MemberView, object>("corrosion.members.view", {}, options);
        return { node_id: id, kind: "answered", view };
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        return { node_id: id, kind: "no answer", reason };
      }
    }),
  );
}

async function trackedPeers(client: CorrosionClient): Promise<CorrosionTables["tracked_peers"]> {
  try {
    const { columns, rows } = await client.query(TRACKED_SQL);
    return rows.map((cells) => Object.fromEntries(columns.map((name, i) => [name, shown(cells[i] ?? null)])));
  } catch (error) {
    if (error instanceof AgentError && error.kind === "sql" && error.message.startsWith("no such table"))
      return null;
    throw error;
  }
}

/** A cell as JSON takes it. */
function shown(cell: Cell): ConsoleCell {
  if (typeof cell === "bigint") return String(cell);
  return cell instanceof Uint8Array ? { blob: Buffer.from(cell).toString("hex") } : cell;
}
