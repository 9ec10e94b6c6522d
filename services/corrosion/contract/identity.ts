/** @module What `corrosion.identity` offers on the bus: get, map, report, configs, reportHosts. */
import type { Timestamp } from "../../../lib/clock.ts";

export interface Identity {
  readonly node_id: string;
  readonly actor_id: string | null;
  /** When `node_configs` was last written; null when it never had to be. */
  readonly reported_at: Timestamp | null;
  readonly error: string | null;
}

/** `corrosion.identity.map`: actor id (hyphenated) to node id, by `node_configs`. */
export type IdentityMap = Readonly<Record<string, string>>;

/** `corrosion.identity.configs`: rows of `node_configs`. */
export interface NodeConfigRow {
  readonly node_id: string;
  readonly corrosion_actor_id: string | null;
  readonly bootstrap_hosts: string;
  readonly updated_at: string;
  readonly updated_by: string;
}
