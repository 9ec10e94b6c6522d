/** @module The newest runs: look at one, delete it, or put some beside each other. */

import { useState } from "preact/hooks";
import type { ExperimentList, ListEntry } from "../../../services/analytics/bodies.ts";
import type { DeletedOn } from "../../../services/analytics/contract.ts";
import { Age } from "../../components/age.tsx";
import { Badge } from "../../components/badge.tsx";
import { Button } from "../../components/button.tsx";
import { ResourceCard } from "../../components/card.tsx";
import { Notice } from "../../components/notice.tsx";
import { type Column, Table } from "../../components/table.tsx";
import { send } from "../../data/api.ts";
import { useNow } from "../../data/now.ts";
import type { Resource } from "../../data/resource.ts";
import { tell } from "../../data/toasts.ts";
import { countText } from "../../data/wording.ts";
import { confirmed } from "../../shell/confirm.tsx";
import { ALL_PATH, experimentPath } from "./answers.ts";
import { ComparisonCard } from "./comparison-card.tsx";
import {
  deletionText,
  durationMs,
  durationText,
  LEAST_COMPARED,
  MOST_COMPARED,
  SHOWN,
  startOf,
  statusTone,
  stillThere,
  ticked,
} from "./history.ts";

export interface HistoryCardProps {
  readonly list: Resource<ExperimentList>;
  /** The run that the page shows. */
  readonly shown: string | null;
  readonly onView: (id: string) => void;
  /** Null: all of them. */
  readonly onDeleted: (id: string | null) => void;
}

export function HistoryCard({ list, shown, onView, onDeleted }: HistoryCardProps) {
  const [ticks, setTicks] = useState<readonly string[]>([]);
  const [compared, setCompared] = useState<readonly string[]>([]);
  const known = list.kind === "ok" || list.kind === "stale" ? list.data : null;
  const newest = known?.experiments.slice(0, SHOWN) ?? [];
  const chosen = stillThere(ticks, newest);

  async function remove(id: string): Promise<void> {
    const question = {
      title: "Delete this experiment?",
      text: `All that was recorded of ${id} is deleted on every node that can be reached. This cannot be undone.`,
      action: "Delete experiment",
    };
    if (!(await confirmed(question))) return;
    await deleted(id, experimentPath(id), `Experiment ${id} was`);
  }

  async function clear(): Promise<void> {
    const question = {
      title: "Clear the history?",
      text: `All ${known?.count ?? 0} experiments are deleted on every node that can be reached. This cannot be undone.`,
      action: "Clear History",
    };
    if (!(await confirmed(question))) return;
    await deleted(null, ALL_PATH, "All experiments were");
  }

  async function deleted(id: string | null, path: string, what: string): Promise<void> {
    const answer = await tell(() => send<DeletedOn>("DELETE", path), {
      done: (result) => deletionText(what, result),
      failed: "Nothing was deleted",
    });
    if (answer === null) return;
    setTicks((before) => before.filter((one) => id !== null && one !== id));
    setCompared((before) => (id === null || before.includes(id) ? [] : before));
    onDeleted(id);
    await list.refetch();
  }

  return (
    <>
      <ResourceCard
        title="History"
        resource={list}
        flush
        lines={6}
        note={
          known === null || known.count === 0 ? null : (
            <span>
              {known.count > SHOWN
                ? `${SHOWN} newest of ${known.count}`
                : countText(known.count, "experiment")}
            </span>
          )
        }
        actions={
          <>
            <Button
              size="small"
              disabled={chosen.length < LEAST_COMPARED}
              title={`Tick ${LEAST_COMPARED} to ${MOST_COMPARED} experiments`}
              onPress={() => setCompared(chosen)}
            >
              Compare {chosen.length > 0 ? chosen.length : ""}
            </Button>
            <Button size="small" disabled={newest.length === 0} onPress={clear}>
              Clear History
            </Button>
          </>
        }
        empty={({ count }) => (count === 0 ? "No experiment was run yet." : null)}
      >
        {({ nodes_missing: missing = [] }) => (
          <>
            {missing.length > 0 && (
              <div class="p-3">
                <Notice tone="warn">
                  Not asked, so their experiments may be missing: {missing.join(", ")}.
                </Notice>
              </div>
            )}
            <Table
              label="History"
              columns={columnsOf({
                chosen,
                shown,
                onView,
                remove,
                tick: (id) => setTicks(ticked(chosen, id)),
              })}
              rows={newest}
              rowKey={({ experiment_id: id }) => id}
              rowClass={({ experiment_id: id }) => (id === shown ? "bg-accent-soft/40" : "")}
            />
          </>
        )}
      </ResourceCard>
      {compared.length > 0 && <ComparisonCard ids={compared} onClose={() => setCompared([])} />}
    </>
  );
}

interface Choice {
  readonly chosen: readonly string[];
  readonly shown: string | null;
  readonly onView: (id: string) => void;
  readonly remove: (id: string) => Promise<void>;
  readonly tick: (id: string) => void;
}

function columnsOf({ chosen, shown, onView, remove, tick }: Choice): readonly Column<ListEntry>[] {
  return [
    {
      key: "tick",
      title: "Compare",
      cell: ({ experiment_id: id }) => (
        <input
          type="checkbox"
          class="size-4 align-middle accent-(--accent-strong)"
          aria-label={`Compare ${id}`}
          checked={chosen.includes(id)}
          disabled={!chosen.includes(id) && chosen.length >= MOST_COMPARED}
          onChange={() => tick(id)}
        />
      ),
    },
    {
      key: "id",
      title: "Experiment",
      cell: ({ experiment_id: id, transport }) => (
        <span class="inline-flex items-center gap-2">
          <span class="font-mono text-xs">{id}</span>
          {transport === "pubsub" && <Badge>pubsub</Badge>}
        </span>
      ),
    },
    {
      key: "started",
      title: "Started",
      cell: (run) => {
        const start = startOf(run);
        return start === null ? <span class="text-muted">–</span> : <Age at={start} />;
      },
    },
    { key: "duration", title: "Duration", align: "right", cell: (run) => <Duration run={run} /> },
    { key: "messages", title: "Messages", align: "right", cell: ({ send_count: n }) => n },
    { key: "acks", title: "Acks", align: "right", cell: ({ ack_count: n }) => n },
    {
      key: "status",
      title: "Status",
      cell: ({ status }) => <Badge tone={statusTone(status)}>{status ?? "unknown"}</Badge>,
    },
    {
      key: "actions",
      title: "Actions",
      cell: ({ experiment_id: id, status }) => (
        <span class="inline-flex gap-1.5">
          <Button size="small" pressed={id === shown} label={`View ${id}`} onPress={() => onView(id)}>
            View
          </Button>
          <Button
            size="small"
            label={`Delete ${id}`}
            disabled={status === "running" || status === "finalizing"}
            onPress={() => remove(id)}
          >
            Delete
          </Button>
        </span>
      ),
    },
  ];
}

function Duration({ run }: { readonly run: ListEntry }) {
  const now = useNow();
  return <>{durationText(durationMs(run, now))}</>;
}
