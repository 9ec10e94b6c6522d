/** @module All that is known of one run: its numbers, charts and tables. */
import { useMemo } from "preact/hooks";
import { Button } from "../../components/button.tsx";
import { Notice } from "../../components/notice.tsx";
import { sentenceOf } from "../../data/api-error.ts";
import type { Resource } from "../../data/resource.ts";
import { dataOf, errorOf } from "../../data/resource.ts";
import type { Report } from "./answers.ts";
import { Charts } from "./charts/charts.tsx";
import { nodeLooks, owing } from "./charts/lines.ts";
import { useSteady } from "./charts/use-steady.ts";
import { Figures } from "./figures.tsx";
import { MetricsCard, TimingCard } from "./rows-cards.tsx";
import { RunHeading } from "./run-heading.tsx";

export interface RunReports {
  readonly summary: Resource<Report<"summary">>;
  readonly performance: Resource<Report<"performance">>;
  readonly timing: Resource<Report<"timing">>;
  readonly metrics: Resource<Report<"metrics">>;
}

export function RunReport({ id, reports }: { readonly id: string; readonly reports: RunReports }) {
  const { summary, performance, timing, metrics } = reports;
  const body = dataOf(summary);
  const experiment = body?.experiment ?? null;
  const failure = errorOf(summary);
  const expected = useSteady(owing(experiment));
  const looks = useLooks(reports);
  return (
    <section aria-label={`Experiment ${id}`} class="space-y-4">
      <RunHeading id={id} experiment={experiment} />
      {failure !== null && (
        <Notice
          tone={body === null ? "bad" : "warn"}
          action={
            <Button size="small" busy={summary.busy} onPress={summary.reload}>
              Retry
            </Button>
          }
        >
          {sentenceOf(failure)}
        </Notice>
      )}
      {body !== null && body.nodes_missing.length > 0 && (
        <Notice tone="warn">
          Missing from this report: {body.nodes_missing.join(", ")}. Counts are too low, and the ack rate says
          nothing yet.
        </Notice>
      )}
      {body !== null && experiment === null && body.message_count === 0 && (
        <Notice tone="plain">No node knows an experiment of this id.</Notice>
      )}
      {experiment?.error != null && <Notice tone="bad">{sentenceOf(experiment.error)}</Notice>}
      <Figures summary={summary} />
      <Charts run={id} performance={performance} expected={expected} looks={looks} />
      <TimingCard timing={timing} />
      <MetricsCard metrics={metrics} looks={looks} />
    </section>
  );
}

/** Of all nodes that were there at the start or are in any chart: who joins later changes nobody's colour. */
function useLooks({ summary, performance }: RunReports) {
  const charts = dataOf(performance);
  const nodes = useSteady([
    ...(dataOf(summary)?.experiment?.expected_nodes ?? []),
    ...[charts?.rtt_time_series, charts?.receipt_staircase].flatMap(
      (lines) => lines?.map(({ node_id }) => node_id) ?? [],
    ),
  ]);
  return useMemo(() => nodeLooks(nodes), [nodes]);
}
