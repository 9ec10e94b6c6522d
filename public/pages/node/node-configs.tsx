/** @module What `node_configs` says of every node. */
import type { NodeConfigRow } from "../../../services/corrosion/contract.ts";
import { Age } from "../../components/age.tsx";
import { Badge } from "../../components/badge.tsx";
import { Button } from "../../components/button.tsx";
import { Skeleton } from "../../components/card.tsx";
import { Copy } from "../../components/copy.tsx";
import { Notice } from "../../components/notice.tsx";
import { type Column, Table } from "../../components/table.tsx";
import { sentenceOf } from "../../data/api-error.ts";
import { dataOf, errorOf, type Resource } from "../../data/resource.ts";
import { nodeFacts } from "../../shell/node-facts.ts";
import { hostsOfRow } from "./host-problems.ts";

/** `GET /api/config/nodes`. */
export interface ConfigsAnswer {
  readonly node_configs: readonly NodeConfigRow[];
  readonly count: number;
}

const COLUMNS: readonly Column<NodeConfigRow>[] = [
  {
    key: "node",
    title: "Node",
    cell: ({ node_id }) => (
      <span class="inline-flex items-center gap-2">
        <span class="font-mono text-xs">{node_id}</span>
        {node_id === nodeFacts.value?.node_id && <Badge tone="info">Local</Badge>}
      </span>
    ),
  },
  {
    key: "actor",
    title: "Actor",
    cell: ({ corrosion_actor_id: id }) =>
      id === null ? "–" : <Copy text={id} what="actor id" shown={`${id.slice(0, 8)}…`} />,
  },
  {
    key: "hosts",
    title: "Bootstrap hosts",
    class: "min-w-40 whitespace-normal break-words",
    cell: ({ bootstrap_hosts }) => (
      <span class="font-mono text-xs">{hostsOfRow(bootstrap_hosts).join(", ") || "none"}</span>
    ),
  },
  {
    key: "updated",
    title: "Updated",
    cell: ({ updated_at, updated_by }) =>
      updated_at === "" ? (
        "–"
      ) : (
        <span>
          <Age at={updated_at} /> {updated_by !== "" && <span class="text-muted">by {updated_by}</span>}
        </span>
      ),
  },
];

export function NodeConfigs({ configs }: { readonly configs: Resource<ConfigsAnswer> }) {
  const rows = dataOf(configs)?.node_configs ?? null;
  const problem = errorOf(configs);
  return (
    <div>
      <h3 class="mb-1 text-xs font-semibold">node_configs</h3>
      {problem !== null && (
        <Notice
          tone={rows === null ? "bad" : "warn"}
          action={
            <Button size="small" busy={configs.busy} onPress={configs.reload}>
              Retry
            </Button>
          }
        >
          {sentenceOf(problem)}
        </Notice>
      )}
      {configs.kind === "loading" && <Skeleton lines={3} />}
      {rows?.length === 0 && <p class="text-muted">No node has written its row yet.</p>}
      {rows !== null && rows.length > 0 && (
        <div class="overflow-hidden rounded-md border border-line">
          <Table
            label="node_configs"
            columns={COLUMNS}
            rows={rows}
            rowKey={({ node_id }) => node_id}
            maxHeight="max-h-72"
          />
        </div>
      )}
    </div>
  );
}
