/** @module The nodes of the fleet, and how many groups each leads and follows. */
import { useMemo } from "preact/hooks";
import type { FleetNode, FleetStatus } from "../../../services/raft/fleet-status.ts";
import { Badge } from "../../components/badge.tsx";
import { ResourceCard } from "../../components/card.tsx";
import { type Column, Table } from "../../components/table.tsx";
import { dataOf, type Resource } from "../../data/resource.ts";
import { type LeaderMark, leaderMarks } from "../../fleet/leaders.ts";
import { NodeState, Swatch } from "../../fleet/node-state.tsx";

export function NodesCard({ fleet }: { readonly fleet: Resource<FleetStatus> }) {
  return (
    <ResourceCard
      title="Nodes"
      flush
      resource={fleet}
      note={dataOf(fleet)?.nodes.length}
      empty={({ nodes }) => (nodes.length === 0 ? "No node is known yet." : null)}
    >
      {(status) => <NodesTable status={status} />}
    </ResourceCard>
  );
}

function NodesTable({ status }: { readonly status: FleetStatus }) {
  const marks = useMemo(() => leaderMarks(status), [status]);
  const rows = useMemo(() => [...status.nodes].sort((a, b) => (a.id < b.id ? -1 : 1)), [status]);
  return (
    <>
      <Table
        label="Nodes of the fleet"
        columns={columnsFor(marks, status.node_id)}
        rows={rows}
        rowKey={({ id }) => id}
      />
      <p class="px-4 py-2 text-xs text-muted">
        To take a node out of service, use <code class="font-mono">fleet drain &lt;node&gt;</code> in the
        REPL: it hands its groups over, and ends.
      </p>
    </>
  );
}

function columnsFor(marks: ReadonlyMap<string, LeaderMark>, own: string): readonly Column<FleetNode>[] {
  return [
    {
      key: "node",
      title: "Node",
      cell: ({ id, url }) => (
        <span class="inline-flex items-center gap-2">
          <Swatch mark={marks.get(id)} />
          <NodeLink id={id} url={url} />
          {id === own && <Badge tone="info">Local</Badge>}
        </span>
      ),
    },
    { key: "state", title: "State", cell: (node) => <NodeState node={node} /> },
    { key: "leads", title: "Leads", align: "right", cell: ({ leads }) => leads.toLocaleString("en") },
    { key: "follows", title: "Follows", align: "right", cell: ({ follows }) => follows.toLocaleString("en") },
  ];
}

/** To the node's own dashboard; only to what a browser opens as a page. */
function NodeLink({ id, url }: Pick<FleetNode, "id" | "url">) {
  if (url === null || !/^https?:\/\//.test(url)) return <span class="font-mono text-xs">{id}</span>;
  return (
    <a
      class="font-mono text-xs text-accent underline-offset-2 hover:underline"
      href={`${url.replace(/\/$/, "")}/groups`}
      title={`The dashboard of ${id}`}
    >
      {id}
    </a>
  );
}
