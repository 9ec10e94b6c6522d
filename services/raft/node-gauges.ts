/** @module What a node's replicas amount to when its metrics are scraped. */
import type { GroupState } from "../../lib/conversation/state.ts";
import type { LogEngine } from "./engine/engine.ts";
import type { HotMessages } from "./hot-messages.ts";
import type { RaftGauges } from "./metrics.ts";
import type { Replica } from "./replica.ts";

export function nodeGauges(
  replicas: readonly Replica[],
  hot: HotMessages,
  engine: LogEngine | null,
): RaftGauges {
  const reports = replicas.map((replica) => replica.report());
  const leaders = replicas.flatMap(({ leader }) => leader ?? []);
  return {
    replicas: reports.map(({ group, role, applied, archived }) => ({
      group,
      leads: role === "leader",
      applied,
      archived,
    })),
    archiveLagSeconds: Math.max(0, ...leaders.map(({ archiver }) => archiver.lagSeconds)),
    pendingMessages: leaders.reduce((sum, { state }) => sum + unarchivedMessages(state), 0),
    residentSessions: leaders.reduce((sum, { state }) => sum + state.sessions.size, 0),
    hotBytes: hot.bytes,
    stalledGroups: reports.filter(({ archive_problem }) => archive_problem !== null).length,
    haltedGroups: reports.filter(({ problem }) => problem !== null).length,
    engine: engine?.status() ?? null,
  };
}

function unarchivedMessages(state: GroupState): number {
  let messages = 0;
  for (const { locations } of state.unarchived) messages += locations.length;
  return messages;
}
