/** @module What the page knows of a restart, from the agent's states and the three events of a restart. */
import type { AgentStatus, RestartFailed, Restarting } from "../../../services/corrosion/contract.ts";
import type { RestartView } from "./job-steps.ts";

export type RestartNews =
  | { readonly event: "corrosion.restarting"; readonly data: Restarting }
  | { readonly event: "corrosion.ready"; readonly data: Restarting }
  | { readonly event: "corrosion.restart_failed"; readonly data: RestartFailed };

/** After the agent was looked at. */
export function afterStatus(restart: RestartView, status: AgentStatus): RestartView {
  const { restart_id: id, restart_phase: phase, since, state } = status;
  if (id !== null && phase !== null) {
    // A look that was under way when the restart ended must not begin it again.
    const over = (restart.kind === "ready" || restart.kind === "failed") && restart.id === id;
    return over ? restart : { kind: "running", id, phase, since };
  }
  // Nor must one end it that began before it did.
  if (restart.kind === "running" && since < restart.since) return restart;
  if (state === "stopping" || state === "stopped") return { kind: "none" };
  if (restart.kind !== "running") return restart;
  // The last word of it may have been missed while the stream was away.
  return state === "running" ? { kind: "ready", id: restart.id } : { kind: "none" };
}

/** After an event of a restart. */
export function afterNews(restart: RestartView, { event, data }: RestartNews): RestartView {
  const { restart_id: id, timestamp } = data;
  switch (event) {
    case "corrosion.restarting":
      // Its phases come with the agent's states.
      if (restart.kind === "running" && restart.id === id) return restart;
      return { kind: "running", id, phase: "stopping", since: timestamp };
    case "corrosion.ready":
      return { kind: "ready", id };
    case "corrosion.restart_failed":
      return { kind: "failed", id, phase: data.phase, reason: data.reason };
  }
}
