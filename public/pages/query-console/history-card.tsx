/** @module What ran lately on this node; a click brings it back into the editor. */
import { useState } from "preact/hooks";
import type { ConsoleRunRecord } from "../../../services/corrosion/contract.ts";
import { Age } from "../../components/age.tsx";
import { Badge } from "../../components/badge.tsx";
import { Button } from "../../components/button.tsx";
import { ResourceCard } from "../../components/card.tsx";
import type { Resource } from "../../data/resource.ts";
import { countText, msText } from "../../data/wording.ts";

export interface HistoryCardProps {
  readonly history: Resource<{ readonly history: readonly ConsoleRunRecord[] }>;
  readonly onReload: (run: ConsoleRunRecord) => void;
}

const SHOWN = 5;

export function HistoryCard({ history, onReload }: HistoryCardProps) {
  const [all, setAll] = useState(false);
  const known = history.kind === "ok" || history.kind === "stale" ? history.data.history.length : 0;
  return (
    <ResourceCard
      title="History"
      flush
      lines={5}
      resource={history}
      at={() => null}
      empty={({ history: runs }) => (runs.length === 0 ? "Nothing has been run on this node yet." : null)}
      actions={
        known > SHOWN && (
          <Button size="small" tone="quiet" pressed={all} onPress={() => setAll(!all)}>
            {all ? "Show fewer" : `Show all (${known})`}
          </Button>
        )
      }
    >
      {({ history: runs }) => (
        <ul class="max-h-[40rem] divide-y divide-line/70 overflow-y-auto">
          {(all ? runs : runs.slice(0, SHOWN)).map((run) => (
            <li key={run.id}>
              <HistoryRow run={run} onReload={onReload} />
            </li>
          ))}
        </ul>
      )}
    </ResourceCard>
  );
}

interface HistoryRowProps {
  readonly run: ConsoleRunRecord;
  readonly onReload: (run: ConsoleRunRecord) => void;
}

function HistoryRow({ run, onReload }: HistoryRowProps) {
  const { at, elapsed_ms, error, mode, preset, row_count, sql } = run;
  return (
    <button
      type="button"
      title={error ?? "Bring it back into the editor"}
      class="block w-full px-4 py-2 text-left -outline-offset-2! transition-colors hover:bg-raised"
      onClick={() => onReload(run)}
    >
      <code class="block truncate text-xs">{preset ?? sql.slice(0, 300)}</code>
      {error !== null && <span class="mt-0.5 block truncate text-xs text-warn">{error}</span>}
      <span class="mt-1 flex flex-wrap items-center gap-x-2 gap-y-1 text-xs text-muted">
        {mode === "write" && <Badge tone="bad">write</Badge>}
        {error === null ? (
          <span class="tabular-nums">
            {row_count === null ? "done" : countText(row_count, "row")}
            {elapsed_ms !== null && `, ${msText(elapsed_ms)}`}
          </span>
        ) : (
          <Badge tone="warn">failed</Badge>
        )}
        <Age at={at} />
      </span>
    </button>
  );
}
