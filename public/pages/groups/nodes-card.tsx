/** @module The nodes of the fleet: how many groups each leads and follows, and taking one out of placement. */
import { useMemo } from "preact/hooks";
import type { FleetNode, FleetStatus } from "../../../services/raft/fleet-status.ts";
import { Badge } from "../../components/badge.tsx";
import { ResourceCard } from "../../components/card.tsx";
import { type Column, Table } from "../../components/table.tsx";
import { dataOf, type Resource } from "../../data/resource.ts";
import { type LeaderMark, leaderMarks } from "../../fleet/leaders.ts";
import { NodeLink } from "../../fleet/node-link.tsx";
import { NodeState, Swatch } from "../../fleet/node-state.tsx";
import { DrainButton } from "./drain-button.tsx";

export function NodesCard({ fleet }: { readonly fleet: Resource<FleetStatus> }) {
  return (
    <ResourceCard
      title="Nodes"
      flush
      resource={fleet}
      note={dataOf(fleet)?.nodes.length}
      empty={({ nodes }) => (nodes.length === 0 ? "No node is known yet." : null)}
    >
      {(status) => <NodesTable status={status} refetch={fleet.refetch} />}
    </ResourceCard>
  );
}

interface NodesTableProps {
  readonly status: FleetStatus;
  readonly refetch: () => Promise<void>;
}

function NodesTable({ status, refetch }: NodesTableProps) {
  const columns = useMemo(() => columnsFor(status, refetch), [status, refetch]);
  const rows = useMemo(() => [...status.nodes].sort((a, b) => (a.id < b.id ? -1 : 1)), [status]);
  return <Table label="Nodes of the fleet" columns={columns} rows={rows} rowKey={({ id }) => id} />;
}

function columnsFor(status: FleetStatus, refetch: () => Promise<void>): readonly Column<FleetNode>[] {
  const marks: ReadonlyMap<string, LeaderMark> = leaderMarks(status);
  const othersOf = (id: string) =>
    status.nodes.filter((node) => node.id !== id && node.available && !node.draining).length;
  return [
    {
      key: "node",
      title: "Node",
      class: "w-full max-w-0",
      cell: (node) => (
        <span class="flex min-h-12 min-w-0 items-center gap-2.5">
          <Swatch mark={marks.get(node.id)} />
          <span class="flex min-w-0 flex-col items-start gap-1">
            <span class="flex max-w-full min-w-0">
              <NodeLink id={node.id} url={node.url} page="/groups" />
            </span>
            <span class="flex items-center gap-2">
              <NodeState node={node} />
              {node.id === status.node_id && <Badge tone="info">Local</Badge>}
              {node.draining && node.leads > 0 && (
                <span class="text-xs text-muted tabular-nums">{node.leads} left</span>
              )}
            </span>
          </span>
        </span>
      ),
    },
    {
      key: "groups",
      title: "Groups",
      align: "right",
      cell: ({ leads, follows }) => (
        <span class="flex flex-col text-xs leading-5">
          <span>
            leads <b class="inline-block min-w-7 text-sm font-semibold">{leads.toLocaleString("en")}</b>
          </span>
          <span class="text-muted">
            follows <span class="inline-block min-w-7">{follows.toLocaleString("en")}</span>
          </span>
        </span>
      ),
    },
    {
      key: "drain",
      title: "Placement",
      align: "right",
      // As wide when it is busy, so that the table stays as it is.
      cell: (node) => (
        <span class="inline-flex w-21 justify-end">
          <DrainButton node={node} others={othersOf(node.id)} refetch={refetch} />
        </span>
      ),
    },
  ];
}
