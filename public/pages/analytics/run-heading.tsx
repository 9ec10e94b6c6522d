/** @module Which run the page shows: its id, its state, its plan, and its files. */
import type { ExperimentJson } from "../../../services/analytics/bodies.ts";
import { Age } from "../../components/age.tsx";
import { Badge } from "../../components/badge.tsx";
import { useNow } from "../../data/now.ts";
import { experimentPath } from "./answers.ts";
import { DownloadLinks } from "./download-links.tsx";
import { durationMs, durationText, statusTone } from "./history.ts";
import { isOn } from "./progress.ts";
import { planText } from "./run-form.ts";

export interface RunHeadingProps {
  readonly id: string;
  /** Null: no node has its row, or none has answered yet. */
  readonly experiment: ExperimentJson | null;
}

export function RunHeading({ id, experiment }: RunHeadingProps) {
  return (
    <header>
      <div class="flex flex-wrap items-center gap-x-3 gap-y-2">
        <h2 class="font-mono text-base font-semibold break-all">{id}</h2>
        {experiment !== null && <Badge tone={statusTone(experiment.status)}>{experiment.status}</Badge>}
        {experiment !== null && experiment.run_count > 1 && <Badge>run {experiment.run_count}</Badge>}
        <div class="ml-auto flex gap-2">
          <DownloadLinks
            what={`Experiment ${id}`}
            path={(format) => experimentPath(id, `export?format=${format}`)}
          />
        </div>
      </div>
      <p class="mt-1 min-h-12 text-xs text-muted sm:min-h-4">
        {experiment !== null && <Course experiment={experiment} />}
      </p>
    </header>
  );
}

function Course({ experiment }: { readonly experiment: ExperimentJson }) {
  const now = useNow();
  const { started_at, status, owner_node, transport } = experiment;
  const took = durationText(durationMs({ ...experiment, time_range: null }, now));
  return (
    <>
      {planText(experiment)} over {transport}, led by <span class="font-mono">{owner_node}</span>; started{" "}
      <Age at={started_at} />,{" "}
      <span class="tabular-nums">{isOn(status) ? `on for ${took}` : `took ${took}`}</span>.
    </>
  );
}
