/** @module The variables that the node reads, what is secret in them replaced by the node itself. */
import { useState } from "preact/hooks";
import { Badge } from "../../components/badge.tsx";
import { Button } from "../../components/button.tsx";
import { ResourceCard } from "../../components/card.tsx";
import { type Column, Table } from "../../components/table.tsx";
import { dataOf } from "../../data/resource.ts";
import type { FactsProps } from "./runtime-card.tsx";

type Variable = readonly [name: string, value: string | null];

const COLUMNS: readonly Column<Variable>[] = [
  { key: "name", title: "Variable", cell: ([name]) => <span class="font-mono text-xs">{name}</span> },
  { key: "value", title: "Value", class: "break-all", cell: ([, value]) => <Value value={value} /> },
];

function Value({ value }: { readonly value: string | null }) {
  if (value === null) return <span class="text-xs text-muted">not set</span>;
  return value === "[redacted]" ? (
    <Badge tone="warn">redacted</Badge>
  ) : (
    <span class="font-mono text-xs">{value}</span>
  );
}

export function EnvironmentCard({ facts }: FactsProps) {
  const [all, setAll] = useState(false);
  const variables = Object.entries(dataOf(facts)?.variables ?? {});
  const set = variables.filter(([, value]) => value !== null);
  const shown = all ? variables : set;
  return (
    <ResourceCard
      title="Environment"
      flush
      resource={facts}
      lines={6}
      at={() => null}
      empty={() => (shown.length === 0 ? "No variable is set: everything has its default." : null)}
      actions={
        variables.length > set.length && (
          <Button size="small" tone="quiet" pressed={all} onPress={() => setAll(!all)}>
            {all ? "Only those that are set" : `Show all (${variables.length})`}
          </Button>
        )
      }
    >
      {() => (
        <Table
          label="Environment"
          columns={COLUMNS}
          rows={shown}
          rowKey={([name]) => name}
          maxHeight="max-h-80"
        />
      )}
    </ResourceCard>
  );
}
