/** @module The agent's own tables about the cluster: `__corro_members` and its tracked peers. */
import type { CorrosionMemberRow } from "../../../services/corrosion/contract.ts";
import { Age } from "../../components/age.tsx";
import { type Column, Table } from "../../components/table.tsx";
import type { TablesAnswer } from "../../data/sourced.ts";
import { ActorId, NodeName, StateBadge, Unknown } from "./cells.tsx";
import { SourceCard } from "./source-card.tsx";
import type { Source } from "./use-source.ts";

const COLUMNS: readonly Column<CorrosionMemberRow>[] = [
  { key: "id", title: "Id", cell: ({ id }) => <ActorId id={id} /> },
  { key: "node", title: "Node", cell: ({ node_id }) => <NodeName id={node_id} /> },
  {
    key: "address",
    title: "Address",
    cell: ({ address }) => <span class="font-mono text-xs">{address}</span>,
  },
  {
    key: "state",
    title: "State",
    cell: ({ state, raw }) =>
      raw === null ? (
        <StateBadge state={state} />
      ) : (
        <code class="block max-w-80 truncate text-xs text-bad" title={`This row cannot be read: ${raw}`}>
          {raw}
        </code>
      ),
  },
  {
    key: "incarnation",
    title: "Incarnation",
    align: "right",
    cell: ({ incarnation }) => incarnation ?? <Unknown />,
  },
  {
    key: "time",
    title: "Time",
    cell: ({ updated_at }) => (updated_at === null ? <Unknown /> : <Age at={updated_at} />),
  },
];

type PeerRow = Readonly<Record<string, unknown>>;

export function TablesCard({ source }: { readonly source: Source<TablesAnswer["data"]> }) {
  return (
    <SourceCard
      source={source}
      title="__corro_members"
      count={({ members }) => members.length}
      empty={() => null}
    >
      {({ members, tracked_peers: peers }) => (
        <>
          {members.length === 0 ? (
            <p class="p-4 text-muted">The agent has noted no other member yet.</p>
          ) : (
            <Table
              label="__corro_members"
              columns={COLUMNS}
              rows={members}
              rowKey={({ id, address }) => `${id} ${address}`}
            />
          )}
          <h3 class="border-t border-line px-4 pt-3 pb-2 text-xs font-semibold">Tracked peers</h3>
          <TrackedPeers peers={peers} />
        </>
      )}
    </SourceCard>
  );
}

function TrackedPeers({ peers }: { readonly peers: readonly PeerRow[] | null }) {
  if (peers === null || peers.length === 0) {
    const text = peers === null ? "This agent has no table of tracked peers." : "No peer is tracked.";
    return <p class="px-4 pb-3 text-muted">{text}</p>;
  }
  const columns = Object.keys(peers[0] ?? {}).map(
    (name): Column<PeerRow> => ({
      key: name,
      title: name,
      cell: (row) => <span class="font-mono text-xs">{row[name] === null ? "NULL" : String(row[name])}</span>,
    }),
  );
  return <Table label="Tracked peers" columns={columns} rows={peers} rowKey={(row) => JSON.stringify(row)} />;
}
