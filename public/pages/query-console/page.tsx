/** @module Query Console: one statement at a time on this node's agent. */
import { useState } from "preact/hooks";
import type { ConsoleRunRecord, QueryPreset } from "../../../services/corrosion/contract.ts";
import { PageHeading } from "../../components/page-heading.tsx";
import { dataOf } from "../../data/resource.ts";
import { useResource } from "../../data/use-resource.ts";
import { confirmed } from "../../shell/confirm.tsx";
import { type Draft, EMPTY, fromHistory, presetOf, type RunBody, withPreset } from "./draft.ts";
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

  /** What somebody wrote and the history has not is stored nowhere; a statement that was refused is not in it either. */
  async function replace(next: (before: Draft) => Draft): Promise<void> {
    const kept = dataOf(history)?.history.some(({ sql }) => sql === draft.sql) ?? false;
    const own = presetOf(draft) === null && draft.sql.trim() !== "" && !kept;
    const question = {
      title: "Replace your statement?",
      text: "The history does not have it: it is gone then.",
      action: "Replace statement",
    };
    if (!own || (await confirmed(question))) setDraft(next);
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
          onChoose={(preset) => replace((before) => withPreset(before, preset))}
        />
        <div class="min-w-0 space-y-4 lg:row-span-2">
          <EditorCard draft={draft} run={run} onChange={setDraft} onRun={start} />
          <ResultCard state={run.state} />
        </div>
        <HistoryCard
          history={history}
          onReload={(record) =>
            replace((before) => fromHistory(before, record, dataOf(presets)?.presets ?? []))
          }
        />
      </div>
    </div>
  );
}
