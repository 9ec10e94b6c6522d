/** @module Who thinks what of whom: observers across, subjects down, rows marked where they differ. */
import { Badge } from "../../components/badge.tsx";
import { type Column, Table } from "../../components/table.tsx";
import type { DisagreementsAnswer } from "../../data/sourced.ts";
import { ActorId, NodeName, StateBadge } from "./cells.tsx";
import { SourceCard } from "./source-card.tsx";
import type { Source } from "./use-source.ts";

type Matrix = DisagreementsAnswer["data"];
type Subject = Matrix["subjects"][number];

export function DisagreementCard({ source }: { readonly source: Source<Matrix> }) {
  return (
    <SourceCard
      source={source}
      title="Disagreement"
      count={({ subjects }) => subjects.filter(({ disagreement }) => disagreement).length}
      empty={({ subjects }) => (subjects.length === 0 ? "No node has seen a member yet." : null)}
    >
      {(matrix) => (
        <>
          <Table
            label="Who thinks what of whom"
            columns={columnsOf(matrix)}
            rows={matrix.subjects}
            rowKey={({ id }) => id}
            rowClass={({ disagreement }) => (disagreement ? "bg-warn-soft/60" : "")}
          />
          <p class="px-4 py-2 text-xs text-muted">
            {matrix.disagreement
              ? "Marked rows: nodes whose views are under 90 s old think differently of this one."
              : "All nodes whose views are under 90 s old think the same."}
          </p>
          <Silent matrix={matrix} />
        </>
      )}
    </SourceCard>
  );
}

function columnsOf({ observers }: Matrix): readonly Column<Subject>[] {
  const subject: Column<Subject> = {
    key: "subject",
    title: "Of \\ thinks",
    cell: ({ id, node_id, disagreement }) => (
      <span class="inline-flex items-center gap-2">
        {node_id === null ? <ActorId id={id} /> : <NodeName id={node_id} />}
        {disagreement && <Badge tone="warn">differs</Badge>}
      </span>
    ),
  };
  return [
    subject,
    ...observers.map(
      ({ node_id }, i): Column<Subject> => ({
        key: node_id,
        title: node_id,
        cell: ({ states }) => <StateBadge state={states[i] ?? null} />,
      }),
    ),
  ];
}

/** Observers that say nothing, or whose own look failed, with why. */
function Silent({ matrix }: { readonly matrix: Matrix }) {
  const silent = matrix.observers.filter(({ reason }) => reason !== null);
  if (silent.length === 0) return null;
  return (
    <ul class="space-y-0.5 px-4 pb-3 text-xs text-warn">
      {silent.map(({ node_id, reason }) => (
        <li key={node_id}>
          <span class="font-mono">{node_id}</span>: {reason}
        </li>
      ))}
    </ul>
  );
}
