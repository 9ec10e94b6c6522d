/** @module What `corrosion.config` offers on the bus: get, applyBootstrap, rollback, restoreCanonical, job. */
import type { Timestamp } from "../../../lib/clock.ts";

export type JobState = "validating" | "backing_up" | "writing" | "restarting" | "ready" | "error";

/** `corrosion.config.job`, and the payload of the local event `config_job`. */
export interface ConfigJob {
  readonly node_id: string;
  readonly job_id: string;
  readonly kind: "bootstrap" | "rollback" | "restore_canonical";
  readonly state: JobState;
  readonly message: string;
  readonly hosts: readonly string[];
  readonly backup_id: string | null;
  readonly started_at: Timestamp;
  readonly timestamp: Timestamp;
}

/** `corrosion.config.get`: read from the file at each call, never from memory. */
export interface NodeConfiguration {
  readonly node_id: string;
  readonly path: string;
  readonly hosts: readonly string[];
  /** The whole text, bearer tokens redacted; null when the file cannot be read. */
  readonly toml: string | null;
  readonly backups: readonly { readonly id: string; readonly created_at: Timestamp }[];
  readonly canonical: boolean;
  /** Whether it may be edited here, and if not, why. */
  readonly editable: boolean;
  readonly reason: string | null;
  /** Why the file cannot be used, one sentence; null when it can. */
  readonly problem: string | null;
}

/** `corrosion.config.applyBootstrap` with `{hosts, wait?}` and the like: at once the job, with `wait` when it is over. */
export type ApplyResult = ConfigJob;
