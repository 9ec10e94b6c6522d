/** @module Members of the agents' cluster in a word each, and counted. */
import type { Member } from "../../../services/corrosion/contract.ts";
import type { Tone } from "../../components/tone.ts";

type Stated = Pick<Member, "state" | "status">;

/** Who is suspected or down is that first of all. */
export function memberState({ state, status }: Stated): "Suspect" | "Down" | Member["status"] {
  return state === "Suspect" || state === "Down" ? state : status;
}

export const MEMBER_TONES: Readonly<Record<ReturnType<typeof memberState>, Tone>> = {
  active: "good",
  connected: "good",
  reachable: "info",
  unknown: "plain",
  Suspect: "warn",
  Down: "bad",
};

/** How many there are in each state, the most first. */
export function countByState(
  members: readonly Stated[],
): readonly (readonly [ReturnType<typeof memberState>, number])[] {
  const counts = new Map<ReturnType<typeof memberState>, number>();
  for (const member of members) counts.set(memberState(member), (counts.get(memberState(member)) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a);
}
