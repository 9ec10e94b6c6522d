/** @module What a node tells of its agent: the state it is in, and all else that stands in its status. */
import type { AgentConfig } from "../../../lib/console-config.ts";
import type { AgentToml } from "../../../lib/corrosion/agent-toml.ts";
import type { AgentState, AgentStatus, RestartPhase } from "../contract.ts";
import type { ChosenAgent } from "./program.ts";

export interface Situation {
  readonly state: AgentState;
  readonly reason: string | null;
  readonly since: string;
}

/** What the status is made of. */
export interface AgentFacts {
  readonly nodeId: string;
  readonly config: AgentConfig;
  readonly runtimeFile: string;
  readonly chosen: ChosenAgent;
  readonly situation: Situation;
  /** What the TOML said at the last start; null before the first one. */
  readonly toml: AgentToml | null;
  /** Whether somebody else's agent was found. */
  readonly external: boolean;
  readonly pid: number | null;
  /** The restart under way: the agent's own states are not told while it lasts, only its phases. */
  readonly restart: { readonly id: string; readonly since: string; readonly phase: RestartPhase } | null;
  /** Processes started so far. */
  readonly launches: number;
}

/** Where the node reaches its agent's HTTP API. */
export function apiUrlOf({ chosen, config, toml }: Pick<AgentFacts, "chosen" | "config" | "toml">): string {
  if (chosen.kind === "external") return chosen.apiUrl;
  return toml?.apiUrl ?? `http://127.0.0.1:${config.apiPort}`;
}

export function statusOf(facts: AgentFacts): AgentStatus {
  const { chosen, config, restart, situation, toml } = facts;
  const external = chosen.kind === "external" || facts.external;
  const program = chosen.kind === "program" ? chosen.program : null;
  const shown: Situation =
    restart === null ? situation : { state: "restarting", reason: null, since: restart.since };
  return {
    node_id: facts.nodeId,
    state: shown.state,
    kind: external ? "external" : (program?.kind ?? "binary"),
    managed: !external,
    pid: facts.pid,
    program: external ? "an agent that somebody else runs" : (program?.name ?? "no program"),
    api_url: apiUrlOf(facts),
    admin_path: chosen.kind === "external" ? null : (toml?.adminPath ?? config.adminPath),
    gossip_addr: toml?.gossipAddr ?? null,
    config_path: chosen.kind === "external" ? null : facts.runtimeFile,
    restart_id: restart?.id ?? null,
    restart_phase: restart?.phase ?? null,
    restarts: Math.max(0, facts.launches - 1),
    since: shown.since,
    reason: shown.reason,
  };
}
