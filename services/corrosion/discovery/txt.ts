/** @module Fly's TXT record of an app's machines. */
import type { DiscoveredNode } from "../contract.ts";

/** The record holds something else than machines with their regions; one sentence. */
export class BadRecord extends Error {
  override name = "BadRecord";
}

const ENTRY = /^(\w+) ([a-z0-9]{2,4})$/;

/** Where the record of an app is. */
export function recordName(app: string): string {
  return `vms.${app}.internal`;
}

/**
 * Nodes of a TXT answer: `machine region,machine region`, the parts of a record joined. Sorted by node id, each machine
 * once. Throws `BadRecord`: half of a list would look like a smaller cluster.
 */
export function nodesOf(records: readonly (readonly string[])[]): DiscoveredNode[] {
  const entries = records
    .flatMap((parts) => parts.join("").split(","))
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
  const nodes = new Map<string, DiscoveredNode>();
  for (const entry of entries) {
    const [, machine, region] = ENTRY.exec(entry) ?? [];
    if (machine === undefined || region === undefined) {
      throw new BadRecord(
        `the DNS record names a machine as nobody does: ${JSON.stringify(entry.slice(0, 80))}`,
      );
    }
    nodes.set(machine, { node_id: `${region}-${machine}`, region, machine });
  }
  return [...nodes.values()].sort((a, b) => (a.node_id < b.node_id ? -1 : 1));
}
