/** @module What an operator must act on, as the fleet's status tells it. */
import type { FleetStatus } from "../../services/raft/fleet-status.ts";

export interface Warning {
  readonly tone: "bad" | "warn";
  readonly text: string;
}

/** A sentence each, worst first; empty when all is well. */
export function warningsOf({ leaders, groups, engine, nodes, problems }: FleetStatus): readonly Warning[] {
  const warnings: Warning[] = [];
  const leaderless = leaders.filter((leader) => leader === null).length;
  if (leaderless > 0) {
    warnings.push({
      tone: "bad",
      text: `Groups without a leader: ${leaderless} of ${groups}. Their sessions take no messages now.`,
    });
  }
  if (!engine.connected) warnings.push({ tone: "bad", text: "The log engine cannot be reached." });
  const cutOff = nodes.filter(({ archive_problem }) => archive_problem !== null);
  if (cutOff.length > 0) {
    warnings.push({
      tone: "bad",
      text:
        `The archive cannot be used by ${cutOff.map(({ id }) => id).join(", ")}: ${cutOff[0]?.archive_problem}. ` +
        "What was acknowledged stays in the log; sessions that left RAM cannot be read until it is back.",
    });
  }
  for (const text of problems) warnings.push({ tone: "bad", text });
  const silent = nodes.filter(({ available }) => !available).map(({ id }) => id);
  if (silent.length > 0) warnings.push({ tone: "warn", text: `Not answering: ${silent.join(", ")}.` });
  const drained = nodes.filter(({ available, draining }) => available && draining).map(({ id }) => id);
  if (drained.length > 0) {
    const what =
      drained.length === 1 ? "It takes no groups until it is" : "They take no groups until they are";
    warnings.push({ tone: "warn", text: `Out of placement: ${drained.join(", ")}. ${what} undrained.` });
  }
  for (const text of engine.warnings) warnings.push({ tone: "warn", text });
  return warnings;
}
