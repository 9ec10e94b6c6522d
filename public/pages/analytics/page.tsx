/** @module Analytics: run an experiment, watch it, look at what it measured, and at earlier ones. */

import { useEffect, useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import type { ExperimentList } from "../../../services/analytics/bodies.ts";
import type { AggregationStatus, AnalyticsEvent } from "../../../services/analytics/contract.ts";
import { Card } from "../../components/card.tsx";
import { Notice } from "../../components/notice.tsx";
import { PageHeading } from "../../components/page-heading.tsx";
import { dataOf } from "../../data/resource.ts";
import { toast } from "../../data/toasts.ts";
import { useResource } from "../../data/use-resource.ts";
import { useStream } from "../../data/use-stream.ts";
import { experimentPath, LIST_PATH, type Report, STATUS_PATH } from "./answers.ts";
import { HistoryCard } from "./history-card.tsx";
import { NodesCard } from "./nodes-card.tsx";
import { type Progress, progressAfter, progressOf } from "./progress.ts";
import { type RefreshMs, RunCard } from "./run-card.tsx";
import { isRunId } from "./run-form.ts";
import { RunReport } from "./run-report.tsx";
import { useRefresh } from "./use-refresh.ts";

export default function AnalyticsPage() {
  const { query, route } = useLocation();
  const [refresh, setRefresh] = useState<RefreshMs>("5000");
  const status = useResource<AggregationStatus>(STATUS_PATH);
  const list = useResource<ExperimentList>(LIST_PATH);
  const running = dataOf(status)?.experiment;

  const asked = query.experiment_id ?? null;
  const wrong = asked !== null && !isRunId(asked);
  const shown = asked !== null ? (wrong ? null : asked) : (running?.id ?? null);
  const reports = useReports(shown);

  const summary = dataOf(reports.summary)?.experiment ?? null;
  const row = running ?? summary;
  const [progress, setProgress] = useState<Progress | null>(null);
  useEffect(() => setProgress((before) => (row === null ? null : progressOf(row, before))), [row]);

  const all = [status, list, ...Object.values(reports)];
  const reload = () => Promise.all(all.map((resource) => resource.reload()));
  const refetch = () => Promise.all(all.map((resource) => resource.refetch()));
  useRefresh(Number(refresh), reload);
  useStream(
    [...new Set([shown, running?.id ?? null])].flatMap((id) => (id === null ? [] : `analytics:${id}`)),
    {
      onEvents(events) {
        // The one event of these topics.
        const news = events.map(({ data }) => data as AnalyticsEvent);
        setProgress((before) => (before === null ? null : news.reduce(progressAfter, before)));
        for (const event of news) if (event.type === "experiment_stopped") tellEnd(event);
        if (news.some(({ type }) => type === "experiment_stopped")) void refetch();
        else if (news.some(({ type }) => type !== "message_progress")) void reload();
      },
      onReconnect: refetch,
    },
  );

  const view = (id: string | null) => route(pathOf(id));

  // A run that is on is kept in sight, so that what it measured is still there when it is over.
  const pinned = asked === null ? (running?.id ?? null) : null;
  useEffect(() => {
    if (pinned !== null) route(pathOf(pinned), true);
  }, [pinned, route]);

  return (
    <div class="space-y-4">
      <PageHeading title="Analytics">How fast, and how surely, a message reaches every node.</PageHeading>
      <div class="grid gap-4 lg:grid-cols-[3fr_2fr]">
        <RunCard
          running={status.kind === "loading" || status.kind === "error" ? undefined : (running ?? null)}
          progress={progress}
          refresh={refresh}
          onRefresh={setRefresh}
          onRefreshNow={refetch}
          onStarted={view}
        />
        <NodesCard status={status} />
      </div>
      <HistoryCard
        list={list}
        shown={shown}
        onView={view}
        onDeleted={(id) => {
          if (id === null || id === shown) view(null);
        }}
      />
      {wrong && (
        <Notice tone="bad">
          The address asks for {JSON.stringify(asked)}, which is no id of an experiment.
        </Notice>
      )}
      {shown !== null && <RunReport key={shown} id={shown} reports={reports} />}
      {shown === null && !wrong && (
        <Card title="Results">
          <p class="text-muted">
            Start an experiment, or choose View in the history, to see what it measured.
          </p>
        </Card>
      )}
    </div>
  );
}

function pathOf(id: string | null): string {
  return id === null ? "/analytics" : `/analytics?experiment_id=${encodeURIComponent(id)}`;
}

function useReports(id: string | null) {
  const path = (kind: string) => (id === null ? null : experimentPath(id, kind));
  return {
    summary: useResource<Report<"summary">>(path("summary")),
    performance: useResource<Report<"performance">>(path("performance")),
    timing: useResource<Report<"timing">>(path("timing")),
    metrics: useResource<Report<"metrics">>(path("metrics")),
  };
}

function tellEnd({
  experiment_id: id,
  status,
}: Extract<AnalyticsEvent, { type: "experiment_stopped" }>): void {
  const text = `Experiment ${id}: ${status}.`;
  if (status === "failed" || status === "interrupted") toast.error(text);
  else toast.info(text);
}
