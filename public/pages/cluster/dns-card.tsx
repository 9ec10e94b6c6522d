/** @module The nodes that there should be. */
import type { DiscoveredNode } from "../../../services/corrosion/contract.ts";
import { type Column, Table } from "../../components/table.tsx";
import type { DnsAnswer } from "../../data/sourced.ts";
import { NodeName, Unknown } from "./cells.tsx";
import { SourceCard } from "./source-card.tsx";
import type { Source } from "./use-source.ts";

const COLUMNS: readonly Column<DiscoveredNode>[] = [
  { key: "region", title: "Region", cell: ({ region }) => <span class="font-mono text-xs">{region}</span> },
  {
    key: "machine",
    title: "Machine",
    cell: ({ machine }) =>
      machine === null ? <Unknown /> : <span class="font-mono text-xs">{machine}</span>,
  },
  { key: "id", title: "Id", cell: ({ node_id }) => <NodeName id={node_id} /> },
];

export function DnsCard({ source }: { readonly source: Source<DnsAnswer["data"]> }) {
  return (
    <SourceCard
      source={source}
      title="DNS nodes"
      count={({ nodes }) => nodes.length}
      empty={({ nodes }) => (nodes.length === 0 ? "DNS names no node of this application." : null)}
    >
      {({ nodes, source: from }) => (
        <>
          <Table label="DNS nodes" columns={COLUMNS} rows={nodes} rowKey={({ node_id }) => node_id} />
          {from === "development" && (
            <p class="px-4 py-2 text-xs text-muted">
              In development the nodes are known by their number, not by DNS.
            </p>
          )}
        </>
      )}
    </SourceCard>
  );
}
