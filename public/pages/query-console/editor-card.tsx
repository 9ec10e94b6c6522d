/** @module The statement, its parameters, and everything that can be done with them. */
import { useState } from "preact/hooks";
import { Button } from "../../components/button.tsx";
import { Card } from "../../components/card.tsx";
import { copyText } from "../../components/copy.tsx";
import { Field } from "../../components/field.tsx";
import { confirmed } from "../../shell/confirm.tsx";
import { type Draft, MAX_LIMIT, MAX_PLACES, placesOf, presetOf, type RunBody, readDraft } from "./draft.ts";
import { Editor } from "./editor.tsx";
import { ModeSwitch } from "./mode-switch.tsx";
import { ParametersForm } from "./parameters-form.tsx";
import type { Run } from "./use-run.ts";

export interface EditorCardProps {
  readonly draft: Draft;
  readonly run: Run;
  readonly onChange: (change: (draft: Draft) => Draft) => void;
  readonly onRun: (body: RunBody) => Promise<void>;
}

export function EditorCard({ draft, run, onChange, onRun }: EditorCardProps) {
  // Nobody is told what is missing before they have tried.
  const [tried, setTried] = useState(false);
  const read = readDraft(draft);
  const problems = tried && read.kind === "refused" ? read.problems : null;
  const running = run.state.kind === "running";
  const writes = draft.mode === "write";
  const preset = presetOf(draft);

  async function start(): Promise<void> {
    if (running) return;
    setTried(read.kind === "refused");
    if (read.kind === "ready" && (!writes || (await agreed(draft.sql)))) await onRun(read.body);
  }

  return (
    <Card title={preset === null ? "Statement" : preset.label} note={<Hint writes={writes} />}>
      <div class="space-y-3">
        <Editor
          sql={draft.sql}
          writes={writes}
          error={problems?.sql ?? null}
          placeholder={
            preset?.sql === null ? "The node answers this one by the agent's API, without SQL." : "SELECT …"
          }
          onChange={(sql) => onChange((before) => ({ ...before, sql }))}
          onRun={() => void start()}
        />
        <ParametersForm
          draft={draft}
          places={placesOf(draft).slice(0, MAX_PLACES)}
          problems={problems?.values ?? {}}
          onChange={(key, value) =>
            onChange((before) => ({ ...before, values: { ...before.values, [key]: value } }))
          }
        />
        <div class="flex flex-wrap items-end gap-2">
          <div class="w-32">
            <Field
              label="Limit (rows)"
              type="number"
              min={1}
              max={MAX_LIMIT}
              value={draft.limit}
              error={problems?.limit ?? null}
              onChange={(limit) => onChange((before) => ({ ...before, limit }))}
            />
          </div>
          <ModeSwitch
            writes={writes}
            onChange={(write) => onChange((before) => ({ ...before, mode: write ? "write" : "read" }))}
          />
          <div class="ml-auto flex flex-wrap gap-2">
            <Button disabled={draft.sql.trim() === ""} onPress={() => copyText(draft.sql, "SQL")}>
              Copy SQL
            </Button>
            <Button disabled={!running} onPress={run.cancel}>
              Cancel
            </Button>
            <Button tone={writes ? "danger" : "primary"} busy={running} onPress={() => void start()}>
              Run
            </Button>
          </div>
        </div>
      </div>
    </Card>
  );
}

function Hint({ writes }: { readonly writes: boolean }) {
  return writes ? (
    <span class="font-medium text-bad">Writes: what changes here changes on every node.</span>
  ) : (
    <span>Reads only.</span>
  );
}

const SHOWN_SQL = 300;

function agreed(sql: string): Promise<boolean> {
  const text = sql.trim().replaceAll(/\s+/g, " ");
  const shown = text.length > SHOWN_SQL ? `${text.slice(0, SHOWN_SQL)}…` : text;
  return confirmed({
    title: "Run a statement that writes?",
    text: `It changes rows on this node, and Corrosion carries the change to every other one. It cannot be undone. The statement: ${shown}`,
    action: "Run and write",
  });
}
