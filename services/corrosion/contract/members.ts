/** @module What `corrosion.members` offers on the bus: get, refresh, view, disagreements, corrosion. */
import type { Timestamp } from "../../../lib/clock.ts";

export type FetchStatus = "initializing" | "fetching" | "ok" | "error";

export interface Member {
  /** Hyphenated lower-case UUID. */
  readonly id: string;
  /** By `node_configs`; null when no row names this actor. */
  readonly node_id: string | null;
  readonly region: string;
  /** `host:port`, IPv6 in brackets. */
  readonly address: string;
  readonly state: "Alive" | "Suspect" | "Down" | null;
  /** From what is known of it: last sync, ts, address (contract corroport, 3.4). */
  readonly status: "active" | "connected" | "reachable" | "unknown";
  readonly incarnation: number | null;
  readonly cluster_id: number | null;
  readonly ring: number | null;
  readonly rtts: readonly number[];
  readonly rtt_avg_ms: number | null;
  /** NTP64 as a decimal string, and the time that it means. */
  readonly ts: string | null;
  readonly last_seen_at: Timestamp | null;
  readonly last_sync_at: Timestamp | null;
  readonly self: boolean;
}

/** `corrosion.members.get`, and the local event `cluster_membership`. */
export interface Membership {
  readonly members: readonly Member[];
  readonly error: string | null;
  readonly regions: readonly string[];
  readonly cache_status: {
    readonly last_updated: Timestamp | null;
    readonly error: string | null;
    readonly status: FetchStatus;
    readonly member_count: number;
  };
}

/** `corrosion.members.corrosion`: `__corro_members` and its neighbours as this node's database has them. */
export interface CorrosionTables {
  readonly members: readonly CorrosionMemberRow[];
  /** Null where `crsql_tracked_peers` does not exist. */
  readonly tracked_peers: readonly Readonly<Record<string, unknown>>[] | null;
  readonly actor_id: string | null;
}

export interface CorrosionMemberRow {
  readonly id: string;
  readonly node_id: string | null;
  readonly address: string;
  readonly state: "Alive" | "Suspect" | "Down" | null;
  readonly incarnation: number | null;
  readonly rtt_min: number | null;
  readonly updated_at: string | null;
  /** The row's `foca_state` as it is, when it cannot be read. */
  readonly raw: string | null;
}

/** `corrosion.members.view`: what this node thinks of every actor, for the matrix. */
export interface MemberView {
  readonly node_id: string;
  readonly actor_id: string | null;
  readonly at: Timestamp | null;
  readonly error: string | null;
  readonly subjects: readonly { readonly id: string; readonly state: "Alive" | "Suspect" | "Down" }[];
}

/** `corrosion.members.disagreements`: who thinks what of whom. */
export interface Disagreements {
  readonly observers: readonly {
    readonly node_id: string;
    readonly actor_id: string | null;
    readonly at: Timestamp | null;
    readonly answered: boolean;
    readonly reason: string | null;
  }[];
  readonly subjects: readonly {
    readonly id: string;
    readonly node_id: string | null;
    /** One an observer, in their order. */
    readonly states: readonly ("Alive" | "Suspect" | "Down" | "absent" | "no answer" | "self")[];
    readonly disagreement: boolean;
  }[];
  readonly disagreement: boolean;
}
