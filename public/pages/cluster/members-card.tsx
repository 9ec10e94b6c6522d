/** @module The members of the cluster, as this node's agent sees them. */
import type { Member } from "../../../services/corrosion/contract.ts";
import { Age } from "../../components/age.tsx";
import { Badge } from "../../components/badge.tsx";
import { type Column, Table } from "../../components/table.tsx";
import type { Tone } from "../../components/tone.ts";
import type { MembersAnswer } from "../../data/sourced.ts";
import { countText, msText } from "../../data/wording.ts";
import { ActorId, NodeName, StateBadge, Unknown } from "./cells.tsx";
import { SourceCard } from "./source-card.tsx";
import type { Source } from "./use-source.ts";

const STATUS_TONES: Readonly<Record<Member["status"], Tone>> = {
  active: "good",
  connected: "good",
  reachable: "info",
  unknown: "plain",
};

const COLUMNS: readonly Column<Member>[] = [
  { key: "id", title: "Id", cell: ({ id }) => <ActorId id={id} /> },
  { key: "node", title: "Node", cell: ({ node_id }) => <NodeName id={node_id} /> },
  {
    key: "address",
    title: "Address",
    cell: ({ address }) => <span class="font-mono text-xs">{address}</span>,
  },
  {
    key: "status",
    title: "Status",
    cell: ({ status, state }) => (
      <span class="inline-flex items-center gap-1.5">
        <Badge tone={STATUS_TONES[status]}>{status}</Badge>
        {state !== null && state !== "Alive" && <StateBadge state={state} />}
      </span>
    ),
  },
  {
    key: "cluster",
    title: "Cluster id",
    align: "right",
    cell: ({ cluster_id }) => cluster_id ?? <Unknown />,
  },
  { key: "ring", title: "Ring", align: "right", cell: ({ ring }) => ring ?? <Unknown /> },
  {
    key: "rtt",
    title: "RTT avg / samples",
    align: "right",
    cell: ({ rtt_avg_ms, rtts }) =>
      rtts.length === 0 ? <Unknown /> : `${msText(rtt_avg_ms)} / ${rtts.length}`,
  },
  {
    key: "sync",
    title: "Last sync",
    cell: ({ last_sync_at }) => (last_sync_at === null ? <Unknown /> : <Age at={last_sync_at} />),
  },
];

export function MembersCard({ source }: { readonly source: Source<MembersAnswer["data"]> }) {
  return (
    <SourceCard
      source={source}
      title="Members"
      count={({ members }) => members.length}
      empty={({ members }) => (members.length === 0 ? "The agent knows no member." : null)}
    >
      {({ members, regions }) => (
        <>
          <Table
            label="Members"
            columns={COLUMNS}
            rows={members}
            rowKey={({ id }) => id}
            rowClass={({ self }) => (self ? "bg-accent-soft/40" : "")}
          />
          <p class="px-4 py-2 text-xs text-muted">
            {countText(members.length, "member")} in {countText(regions.length, "region")}
          </p>
        </>
      )}
    </SourceCard>
  );
}
