/** @module All that is known of one run: its numbers, charts and tables. */

import { Button } from "../../components/button.tsx";
import { Notice } from "../../components/notice.tsx";
import { sentenceOf } from "../../data/api-error.ts";
import type { Resource } from "../../data/resource.ts";
import { dataOf, errorOf } from "../../data/resource.ts";
import { experimentPath, type Report } from "./answers.ts";
import { Charts } from "./charts/charts.tsx";
import { DownloadLinks } from "./download-links.tsx";
import { Figures } from "./figures.tsx";
import { MetricsCard, TimingCard } from "./rows-cards.tsx";

export interface RunReports {
  readonly summary: Resource<Report<"summary">>;
  readonly performance: Resource<Report<"performance">>;
  readonly timing: Resource<Report<"timing">>;
  readonly metrics: Resource<Report<"metrics">>;
}

export function RunReport({ id, reports }: { readonly id: string; readonly reports: RunReports }) {
  const { summary, performance, timing, metrics } = reports;
  const body = dataOf(summary);
  const failure = errorOf(summary);
  return (
    <section aria-label={`Experiment ${id}`} class="space-y-4">
      <div class="flex flex-wrap items-center gap-x-3 gap-y-2">
        <h2 class="font-mono text-sm font-semibold break-all">{id}</h2>
        <div class="ml-auto flex gap-2">
          <DownloadLinks
            what={`Experiment ${id}`}
            path={(format) => experimentPath(id, `export?format=${format}`)}
          />
        </div>
      </div>
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
      {body !== null && body.experiment === null && body.message_count === 0 && (
        <Notice tone="plain">No node knows an experiment of this id.</Notice>
      )}
      {body?.experiment?.error != null && <Notice tone="bad">{sentenceOf(body.experiment.error)}</Notice>}
      <Figures summary={summary} />
      <Charts run={id} performance={performance} />
      <div class="grid gap-4 xl:grid-cols-2">
        <TimingCard timing={timing} />
        <MetricsCard metrics={metrics} />
      </div>
    </section>
  );
}
