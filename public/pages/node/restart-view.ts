/** @module What the page knows of a restart, from the agent's states and the three events of a restart. */
import type { AgentStatus, RestartFailed, Restarting } from "../../../services/corrosion/contract.ts";
import { phaseOf, type RestartView } from "./job-steps.ts";

export interface Seen {
  readonly restart: RestartView;
  /** The process before the restart; while none is under way, the present one. */
  readonly pid: number | null;
}

export const NOTHING_SEEN: Seen = { restart: { kind: "none" }, pid: null };

export type RestartNews =
  | { readonly event: "corrosion.restarting"; readonly data: Restarting }
  | { readonly event: "corrosion.ready"; readonly data: Restarting }
  | { readonly event: "corrosion.restart_failed"; readonly data: RestartFailed };

/** After the agent was looked at. */
export function afterStatus(seen: Seen, { pid, restart_id: id, state }: AgentStatus): Seen {
  const { restart } = seen;
  if (state !== "restarting" || id === null) {
    // A look that began before the restart did: the process is the old one still.
    if (restart.kind === "running" && state === "running" && pid === seen.pid) return seen;
    return { restart: afterRestart(restart, state), pid };
  }
  const running = restart.kind === "running" && restart.id === id;
  if (!running && restart.kind !== "none" && restart.id === id) return seen;
  const before = running ? seen.pid : (seen.pid ?? pid);
  const phase = phaseOf(before, pid, running ? restart.phase : "stopping");
  return { restart: { kind: "running", id, phase }, pid: before };
}

/** After an event of a restart. */
export function afterNews(seen: Seen, news: RestartNews): Seen {
  const { restart_id: id } = news.data;
  switch (news.event) {
    case "corrosion.restarting":
      return { ...seen, restart: { kind: "running", id, phase: "stopping" } };
    case "corrosion.ready":
      return { ...seen, restart: { kind: "ready", id } };
    case "corrosion.restart_failed": {
      const { phase, reason } = news.data;
      return { ...seen, restart: { kind: "failed", id, phase, reason } };
    }
  }
}

/** The agent restarts no more, and is in this state. */
function afterRestart(restart: RestartView, state: AgentStatus["state"]): RestartView {
  if (state === "stopping" || state === "stopped") return { kind: "none" };
  if (restart.kind !== "running") return restart;
  // The last word of it may have been missed while the stream was away.
  return state === "running" ? { kind: "ready", id: restart.id } : { kind: "none" };
}
