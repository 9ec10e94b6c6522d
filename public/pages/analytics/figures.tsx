/** @module The six numbers of a run. */
import { dataOf, type ResourceState } from "../../data/resource.ts";
import { Figure } from "../../fleet/figure.tsx";
import type { Report } from "./answers.ts";

export function Figures({ summary }: { readonly summary: ResourceState<Report<"summary">> }) {
  const data = dataOf(summary);
  const number = (of: (body: Report<"summary">) => number | string) => (data === null ? "–" : of(data));
  return (
    <div class="grid grid-cols-2 gap-3 sm:grid-cols-3 xl:grid-cols-6">
      <Figure
        title="Nodes"
        value={number(({ remote_node_count: n, experiment }) => (experiment === null && n === 0 ? 0 : n + 1))}
      >
        the sender included
      </Figure>
      <Figure title="Sent" value={number(({ send_count: n }) => n)}>
        messages
      </Figure>
      <Figure title="Acked" value={number(({ ack_count: n }) => n)}>
        one a message and node
      </Figure>
      <Figure title="Ack rate" value={number(({ ack_rate: rate }) => (rate === null ? "–" : `${rate} %`))}>
        of all that is owed
      </Figure>
      <Figure title="Metrics" value={number(({ system_metrics_count: n }) => n)}>
        samples of the nodes
      </Figure>
      <Figure title="Snapshots" value={number(({ topology_snapshots_count: n }) => n)}>
        of the topology
      </Figure>
    </div>
  );
}
