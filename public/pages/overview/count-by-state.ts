/** @module Members of the cluster, counted. */
import type { Member } from "../../../services/corrosion/contract.ts";

/** How many there are in each state, the most first; who is suspected or down counts as that. */
export function countByState(
  members: readonly Pick<Member, "state" | "status">[],
): readonly [string, number][] {
  const counts = new Map<string, number>();
  for (const { state, status } of members) {
    const named = state === "Suspect" || state === "Down" ? state : status;
    counts.set(named, (counts.get(named) ?? 0) + 1);
  }
  return [...counts].sort(([, a], [, b]) => b - a);
}
