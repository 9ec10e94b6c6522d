/** @module Which nodes an update may have: what was asked for against what there is. */
import { CorrosionError } from "../../../lib/corrosion/failures.ts";

export interface KnownNodes {
  /** On the bus at present, with a coordinator. */
  readonly present: ReadonlySet<string>;
  /** Known by the bus, `node_configs` or the DNS, present or not. */
  readonly known: ReadonlySet<string>;
}

/** The targets, each once. Throws `CorrosionError`: none 400, unknown 404, known but not to be reached 409. */
export function checkTargets(nodeIds: readonly string[], { known, present }: KnownNodes): string[] {
  const targets = [...new Set(nodeIds)].sort();
  if (targets.length === 0) {
    const fields = { node_ids: "Name at least one node." };
    throw new CorrosionError("invalid_request", "A cluster update needs at least one node.", { fields });
  }
  const strange = targets.filter((id) => !known.has(id) && !present.has(id));
  if (strange.length > 0) {
    throw new CorrosionError("unknown_node", `There is no node ${strange.join(", ")} in this cluster.`);
  }
  const away = targets.filter((id) => !present.has(id));
  if (away.length > 0) {
    const names = away.join(", ");
    throw new CorrosionError(
      "agent_not_managed",
      `Not connected to the bus at present: ${names}. Bring it back, or leave it out of the update.`,
    );
  }
  return targets;
}
