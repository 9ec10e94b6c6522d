/** @module Query Console: one statement at a time on this node's agent. */
import { useState } from "preact/hooks";
import type { ConsoleRunRecord, QueryPreset } from "../../../services/corrosion/contract.ts";
import { PageHeading } from "../../components/page-heading.tsx";
import { dataOf } from "../../data/resource.ts";
import { useResource } from "../../data/use-resource.ts";
import { EMPTY, fromHistory, presetOf, type RunBody, withPreset } from "./draft.ts";
import { EditorCard } from "./editor-card.tsx";
import { HistoryCard } from "./history-card.tsx";
import { PresetsCard } from "./presets-card.tsx";
import { ResultCard } from "./result-card.tsx";
import { useRun } from "./use-run.ts";

export default function QueryConsolePage() {
  const presets = useResource<{ readonly presets: readonly QueryPreset[] }>("/api/console/presets");
  const history = useResource<{ readonly history: readonly ConsoleRunRecord[] }>("/api/console/history");
  const [draft, setDraft] = useState(EMPTY);
  const run = useRun();

  async function start(body: RunBody): Promise<void> {
    await run.start(body);
    await history.refetch();
  }

  return (
    <div class="space-y-4">
      <PageHeading title="Query Console">
        SQL on the database of this node's Corrosion agent, one statement at a time.
      </PageHeading>
      <div class="grid items-start gap-4 lg:grid-cols-[20rem_minmax(0,1fr)] lg:grid-rows-[auto_1fr]">
        <PresetsCard
          presets={presets}
          chosen={presetOf(draft)?.id ?? null}
          onChoose={(preset) => setDraft((before) => withPreset(before, preset))}
        />
        <div class="min-w-0 space-y-4 lg:row-span-2">
          <EditorCard draft={draft} run={run} onChange={setDraft} onRun={start} />
          <ResultCard state={run.state} />
        </div>
        <HistoryCard
          history={history}
          onReload={(record) =>
            setDraft((before) => fromHistory(before, record, dataOf(presets)?.presets ?? []))
          }
        />
      </div>
    </div>
  );
}
