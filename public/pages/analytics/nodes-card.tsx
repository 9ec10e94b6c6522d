/** @module The nodes that a run can reach now. */
import type { AggregationStatus } from "../../../services/analytics/contract.ts";
import { ResourceCard } from "../../components/card.tsx";
import { NodeName, Unknown } from "../../components/node-name.tsx";
import { type Column, Table } from "../../components/table.tsx";
import type { Resource } from "../../data/resource.ts";
import { nodeFacts } from "../../shell/node-facts.ts";

interface Row {
  readonly node_id: string;
  readonly region: string | null;
  readonly port: number | null;
}

const COLUMNS: readonly Column<Row>[] = [
  { key: "node", title: "Node", cell: ({ node_id }) => <NodeName id={node_id} /> },
  { key: "region", title: "Region", cell: ({ region }) => region ?? <Unknown /> },
  { key: "port", title: "Port", align: "right", cell: ({ port }) => port ?? <Unknown /> },
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
              {
                node_id: local_node_id,
                region: nodeFacts.value?.region ?? null,
                port: Number(location.port) || null,
              },
              ...others.map(({ node_id, region, phoenix_port: port }) => ({ node_id, region, port })),
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
