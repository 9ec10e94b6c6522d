/** @module The form of a run: what it is to do, locked while one is on, with its progress. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { AggregationStatus } from "../../../services/analytics/contract.ts";
import { Badge } from "../../components/badge.tsx";
import { Button } from "../../components/button.tsx";
import { Card } from "../../components/card.tsx";
import { Field, Select } from "../../components/field.tsx";
import { send } from "../../data/api.ts";
import { ApiError } from "../../data/api-error.ts";
import { tell } from "../../data/toasts.ts";
import { statusTone } from "./history.ts";
import { isOn, type Progress } from "./progress.ts";
import { ProgressBar } from "./progress-bar.tsx";
import {
  errorsOfNode,
  freshFields,
  LIMITS,
  proposedId,
  type RunErrors,
  type RunFields,
  readRun,
} from "./run-form.ts";

export const REFRESHES = [
  ["1000", "1 s"],
  ["5000", "5 s"],
  ["10000", "10 s"],
  ["30000", "30 s"],
] as const;
export type RefreshMs = (typeof REFRESHES)[number][0];

const TRANSPORTS = [
  ["gossip", "gossip: rows in Corrosion"],
  ["pubsub", "pubsub: over the bus"],
] as const;

export interface RunCardProps {
  /** The run that the node is in; null: none, undefined: not known yet. */
  readonly running: AggregationStatus["experiment"] | undefined;
  /** Of the run that is on, or else of the one that is shown. */
  readonly progress: Progress | null;
  readonly refresh: RefreshMs;
  readonly onRefresh: (ms: RefreshMs) => void;
  readonly onRefreshNow: () => Promise<unknown>;
  /** A run has begun. */
  readonly onStarted: (id: string) => void;
}

export function RunCard({ running, progress, refresh, onRefresh, onRefreshNow, onStarted }: RunCardProps) {
  const [fields, setFields] = useState(() => freshFields(new Date()));
  const [errors, setErrors] = useState<RunErrors>({});
  const [starting, setStarting] = useState(false);
  const locked = running != null || starting;
  useNextId(running?.id ?? null, (experiment_id) => setFields((before) => ({ ...before, experiment_id })));

  const shown = running == null ? fields : fieldsOf(running);
  const field = (name: keyof RunFields) => ({
    value: shown[name],
    error: locked ? null : (errors[name] ?? null),
    disabled: locked,
    onChange: (value: string) => {
      setFields((before) => ({ ...before, [name]: value }));
      setErrors(({ [name]: _, ...others }) => others);
    },
  });

  async function start(): Promise<void> {
    const read = readRun(fields);
    setErrors(read.ok ? {} : read.errors);
    if (!read.ok) return;
    setStarting(true);
    const started = await tell(
      async () => {
        try {
          await send("POST", "/api/analytics/aggregation/start", read.run);
          return read.run.experiment_id;
        } catch (error) {
          if (error instanceof ApiError) setErrors(errorsOfNode(error.fields));
          throw error;
        }
      },
      { done: (id) => `Experiment ${id} has begun.`, failed: "The experiment was not started" },
    );
    if (started !== null) onStarted(started);
    await onRefreshNow();
    setStarting(false);
  }

  async function stop(): Promise<void> {
    await tell(() => send<{ experiment_id: string | null }>("POST", "/api/analytics/aggregation/stop"), {
      done: ({ experiment_id: id }) =>
        id === null ? "No experiment was on any more." : `Experiment ${id} was stopped.`,
      failed: "The experiment was not stopped",
    });
    await onRefreshNow();
  }

  return (
    <Card
      title="Experiment"
      note={
        running == null ? null : (
          <span>
            {running.role === "leading" ? "led by this node" : `led by ${running.owner_node}`}; locked until
            it is over
          </span>
        )
      }
    >
      <form
        class="space-y-4"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (!locked) void start();
        }}
      >
        <div class="grid gap-3 sm:grid-cols-2">
          <Select
            label="Transport"
            options={TRANSPORTS}
            value={shown.transport}
            disabled={locked}
            onChange={(transport) => setFields((before) => ({ ...before, transport }))}
          />
          <Field label="Experiment id" mono {...field("experiment_id")} />
        </div>
        <div class="grid grid-cols-2 gap-3 sm:grid-cols-3">
          <Field
            label="Messages"
            hint={`${limits("message_count")}; 0: until stopped`}
            type="number"
            {...LIMITS.message_count}
            {...field("message_count")}
          />
          <Field
            label="Interval, ms"
            hint={limits("interval_ms")}
            type="number"
            {...LIMITS.interval_ms}
            {...field("interval_ms")}
          />
          <Field
            label="Payload, bytes"
            hint={`${limits("payload_bytes")}; 0: not padded`}
            type="number"
            {...LIMITS.payload_bytes}
            {...field("payload_bytes")}
          />
        </div>
        <div class="flex flex-wrap items-end gap-2">
          <Button type="submit" tone="primary" busy={starting} disabled={locked || running === undefined}>
            Start Experiment
          </Button>
          <Button tone="danger" disabled={running == null} onPress={stop}>
            Stop
          </Button>
          <div class="ml-auto flex items-end gap-2">
            <Select label="Refresh" options={REFRESHES} value={refresh} onChange={onRefresh} />
            <Button onPress={onRefreshNow}>Refresh Now</Button>
          </div>
        </div>
      </form>
      <div class="mt-4 min-h-14 border-t border-line pt-3">
        {progress === null ? (
          <p class="text-xs text-muted">
            {running === undefined ? "Whether an experiment is on is not known yet." : "No experiment is on."}
          </p>
        ) : (
          <>
            <p class="mb-2 flex flex-wrap items-center gap-2 text-xs">
              <span class="font-mono break-all">{progress.id}</span>
              <Badge tone={statusTone(progress.status)}>{progress.status}</Badge>
            </p>
            <ProgressBar progress={progress} on={isOn(progress.status)} />
          </>
        )}
      </div>
    </Card>
  );
}

function limits(name: keyof typeof LIMITS): string {
  const { min, max } = LIMITS[name];
  return `${min} to ${max.toLocaleString("en")}`;
}

/** When a run is over, an id for the next one. */
function useNextId(running: string | null, propose: (id: string) => void): void {
  const before = useRef(running);
  useEffect(() => {
    if (before.current !== null && running === null) propose(proposedId(new Date()));
    before.current = running;
  }, [running]);
}

function fieldsOf(running: NonNullable<AggregationStatus["experiment"]>): RunFields {
  return {
    experiment_id: running.id,
    transport: running.transport,
    message_count: String(running.message_count),
    interval_ms: String(running.interval_ms),
    payload_bytes: String(running.payload_bytes),
  };
}
