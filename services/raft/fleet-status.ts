/** @module What operators and the dashboard read: is a node ready, and what does the fleet look like. */
import type { EngineHealth, EngineStatus } from "./engine/engine.ts";

/** `fleet.ops.ready`, as `GET /health/ready` answers it. */
export interface Readiness {
  readonly status: "ok" | "starting" | "degraded" | "draining";
  readonly reason?: "bus_disconnected" | "groups_recovering" | "engine_unwritable" | "draining";
}

/** `fleet.ops.status`: the fleet as this node sees it. */
export interface FleetStatus {
  readonly mode: "embedded" | "distributed";
  readonly engine: EngineStatus;
  readonly groups: number;
  /** Node that answers. */
  readonly node_id: string;
  readonly nodes: readonly FleetNode[];
  /** Leader of each group; null where there is none. Of a node that answers late it is what the registry says. */
  readonly leaders: readonly (string | null)[];
  /** Highest log index that a leader has applied, of each group; null where none has told it. */
  readonly applied: readonly (number | null)[];
  /** Log index up to which the archive holds each group; null where there is no leader. */
  readonly archived: readonly (number | null)[];
  /** Log entries that the archive is yet to hold, of each group; 0 when it holds all that was written to sessions. */
  readonly behind: readonly (number | null)[];
  /** Nodes that hold a copy of each group and do not lead it, in their order; halted ones included. */
  readonly followers: readonly (readonly string[])[];
  /** What a person should look at, a sentence each: groups that cannot go on, or are not archived. At most 20. */
  readonly problems: readonly string[];
  readonly resident_sessions: number;
  readonly generated_at: string;
}

/** `fleet.ops.group`: the log of one group, as a node that has a copy of its state sees it. */
export interface GroupLog {
  readonly group: number;
  /** Node that looked; null: none with a copy answers. */
  readonly seen_by: string | null;
  /** Null: the log cannot be reached. */
  readonly log: EngineHealth | null;
}

export interface FleetNode {
  readonly id: string;
  /** False: it does not answer, or was lost in the last ten minutes. */
  readonly available: boolean;
  readonly draining: boolean;
  readonly leads: number;
  readonly follows: number;
  /** Where its gateway is; null when it does not say. */
  readonly url: string | null;
  /** Why it cannot use the archive now; null: it can, or it does not answer. */
  readonly archive_problem: string | null;
}
