/** @module The nodes that a run can reach now. */
import type { AggregationStatus } from "../../../services/analytics/contract.ts";
import { Badge } from "../../components/badge.tsx";
import { ResourceCard } from "../../components/card.tsx";
import { type Column, Table } from "../../components/table.tsx";
import type { Resource } from "../../data/resource.ts";

interface Row {
  readonly node_id: string;
  readonly region: string | null;
  readonly port: number | null;
  readonly local: boolean;
}

const COLUMNS: readonly Column<Row>[] = [
  {
    key: "node",
    title: "Node",
    cell: ({ node_id, local }) => (
      <span class="inline-flex items-center gap-2">
        <span class="font-mono text-xs">{node_id}</span>
        {local && <Badge tone="info">Local</Badge>}
      </span>
    ),
  },
  { key: "region", title: "Region", cell: ({ region }) => region ?? <span class="text-muted">–</span> },
  {
    key: "port",
    title: "Port",
    align: "right",
    cell: ({ port }) => port ?? <span class="text-muted">–</span>,
  },
];

export function NodesCard({ status }: { readonly status: Resource<AggregationStatus> }) {
  return (
    <ResourceCard title="Active nodes" resource={status} flush lines={3}>
      {({ active_nodes: others, local_node_id }) => (
        <>
          <Table
            label="Active nodes"
            columns={COLUMNS}
            rows={[
              { node_id: local_node_id, region: null, port: Number(location.port) || null, local: true },
              ...others.map(({ node_id, region, phoenix_port: port }) => ({
                node_id,
                region,
                port,
                local: false,
              })),
            ]}
            rowKey={({ node_id }) => node_id}
          />
          {others.length === 0 && (
            <p class="px-4 py-2 text-xs text-muted">
              No other node can be reached: nobody would acknowledge.
            </p>
          )}
        </>
      )}
    </ResourceCard>
  );
}
