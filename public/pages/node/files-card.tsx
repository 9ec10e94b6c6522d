/** @module The files of the node's own folder. */
import type { NodeFacts } from "../../../services/corrosion/contract.ts";
import { Age } from "../../components/age.tsx";
import { Badge } from "../../components/badge.tsx";
import { ResourceCard } from "../../components/card.tsx";
import { type Column, Table } from "../../components/table.tsx";
import { bytesText } from "../../data/bytes.ts";
import { dataOf } from "../../data/resource.ts";
import type { FactsProps } from "./runtime-card.tsx";

const COLUMNS: readonly Column<NodeFacts["files"][number]>[] = [
  {
    key: "path",
    title: "File",
    class: "min-w-44 whitespace-normal break-all",
    cell: ({ path }) => <span class="font-mono text-xs">{path}</span>,
  },
  { key: "size", title: "Size", align: "right", cell: ({ bytes }) => bytesText(bytes) },
  { key: "changed", title: "Changed", cell: ({ modified_at: at }) => <Age at={at} /> },
];

export function FilesCard({ facts }: FactsProps) {
  const count = dataOf(facts)?.files.length;
  return (
    <ResourceCard
      title="Files"
      flush
      resource={facts}
      lines={5}
      note={count !== undefined && <Badge>{count}</Badge>}
      empty={({ files }) => (files.length === 0 ? "The node's folder has no files." : null)}
    >
      {({ files }) => (
        <Table
          label="Files"
          columns={COLUMNS}
          rows={files}
          rowKey={({ path }) => path}
          maxHeight="max-h-80"
        />
      )}
    </ResourceCard>
  );
}
