/** @module What a run brought: its rows, how it went, and the rows as a file. */
import { useMemo } from "preact/hooks";
import type { QueryResult } from "../../../services/corrosion/contract.ts";
import { Badge } from "../../components/badge.tsx";
import { Button } from "../../components/button.tsx";
import { Card, Skeleton } from "../../components/card.tsx";
import { Notice } from "../../components/notice.tsx";
import { ApiError, sentenceOf } from "../../data/api-error.ts";
import { useNow } from "../../data/now.ts";
import { toast } from "../../data/toasts.ts";
import { ageText, countText } from "../../data/wording.ts";
import type { RunBody } from "./draft.ts";
import { csvOf, fileNameOf, jsonOf } from "./export.ts";
import { Grid } from "./grid.tsx";
import { outcomeText, type RunState } from "./run-state.ts";
import { saveFile } from "./save-file.ts";

const CODES: Readonly<Record<string, string>> = {
  blocked_statement: "blocked",
  sql_error: "SQL error",
  timeout: "timeout",
  agent_unavailable: "no agent",
  unreachable: "no answer",
};

export function ResultCard({ state }: { readonly state: RunState }) {
  return (
    <Card
      title="Result"
      flush
      note={<Status state={state} />}
      {...(state.kind === "done" && state.result.columns.length > 0 && { actions: <Exports {...state} /> })}
    >
      <Body state={state} />
    </Card>
  );
}

function Status({ state }: { readonly state: RunState }) {
  return (
    <span role="status" data-run={state.kind} class="flex flex-wrap items-center gap-2 tabular-nums">
      {state.kind === "running" && <Running since={state.since} />}
      {state.kind === "failed" && <Badge tone="bad">{codeOf(state.error)}</Badge>}
      {state.kind === "cancelled" && <Badge tone="warn">cancelled</Badge>}
      {state.kind === "done" && (
        <>
          <Badge tone="good">done</Badge>
          {outcomeText(state.result)}
          {state.result.truncated && <Badge tone="warn">truncated</Badge>}
        </>
      )}
    </span>
  );
}

function Running({ since }: { readonly since: number }) {
  const age = ageText(Math.max(0, useNow() - since));
  return <Badge tone="info">running{age === "now" ? "" : `, ${age}`}</Badge>;
}

function codeOf(error: Error): string {
  return (error instanceof ApiError ? CODES[error.code] : undefined) ?? "failed";
}

function Body({ state }: { readonly state: RunState }) {
  switch (state.kind) {
    case "idle":
      return <p class="p-4 text-muted">Choose a preset or write a statement, and run it.</p>;
    case "running":
      return (
        <div class="p-4">
          <Skeleton lines={4} />
        </div>
      );
    case "cancelled":
      return <p class="p-4 text-muted">The query was cancelled before it ended.</p>;
    case "failed":
      return (
        <div class="p-4">
          <Notice tone="bad">{sentenceOf(state.error)}</Notice>
        </div>
      );
    case "done":
      return <Rows result={state.result} limit={state.body.limit} />;
  }
}

interface RowsProps {
  readonly result: QueryResult;
  readonly limit: number | undefined;
}

function Rows({ result, limit }: RowsProps) {
  const { columns, rows, rows_affected: affected, truncated } = result;
  // A page that types on must not draw 5,000 rows for each letter.
  const grid = useMemo(() => <Grid columns={columns} rows={rows} />, [columns, rows]);
  if (affected !== undefined) return <p class="p-4">{countText(affected, "row")} affected.</p>;
  return (
    <>
      {rows.length === 0 ? <p class="p-4 text-muted">No row answers this query.</p> : grid}
      {truncated && (
        <p class="border-t border-line px-4 py-2 text-xs text-warn">
          There are more rows: these are the first {(limit ?? rows.length).toLocaleString("en")}. Raise the
          limit, or narrow the query.
        </p>
      )}
    </>
  );
}

function Exports({ body, result, at }: Extract<RunState, { kind: "done" }>) {
  function save(body: RunBody, ending: "csv" | "json"): void {
    const when = new Date(at);
    const name = fileNameOf(body, when, ending);
    const text = ending === "csv" ? csvOf(result) : jsonOf(result, body, when);
    saveFile(name, ending === "csv" ? "text/csv" : "application/json", text);
    toast.success(`Saved ${name}.`);
  }
  return (
    <>
      <Button size="small" label="Export as CSV" onPress={() => save(body, "csv")}>
        CSV
      </Button>
      <Button size="small" label="Export as JSON" onPress={() => save(body, "json")}>
        JSON
      </Button>
    </>
  );
}
