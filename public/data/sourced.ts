/** @module What the node says of a source that it asks from time to time: DNS, the agent's members, its tables. */
import type {
  CorrosionTables,
  Disagreements,
  DiscoveredNode,
  FetchStatus,
  Member,
} from "../../services/corrosion/contract.ts";

/** The answer of `/api/cluster/*` (contract corroport, section 6). */
export interface Sourced<Data> {
  readonly data: Data;
  readonly status: FetchStatus;
  /** ISO time of the data; null: there never were any. */
  readonly last_updated: string | null;
  /** Why there are no newer ones; null: nothing is wrong. */
  readonly error: string | null;
}

export type DnsAnswer = Sourced<{
  readonly nodes: readonly DiscoveredNode[];
  readonly age_ms: number | null;
  readonly source: "dns" | "development";
}>;

export type MembersAnswer = Sourced<{
  readonly members: readonly Member[];
  readonly regions: readonly string[];
  readonly member_count: number;
}>;

export type TablesAnswer = Sourced<CorrosionTables>;
export type DisagreementsAnswer = Sourced<Disagreements>;
