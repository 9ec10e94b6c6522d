/** @module What `corrosion.agent` offers on the bus: status, start, stop, restart, logs; and the words on restarts. */
import type { Timestamp } from "../../../lib/clock.ts";

export type AgentState =
  | "stopped"
  | "starting"
  | "running"
  | "unhealthy"
  | "restarting"
  | "stopping"
  | "crashed"
  | "external";

/** `corrosion.agent.status`, and the payload of the local event `agent_state`. */
export interface AgentStatus {
  readonly node_id: string;
  readonly state: AgentState;
  /** `binary` and `embedded` are children of this node; nobody here controls an `external` one. */
  readonly kind: "binary" | "embedded" | "external";
  readonly managed: boolean;
  readonly pid: number | null;
  /** What runs, e.g. the binary's path, or `embedded development agent`. */
  readonly program: string;
  /** Base URL of its HTTP API. */
  readonly api_url: string;
  readonly admin_path: string | null;
  readonly gossip_addr: string | null;
  readonly config_path: string | null;
  readonly restart_id: string | null;
  /** How far the restart under way is; null when there is none. */
  readonly restart_phase: RestartPhase | null;
  readonly restarts: number;
  /** Since when it is in this state. */
  readonly since: Timestamp;
  /** Why it is in this state, when that is not plain; one sentence. */
  readonly reason: string | null;
}

/** `corrosion.agent.restart`; answers at once, `restart_id` stands in the events. */
export interface RestartStarted {
  readonly restart_id: string;
  /** Whether a restart that was under way already is the one that this request got. */
  readonly joined: boolean;
}

/** `corrosion.agent.restart` with `{wait: true}` answers when it is over. */
export interface RestartOutcome extends RestartStarted {
  readonly ok: boolean;
  readonly phase: RestartPhase | null;
  readonly reason: string | null;
}

export type RestartPhase = "stopping" | "starting" | "health" | "settling";

/** `corrosion.agent.logs` with `{limit?}`, oldest first, at most 500. */
export interface AgentLogs {
  readonly lines: readonly {
    readonly at: Timestamp;
    readonly stream: "stdout" | "stderr" | "agent";
    readonly line: string;
  }[];
}

/** The bus events `corrosion.restarting`, `.ready` and `.restart_failed`; local handlers drop foreign ones. */
export interface Restarting {
  readonly node_id: string;
  readonly restart_id: string;
  readonly timestamp: Timestamp;
}
export type Ready = Restarting;
export interface RestartFailed extends Restarting {
  readonly phase: RestartPhase;
  readonly reason: string;
}
