/** @module What a run measured, drawn: distribution, course, staircases, and the figures of each node. */
import { useMemo } from "preact/hooks";
import { Age } from "../../../components/age.tsx";
import { Badge } from "../../../components/badge.tsx";
import { Card, ResourceCard, Skeleton } from "../../../components/card.tsx";
import { dataOf, type Resource } from "../../../data/resource.ts";
import { msText } from "../../../data/wording.ts";
import type { Report } from "../answers.ts";
import { CHART_HEIGHT } from "./chart-card.tsx";
import { Distribution } from "./distribution.tsx";
import type { NodeLooks } from "./lines.ts";
import type { Axes } from "./lines-options.ts";
import { NodeLines } from "./node-lines.tsx";
import { PerformanceCard } from "./performance-card.tsx";
import { ReceiptsCard } from "./receipts-card.tsx";
import { useSteady } from "./use-steady.ts";

const COURSE: Axes = {
  x: "ms since the first send",
  y: "latency, ms",
  curve: "linear",
  whole: false,
  at: (x) => `sent ${msText(x)} after the first`,
};

const STAIRCASE: Axes = {
  x: "message",
  y: "ms since the node's first receipt",
  curve: "step-after",
  whole: true,
  at: (x) => `message ${x}`,
};

export interface ChartsProps {
  readonly run: string;
  readonly performance: Resource<Report<"performance">>;
  /** Nodes that owe acknowledgements. */
  readonly expected: readonly string[];
  readonly looks: NodeLooks;
}

const UPPER = "grid gap-4 xl:grid-cols-2";
const LOWER = "grid gap-4 xl:grid-cols-[3fr_2fr]";

export function Charts({ performance, ...props }: ChartsProps) {
  const data = dataOf(performance);
  if (data !== null) return <Drawn {...props} data={data} performance={performance} />;
  if (performance.kind === "loading") return <Undrawn />;
  return (
    <ResourceCard title="Charts" resource={performance} lines={8}>
      {() => null}
    </ResourceCard>
  );
}

function Drawn({
  run,
  data,
  performance,
  expected,
  looks,
}: ChartsProps & { readonly data: Report<"performance"> }) {
  const histogram = useSteady(data.latency_histogram);
  const latency = useSteady(data.latency);
  const course = useSteady(data.rtt_time_series);
  const staircase = useSteady(data.receipt_staircase);
  const note = useMemo(
    () =>
      performance.kind === "stale" ? (
        <span class="inline-flex items-center gap-2">
          <Badge tone="warn">stale</Badge>
          <Age at={performance.at} before="updated" />
        </span>
      ) : null,
    [performance],
  );
  return (
    <>
      <div class={UPPER}>
        <Distribution run={run} note={note} histogram={histogram} latency={latency} />
        <NodeLines
          title="Latency over time"
          run={run}
          note={note}
          lines={course}
          expected={expected}
          looks={looks}
          axes={COURSE}
          nothing="No acknowledgement is known so far."
          silence="no acknowledgement"
          remark="Round trips on the sender's clock. Click a node to see it alone."
        />
      </div>
      <div class={LOWER}>
        <NodeLines
          title="Receipt staircase"
          run={run}
          note={note}
          lines={staircase}
          expected={expected}
          looks={looks}
          axes={STAIRCASE}
          nothing="No node has told of a receipt so far."
          silence="no receipt"
          remark="Each node by its own clock: heights of two nodes cannot be compared."
        />
        <ReceiptsCard summary={data.receipt_summary} note={note} />
      </div>
      <PerformanceCard performance={performance} expected={expected} looks={looks} />
    </>
  );
}

/** As large as the charts will be, so that nothing jumps when they come. */
function Undrawn() {
  const waiting = (title: string) => (
    <Card title={title}>
      <div style={{ minHeight: `${CHART_HEIGHT + 56}px` }}>
        <Skeleton lines={9} />
      </div>
    </Card>
  );
  return (
    <>
      <div class={UPPER}>
        {waiting("Latency distribution")}
        {waiting("Latency over time")}
      </div>
      <div class={LOWER}>
        {waiting("Receipt staircase")}
        <Card title="Receipt summary">
          <Skeleton lines={6} />
        </Card>
      </div>
      <Card title="Node performance">
        <Skeleton lines={3} />
      </Card>
    </>
  );
}
