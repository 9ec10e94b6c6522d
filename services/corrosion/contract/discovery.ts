/** @module What `corrosion.discovery` offers on the bus: get, refresh. */
import type { Timestamp } from "../../../lib/clock.ts";
import type { FetchStatus } from "./members.ts";

export interface DiscoveredNode {
  readonly node_id: string;
  readonly region: string;
  readonly machine: string | null;
}

export interface Discovery {
  readonly nodes: readonly DiscoveredNode[];
  readonly error: string | null;
  readonly status: FetchStatus;
  readonly last_updated: Timestamp | null;
  readonly age_ms: number | null;
  readonly source: "dns" | "development";
}
