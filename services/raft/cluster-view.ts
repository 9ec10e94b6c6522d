/** @module What this node's registry shows of the others: who is alive and who leads. Views of nodes may differ. */
import type { ServiceBroker } from "moleculer";
import { leaderServiceName } from "./leader.service.ts";
import type { IsHalted } from "./placement.ts";

/** Live nodes that hold replicas, this one included, sorted. A node says in its metadata that it is one. */
export function liveNodes(broker: ServiceBroker): string[] {
  return broker.registry.nodes
    .toArray()
    .filter((node) => node.available && node.metadata?.fleet === true)
    .map((node) => node.id)
    .sort();
}

/**
 * Nodes that went without a word, sorted: the registry keeps them for ten minutes. One that drained before it went is
 * not among them.
 */
export function lostNodes(broker: ServiceBroker): string[] {
  return broker.registry.nodes
    .toArray()
    .filter((node) => !node.available && node.metadata?.fleet === true && node.metadata.draining !== true)
    .map((node) => node.id)
    .sort();
}

/** Live nodes that groups may be placed on: those that are not about to leave. */
export function placeableNodes(broker: ServiceBroker): string[] {
  return liveNodes(broker).filter((id) => !isDraining(broker, id));
}

/** Whether a node said that it is about to leave. */
export function isDraining(broker: ServiceBroker, id: string): boolean {
  return broker.registry.nodes.get(id)?.metadata?.draining === true;
}

/** Says of this node what the others learn from its metadata, with its next entry in their registries. */
export function tellOthers(
  broker: ServiceBroker,
  facts: { readonly draining: boolean } | { readonly halted: readonly number[] },
): void {
  Object.assign(broker.metadata, facts);
  broker.registry.regenerateLocalRawInfo(true);
  broker.localServiceChanged();
}

/** Which copies the live nodes said that they cannot go on with, this one's included. */
export function haltedCopies(broker: ServiceBroker): IsHalted {
  const halted = new Map(
    liveNodes(broker).map((id) => {
      const groups: unknown = broker.registry.nodes.get(id)?.metadata?.halted;
      return [id, new Set(Array.isArray(groups) ? groups : [])];
    }),
  );
  return (node, group) => halted.get(node)?.has(group) ?? false;
}

/** Another live node that leads the group by the registry, one of `among` where that is given; null: there is none. */
export function otherLeader(
  broker: ServiceBroker,
  group: number,
  among?: ReadonlySet<string>,
): string | null {
  const { endpoints } = broker.registry.getActionEndpoints(`${leaderServiceName(group)}.propose`) ?? {};
  const leads = endpoints?.find(
    ({ id, node }) => id !== broker.nodeID && node.available && (among?.has(id) ?? true),
  );
  return leads?.id ?? null;
}
