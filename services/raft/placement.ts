/** @module Placement: which nodes should lead and follow which group, by rendezvous hashing. */
import { createHash } from "node:crypto";

/**
 * Live nodes ranked for a group, best first: by SHA-256(`<group>:<node id>`), highest first.
 * Every node computes the same list from the same nodes; a node's leaving moves only its own groups.
 */
export function rankNodes(group: number, nodes: readonly string[]): string[] {
  return nodes
    .map((node) => ({ node, hash: createHash("sha256").update(`${group}:${node}`).digest("hex") }))
    .sort((a, b) => (a.hash === b.hash ? 0 : a.hash > b.hash ? -1 : 1))
    .map(({ node }) => node);
}

export type Role = "leader" | "follower" | "none";

/** What `node` should be for each group, given the live nodes and how many copies a group has. */
export function desiredRoles(
  node: string,
  nodes: readonly string[],
  groups: number,
  replicas: number,
): Role[] {
  return Array.from({ length: groups }, (_, group) => {
    const rank = rankNodes(group, nodes).indexOf(node);
    if (rank === 0) return "leader";
    return rank > 0 && rank < replicas ? "follower" : "none";
  });
}
