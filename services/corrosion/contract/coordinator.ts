/** @module What `corrosion.coordinator` offers on the bus, on any node: reserve, release, update, status. */
import type { Timestamp } from "../../../lib/clock.ts";

export type UpdateState =
  | "running"
  | "succeeded"
  | "rolling_back"
  | "rolled_back"
  | "rollback_failed"
  | "interrupted";
export type UpdateNodeState =
  | "pending"
  | "applying"
  | "restarting"
  | "ready"
  | "failed"
  | "rolled_back"
  | "skipped";

/** `corrosion.coordinator.status`, and the bus event `cluster_config_coordination`. */
export interface ClusterUpdate {
  readonly update_id: string;
  readonly initiator: string;
  readonly hosts: readonly string[];
  readonly state: UpdateState;
  readonly nodes: readonly {
    readonly node_id: string;
    readonly status: UpdateNodeState;
    readonly message: string | null;
    readonly timestamp: Timestamp;
  }[];
}
