/** @module The newest experiment that the cluster knows. */

import type { ExperimentList, ListEntry } from "../../../services/analytics/bodies.ts";
import { Age } from "../../components/age.tsx";
import { Badge } from "../../components/badge.tsx";
import { ResourceCard } from "../../components/card.tsx";
import { Fact, Facts, More } from "../../components/facts.tsx";
import { EXPERIMENT_TONES } from "../../components/state-tones.ts";
import { ApiError } from "../../data/api-error.ts";
import { errorOf } from "../../data/resource.ts";
import { useResource } from "../../data/use-resource.ts";

const POLL_MS = 10_000;

/** Nothing on a node that records no experiments. */
export function LastExperimentCard() {
  const list = useResource<ExperimentList>("/api/analytics/experiments/list", { pollMs: POLL_MS });
  const error = errorOf(list);
  if (error instanceof ApiError && error.status === 404) return null;
  return (
    <ResourceCard
      title="Last experiment"
      resource={list}
      lines={4}
      actions={<More href="/analytics">Analytics</More>}
      empty={({ experiments }) => (experiments.length === 0 ? "No experiment was run yet." : null)}
    >
      {({ experiments, count }) => {
        const last = experiments[0];
        return last === undefined ? null : <Experiment experiment={last} count={count} />;
      }}
    </ResourceCard>
  );
}

interface ExperimentProps {
  readonly experiment: ListEntry;
  /** How many there are in all. */
  readonly count: number;
}

function Experiment({ experiment: { experiment_id: id, ...run }, count }: ExperimentProps) {
  return (
    <Facts>
      <Fact name="Id">
        <a
          class="min-w-0 rounded font-mono text-xs break-all text-accent underline-offset-2 hover:underline"
          href={`/analytics?experiment_id=${encodeURIComponent(id)}`}
        >
          {id}
        </a>
      </Fact>
      <Fact name="State">
        {run.status === null ? (
          <Badge>unknown</Badge>
        ) : (
          <Badge tone={EXPERIMENT_TONES[run.status]}>{run.status}</Badge>
        )}
        {run.time_range !== null && (
          <span class="text-xs font-normal text-muted">
            <Age at={run.time_range.start} />
          </span>
        )}
      </Fact>
      <Fact name="Sent">{run.send_count}</Fact>
      <Fact name="Acks">{run.ack_count}</Fact>
      <Fact name="Known">{count}</Fact>
    </Facts>
  );
}
