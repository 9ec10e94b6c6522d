/** @module Placement: which nodes should lead and follow which group, by rendezvous hashing. */
import { createHash } from "node:crypto";

/** Whether a node said that its copy of a group cannot go on. */
export type IsHalted = (node: string, group: number) => boolean;

const NONE_HALTED: IsHalted = () => false;

/**
 * Live nodes ranked for a group, best first: by SHA-256(`<group>:<node id>`), highest first, and behind all others
 * those whose copy is halted. Every node computes the same list from the same nodes; a node's leaving moves only its
 * own groups.
 */
export function rankNodes(group: number, nodes: readonly string[], isHalted = NONE_HALTED): string[] {
  const ranked = nodes
    .map((node) => ({ node, hash: createHash("sha256").update(`${group}:${node}`).digest("hex") }))
    .sort((a, b) => (a.hash === b.hash ? 0 : a.hash > b.hash ? -1 : 1))
    .map(({ node }) => node);
  const halted = ranked.filter((node) => isHalted(node, group));
  return halted.length === 0 ? ranked : [...ranked.filter((node) => !halted.includes(node)), ...halted];
}

export type Role = "leader" | "follower" | "none";

/** What `node` should be for each group, given the live nodes and how many copies a group has. */
export function desiredRoles(
  node: string,
  nodes: readonly string[],
  groups: number,
  replicas: number,
  isHalted = NONE_HALTED,
): Role[] {
  return Array.from({ length: groups }, (_, group) => {
    const rank = rankNodes(group, nodes, isHalted).indexOf(node);
    if (rank === 0) return "leader";
    return rank > 0 && rank < replicas ? "follower" : "none";
  });
}
