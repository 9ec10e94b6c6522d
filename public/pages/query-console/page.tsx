/** @module Query Console: one statement at a time on this node's agent. */
import { useRef, useState } from "preact/hooks";
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
  /** Statements that the history has: those that were run from here, or came from it. */
  const ran = useRef(new Set<string>());

  async function start(body: RunBody): Promise<void> {
    if (body.sql !== undefined) ran.current.add(body.sql);
    await run.start(body);
    await history.refetch();
  }

  /** What somebody wrote and never ran is stored nowhere. */
  async function replace(next: (before: Draft) => Draft): Promise<void> {
    const own = presetOf(draft) === null && draft.sql.trim() !== "" && !ran.current.has(draft.sql);
    const question = {
      title: "Replace your statement?",
      text: "It was never run, and the history has only what was: it is gone then.",
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
          onReload={(record) => {
            ran.current.add(record.sql);
            void replace((before) => fromHistory(before, record, dataOf(presets)?.presets ?? []));
          }}
        />
      </div>
    </div>
  );
}
